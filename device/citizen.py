"""One citizen: from the tap to the thanks, and out again by time, undo or a broken disk.

What happens after the tap is the same for every level, so that nobody across the counter can
tell one from another by what is shown, in which order, or for how long.

Rules of the table in `session`: each takes a session and an event and returns what follows.
"""

import re

from msgspec.structs import replace

from device.between import drop_rated, end, rest
from device.events import (
    Choose,
    Close,
    Discard,
    Draft,
    Effect,
    Enlarge,
    Event,
    Keep,
    Recovered,
    Release,
    Saved,
    SaveFailed,
    Skip,
    Speak,
    Stay,
    Submit,
    Tap,
    Tick,
    Touch,
    Undo,
    Write,
)
from device.state import (
    ARM_MS,
    UNDO_MS,
    Ending,
    Refused,
    Result,
    Screen,
    Session,
    current,
)
from protocol.messages import Invitation, Rated, Signals, readable


def tap(session: Session, event: Tap) -> Result:
    """Make the draft of a rating, if the tap was meant for this invitation, and in time.

    Where the hub had asked for the invitation back before (and the citizen had undone a tap),
    the time until it did counts as none.
    """
    invitation = session.invitation
    if invitation is None or event.invitation != invitation.id:
        raise Refused("foreign_tap")
    if event.level not in (5, 4, 3, 2, 1):
        raise Refused("unknown_level")
    if event.now - session.shown_ms < ARM_MS:
        raise Refused("early_tap")
    if session.deadline_ms is not None and event.now >= session.deadline_ms:
        raise Refused("late_tap")
    touches = max(0, session.touches - (event.input == "screen"))  # its own finger
    draft = Draft(
        invitation=invitation.id,
        level=event.level,
        elapsed_ms=event.now - session.shown_ms,
        tapped_ms=event.now,
        signals=Signals(
            input=event.input,
            touches=touches,
            undone=session.undone,
            withdrawn_ms=None if session.waiting is None else 0,
        ),
    )
    tapped = replace(session, screen=Screen.SAVING, deadline_ms=None, touches=touches)
    return _keep(tapped, draft)


def _keep(session: Session, draft: Draft) -> Result:
    revision = session.revision + 1
    draft = replace(draft, revision=revision)
    return replace(session, draft=draft, revision=revision), (Keep(draft),)


def touch(session: Session, event: Touch) -> Result:
    """Count what is touched or pressed; nothing follows from it."""
    return replace(session, touches=session.touches + event.count), ()


def _on_disk(session: Session) -> bool:
    """Whether everything that was pressed is saved."""
    return session.draft is not None and session.saved >= session.draft.revision


def saved(session: Session, event: Saved) -> Result:
    """Thank once the tap is on disk; the word on an undone draft may come late."""
    session = replace(session, saved=event.revision)
    if not _on_disk(session):
        return session, ()
    deadline = event.now + session.thanks_ms
    return replace(session, screen=Screen.THANKS, kept=True, deadline_ms=deadline), ()


def saved_more(session: Session, event: Saved) -> Result:
    """Let go a citizen who has been waiting for their last word to be saved."""
    session = replace(session, saved=event.revision)
    if not session.submitted or not _on_disk(session):
        return session, ()
    return finish(session, event)


def saved_late(session: Session, event: Saved) -> Result:
    """Note that a tap reached the disk after all, though an earlier write failed: it counts.

    The late word on an undone tap does not count for the one that was made after it.
    """
    session = replace(session, saved=event.revision)
    return replace(session, kept=session.kept or _on_disk(session)), ()


def saved_before(session: Session, event: Saved) -> Result:
    """Take the word on the draft of a citizen who has gone."""
    del event
    return session, ()


def save_failed(session: Session, event: SaveFailed) -> Result:
    """Ask nobody anything that could not be kept."""
    del event
    return replace(session, screen=Screen.OUT_OF_SERVICE, deadline_ms=None), ()


def recovered(session: Session, event: Recovered) -> Result:
    """Back to rest: a rating that was kept goes out, an unanswered invitation is closed.

    What was pressed last may not have reached the disk, so it is kept once more: neither are
    reasons lost, nor do those go out that the citizen took back.
    """
    asked = session.invitation
    if asked is None:
        return rest(session, event.now)
    effects: tuple[Effect, ...]
    if session.kept:
        invitation, draft = current(session)
        session, effects = drop_rated(session, (Release(invitation.id, draft),))
    else:
        close = Close(asked.id, kind="withdrawn", reason="kiosk_failed", signals=session.signals)
        effects = (close,)
    return rest(session, event.now, effects)


