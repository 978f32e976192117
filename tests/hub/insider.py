"""Somebody with full access to the hub's file and none to its keys.

The guards are taken down for the deed and put back with their own text, so that they tell nothing.
"""

import sqlite3
from contextlib import closing, contextmanager


@contextmanager
def guards_down(raw):
    """Take all triggers away for as long as it lasts, on a connection of `sqlite3`."""
    kept = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in kept:
        raw.execute(f"DROP TRIGGER {name}")
    yield
    for _, text in kept:
        raw.execute(text)


def do(raw, *statements):
    """Carry out statements, each a text or a tuple of text and values; return the rows of each."""
    with guards_down(raw):
        split = [(each,) if isinstance(each, str) else each for each in statements]
        return [raw.execute(text, values).rowcount for text, *values in split]


def sql(path, *statements):
    """Do it in the file, beside a hub that may be running, in one transaction."""
    with closing(sqlite3.connect(path, timeout=10)) as raw, raw:
        raw.execute("BEGIN IMMEDIATE")
        return do(raw, *statements)
