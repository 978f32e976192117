"""What happens next in front of one citizen: a table of states and events, free of I/O.

`step` takes a session and an event and returns the next session with the effects that the
caller has to carry out. A pair that is not in the table raises `Refused` and changes nothing.

The rules it keeps (the product's promises 1, 2 and 4):

* only `Tap` makes a rating; a timer never does;
* thanks is shown only after `Saved`;
* a citizen who has begun to answer is not cut off: what the hub sends meanwhile waits;
* a new invitation takes no tap before `ARM_MS`, so that a late tap on the previous
  citizen's screen cannot land on it.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from protocol.messages import Invitation, Rated, readable

ARM_MS = 400
UNDO_MS = 8_000


class Screen(StrEnum):
    """The states of a session; each has a screen of its own."""

    IDLE = "idle"
    INVITED = "invited"
    SAVING = "saving"
    REASONS = "reasons"
    THANKS = "thanks"
    PAUSED = "paused"
    OUT_OF_SERVICE = "out_of_service"


class Refused(Exception):
    """An event that has no meaning in this state; `cause` is a stable word for counting."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


# ---------------------------------------------------------------- what can happen


class Event(Struct, frozen=True):
    """Something that happened at `now`, in milliseconds on the kiosk's monotonic clock."""

    now: int


class Offer(Event, frozen=True):
    """The hub wants this invitation shown, for at most `ttl_ms` from now; None = nothing."""

    invitation: Invitation | None
    ttl_ms: int = 0


class Tap(Event, frozen=True):
    """The citizen pressed a level, 5..1, on the screen of `invitation`."""

    invitation: str
    level: int


class Choose(Event, frozen=True):
    """The citizen pressed a reason: it is taken, or put back if it was taken."""

    code: str


class Write(Event, frozen=True):
    """The citizen's own words, as they stand now (at most 150 characters)."""

    text: str


class Submit(Event, frozen=True):
    """The citizen is done: 提交评价, or 完成 on the thanks screen."""


class Skip(Event, frozen=True):
    """The citizen gives no reason for a bad level: kept as it is, marked incomplete."""


class Undo(Event, frozen=True):
    """A slip of the finger: 选错了，重选. Only within `UNDO_MS` of the tap."""


class Tick(Event, frozen=True):
    """Time has passed; only a deadline that is over makes it an event of the table."""


class Saved(Event, frozen=True):
    """The outbox has the draft on disk."""


class SaveFailed(Event, frozen=True):
    """The outbox could not write: disk full, read-only or broken."""


class Recovered(Event, frozen=True):
    """The outbox can write again."""


class Pause(Event, frozen=True):
    """The hub says why this window is not serving; None = it is serving again."""

    reason: str | None


# ---------------------------------------------------------------- what has to be done


class Keep(Struct, frozen=True):
    """Put the draft on disk, signed, not to be sent yet.

    The first time it is answered with Saved, and whenever it fails with SaveFailed.
    """

    draft: "Draft"
    first: bool = False


class Release(Struct, frozen=True):
    """The draft on disk is final: it may be sent."""

    invitation: str


class Discard(Struct, frozen=True):
    """Take the draft off the disk again: it was undone before anything was sent."""

    invitation: str


class Close(Struct, frozen=True):
    """Keep, as final, an outcome that is not a rating."""

    invitation: str
    kind: Literal["expired", "withdrawn"]
    elapsed_ms: int = 0
    reason: Literal["withdrawn", "superseded", "never_shown", "kiosk_failed"] = "withdrawn"


Effect = Keep | Release | Discard | Close


class Draft(Struct, frozen=True):
    """What one citizen has pressed so far."""

    invitation: str
    level: int
    elapsed_ms: int
    tapped_ms: int
    reasons: tuple[str, ...] = ()
    comment: str = ""


class Session(Struct, frozen=True):
    """Everything the screen needs to know about the citizen in front of it."""

    screen: Screen = Screen.IDLE
    invitation: Invitation | None = None
    shown_ms: int = 0
    deadline_ms: int | None = None
    draft: Draft | None = None
    kept: bool = False
    waiting: Offer | None = None
    pause: str | None = None
    reasons_ms: int = 60_000
    thanks_ms: int = 8_000


Result = tuple[Session, tuple[Effect, ...]]


def current(session: Session) -> tuple[Invitation, Draft]:
    """Return what a citizen is answering; for states in which there always is a draft."""
    if session.invitation is None or session.draft is None:
        raise AssertionError(f"no draft in {session.screen}")
    return session.invitation, session.draft


# ---------------------------------------------------------------- between two citizens


