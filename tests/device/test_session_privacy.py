"""What an onlooker sees after the tap: the same for every level."""

import pytest
from session_world import SAVED, TAPPED, offer, rating

from device.events import Choose, Pause, Saved, Skip, Stay, Submit, Tick, Undo, Write
from device.session import UNDO_MS, Refused, step

NOW = SAVED + 1_000
LATE = SAVED + 600_000

WAYS = {
    "walks away": (Tick(LATE),),
    "is done": (Skip(NOW), Tick(LATE)),
    "reads on": (Stay(NOW), Tick(NOW + 60_000), Tick(LATE)),
    "chooses": (Choose(NOW, "{}10"), Saved(NOW, 2), Submit(NOW + 1), Tick(LATE)),
    "chooses and walks away": (Choose(NOW, "{}10"), Tick(LATE)),
    "puts back": (Choose(NOW, "{}10"), Choose(NOW, "{}10"), Saved(NOW, 3), Skip(NOW)),
    "writes": (Write(NOW, "示例"), Submit(NOW), Saved(NOW + 5, 2)),
    "slips": (Undo(NOW),),
    "slips late": (Stay(NOW), Undo(TAPPED + UNDO_MS + 1), Tick(LATE)),
    "is followed by another": (offer(2, NOW), Skip(NOW), Tick(LATE)),
    "is followed by a pause": (Pause(NOW, "午休"), Tick(LATE), Tick(LATE + 3_000)),
}


def seen(level, way):
    """What an onlooker sees of a session with this level: screens, endings and times."""
    session, found = rating(level), []
    for event in way:
        chosen = isinstance(event, Choose)
        try:
            session, _ = step(
                session, Choose(event.now, event.code.format(level)) if chosen else event
            )
        except Refused as refusal:
            found.append(refusal.cause)
        found.append((session.screen, session.ending, session.deadline_ms, session.submitted))
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_level_is_seen_from_what_follows_it(way):
    """Every level leads through the same screens, for the same time, to the same ending."""
    one, *others = (seen(level, WAYS[way]) for level in (5, 4, 3, 2, 1))
    assert all(other == one for other in others)
