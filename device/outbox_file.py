"""The file of the outbox: its schema, step by step, and how it is opened."""

import binascii
import logging
import sqlite3
from base64 import urlsafe_b64decode
from pathlib import Path

import msgspec
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


@migrations()
def m003_rated(db: Database) -> None:
    """Which service each rating is of, so that nobody is asked for it again meanwhile."""
    db.conn.create_function("rated_service", 1, _rated_service, deterministic=True)
    for table in ("outcomes", "archive"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN rated TEXT")  # NULL: it is no rating
        db.execute(f"UPDATE {table} SET rated = rated_service(jws)")  # noqa: S608 - our names
    db.execute("CREATE INDEX outcomes_rated ON outcomes (rated) WHERE rated IS NOT NULL")


class _Asked(msgspec.Struct):
    serial: str
    service_number: int


class _Said(msgspec.Struct):
    kind: str
    asked: _Asked | None = None


def _rated_service(jws: bytes) -> str | None:
    """Return which service a signed outcome rates; None where it says none."""
    try:
        middle = jws.split(b".")[1]
        said = msgspec.json.decode(urlsafe_b64decode(middle + b"=="), type=_Said)
    except (IndexError, binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if said.kind != "rated" or said.asked is None:
        return None
    return f"{said.asked.serial}/{said.asked.service_number}"


def open_or_renew(path: Path) -> Database:
    """Open or create the file; a damaged one is put aside, loudly, never overwritten.

    Raises sqlite3.OperationalError where it cannot be opened though it may be well.
    """
    try:
        if path.exists() and path.stat().st_size == 0:  # SQLite would begin anew, and say nothing
            raise sqlite3.DatabaseError("the file is empty")  # noqa: TRY301
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
    new = not path.exists()
    if new:
        path.touch(mode=0o600)  # what citizens have said; its log and index take over the mode
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
        if new and path.exists() and path.stat().st_size == 0:  # or it would pass for damaged
            path.unlink()
        raise
    return db


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside
