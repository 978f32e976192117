"""Invitations, and a session led by real events into each of its states."""

import pytest

from device.events import Offer, Pause, Saved, SaveFailed, Tap, Tick
from device.session import Refused, Screen, Session, step
from device.state import ENDING_MS
from protocol.messages import Invitation, Staff, Window

TTL = 30_000
SHOWN = 10_000
TAPPED = 12_000
SAVED = 12_050


def name(number):
    """The identifier of the invitation with this number."""
    return f"{number:032x}"


def invitation(number, ttl_ms=TTL, issued_at=1_000_000, case=None, service=1):
    """The invitation with this number, by default to the first service of a case of its own."""
    return Invitation(
        id=name(number),
        serial=f"津示例{case or number:04d}",
        service_number=service,
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


def refused(session, event):
    """Why the session refuses this event."""
    with pytest.raises(Refused) as caught:
        step(session, event)
    return caught.value.cause


def fresh(after, **more):
    """A session that has nothing of a citizen, only the number of the last revision."""
    return Session(revision=after.revision, **more)


def ended(after, ending, now, **more):
    """A session of which nothing is left but how it ended."""
    deadline = now + ENDING_MS[ending]
    return fresh(after, screen=Screen.ENDING, ending=ending, deadline_ms=deadline, **more)


def rating(level=1):
    """A session whose citizen has pressed this level and whose tap is on the disk."""
    return led(offer(), Tap(TAPPED, name(1), level), Saved(SAVED, 1))[0]


def offer(number=1, now=SHOWN, ttl_ms=TTL):
    return Offer(now, invitation(number), ttl_ms)


def session_in(screen, level=None):
    """A representative session in this state; with a citizen, that of invitation 1."""
    level = level or 1
    ways = {
        Screen.IDLE: [],
        Screen.INVITED: [offer()],
        Screen.SAVING: [offer(), Tap(TAPPED, name(1), level)],
        Screen.THANKS: [offer(), Tap(TAPPED, name(1), level), Saved(SAVED, 1)],
        Screen.ENDING: [offer(), Tick(SHOWN + TTL)],
        Screen.PAUSED: [Pause(SHOWN, "午休")],
        Screen.OUT_OF_SERVICE: [offer(), Tap(TAPPED, name(1), level), SaveFailed(SAVED)],
    }
    session, _ = led(*ways[screen])
    assert session.screen is screen
    return session
