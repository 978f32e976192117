"""The ledger's Merkle tree as it is kept: full tiles of 256 hashes, the rest reckoned anew.

What is kept only saves work: every hash follows from the entries, and `verify` reckons them all.
"""

from collections.abc import Callable
from functools import lru_cache

import msgspec
from sqlite_utils import Database

from hub.rules.checkpoint import Checkpoint
from hub.rules.tree import fold, leaf_hash, node_hash
from hub.store import ledger

WIDTH = 256
HASH = 32
REMEMBERED = 10_000
"""So many hashes are kept in memory, of 32 bytes each."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that was given out; `at`: milliseconds since 1970."""

    size: int
    at: int
    note: str


def tiled(db: Database) -> int:
    """Return how many entries are in full tiles."""
    row = db.conn.execute("SELECT max(idx) FROM tiles WHERE level = 0").fetchone()
    return 0 if row[0] is None else (int(row[0]) + 1) * WIDTH


def grow(db: Database, limit: int) -> bool:
    """Put entries into full tiles, at most `limit` of them; False if nothing is left to do."""
    start = tiled(db)
    hashes = [leaf_hash(ledger.line(each)) for each in ledger.entries(db, start, limit)]
    for at in range(0, len(hashes) - WIDTH + 1, WIDTH):
        index = (start + at) // WIDTH
        _put(db, 0, index, b"".join(hashes[at : at + WIDTH]))
        level = 0
        while (index + 1) % WIDTH == 0:  # the tile above is full too
            index //= WIDTH
            level += 1
            below = (tile(db, level - 1, index * WIDTH + each) for each in range(WIDTH))
            _put(db, level, index, b"".join(_top(full) for full in below if full is not None))
    return len(hashes) == limit and limit >= WIDTH


class Nodes:
    """The hashes over perfect subtrees of the ledger, for `hub.rules.tree`.

    Valid while the tree of `size` entries stands; reads what it needs, and keeps a little.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._read = lru_cache(maxsize=64)(self._tile)

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash over the entries [index * 2**level, (index + 1) * 2**level)."""
        row, rest = divmod(level, WIDTH.bit_length() - 1)
        first = index << rest
        hashes = self._hashes(row, first, 1 << rest)
        while len(hashes) > 1:
            hashes = fold(hashes)
        return hashes[0]

    def _hashes(self, row: int, first: int, count: int) -> list[bytes]:
        tile = self._read(row, first // WIDTH)
        if tile is not None:
            start = first % WIDTH * HASH
            part = tile[start : start + count * HASH]
            return [part[at : at + HASH] for at in range(0, len(part), HASH)]
        if row == 0:
            found = [leaf_hash(ledger.line(e)) for e in ledger.entries(self._db, first, count)]
        else:
            found = [
                _top(below)
                for each in range(first, first + count)
                if (below := self._read(row - 1, each)) is not None
            ]
        if len(found) != count:
            raise LookupError(f"the ledger has no entries for node {row}/{first}+{count}")
        return found

    def _tile(self, level: int, index: int) -> bytes | None:
        return tile(self._db, level, index)


class Remembered:
    """The hashes over whole tiles, kept from one question to the next: they never change.

    With it a proof costs the same however long the ledger is. For any thread.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], bytes] = {}

    def nodes(self, db: Database) -> Callable[[int, int], bytes]:
        """Return the hashes over subtrees as `Nodes` does."""
        read, known = Nodes(db), self._known

        def node(level: int, index: int) -> bytes:
            if level < WIDTH.bit_length() - 1:
                return read(level, index)
            found = known.get((level, index))
            if found is None:
                if len(known) >= REMEMBERED:
                    known.clear()
                found = known[level, index] = read(level, index)
            return found

        return node


def tile(db: Database, level: int, index: int) -> bytes | None:
    """Return a full tile, or None."""
    row = db.conn.execute(
        "SELECT hashes FROM tiles WHERE level = ? AND idx = ?", (level, index)
    ).fetchone()
    return None if row is None else bytes(row[0])


def publish(db: Database, checkpoint: Checkpoint, note: str, now: int) -> None:
    """Keep a checkpoint, which must be of more entries than all before."""
    db.conn.execute("INSERT INTO checkpoints VALUES (?, ?, ?)", (checkpoint.size, now, note))


def newest(db: Database) -> Kept | None:
    """Return the newest checkpoint, or None."""
    row = db.conn.execute(
        "SELECT size, at, note FROM checkpoints ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Kept(size=row[0], at=row[1], note=row[2])


def gave(db: Database, size: int, note: str) -> bool:
    """Whether this very checkpoint, of `size` entries, is among those that were given out."""
    row = db.conn.execute(
        "SELECT 1 FROM checkpoints WHERE size = ? AND note = ?", (size, note)
    ).fetchone()
    return row is not None


def checkpoints(db: Database, after: int = -1) -> list[Kept]:
    """Return the checkpoints of more than `after` entries, the smallest first."""
    rows = db.conn.execute(
        "SELECT size, at, note FROM checkpoints WHERE size > ? ORDER BY size", (after,)
    )
    return [Kept(size=row[0], at=row[1], note=row[2]) for row in rows]


def unerased(db: Database) -> list[int]:
    """Return positions whose erasure is noted though they hold their body, or are not there.

    The note holds by what such an entry would be hashed once its body is gone.
    """
    rows = db.conn.execute(
        """
        SELECT e.position FROM erasures AS e LEFT JOIN ledger AS l ON l.position = e.position
        WHERE l.body IS NULL OR l.body <> x'' ORDER BY e.position LIMIT 1000
        """
    )
    return [int(row[0]) for row in rows]


def _put(db: Database, level: int, index: int, hashes: bytes) -> None:
    db.conn.execute("INSERT INTO tiles VALUES (?, ?, ?)", (level, index, hashes))


def _top(tile: bytes) -> bytes:
    hashes = [tile[at : at + HASH] for at in range(0, len(tile), HASH)]
    while len(hashes) > 1:
        hashes = [node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]
