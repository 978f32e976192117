"""The file itself: it only grows, it balances, and it opens again."""
# ruff: noqa: S608 - attacks on the ledger are made of strings

import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world_hall import (
    DEVICES,
    KEYS,
    OTHER_WINDOW,
    SEATS,
    WINDOW,
    Hall,
    a_case,
    an_invitation,
    expired,
    new_id,
    rated,
    withdrawn,
)

from hub.errors import AlreadyRated, OpenElsewhere
from hub.store import cases, vault
from hub.store.database import connect, migrate
from hub.store.vault import Vault, VaultError
from protocol import signing

VALUES = "'rated', 1, 'k1', 'i', 'o', 9, x'00'"
BOUND = 2 * len(SEATS)
"""Entries of the ledger before anything happens: two kiosks paired, two clerks signed on."""
COLUMNS = "kind, recorded_at, device, invitation, outcome, seq, body"


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        hall.send(rated(hall.invite().status.id))
        yield hall


ATTACKS = {
    "update": "UPDATE ledger SET device = 'k2' WHERE position = 1",
    "update all": "UPDATE ledger SET body = x'00'",
    "update or ignore": "UPDATE OR IGNORE ledger SET device = 'k2'",
    "update or replace": "UPDATE OR REPLACE ledger SET position = 1 WHERE position = 2",
    "move": "UPDATE ledger SET position = position + 10",
    "delete": "DELETE FROM ledger WHERE position = 2",
    "delete all": "DELETE FROM ledger",
    "replace": f"REPLACE INTO ledger (position, {COLUMNS}) VALUES (1, {VALUES})",
    "or replace": f"INSERT OR REPLACE INTO ledger (position, {COLUMNS}) VALUES (2, {VALUES})",
    "by rowid": f"INSERT OR REPLACE INTO ledger (rowid, {COLUMNS}) VALUES (1, {VALUES})",
    "by _rowid_": f"REPLACE INTO ledger (_rowid_, {COLUMNS}) VALUES (1, {VALUES})",
    "by oid": f"REPLACE INTO ledger (oid, {COLUMNS}) VALUES (1, {VALUES})",
    "by text": f"REPLACE INTO ledger (position, {COLUMNS}) VALUES ('1', {VALUES})",
    "by float": f"REPLACE INTO ledger (position, {COLUMNS}) VALUES (1.0, {VALUES})",
    "by copy": "REPLACE INTO ledger SELECT * FROM ledger",
    "upsert": (
        f"INSERT INTO ledger (position, {COLUMNS}) VALUES (1, {VALUES})"
        " ON CONFLICT (position) DO UPDATE SET device = 'k2'"
    ),
    "insert or ignore": f"INSERT OR IGNORE INTO ledger (position, {COLUMNS}) VALUES (1, {VALUES})",
    "out of turn": f"INSERT INTO ledger (position, {COLUMNS}) VALUES (99, {VALUES})",
    "at the end of numbers": (
        f"INSERT INTO ledger (position, {COLUMNS}) VALUES (9223372036854775807, {VALUES})"
    ),
    "at zero": f"INSERT INTO ledger (position, {COLUMNS}) VALUES (0, {VALUES})",
    "below zero": f"INSERT INTO ledger (position, {COLUMNS}) VALUES (-1, {VALUES})",
}


@pytest.mark.parametrize("recursive", [0, 1])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_the_ledger_refuses_to_be_altered(hall, attack, recursive):
    """Whoever opens the file with plain SQLite cannot edit, drop, replace or misplace an entry."""
    before = hall.rows("SELECT * FROM ledger")
    assert len(before) == BOUND + 2
    with closing(sqlite3.connect(hall.path)) as raw:
        raw.execute(f"PRAGMA recursive_triggers = {recursive}")
        with pytest.raises(sqlite3.IntegrityError, match="the ledger only grows"):
            raw.execute(attack)
        raw.commit()
    assert hall.rows("SELECT * FROM ledger") == before
    hall.send(rated(hall.invite(serial="SL0002").status.id))
    assert [p for (p,) in hall.rows("SELECT position FROM ledger ORDER BY 1")] == [
        *range(1, BOUND + 5)
    ]


def test_the_file_can_be_migrated_twice(hall):
    """Opening an up-to-date file changes nothing in it."""
    schema = hall.rows("SELECT sql FROM sqlite_master ORDER BY name")
    with closing(sqlite3.connect(hall.path)):
        again = connect(hall.path)
        migrate(again)
        again.close()
    assert hall.rows("SELECT sql FROM sqlite_master ORDER BY name") == schema


def test_commits_are_made_to_last(hall):
    """The file is in WAL mode with synchronous=FULL (2)."""
    asked = [hall.rows(f"PRAGMA {pragma}")[0][0] for pragma in ("journal_mode", "synchronous")]
    assert asked == ["wal", 2]


# ---------------------------------------------------------------- promise 3: it balances

