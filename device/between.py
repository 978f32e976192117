"""Between two citizens: what is shown next, what waits, and when the window is paused.

Rules of the table in `session`: each takes a session and an event and returns what follows.
"""

from msgspec.structs import replace

from device.events import Close, Effect, Offer, Pause, Tick
from device.state import ENDING_MS, Ending, Result, Screen, Session, service
from protocol.messages import Invitation


def rest(session: Session, now: int, effects: tuple[Effect, ...] = ()) -> Result:
    """Wipe everything of one citizen, then take what has been waiting."""
    blank = Session(
        screen=Screen.PAUSED if session.pause else Screen.IDLE,
        pause=session.pause,
        revision=session.revision,
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
    return _show(blank, Offer(now, held.invitation, left, held.link), effects)


def end(session: Session, now: int, ending: Ending, effects: tuple[Effect, ...] = ()) -> Result:
    """Wipe everything of one citizen but language and size, and say how it ended."""
    shown = Session(
        screen=Screen.ENDING,
        deadline_ms=now + ENDING_MS[ending],
        ending=ending,
        english=session.english,
        elder=session.elder,
        pause=session.pause,
        revision=session.revision,
        waiting=session.waiting,
        reasons_ms=session.reasons_ms,
        thanks_ms=session.thanks_ms,
    )
    if session.waiting is not None and ending is not Ending.SUPERSEDED:
        return _cut_short(shown, now, effects)
    return shown, effects


def _cut_short(session: Session, now: int, effects: tuple[Effect, ...]) -> Result:
    """Give way to the invitation that waits; while the window is paused, or if it is over, not."""
    rested, more = rest(session, now, effects)
    return (rested, more) if rested.screen is Screen.INVITED else (session, effects)


def ended(session: Session, event: Tick) -> Result:
    """The ending has been seen."""
    return rest(session, event.now)


def offer_ended(session: Session, event: Offer) -> Result:
    """Show it at once: whoever is there has read enough. Behind a superseded one it waits."""
    session, effects = offer_waits(session, event)
    if session.ending is Ending.SUPERSEDED:
        return session, effects
    return _cut_short(session, event.now, effects)


def _never_shown(invitation: Invitation) -> Close:
    return Close(invitation.id, kind="withdrawn", reason="never_shown")


def _show(session: Session, offer: Offer, effects: tuple[Effect, ...] = ()) -> Result:
    if offer.invitation is None:
        return session, effects
    shown = replace(
        session,
        screen=Screen.INVITED,
        invitation=offer.invitation,
        link=offer.link,
        shown_ms=offer.now,
        deadline_ms=offer.now + offer.ttl_ms,
    )
    return shown, effects


def offer_idle(session: Session, event: Offer) -> Result:
    """Show it at once."""
    return _show(session, event)


def offer_invited(session: Session, event: Offer) -> Result:
    """Change over to another one while nobody has answered; the one on the screen ends."""
    old = session.invitation
    if old is None or (event.invitation is not None and event.invitation.id == old.id):
        return session, ()
    close = Close(
        invitation=old.id,
        kind="withdrawn",
        elapsed_ms=event.now - session.shown_ms,
        reason="withdrawn" if event.invitation is None else "superseded",
        signals=session.signals,
    )
    ending = Ending.WITHDRAWN if event.invitation is None else Ending.SUPERSEDED
    session, dropped = offer_waits(session, event)  # after an undo one may be waiting already
    return end(session, event.now, ending, (close, *dropped))


def offer_waits(session: Session, event: Offer) -> Result:
    """Hold the newest; an invitation that it takes the place of was never shown.

    When the hub wants back what a citizen has tapped is noted with the answer.
    """
    offered = event.invitation.id if event.invitation else None
    if session.invitation is not None and session.invitation.id == offered:
        return session, ()
    effects: tuple[Effect, ...] = ()
    held = session.waiting.invitation if session.waiting else None
    if held is not None and held.id != offered:
        effects = (_never_shown(held),)
    return _wanted_back(replace(session, waiting=event), event.now), effects


def _wanted_back(session: Session, now: int) -> Session:
    """Note how long after the tap it was, the first time; it goes onto the disk with the end.

    It is no word of the citizen: nobody waits for it, and no countdown begins anew.
    """
    draft = session.draft
    if draft is None or draft.signals.withdrawn_ms is not None:
        return session
    after = max(0, now - draft.tapped_ms)  # the hub's word may be older than its arrival here
    return replace(
        session, draft=replace(draft, signals=replace(draft.signals, withdrawn_ms=after))
    )


def drop_rated(session: Session, effects: tuple[Effect, ...]) -> Result:
    """Ask nobody twice: what waits and is for the very service just rated is never shown."""
    rated = session.invitation
    held = session.waiting.invitation if session.waiting else None
    if rated is None or held is None or service(held) != service(rated):
        return session, effects
    return replace(session, waiting=None), (*effects, _never_shown(held))


def pause_now(session: Session, event: Pause) -> Result:
    """Nobody is in front of the screen: show the notice, change its text or serve again."""
    return rest(replace(session, pause=event.reason), event.now)


def pause_waits(session: Session, event: Pause) -> Result:
    """Note it for when the citizen is done."""
    return replace(session, pause=event.reason), ()
