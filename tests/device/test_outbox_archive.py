"""What the hub has answered for can be said again for a while, and not for longer."""

import sqlite3
from contextlib import closing

import pytest
from session_world import invitation
from sqlite_utils import Database

from device import outbox_file
from device.outbox import ARCHIVED, ARCHIVED_MS, Outbox
from device.state import service
from protocol import signing
from protocol.messages import Expired, Rated, Stamp

AT = 1_790_000_000_000
LOST = AT + 1_000


def name(number):
    return f"{number:032x}"


def keep(outbox, number, *, draft=False, words=""):
    outbox.keep(
        name(number),
        lambda: f"o{number}",
        lambda seq, key: f"{seq}:{key}:{words}".encode(),
        draft=draft,
    )


def answered(outbox, *numbers, at=AT):
    outbox.receipt(tuple(f"o{number}" for number in numbers), at)


def waiting(outbox):
    return [kept.id for kept in outbox.waiting(limit=10_000)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path):
    outbox = Outbox.open(path)
    yield outbox
    outbox.close()


def test_a_hub_that_lost_its_disk_gets_the_very_bytes_again(outbox):
    """Those above the number that it has; what it has stays in the archive."""
    for number in (1, 2, 3):
        keep(outbox, number, words="示例")
    before = outbox.waiting()
    answered(outbox, 1, 2, 3)
    assert (waiting(outbox), outbox.depth()) == ([], 0)
    assert outbox.resend(LOST, 1) == 2
    assert outbox.waiting() == before[1:]
    assert outbox.depth() == 2
    assert outbox.ended(name(1))
    assert outbox.ended(name(2))


def test_a_recovery_is_answered_once_and_then_the_next(outbox):
    """The same question again moves nothing; another restored hub gets it all anew."""
    keep(outbox, 1)
    answered(outbox, 1)
    assert outbox.resend(LOST, 0) == 1
    answered(outbox, 1)
    assert outbox.resend(LOST, 0) == 0
    assert waiting(outbox) == []
    assert outbox.resend(LOST + 1, 0) == 1
    assert waiting(outbox) == ["o1"]


def test_a_recovery_is_over_when_all_is_answered_that_was_numbered_then(outbox):
    """Also what waited or was a draft when the hub came back; not what comes after."""
    for number in (1, 2):
        keep(outbox, number)
    keep(outbox, 3, draft=True)
    answered(outbox, 1)
    outbox.resend(LOST, 0)
    keep(outbox, 4)
    assert not outbox.resent(LOST)
    answered(outbox, 1, 2)
    assert not outbox.resent(LOST)
    outbox.release(name(3))
    answered(outbox, 3)
    assert outbox.resent(LOST)
    assert not outbox.resent(LOST + 1)
    assert waiting(outbox) == ["o4"]


def test_it_goes_on_after_a_restart(path):
    """What was to be said again is on disk as such."""
    outbox = Outbox.open(path)
    keep(outbox, 1)
    answered(outbox, 1)
    outbox.resend(LOST, 0)
    outbox.close()
    again = Outbox.open(path)
    assert (waiting(again), again.depth(), again.resent(LOST)) == (["o1"], 1, False)
    answered(again, 1)
    assert again.resent(LOST)
    again.close()


def test_numbers_that_began_anew_do_not_hide_what_is_wanted(outbox):
    """A damaged file was put aside: the hub's 500 are of another life."""
    keep(outbox, 1)
    answered(outbox, 1)
    assert outbox.resend(LOST, 500) == 1


def test_a_kiosk_that_has_nothing_has_answered_at_once(outbox):
    assert outbox.resend(LOST, 7) == 0
    assert outbox.resent(LOST)


def test_the_archive_is_short(outbox):
    """At most so many, the newest; and none older than so many days."""
    with outbox._db.atomic():
        for number in range(1, ARCHIVED + 21):
            keep(outbox, number)
    answered(outbox, *range(1, ARCHIVED + 21))
    assert outbox.tidy(AT + ARCHIVED_MS) == 0
    assert outbox.resend(LOST, 0) == ARCHIVED
    assert waiting(outbox)[0] == "o21"


def test_old_outcomes_leave_the_archive(outbox):
    keep(outbox, 1)
    keep(outbox, 2)
    answered(outbox, 1)
    answered(outbox, 2, at=AT + 5)
    assert outbox.tidy(AT + ARCHIVED_MS + 1) == 1
    outbox.resend(LOST, 0)
    assert waiting(outbox) == ["o2"]


def test_nothing_leaves_while_a_hub_is_still_being_told(outbox):
    """A restored hub may have a wrong clock: it would throw away what it is asking for."""
    for number in (1, 2):
        keep(outbox, number)
    answered(outbox, 1, 2)
    outbox.resend(LOST, 1)
    assert outbox.tidy(AT * 2) == 0
    answered(outbox, 2)
    assert outbox.tidy(AT * 2) == 2


def test_what_leaves_the_archive_leaves_the_disk(path):
    """The words of a citizen do not stay behind in the file's empty pages."""
    outbox = Outbox.open(path)
    for number in range(1, 40):
        keep(outbox, number, words=f"示例的话{number}" * 20)
    answered(outbox, *range(1, 40))
    outbox.close()
    assert "示例的话".encode() in path.read_bytes()
    outbox = Outbox.open(path)
    outbox.tidy(AT + ARCHIVED_MS + 1)
    outbox.close()
    assert "示例的话".encode() not in path.read_bytes()


def test_a_disk_that_takes_nothing_keeps_both(outbox):
    """Neither a receipt nor a recovery is half done."""
    keep(outbox, 1)
    keep(outbox, 2)
    answered(outbox, 1)
    outbox._db.execute("PRAGMA query_only = 1").fetchall()
    for write in (lambda: answered(outbox, 2), lambda: outbox.resend(LOST, 0)):
        with pytest.raises(sqlite3.Error):
            write()
    assert (waiting(outbox), outbox.depth()) == (["o2"], 1)
    outbox._db.execute("PRAGMA query_only = 0").fetchall()
    assert outbox.resend(LOST, 0) == 1
    assert waiting(outbox) == ["o1", "o2"]


def test_an_older_kiosks_file_goes_on(path):
    """What waits in it is sent as before, and archived from now on."""
    with closing(sqlite3.connect(path)) as raw:
        db = Database(raw, execute_plugins=False)
        outbox_file.migrations.apply(db, stop_before="m002_archive")
        db.execute("INSERT INTO outcomes VALUES (1, 'o1', ?, x'41', 0)", (name(1),))
        db.execute("UPDATE numbering SET last = 1")
        raw.commit()
    outbox = Outbox.open(path)
    assert (waiting(outbox), outbox.depth()) == (["o1"], 1)
    answered(outbox, 1)
    assert outbox.resend(LOST, 0) == 1
    keep(outbox, 2)
    assert waiting(outbox) == ["o1", "o2"]
    outbox.close()


def test_an_older_kiosks_file_tells_which_services_are_rated_in_it(path):
    """By what was signed, also in the archive; what says nothing of a service names none."""
    key = signing.generate_key()

    def signed(kind, number, **more):
        return signing.sign(
            kind(
                id=name(100 + number),
                device="k1",
                seq=number,
                invitation=name(number),
                stamp=Stamp(boot=name(9), mono_ms=1),
                **more,
            ),
            key,
        )

    level = {"level": 1, "catalogue": "2021.1", "elapsed_ms": 9}
    rows = (
        signed(Rated, 1, asked=invitation(1), **level),
        signed(Rated, 2, **level),  # of a kiosk that did not sign what it asked
        signed(Expired, 3, asked=invitation(3), elapsed_ms=9),
        b"no.outcome.at all",
        b"\xff",
        signed(Rated, 6, asked=invitation(6), **level),
    )
    with closing(sqlite3.connect(path)) as raw:
        db = Database(raw, execute_plugins=False)
        outbox_file.migrations.apply(db, stop_before="m003_rated")
        for number, row in enumerate(rows[:5], 1):
            values = (number, f"o{number}", name(number), row)
            db.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?, 0)", values)
        db.execute("INSERT INTO archive VALUES (6, 'o6', ?, ?, 1)", (name(6), rows[5]))
        db.execute("UPDATE numbering SET last = 6")
        raw.commit()
    outbox = Outbox.open(path)
    asked = {number: outbox.rated(service(invitation(number))) for number in (1, 2, 3, 6)}
    assert asked == {1: True, 2: False, 3: False, 6: False}
    assert outbox.resend(LOST, 5) == 1
    assert outbox.rated(service(invitation(6)))
    outbox.close()