def _rest(session: Session, now: int, effects: tuple[Effect, ...] = ()) -> Result:
    """Wipe everything of one citizen, then take what has been waiting."""
    blank = Session(
        screen=Screen.PAUSED if session.pause else Screen.IDLE,
        pause=session.pause,
        waiting=session.waiting,
        reasons_ms=session.reasons_ms,
        thanks_ms=session.thanks_ms,
    )
    held = session.waiting
    if held is None or blank.screen is Screen.PAUSED:
        return blank, effects
    blank = replace(blank, waiting=None)
    left = held.now + held.ttl_ms - now
    if held.invitation is not None and left <= 0:  # whom it was meant for is gone
        return blank, (*effects, _never_shown(held.invitation))
    return _show(blank, Offer(now, held.invitation, left), effects)


def _never_shown(invitation: Invitation) -> Close:
    return Close(invitation.id, kind="withdrawn", reason="never_shown")


def _show(session: Session, offer: Offer, effects: tuple[Effect, ...] = ()) -> Result:
    if offer.invitation is None:
        return session, effects
    shown = replace(
        session,
        screen=Screen.INVITED,
        invitation=offer.invitation,
        shown_ms=offer.now,
        deadline_ms=offer.now + offer.ttl_ms,
    )
    return shown, effects


def _offer_idle(session: Session, event: Offer) -> Result:
    return _show(session, event)


def _offer_invited(session: Session, event: Offer) -> Result:
    old = session.invitation
    if old is None or (event.invitation is not None and event.invitation.id == old.id):
        return session, ()
    close = Close(
        invitation=old.id,
        kind="withdrawn",
        elapsed_ms=event.now - session.shown_ms,
        reason="withdrawn" if event.invitation is None else "superseded",
    )
    session, dropped = _offer_waits(session, event)  # after an undo one may be waiting already
    return _rest(session, event.now, (close, *dropped))


def _offer_waits(session: Session, event: Offer) -> Result:
    """Hold the newest; an invitation that it takes the place of was never shown."""
    offered = event.invitation.id if event.invitation else None
    if session.invitation is not None and session.invitation.id == offered:
        return session, ()
    effects: tuple[Effect, ...] = ()
    held = session.waiting.invitation if session.waiting else None
    if held is not None and held.id != offered:
        effects = (_never_shown(held),)
    return replace(session, waiting=event), effects


def _pause_now(session: Session, event: Pause) -> Result:
    return _rest(replace(session, pause=event.reason), event.now)


def _pause_waits(session: Session, event: Pause) -> Result:
    return replace(session, pause=event.reason), ()


# ---------------------------------------------------------------- one citizen


def _tap(session: Session, event: Tap) -> Result:
    invitation = session.invitation
    if invitation is None or event.invitation != invitation.id:
        raise Refused("foreign_tap")
    if event.level not in (5, 4, 3, 2, 1):
        raise Refused("unknown_level")
    if event.now - session.shown_ms < ARM_MS:
        raise Refused("early_tap")
    if session.deadline_ms is not None and event.now >= session.deadline_ms:
        raise Refused("late_tap")
    draft = Draft(
        invitation=invitation.id,
        level=event.level,
        elapsed_ms=event.now - session.shown_ms,
        tapped_ms=event.now,
    )
    return replace(session, screen=Screen.SAVING, draft=draft, deadline_ms=None), (
        Keep(draft, first=True),
    )


def _saved(session: Session, event: Saved) -> Result:
    _, draft = current(session)
    bad = draft.level in Rated.bad
    wait = session.reasons_ms if bad else session.thanks_ms
    screen = Screen.REASONS if bad else Screen.THANKS
    return replace(session, screen=screen, kept=True, deadline_ms=event.now + wait), ()


def _saved_late(session: Session, event: Saved) -> Result:
    """Note that a tap reached the disk after all, though an earlier write failed: it counts."""
    del event
    return replace(session, kept=session.draft is not None), ()


def _save_failed(session: Session, event: SaveFailed) -> Result:
    del event
    return replace(session, screen=Screen.OUT_OF_SERVICE, deadline_ms=None), ()


def _recovered(session: Session, event: Recovered) -> Result:
    """Back to rest: a draft that was on disk goes out, an unanswered invitation is closed."""
    if session.invitation is None:
        return _rest(session, event.now)
    effect: Effect = Close(session.invitation.id, kind="withdrawn", reason="kiosk_failed")
    if session.kept:
        effect = Release(session.invitation.id)
    return _rest(session, event.now, (effect,))


def _amend(session: Session, draft: Draft, now: int) -> Result:
    """Keep an amended draft; the citizen is active, so the countdown starts anew."""
    wait = session.reasons_ms if session.screen is Screen.REASONS else session.thanks_ms
    return replace(session, draft=draft, deadline_ms=now + wait), (Keep(draft),)


