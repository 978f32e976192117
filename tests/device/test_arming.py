"""When a press on the screen after the tap counts, as a pure table: no clock, no frame, no disk."""

import pytest
from session_world import rating, session_in

from device import arming
from device.events import Choose, Saved, Skip, Stay, Submit, Tick, Undo, Write
from device.session import Refused, Screen
from device.state import READ_MS

SEEN = 20_000
READ = SEEN + READ_MS
EARLY = "early_touch"
PRESSES = {
    "choose": lambda now, **down: Choose(now, "110", **down),
    "submit": Submit,
    "skip": Skip,
    "undo": Undo,
}


def cause(session, event, seen_ms):
    """Why a press is refused, None if it is not."""
    try:
        arming.check(session, event, seen_ms)
    except Refused as refused:
        return refused.cause
    return None


@pytest.mark.parametrize("level", [5, 4, 3, 2, 1])
@pytest.mark.parametrize("press", PRESSES)
@pytest.mark.parametrize(
    ("at", "seen_ms", "why"),
    [
        ((SEEN - 1, None), SEEN, EARLY),
        ((SEEN, None), SEEN, EARLY),
        ((READ - 1, None), SEEN, EARLY),
        ((READ, None), SEEN, None),
        ((READ + 60_000, None), None, EARLY),
        ((READ + 5_000, READ - 1), SEEN, EARLY),
        ((READ + 5_000, SEEN - 1), SEEN, EARLY),
        ((READ + 5_000, READ), SEEN, None),
    ],
)
def test_a_press_counts_by_the_moment_its_finger_came_down(level, press, at, seen_ms, why):
    """The same for every level: long enough after the first frame, and not without one."""
    now, down = at  # lifted, and put down
    assert cause(rating(level), PRESSES[press](now, down=down), seen_ms) == why


@pytest.mark.parametrize(
    "event",
    [Stay(SEEN), Write(SEEN, "慢"), Saved(SEEN, 2), Tick(SEEN)],
    ids=lambda e: type(e).__name__,
)
def test_what_presses_nothing_is_not_held_up(event):
    """The disk, the time, who reads on, and what is typed into a field that was open."""
    assert cause(rating(1), event, None) is None


@pytest.mark.parametrize("screen", [each for each in Screen if each is not Screen.THANKS])
def test_on_other_screens_the_table_itself_judges(screen):
    """There such a press has a cause of its own, and nothing is ready to be read."""
    assert cause(session_in(screen), Skip(SEEN), None) is None
    assert arming.read(session_in(screen), SEEN) is None


def test_the_thanks_are_ready_so_long_after_their_first_frame():
    """And never without one."""
    assert arming.read(rating(5), SEEN) == READ
    assert arming.read(rating(5), None) is None
