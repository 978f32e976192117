"""The table of the session: what each event does in each state, and what it never does."""

import msgspec
import pytest
from session_world import (
    SAVED,
    SHOWN,
    TTL,
    invitation,
    name,
    refused,
    session_in,
)

from device.events import (
    Choose,
    Close,
    Discard,
    Enlarge,
    Event,
    Keep,
    Offer,
    Pause,
    Pressed,
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
from device.session import TABLE, Screen, Session, step
from device.state import current
from protocol.messages import Signals

NOW = SAVED + 1_000
LATE = SAVED + 600_000
EVENTS = {
    Offer: Offer(NOW, invitation(2), TTL),
    Tap: Tap(NOW, name(1), 4),
    Touch: Touch(NOW),
    Choose: Choose(NOW, "108"),
    Write: Write(NOW, "等太久"),
    Submit: Submit(NOW),
    Stay: Stay(NOW),
    Speak: Speak(NOW, english=True),
    Enlarge: Enlarge(NOW, elder=True),
    Skip: Skip(NOW),
    Undo: Undo(NOW),
    Tick: Tick(LATE),
    Saved: Saved(NOW, 1),
    SaveFailed: SaveFailed(NOW),
    Recovered: Recovered(NOW),
    Pause: Pause(NOW, "午休"),
}
SEEN = Signals()
GONE = Close(name(1), kind="withdrawn", elapsed_ms=NOW - SHOWN, reason="superseded", signals=SEEN)
FAILED = Close(name(1), kind="withdrawn", reason="kiosk_failed", signals=SEEN)
EXPIRED = Close(name(1), kind="expired", elapsed_ms=LATE - SHOWN, signals=SEEN)

# What the documentation promises of each pair in the table: the next screen, what is done.
PROMISED = {
    (Screen.IDLE, Offer): (Screen.INVITED, []),
    (Screen.IDLE, Pause): (Screen.PAUSED, []),
    (Screen.IDLE, Saved): (Screen.IDLE, []),
    (Screen.IDLE, SaveFailed): (Screen.OUT_OF_SERVICE, []),
    (Screen.INVITED, Offer): (Screen.ENDING, [GONE]),
    (Screen.INVITED, Tap): (Screen.SAVING, [Keep]),
    (Screen.INVITED, Touch): (Screen.INVITED, []),
    (Screen.INVITED, Speak): (Screen.INVITED, []),
    (Screen.INVITED, Enlarge): (Screen.INVITED, []),
    (Screen.INVITED, Tick): (Screen.ENDING, [EXPIRED]),
    (Screen.INVITED, Pause): (Screen.INVITED, []),
    (Screen.INVITED, Saved): (Screen.INVITED, []),
    (Screen.INVITED, SaveFailed): (Screen.OUT_OF_SERVICE, []),
    (Screen.SAVING, Offer): (Screen.SAVING, []),
    (Screen.SAVING, Saved): (Screen.THANKS, []),
    (Screen.SAVING, SaveFailed): (Screen.OUT_OF_SERVICE, []),
    (Screen.SAVING, Pause): (Screen.SAVING, []),
    (Screen.THANKS, Offer): (Screen.THANKS, []),
    (Screen.THANKS, Choose): (Screen.THANKS, [Keep]),
    (Screen.THANKS, Write): (Screen.THANKS, [Keep]),
    (Screen.THANKS, Stay): (Screen.THANKS, []),
    (Screen.THANKS, Submit): "no_reason_yet",
    (Screen.THANKS, Skip): (Screen.ENDING, [Release(name(1))]),
    (Screen.THANKS, Undo): (Screen.INVITED, [Discard(name(1))]),
    (Screen.THANKS, Tick): (Screen.ENDING, [Release(name(1))]),
    (Screen.THANKS, Pause): (Screen.THANKS, []),
    (Screen.THANKS, Saved): (Screen.THANKS, []),
    (Screen.THANKS, SaveFailed): (Screen.OUT_OF_SERVICE, []),
    (Screen.ENDING, Offer): (Screen.INVITED, []),
    (Screen.ENDING, Tick): (Screen.IDLE, []),
    (Screen.ENDING, Pause): (Screen.ENDING, []),
    (Screen.ENDING, Saved): (Screen.ENDING, []),
    (Screen.ENDING, SaveFailed): (Screen.OUT_OF_SERVICE, []),
    (Screen.PAUSED, Offer): (Screen.PAUSED, []),
    (Screen.PAUSED, Pause): (Screen.PAUSED, []),
    (Screen.PAUSED, Saved): (Screen.PAUSED, []),
    (Screen.PAUSED, SaveFailed): (Screen.OUT_OF_SERVICE, []),
    (Screen.OUT_OF_SERVICE, Offer): (Screen.OUT_OF_SERVICE, []),
    (Screen.OUT_OF_SERVICE, Pause): (Screen.OUT_OF_SERVICE, []),
    (Screen.OUT_OF_SERVICE, Saved): (Screen.OUT_OF_SERVICE, []),
    (Screen.OUT_OF_SERVICE, Recovered): (Screen.IDLE, [FAILED]),
}


def test_the_promises_are_about_the_whole_table():
    """No pair of the table lacks a promise, and every kind of event is tried."""
    assert set(PROMISED) == set(TABLE)
    presses = set(Pressed.__subclasses__())
    assert set(EVENTS) == set(Event.__subclasses__()) - {Pressed} | presses


@pytest.mark.parametrize("pair", PROMISED, ids=lambda pair: f"{pair[0]}-{pair[1].__name__}")
def test_a_pair_of_the_table_does_what_is_promised(pair):
    """Each event that a state takes leads to the promised screen with the promised effects."""
    screen, kind = pair
    if isinstance(PROMISED[pair], str):
        assert refused(session_in(screen), EVENTS[kind]) == PROMISED[pair]
        return
    after, effects = step(session_in(screen), EVENTS[kind])
    promised_screen, promised = PROMISED[pair]
    assert after.screen is promised_screen
    seen = [type(done) if isinstance(done, Keep) else done for done in effects]
    assert seen == promised


@pytest.mark.parametrize(
    ("screen", "kind"),
    [
        (screen, kind)
        for screen in Screen
        for kind in EVENTS
        if (screen, kind) not in TABLE and kind is not Tick
    ],
)
def test_a_pair_outside_of_the_table_is_refused(screen, kind):
    """The refusal names event and state; the session is what it was."""
    session = session_in(screen)
    before = msgspec.json.encode(session)
    assert refused(session, EVENTS[kind]) == f"{kind.__name__.lower()}_in_{screen}"
    assert msgspec.json.encode(session) == before


@pytest.mark.parametrize("screen", Screen)
def test_time_that_is_not_over_changes_nothing(screen):
    """Before its deadline, and where there is none, a tick is no event at all."""
    session = session_in(screen)
    assert step(session, Tick(SHOWN)) == (session, ())
    if session.deadline_ms is None:
        assert step(session, Tick(LATE)) == (session, ())
    else:
        assert step(session, Tick(session.deadline_ms - 1)) == (session, ())
        assert step(session, Tick(session.deadline_ms))[0] != session


def test_a_session_without_a_citizen_has_no_draft():
    """Asking for one is an error of the program, not an event."""
    with pytest.raises(AssertionError):
        current(Session())


@pytest.mark.parametrize(
    ("screen", "kind"),
    [pair for pair in TABLE if pair[1] is not Tap and session_in(pair[0]).draft is None],
)
def test_nothing_but_a_tap_begins_a_rating(screen, kind):
    """No other event that is taken makes a draft where there was none."""
    after, effects = step(session_in(screen), EVENTS[kind])
    assert after.draft is None
    assert not any(isinstance(done, Keep | Release) for done in effects)
