"""Whether anything of what was erased is still in the file, byte by byte, and getting rid of it.

SQLite overwrites what is deleted (`secure_delete`), but when it moves rows from page to page the
place they came from may keep a copy (SQLite file format, 1.6: the unallocated region of a page).
"""

import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlite_utils import Database

log = logging.getLogger(__name__)

NEEDLE = 16
"""Bytes that are looked for at once: by chance they stand nowhere."""

_TABLE_LEAF, _INDEX_LEAF, _TABLE, _INDEX = 0x0D, 0x0A, 0x05, 0x02
_CHUNK = 1024
_FEW = 100
"""Up to so many pieces are looked for one by one; beyond that each place is looked up instead."""


def shred(db: Database) -> None:
    """Have this connection overwrite what it deletes."""
    db.conn.execute("PRAGMA secure_delete = ON").fetchall()


def flush(db: Database, tries: int = 8) -> bool:
    """Bring all that is committed into the file and empty the log; False if readers hold it.

    Waits in short turns: while SQLite waits for a reader here, nobody can write.
    """
    before = db.conn.execute("PRAGMA busy_timeout").fetchone()[0]
    db.conn.execute("PRAGMA busy_timeout = 100").fetchall()
    try:
        for _ in range(tries):
            if db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                return True
            time.sleep(0.05)
    finally:
        db.conn.execute(f"PRAGMA busy_timeout = {before}").fetchall()
    return False


def file_of(db: Database) -> Path:
    """Return the file of a database."""
    return Path(db.conn.execute("PRAGMA database_list").fetchone()[2])


def needles(erased: Iterable[bytes]) -> set[bytes]:
    """Return pieces by which any larger part of what was erased would be found."""
    return {
        piece
        for value in erased
        for at in range(0, max(len(value) - NEEDLE, 0) + 1, NEEDLE)
        if len(piece := value[at : at + NEEDLE]) == NEEDLE
    }


def found(db: Database, path: Path, pieces: set[bytes]) -> int:
    """Return how many of these pieces stand in parts of the file that hold no row."""
    if not pieces:
        return 0
    db.conn.execute("BEGIN")  # nobody brings newer pages into the file while it is read
    try:
        db.conn.execute("SELECT 1 FROM sqlite_master").fetchone()
        rest = b"\0".join(_unused(path))
    finally:
        db.conn.execute("ROLLBACK")
    if len(pieces) <= _FEW:
        return sum(piece in rest for piece in pieces)
    ends = range(len(rest) - NEEDLE + 1)
    return len({piece for at in ends if (piece := rest[at : at + NEEDLE]) in pieces})


def wipe(
    db: Database, path: Path, erased: Iterable[bytes], *, rebuild: bool, unknown: bool = False
) -> int:
    """Leave nothing of what was erased; return how many traces are left, at least 1 if unsure.

    Where a copy is found the file is written anew if `rebuild`; `unknown`: so it is in any case,
    for something was erased that nobody can search for any more. Raises sqlite3.Error.
    """
    pieces = needles(erased)
    sure = flush(db)
    if rebuild and (unknown or found(db, path, pieces)):
        try:
            db.conn.execute("VACUUM")
            unknown = False
        except sqlite3.OperationalError:  # no room, or somebody writes: another night
            log.warning("rebuild=failed")
        sure = flush(db)
    return max(found(db, path, pieces), 0 if sure and not unknown else 1)


def _unused(path: Path) -> Iterator[bytes]:
    """Yield what is not zero in parts of pages that hold no row (SQLite file format, 1.5, 1.6)."""
    with path.open("rb") as file:
        front = file.read(100)
        size = int.from_bytes(front[16:18], "big")
        size = 65536 if size == 1 else size
        file.seek(0)
        first = True
        while block := file.read(size * _CHUNK):
            for at in range(0, len(block), size):
                for part in _gaps(block[at : at + size], 100 if first else 0):
                    rest = part.strip(b"\0")
                    if rest:
                        yield rest
                first = False


def _gaps(page: bytes, start: int) -> Iterator[bytes]:
    kind = page[start]
    if kind not in (_TABLE_LEAF, _INDEX_LEAF, _TABLE, _INDEX):
        yield page  # of the free list, or the rest of a long row
        return
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    content = int.from_bytes(page[start + 5 : start + 7], "big") or 65536
    cells = start + (12 if kind in (_TABLE, _INDEX) else 8) + 2 * count
    yield page[cells:content]
    at, last = int.from_bytes(page[start + 1 : start + 3], "big"), 0
    while last < at < len(page) - 4:
        length = int.from_bytes(page[at + 2 : at + 4], "big")
        yield page[at + 4 : at + length]
        last, at = at, int.from_bytes(page[at : at + 2], "big")
