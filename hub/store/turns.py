"""Writing beside the running hub without keeping it waiting."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlite_utils import Database

SHARE = 3
"""Of the time at most one part in so many: SQLite's waiters look only now and then for room."""


@contextmanager
def turn(db: Database) -> Iterator[None]:
    """One transaction that nobody else can write into; then the others have their turn."""
    db.conn.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with db.conn:
        yield
    time.sleep((time.monotonic() - began) * (SHARE - 1))
