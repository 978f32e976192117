"""The file of the outbox: its schema, step by step, and how it is opened."""

import logging
import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

log = logging.getLogger(__name__)

migrations = Migrations("outbox")


@migrations()
def m001_outcomes(db: Database) -> None:
    """Outcomes in the device's own numbering, and the invitations that have ended here."""
    for statement in (
        """
        CREATE TABLE outcomes (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            invitation TEXT NOT NULL UNIQUE,
            jws BLOB NOT NULL,
            draft INTEGER NOT NULL  -- 1 = the citizen may still amend it; not to be sent
        ) STRICT
        """,
        "CREATE TABLE settled (invitation TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT",
        "CREATE INDEX settled_seq ON settled (seq)",
        "CREATE TABLE spare (seq INTEGER PRIMARY KEY) STRICT",
        "CREATE TABLE numbering (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER) STRICT",
        "INSERT INTO numbering VALUES (1, 0)",
        "CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER) STRICT",
        "INSERT INTO probe VALUES (1, 0)",
    ):
        db.execute(statement)


@migrations()
def m002_archive(db: Database) -> None:
    """Outcomes that the hub has answered for, and which hub has asked for them again."""
    for statement in (
        """
        CREATE TABLE archive (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            invitation TEXT NOT NULL,
            jws BLOB NOT NULL,
            answered_at INTEGER NOT NULL  -- milliseconds since 1970, the hub's clock
        ) STRICT
        """,
        "CREATE INDEX archive_age ON archive (answered_at)",
        """
        CREATE TABLE resend (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            since INTEGER NOT NULL,  -- the name of the hub's recovery
            last INTEGER NOT NULL    -- the highest number that it may want
        ) STRICT
        """,
        "CREATE INDEX outcomes_draft ON outcomes (invitation) WHERE draft",
    ):
        db.execute(statement)


def open_or_renew(path: Path) -> Database:
    """Open or create the file; a damaged one is put aside, loudly, never overwritten.

    Raises sqlite3.OperationalError where it cannot be opened though it may be well.
    """
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # no access, disk full: the content may be well
        aside = _free_name(path)
        log.critical("outbox=damaged error=%s kept_as=%s", error, aside.name)
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        return _connect(path)


def _connect(path: Path) -> Database:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        found = connection.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)  # noqa: TRY301 - closed below either way
        db = Database(connection, execute_plugins=False)
        migrations.apply(db)
    except BaseException:
        connection.close()
        raise
    return db


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside
