"""A hall's old database is brought up to date, and nothing that counts is lost or altered.

`databases/m004.sql` was written by the hub as it was when kiosks and clerks still stood in its
configuration: five invitations, two ratings, one time out, one withdrawal, one still open.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database
from world_hall import CALLER, NOW, Hall, a_case, rated

from hub.errors import NobodySignedOn, NotPaired
from hub.kiosks.keys import remembered
from hub.kiosks.roster import Roster
from hub.store import bindings, cases, invitations, pauses, revocations
from hub.store.database import check_guards, connect, migrate
from hub.store.schema import migrations
from hub.store.vault import Vault
from protocol import signing
from protocol.messages import Staff

OLD = Path(__file__).parent / "databases" / "m004.sql"
TABLES = (
    "ledger",
    "cases",
    "invitations",
    "deliveries",
    "delivery_counts",
    "refusals",
    "evidence",
    "slots",
    "pauses",
    "revocations",
    "device_keys",
)


@pytest.fixture
def old(tmp_path):
    """The path of an old database, as the hub before left it."""
    path = tmp_path / "hub.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(OLD.read_text(encoding="utf-8"))
    key = tmp_path / "citizens.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    return path


@pytest.fixture
def db(old):
    opened = connect(old)
    yield opened
    opened.close()


def rows(db):
    """Every row of every table that was there before."""
    return {
        table: sorted(map(repr, db.execute(f"SELECT * FROM {table}").fetchall()))  # noqa: S608
        for table in TABLES
    }


def schema(db):
    """What the database is made of; comments and line ends are nothing that it does."""
    found = db.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {
        (kind, name): " ".join(re.sub("--.*", "", sql).split())
        for kind, name, sql in found.fetchall()
    }


def fresh(tmp_path):
    db = connect(tmp_path / "fresh.db")
    try:
        migrate(db)
        return schema(db)
    finally:
        db.close()


def test_every_row_is_still_there(db):
    """Not one is lost, added or altered; the ledger byte for byte."""
    before = rows(db)
    assert len(before["ledger"]) == 9
    migrate(db)
    after = rows(db)
    # Kinds that there were not yet are counted from nothing.
    new = {row for row in after["delivery_counts"] if row.startswith(("('rul", "('add"))}
    assert all(row.endswith(", 0)") for row in new)
    after["delivery_counts"] = [row for row in after["delivery_counts"] if row not in new]
    # What was registered by a hub of before bears no mark.
    assert all(row.endswith(", b'')") for row in after["cases"])
    after["cases"] = [row.removesuffix(", b'')") + ")" for row in after["cases"]]
    assert after == before


def test_an_old_file_becomes_what_a_new_one_is(db, tmp_path):
    """The same tables, indexes and triggers as in a hall that starts today."""
    assert schema(db) != fresh(tmp_path)
    migrate(db)
    assert schema(db) == fresh(tmp_path)
    check_guards(db)


def test_migrating_twice_changes_nothing(db):
    """A restart of an up-to-date hub leaves file and schema alone."""
    migrate(db)
    once = schema(db), rows(db)
    migrate(db)
    assert (schema(db), rows(db)) == once


def steps():
    """All steps of the schema, in order."""
    db = Database(memory=True)
    try:
        return [step.name for step in migrations.pending(db)]
    finally:
        db.close()


LATER = steps()[4:]


@pytest.mark.parametrize("step", LATER)
def test_a_power_cut_between_two_steps(old, tmp_path, step):
    """Each step and its record commit together: the next start goes on where it stopped."""
    with closing(sqlite3.connect(old)) as raw:
        before = sorted(map(repr, raw.execute("SELECT * FROM ledger")))
    db = connect(old)
    migrations.apply(db, stop_before=step)
    db.close()
    db = connect(old)
    try:
        migrate(db)
        assert schema(db) == fresh(tmp_path)
        assert rows(db)["ledger"] == before
    finally:
        db.close()


def test_a_step_that_fails_is_undone(db):
    """Somebody's own table is in the way: nothing half made, and the ledger as it was."""
    db.execute("CREATE TABLE renewals (x)")
    before = schema(db), rows(db)
    with pytest.raises(sqlite3.OperationalError, match="renewals"):
        migrate(db)
    assert (schema(db), rows(db)) == before
    db.execute("DROP TABLE renewals")
    migrate(db)
    check_guards(db)


def test_the_ledger_is_guarded_as_before(db):
    """Before and after, plain SQLite cannot alter it."""
    for _ in range(2):
        for attack in (
            "UPDATE ledger SET body = x'00' WHERE position = 2",
            "UPDATE ledger SET body = x'' WHERE position = 2",
            "DELETE FROM ledger WHERE position = 9",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="the ledger only grows"):
                db.conn.execute(attack)
        db.conn.rollback()
        migrate(db)


def test_the_account_and_the_signatures_hold(db):
    """It balances as it did, and each rating verifies with the key that the file remembers."""
    migrate(db)
    account = invitations.account(db)
    assert account.balanced
    counts = (account.invited, account.rated, account.expired, account.withdrawn, account.open)
    assert counts == (5, 2, 1, 1, 1)
    keys = remembered(db, Roster("demo", {}, {}, None), NOW)
    bodies = db.execute("SELECT body FROM ledger WHERE kind = 'rated' ORDER BY position")
    levels = [signing.verify(body, "k1", keys["k1"][0]).level for (body,) in bodies.fetchall()]
    assert levels == [5, 1]
    assert cases.get(db, Vault(b"k" * 32), "SL0001", 1) == a_case("SL0001")
    assert pauses.reason(db, "2号窗口") == "示例原因"
    assert revocations.current(db) == {("k2", b"0" * 32)}


def test_the_hall_goes_on_once_it_is_paired_and_signed_on(old):
    """After the update nobody is bound: the hub says what to do, and then goes on counting."""
    db = connect(old)
    migrate(db)
    assert bindings.pairings(db) == {}
    assert bindings.seats(db) == {}
    db.close()
    with Hall(old.parent) as hall:  # pairs and signs on, as it does with a new file
        for window in ("1号窗口", "2号窗口"):
            hall.ask(hall.bindings.unpair(window, CALLER))
        with pytest.raises(NotPaired):
            hall.invite(serial="SL0006")
        hall.ask(hall.bindings.claim("1号窗口", hall.codes.of("k1").code, CALLER))
        hall.ask(hall.bindings.confirm("1号窗口", "k1", CALLER))
        hall.ask(hall.bindings.sign_off("1号窗口", CALLER))
        with pytest.raises(NobodySignedOn):
            hall.invite(serial="SL0006")
        hall.ask(hall.bindings.sign_on("1号窗口", Staff(name="示例庚"), CALLER))
        hall.send(rated(hall.invite(serial="SL0006").status.id))
        account = hall.account()
        assert account.balanced
        assert (account.invited, account.rated) == (6, 3)
        positions = [p for (p,) in hall.rows("SELECT position FROM ledger ORDER BY position")]
        assert positions == list(range(1, len(positions) + 1))
