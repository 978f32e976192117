"""What of the schema acts by itself: every trigger and view that the migrations make.

What is missing lets the ledger be altered; what was added can lose an entry in silence, or show
another table than the one that is there. So the whole set is compared, not a list of names.
"""

import sqlite3
from contextlib import closing
from functools import cache

from sqlite_utils import Database

from hub.store.schema import migrations

_FLOOR = "m007_tree"
"""By this step what keeps ledger and audit trail from being altered was there."""

_ACTING = "SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type IN ('trigger', 'view')"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"


def doubts(db: Database) -> list[str]:
    """Return the names of triggers and views that are missing, altered or not ours, sorted.

    A file of an older hub is compared with what its own steps have made; a table that they have
    not made is named too: then the record of its steps was altered.
    """
    made, tables = _made(_stop(db))
    _, of_all = _made(None)
    there = _acting(db)
    found = {name for name in made.keys() | there.keys() if made.get(name) != there.get(name)}
    return sorted(found | (_tables(db) & (of_all - tables)))


def _stop(db: Database) -> str | None:
    """Return the first step that a file has not taken, None: it has taken all."""
    names = _names()
    pending = {each.name for each in migrations.pending(db)}
    floor = names.index(_FLOOR)
    return next((name for name in names[floor + 1 :] if name in pending), None)


@cache
def _names() -> tuple[str, ...]:
    with closing(_empty()) as db:
        return tuple(each.name for each in migrations.pending(db))


@cache
def _made(stop: str | None) -> tuple[dict[str, str], frozenset[str]]:
    """Return what the steps before `stop` make in an empty file: what acts, and the tables."""
    with closing(_empty()) as db:
        migrations.apply(db, stop_before=stop)
        return _acting(db), _tables(db)


def _empty() -> Database:
    return Database(sqlite3.connect(":memory:"), execute_plugins=False)


def _acting(db: Database) -> dict[str, str]:
    rows = db.conn.execute(_ACTING).fetchall()
    return {str(name): " ".join(str(sql).split()) for name, sql in rows}


def _tables(db: Database) -> frozenset[str]:
    return frozenset(str(name) for (name,) in db.conn.execute(_TABLES).fetchall())