SERIALS = ("SL1", "SL2", "SL3")
STEPS = st.one_of(
    st.tuples(st.just("invite"), st.sampled_from((WINDOW, OTHER_WINDOW)), st.sampled_from(SERIALS)),
    st.tuples(st.just("withdraw"), st.sampled_from((WINDOW, OTHER_WINDOW)), st.none()),
    st.tuples(st.just("clock"), st.integers(-90_000, 90_000), st.none()),
    st.tuples(
        st.sampled_from(("good", "late", "unlisted", "expired", "withdrawn", "again")),
        st.integers(0, 30),
        st.sampled_from(DEVICES),
    ),
)


class Story:
    """Plays random steps on a real hall and remembers what it did."""

    def __init__(self, hall):
        self.hall = hall
        self.invited = []
        self.said = []

    def play(self, kind, what, who):
        if kind == "invite":
            with suppress(AlreadyRated, OpenElsewhere):
                self.invited.append(self.hall.invite(what, who).status.id)
        elif kind == "withdraw":
            self.hall.ask(self.hall.desk.withdraw(what))
        elif kind == "clock":
            self.hall.now += what
        elif kind == "again":
            if self.said:
                self.hall.hand_in(*self.said[what % len(self.said)])
        else:
            self.say(kind, what, who)

    def say(self, kind, what, who):
        name = self.invited[what % len(self.invited)] if self.invited else new_id()
        outcome = {
            "good": lambda: rated(name, who),
            "late": lambda: rated(name, who, elapsed_ms=10_000_000),
            "unlisted": lambda: rated(name, who, level=2, reasons=("299",)),
            "expired": lambda: expired(name, who),
            "withdrawn": lambda: withdrawn(name, who),
        }[kind]()
        self.said.append((signing.sign(outcome, KEYS[who]), who))
        self.hall.hand_in(*self.said[-1])

    def check(self):
        hall = self.hall
        whole, each = hall.account(), [hall.account(device) for device in DEVICES]
        assert whole.balanced
        assert all(part.balanced for part in each)
        for field in ("invited", "rated", "expired", "withdrawn", "open"):
            assert getattr(whole, field) == sum(getattr(part, field) for part in each)
        assert whole.invited == len(set(self.invited))
        entries = hall.rows("SELECT kind, count(*) FROM ledger GROUP BY kind")
        assert {kind: n for kind, n in entries if n} == {
            field: n
            for field in ("invited", "rated", "expired", "withdrawn")
            if (n := getattr(whole, field))
        } | {"paired": len(SEATS), "signed_on": len(SEATS)}
        ends = hall.rows(
            "SELECT max(n) FROM (SELECT count(*) n FROM ledger"
            " WHERE invitation <> '' GROUP BY invitation)"
        )
        assert (ends[0][0] or 0) <= 2
        services = "SELECT count(DISTINCT serial) FROM invitations WHERE outcome = 'rated'"
        assert hall.rows(services) == [(whole.rated,)]
        waiting = hall.rows("SELECT count(*) FROM deliveries WHERE kind = 'rating'")
        assert waiting == [(whole.rated,)]
        answered = sum(len(r.committed) + len(r.refused) for _, r in hall.receipts)
        assert answered >= len(self.said)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=25))
def test_it_balances_after_every_step(steps):
    """invited = rated + expired + withdrawn + open, for the hall and each device, at any moment."""
    with TemporaryDirectory() as folder, Hall(Path(folder)) as hall:
        story = Story(hall)
        for step in steps:
            story.play(*step)
            story.check()


# ---------------------------------------------------------------- the citizen's data


def test_a_case_is_sealed_and_comes_back(hall):
    """Names and numbers are nowhere in the file in clear, and the key gives them back."""
    kept = cases.get(hall.reader, Vault(b"k" * 32), "SL0001", 1)
    assert kept == a_case()
    hall.reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for file in hall.path.parent.iterdir():
        assert b"ID-JIA" not in file.read_bytes()


def test_what_is_sealed_stays_in_its_place(tmp_path):
    """Another key, another place or an altered byte opens nothing."""
    box = Vault(b"k" * 32)
    sealed = box.seal("示例".encode(), "SL1/1")
    assert box.open(sealed, "SL1/1").decode() == "示例"
    altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for other, data, place in (
        (Vault(b"j" * 32), sealed, "SL1/1"),
        (box, sealed, "SL2/1"),
        (box, altered, "SL1/1"),
        (box, b"", "SL1/1"),
    ):
        with pytest.raises(VaultError, match="无法解密"):
            other.open(data, place)


def test_the_key_is_made_once_and_for_us_alone(tmp_path):
    """A first start makes the key with mode 0600; one that others can read is refused."""
    path = tmp_path / "citizens.key"
    sealed = vault.load_or_create(path).seal(b"x", "here")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert vault.load_or_create(path).open(sealed, "here") == b"x"
    path.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        vault.load_or_create(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(VaultError, match="32 字节"):
        vault.load_or_create(path)


def test_the_account_counts_two_sides(hall):
    """What was invited is counted in the ledger, how it ended in the invitations: a loss shows."""
    assert hall.account().balanced
    hall.issue(an_invitation("SL9"))
    hall.writer.call(lambda db: db.execute("DELETE FROM invitations WHERE serial = 'SL9'"))
    assert not hall.account().balanced
