"""What kiosks should show is published anew whenever it changes, under growing versions."""

import pytest
from world_hall import CALLER, OTHER_WINDOW, WINDOW, Hall

from protocol import wire
from protocol.messages import Settings, Slot


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


def settings(hall, device="k1"):
    return [wire.decode(Settings, data) for data in hall.sent(device, "settings")]


def slots(hall, device="k1"):
    return [wire.decode(Slot, data) for data in hall.sent(device, "invitation")]


def test_everything_is_for_all_devices(hall):
    """After a new connection every device gets its settings, then its slot."""
    hall.board.everything()
    hall.quiet()
    assert [(device, str(leaf)) for device, leaf, _ in hall.published] == [
        (device, leaf) for device in ("k1", "k2") for leaf in ("settings", "invitation")
    ]
    shown = settings(hall)[0]
    assert (shown.hall_name, shown.window.name) == ("示例大厅", WINDOW)
    assert shown.staff.name == "示例甲"
    assert settings(hall, "k2")[0].window.name == OTHER_WINDOW
    assert slots(hall)[0].invitation is None


def test_strangers_get_nothing(hall):
    """Nothing is published for a device that is not configured."""
    hall.board.refresh(["k9"])
    hall.quiet()
    assert hall.published == []


def test_a_pause_is_what_the_citizen_reads(hall):
    """A pause reaches the settings with its reason, and leaves them again."""
    hall.ask(hall.desk.pause(WINDOW, "示例原因", CALLER))
    hall.ask(hall.desk.pause(WINDOW, None, CALLER))
    assert [each.paused for each in settings(hall)] == ["示例原因", None]


def test_versions_grow_even_when_the_clock_goes_back(hall):
    """A device ignores older versions, so neither slot nor settings may ever fall behind."""
    for step in (0, 0, -3_600_000, -3_600_000, 5, 7_200_000):
        hall.now += step
        hall.board.refresh(["k1"])
        hall.quiet()
    for found in (slots(hall), settings(hall)):
        versions = [each.version for each in found]
        assert versions == sorted(set(versions))
        assert len(versions) == 6
    assert slots(hall)[-1].version == hall.now


def test_a_writer_without_room_drops_the_refresh(tmp_path):
    """A full or stopped writer is no error here: each device is told anew when it connects."""
    with Hall(tmp_path, limit=1) as hall:
        for _ in range(200):
            hall.board.everything()
        hall.quiet_or_broken()
    hall.board.everything()
