"""The ledger's tree and its signed checkpoints, on a real database beside live jobs."""

import asyncio
import itertools
import sqlite3

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub import notary
from hub.notary import LedgerKeyError, Notary
from hub.rules import checkpoint, tree
from hub.rules.tree import Frontier
from hub.store import ledger
from hub.store import tree as store
from hub.store.database import connect, migrate
from hub.store.writer import Writer

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


@pytest.fixture
def db(tmp_path):
    db = connect(tmp_path / "hub.db")
    migrate(db)
    yield db
    db.close()


def fill(db, count):
    """Add entries, quickly."""
    start = ledger.size(db)
    with db.atomic():
        for number in range(start, start + count):
            ledger.append(
                db,
                ledger.Entry(
                    kind="invited",
                    recorded_at=number,
                    device="k1",
                    invitation=f"{number:032x}",
                    body=b"{}",
                ),
            )


def plainly(db):
    frontier = Frontier()
    for entry in ledger.entries(db):
        frontier.add(tree.leaf_hash(ledger.line(entry)))
    return frontier


def grown(db):
    while store.grow(db, notary.PER_JOB):
        pass
    return store.Nodes(db)


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 511, 512, 1000, 5000])
def test_the_kept_tree_has_the_root_of_its_entries(db, count):
    fill(db, count)
    assert tree.root(count, grown(db)) == plainly(db).root()


def test_a_tree_beyond_the_second_level_of_tiles(db):
    fill(db, 66_000)
    nodes = grown(db)
    assert db.execute("SELECT count(*) FROM tiles WHERE level = 1").fetchone()[0] == 1
    root = plainly(db).root()
    assert tree.root(66_000, nodes) == root
    entries = {entry.position - 1: entry for entry in ledger.entries(db)}
    for index in (0, 255, 256, 65_535, 65_536, 65_999):
        leaf = tree.leaf_hash(ledger.line(entries[index]))
        tree.check_inclusion(leaf, index, 66_000, tree.inclusion(index, 66_000, nodes), root)
    for before in (1, 256, 40_000, 65_536, 65_999):
        first = tree.root(before, nodes)
        proof = tree.consistency(before, 66_000, nodes)
        tree.check_consistency(before, first, 66_000, root, proof)


def test_growing_in_steps_is_growing_at_once(db):
    for count in (100, 156, 1, 300, 2000):
        fill(db, count)
        assert tree.root(ledger.size(db), grown(db)) == plainly(db).root()


def test_checkpoints_follow_the_ledger_and_one_another(tmp_path, db):
    writer = Writer(connect(tmp_path / "hub.db"))
    writer.start()
    times = itertools.count(1)
    ours = Notary(writer, KEY, "pingyi/demo", each_s=1, now=lambda: next(times))
    try:
        asyncio.run(ours.look())
        assert store.newest(db) is None, "nothing to sign yet"
        found = []
        for count in (3, 0, 700):
            fill(db, count)
            asyncio.run(ours.look())
            found.append(checkpoint.opened(store.newest(db).note, ours.verifier))
    finally:
        writer.stop()
    assert [each.size for each in found] == [3, 3, 703]
    assert found[-1].root == plainly(db).root()
    assert [each.size for each in store.checkpoints(db)] == [3, 703]
    proof = tree.consistency(3, 703, store.Nodes(db))
    tree.check_consistency(3, found[0].root, 703, found[-1].root, proof)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE checkpoints SET note = 'x'",
        "DELETE FROM checkpoints",
        "INSERT INTO checkpoints VALUES (2, 9, 'x')",
        "INSERT OR REPLACE INTO checkpoints VALUES (3, 9, 'x')",
    ],
)
def test_a_checkpoint_is_never_changed_or_taken_back(db, sql):
    store.publish(db, checkpoint.Checkpoint("o", 3, bytes(32)), "note", 1)
    with pytest.raises(sqlite3.IntegrityError):
        db.conn.execute(sql)


def test_the_key_is_made_once_and_kept_from_others(tmp_path):
    path = tmp_path / "ledger.key"
    made = notary.load_or_create(path, needed=False)
    assert path.stat().st_mode & 0o777 == 0o600
    again = notary.load_or_create(path, needed=True)
    assert again.private_bytes_raw() == made.private_bytes_raw()


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_a_lost_or_damaged_key_is_not_silently_replaced(tmp_path, content):
    path = tmp_path / "ledger.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LedgerKeyError, match="备份"):
        notary.load_or_create(path, needed=True)