def _choose(session: Session, event: Choose) -> Result:
    _, draft = current(session)
    if not re.fullmatch(f"{draft.level}[0-9]{{2}}", event.code):
        raise Refused("foreign_reason")
    if event.code in draft.reasons:
        reasons = tuple(code for code in draft.reasons if code != event.code)
    elif len(draft.reasons) >= 10:
        raise Refused("too_many_reasons")
    else:
        reasons = (*draft.reasons, event.code)
    return _amend(session, replace(draft, reasons=reasons), event.now)


def _write(session: Session, event: Write) -> Result:
    _, draft = current(session)
    text = readable(event.text)  # one unseen sign, and the hub would refuse the whole rating
    if len(text) > 150:
        raise Refused("text_too_long")
    return _amend(session, replace(draft, comment=text), event.now)


def _submit(session: Session, event: Submit) -> Result:
    _, draft = current(session)
    if not draft.reasons and not draft.comment.strip():
        raise Refused("no_reason_yet")
    return _thank(session, event)


def _thank(session: Session, event: Event) -> Result:
    deadline = event.now + session.thanks_ms
    return replace(session, screen=Screen.THANKS, deadline_ms=deadline), ()


def _undo(session: Session, event: Undo) -> Result:
    invitation, draft = current(session)
    if event.now - draft.tapped_ms > UNDO_MS:
        raise Refused("undo_too_late")
    again = replace(
        session,
        screen=Screen.INVITED,
        draft=None,
        kept=False,
        shown_ms=event.now,
        deadline_ms=event.now + invitation.ttl_ms,
    )
    return again, (Discard(invitation.id),)


def _finish(session: Session, event: Event) -> Result:
    invitation, _ = current(session)
    return _rest(session, event.now, (Release(invitation.id),))


def _expire(session: Session, event: Tick) -> Result:
    if session.invitation is None:
        raise AssertionError("an invitation expires, and there is none")
    elapsed = event.now - session.shown_ms
    close = Close(session.invitation.id, kind="expired", elapsed_ms=elapsed)
    return _rest(session, event.now, (close,))


# ---------------------------------------------------------------- the table

Handler = Callable[[Session, Any], Result]

TABLE: dict[tuple[Screen, type[Event]], Handler] = {
    (Screen.IDLE, Offer): _offer_idle,
    (Screen.IDLE, Pause): _pause_now,
    (Screen.IDLE, SaveFailed): _save_failed,
    (Screen.INVITED, Offer): _offer_invited,
    (Screen.INVITED, Tap): _tap,
    (Screen.INVITED, Tick): _expire,
    (Screen.INVITED, Pause): _pause_waits,
    (Screen.INVITED, SaveFailed): _save_failed,
    (Screen.SAVING, Offer): _offer_waits,
    (Screen.SAVING, Saved): _saved,
    (Screen.SAVING, SaveFailed): _save_failed,
    (Screen.SAVING, Pause): _pause_waits,
    (Screen.REASONS, Offer): _offer_waits,
    (Screen.REASONS, Choose): _choose,
    (Screen.REASONS, Write): _write,
    (Screen.REASONS, Submit): _submit,
    (Screen.REASONS, Skip): _thank,
    (Screen.REASONS, Undo): _undo,
    (Screen.REASONS, Tick): _finish,
    (Screen.REASONS, Pause): _pause_waits,
    (Screen.REASONS, SaveFailed): _save_failed,
    (Screen.THANKS, Offer): _offer_waits,
    (Screen.THANKS, Choose): _choose,
    (Screen.THANKS, Write): _write,
    (Screen.THANKS, Submit): _finish,
    (Screen.THANKS, Undo): _undo,
    (Screen.THANKS, Tick): _finish,
    (Screen.THANKS, Pause): _pause_waits,
    (Screen.THANKS, SaveFailed): _save_failed,
    (Screen.PAUSED, Offer): _offer_waits,
    (Screen.PAUSED, Pause): _pause_now,
    (Screen.PAUSED, SaveFailed): _save_failed,
    (Screen.OUT_OF_SERVICE, Offer): _offer_waits,
    (Screen.OUT_OF_SERVICE, Pause): _pause_waits,
    (Screen.OUT_OF_SERVICE, Saved): _saved_late,
    (Screen.OUT_OF_SERVICE, Recovered): _recovered,
}
"""What is allowed; all else is refused. A `Tick` counts only when the deadline is over."""


def step(session: Session, event: Event) -> Result:
    """Return the session after `event`, and what has to be done, in order.

    Raises `Refused`, leaving everything as it was, for a pair outside of `TABLE` and for an
    event that its state has a reason not to take.
    """
    if isinstance(event, Tick) and (session.deadline_ms is None or event.now < session.deadline_ms):
        return session, ()
    handler = TABLE.get((session.screen, type(event)))
    if handler is None:
        raise Refused(f"{type(event).__name__.lower()}_in_{session.screen}")
    return handler(session, event)
