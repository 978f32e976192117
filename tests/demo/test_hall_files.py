"""The hall that a demonstration makes ready: nothing is bound, and there is one key to bind by."""

import tomllib
from contextlib import closing

from demo.cases import Row
from demo.hall import Hall, Size, places
from demo.window_system import SCOPES
from hub.store import api_keys, bindings, database


def rows(*windows):
    return [Row(2, "A1", 1, "事项", "示例甲", window, 5, (), "") for window in windows]


def test_windows_are_spread_over_the_kiosks():
    """In the order of the file; where there are more windows than kiosks they take turns."""
    given = rows("1号", "2号", "1号", "3号", "2号")
    assert places(given, 2) == {"1号": 0, "2号": 1, "3号": 0}
    assert places(given, 3) == {"1号": 0, "2号": 1, "3号": 2}


def test_a_hall_begins_unbound_with_a_key_that_may_bind(tmp_path):
    """No kiosk and no clerk stands in the configuration; the key opens what is needed, no more."""
    home = tmp_path / "hall"
    at = places(rows('1号"窗口\\', "2号窗口"), 1)
    hall = Hall(home, tmp_path / "city.jsonl", at, headless=True, size=Size())
    hub = tomllib.loads((home / "hub.toml").read_text(encoding="utf-8"))
    assert [window["name"] for window in hub["windows"]] == ['1号"窗口\\', "2号窗口"]
    assert {key for window in hub["windows"] for key in window} == {"name", "label"}
    with closing(database.connect(hall.database)) as db:
        [kept] = api_keys.listed(db)
        caller = api_keys.caller(db, hall.api_key, kept.created_at)
        assert not bindings.pairings(db)
        assert not bindings.seats(db)
    assert caller.scopes == frozenset(SCOPES)
    assert hall.api_key not in "".join(
        each.read_text(encoding="utf-8", errors="replace")
        for each in home.rglob("*")
        if each.is_file()
    )