def _amend(session: Session, draft: Draft, now: int) -> Result:
    """Keep an amended draft; the citizen is active, so the countdown starts anew."""
    return _keep(replace(session, deadline_ms=now + session.reasons_ms), draft)


def stay(session: Session, event: Stay) -> Result:
    """Give a citizen who reads on as much time as one who chooses."""
    _answering(session)
    return replace(session, deadline_ms=event.now + session.reasons_ms), ()


def speak(session: Session, event: Speak) -> Result:
    """Change the language of this session; its time goes on."""
    return replace(session, english=event.english), ()


def enlarge(session: Session, event: Enlarge) -> Result:
    """Change the size of this session; its time goes on."""
    return replace(session, elder=event.elder), ()


def _answering(session: Session) -> tuple[Invitation, Draft]:
    """Return what is being answered; refuse if the citizen has said that they are done."""
    if session.submitted:
        raise Refused("submitted")
    return current(session)


def choose(session: Session, event: Choose) -> Result:
    """Take a reason of the level that was pressed, or put it back."""
    _, draft = _answering(session)
    if not re.fullmatch(f"{draft.level}[0-9]{{2}}", event.code):
        raise Refused("foreign_reason")
    if event.code in draft.reasons:
        reasons = tuple(code for code in draft.reasons if code != event.code)
    elif len(draft.reasons) >= 10:
        raise Refused("too_many_reasons")
    else:
        reasons = (*draft.reasons, event.code)
    return _amend(session, replace(draft, reasons=reasons), event.now)


def write(session: Session, event: Write) -> Result:
    """Take the citizen's own words as they stand now."""
    _, draft = _answering(session)
    text = readable(event.text)  # one unseen sign, and the hub would refuse the whole rating
    if len(text) > 150:
        raise Refused("text_too_long")
    return _amend(session, replace(draft, comment=text), event.now)


def submit(session: Session, event: Submit) -> Result:
    """Let go who is done; a bad level needs a reason or words for that."""
    _, draft = _answering(session)
    if draft.level in Rated.bad and not draft.reasons and not draft.comment.strip():
        raise Refused("no_reason_yet")
    return done(session, event)


def skip(session: Session, event: Skip) -> Result:
    """Take back what was chosen or written: the citizen says nothing, so nothing is sent."""
    _, draft = _answering(session)
    if not draft.reasons and not draft.comment:
        return done(session, event)
    session, effects = _amend(session, replace(draft, reasons=(), comment=""), event.now)
    return replace(session, submitted=True), effects


def done(session: Session, event: Event) -> Result:
    """Leave this screen, but not before the last word is on disk."""
    if not _on_disk(session):
        return replace(session, submitted=True), ()
    return finish(session, event)


def undo(session: Session, event: Undo) -> Result:
    """Take the answer back and ask anew, with all the time there was at first."""
    invitation, draft = _answering(session)
    if event.now - draft.tapped_ms > UNDO_MS:
        raise Refused("undo_too_late")
    again = replace(
        session,
        screen=Screen.INVITED,
        draft=None,
        kept=False,
        undone=session.undone + 1,
        shown_ms=event.now,
        deadline_ms=event.now + invitation.ttl_ms,
    )
    return again, (Discard(invitation.id),)


def finish(session: Session, event: Event) -> Result:
    """Let the rating go out as it stands."""
    invitation, draft = current(session)
    said = bool(draft.reasons) or bool(draft.comment.strip())
    kind = Ending.RATED if said else Ending.SKIPPED
    # What the hub did meanwhile is not on the disk yet.
    late = draft if draft.signals.withdrawn_ms is not None else None
    session, effects = drop_rated(session, (Release(invitation.id, late),))
    return end(session, event.now, kind, effects)


def expire(session: Session, event: Tick) -> Result:
    """Nobody answered in time: that is no rating."""
    if session.invitation is None:
        raise AssertionError("an invitation expires, and there is none")
    elapsed = event.now - session.shown_ms
    close = Close(
        session.invitation.id, kind="expired", elapsed_ms=elapsed, signals=session.signals
    )
    return end(session, event.now, Ending.EXPIRED, (close,))
