"""Invitations, and a session led by real events into each of its states."""

from device.session import (
    Offer,
    Pause,
    Saved,
    SaveFailed,
    Screen,
    Session,
    Tap,
    step,
)
from protocol.messages import Invitation, Staff, Window

TTL = 30_000
SHOWN = 10_000
TAPPED = 12_000
SAVED = 12_050


def name(number):
    """The identifier of the invitation with this number."""
    return f"{number:032x}"


def invitation(number, ttl_ms=TTL, issued_at=1_000_000):
    return Invitation(
        id=name(number),
        serial=f"津示例{number:04d}",
        service_number=1,
        matter=f"示例事项{number}",
        window=Window(name="1号窗口", label="综合受理"),
        staff=Staff(name="示例甲", number="001"),
        issued_at=issued_at,
        ttl_ms=ttl_ms,
    )


def led(*events, start=None):
    """A session after these events, and all that had to be done on the way."""
    session, done = start or Session(), []
    for event in events:
        session, effects = step(session, event)
        done.extend(effects)
    return session, done


def offer(number=1, now=SHOWN, ttl_ms=TTL):
    return Offer(now, invitation(number), ttl_ms)


def session_in(screen, level=None):
    """A representative session in this state; with a citizen, that of invitation 1."""
    level = level or (1 if screen is Screen.REASONS else 5)
    ways = {
        Screen.IDLE: [],
        Screen.INVITED: [offer()],
        Screen.SAVING: [offer(), Tap(TAPPED, name(1), level)],
        Screen.REASONS: [offer(), Tap(TAPPED, name(1), level), Saved(SAVED)],
        Screen.THANKS: [offer(), Tap(TAPPED, name(1), level), Saved(SAVED)],
        Screen.PAUSED: [Pause(SHOWN, "午休")],
        Screen.OUT_OF_SERVICE: [offer(), Tap(TAPPED, name(1), level), SaveFailed(SAVED)],
    }
    session, _ = led(*ways[screen])
    assert session.screen is screen
    return session
