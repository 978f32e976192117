"""The hub's one SQLite file: how it is opened, and what keeps its ledger from being altered."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from hub.store.schema import GUARDS, migrations


class GuardsMissing(Exception):
    """Somebody took away what keeps ledger and audit trail from being altered."""


def check_guards(db: Database) -> None:
    """Raise `GuardsMissing` unless every guarding trigger stands as it was made."""
    made = {" ".join(sql.split()) for sql in GUARDS.values()}
    there = db.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND sql IS NOT NULL")
    missing = made - {" ".join(str(row[0]).split()) for row in there.fetchall()}
    if missing:
        names = "、".join(sorted(sql.split()[2] for sql in missing))
        raise GuardsMissing(
            f"台账或操作记录的防改保护被移除或改动（{names}），数据可能已被篡改。"
            "请保留现场，不要继续使用这个数据文件，并联系维护人员核查"
        )


def connect(path: Path) -> Database:
    """Open the file for one thread at a time; every commit is on disk when it returns.

    WAL with synchronous=FULL: WAL with NORMAL may lose the last commits at a power loss.
    """
    connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
    db = Database(connection, execute_plugins=False)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is erased is to be gone
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return db


@contextmanager
def alone(db: Database) -> Iterator[None]:
    """Be the only one who writes, from the first look on; commits at the end.

    For commands beside a running hub: there a transaction that reads first and then writes
    fails where the hub has written in between.
    """
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.conn.rollback()
        raise
    db.conn.commit()


def migrate(db: Database) -> None:
    """Bring the schema up to date; each step and its record commit together."""
    migrations.apply(db)
