"""The hall that a demonstration makes ready: one clerk has one number, wherever it is shown."""

import tomllib

from demo.cases import Row
from demo.hall import Hall, Place, Size, places
from demo.window_system import staff_number


def rows(*at):
    return [Row(2, "A1", 1, "事项", staff, window, 5, (), "") for window, staff in at]


def test_windows_are_spread_over_the_kiosks():
    """In the order of the file; the clerk of a window's first row is signed on there."""
    given = rows(("1号", "示例甲"), ("2号", "示例乙"), ("1号", "示例丙"), ("3号", "示例甲"))
    assert places(given, 2) == {
        "1号": Place(0, "示例甲"),
        "2号": Place(1, "示例乙"),
        "3号": Place(0, "示例甲"),
    }


def test_the_clerk_at_rest_is_the_clerk_of_the_invitation(tmp_path):
    """The hub's settings hold the number that the window system sends."""
    at = places(rows(('1号"窗口\\', "示例𠮷")), 3)
    Hall(tmp_path / "hall", tmp_path / "city.jsonl", at, headless=True, size=Size())
    hub = tomllib.loads((tmp_path / "hall" / "hub.toml").read_text(encoding="utf-8"))
    [window] = hub["windows"]
    assert window["name"] == '1号"窗口\\'
    assert window["staff"] == {"name": "示例𠮷", "number": staff_number("示例𠮷")}
