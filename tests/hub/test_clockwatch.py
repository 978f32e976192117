"""A hub whose clock was put back says so, before the city learns wrong times."""

from contextlib import closing

import pytest
from world_hall import an_invitation

from hub.clockwatch import BACK_MS, ENTRIES, ClockWatch
from hub.rules.days import DAY_MS
from hub.store import invitations
from hub.store.database import connect, migrate

NOW = 1_790_000_000_000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "hub.db"
    with closing(connect(path)) as db:
        migrate(db)
    return path


def enter(path, at, count=1):
    with closing(connect(path)) as db, db.atomic():
        for number in range(count):
            invitations.issue(db, "k1", an_invitation(f"SL{at}-{number}", issued_at=at))


def alarm(path, now):
    watch = ClockWatch(path, now=lambda: now)
    watch.look()
    return watch.alarm


def test_a_clock_a_year_back_is_told(path):
    assert alarm(path, NOW) is None
    enter(path, NOW)
    assert alarm(path, NOW) is None
    assert alarm(path, NOW - BACK_MS) is None
    assert "365 天" in alarm(path, NOW - 365 * DAY_MS)
    assert "20 分钟" in alarm(path, NOW - 2 * BACK_MS)


def test_it_is_still_told_once_entries_are_made_by_the_wrong_clock(path):
    enter(path, NOW)
    enter(path, NOW - 365 * DAY_MS, 5)
    assert alarm(path, NOW - 365 * DAY_MS) is not None
    assert alarm(path, NOW + 1) is None


def test_a_clock_that_once_was_ahead_is_forgotten(path):
    enter(path, NOW + 365 * DAY_MS)
    assert alarm(path, NOW) is not None
    enter(path, NOW, ENTRIES)
    assert alarm(path, NOW) is None


def test_a_file_that_cannot_be_read_is_no_alarm_of_the_clock(tmp_path):
    (tmp_path / "hub.db").write_bytes(b"garbage" * 100)
    assert alarm(tmp_path / "hub.db", NOW) is None
