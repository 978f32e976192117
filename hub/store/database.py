"""The hub's one SQLite file: how it is opened, and its schema, step by step."""

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

migrations = Migrations("hub")

_LEDGER = (
    """
    CREATE TABLE ledger (
        position INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,           -- invited | rated | expired | withdrawn
        recorded_at INTEGER NOT NULL, -- milliseconds since 1970, the hub's clock
        device TEXT NOT NULL,
        invitation TEXT NOT NULL,
        outcome TEXT,                 -- id of the outcome; NULL where the hub itself speaks
        seq INTEGER,                  -- the device's own numbering
        body BLOB NOT NULL            -- the very bytes the device signed, or the hub's JSON
    ) STRICT
    """,
    "CREATE INDEX ledger_device_seq ON ledger (device, seq)",
    """
    CREATE TRIGGER ledger_never_updated BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows: no entry is ever updated'); END
    """,
    """
    CREATE TRIGGER ledger_never_deleted BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows: no entry is ever deleted'); END
    """,
    """
    CREATE TRIGGER ledger_never_replaced BEFORE INSERT ON ledger
    WHEN NEW.position IS NOT NULL
        AND EXISTS (SELECT 1 FROM ledger WHERE position = NEW.position)
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows: no entry is ever replaced'); END
    """,
    # A position out of turn would stop all later entries, or let SQLite number them at random.
    """
    CREATE TRIGGER ledger_without_gaps AFTER INSERT ON ledger
    WHEN NEW.position <> 1 + coalesce(
        (SELECT max(position) FROM ledger WHERE position < NEW.position), 0)
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows: entries are numbered without gaps'); END
    """,
)

_STATE = (
    """
    CREATE TABLE cases (
        serial TEXT NOT NULL,
        service_number INTEGER NOT NULL,
        matter TEXT NOT NULL,
        body BLOB NOT NULL,    -- JSON of what is not about the citizen
        sealed BLOB NOT NULL,  -- what is about the citizen, AES-256-GCM
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (serial, service_number)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE invitations (
        id TEXT PRIMARY KEY,
        device TEXT NOT NULL,
        serial TEXT NOT NULL,
        service_number INTEGER NOT NULL,
        body BLOB NOT NULL,        -- the invitation as the kiosk gets it, JSON
        issued_at INTEGER NOT NULL,
        ttl_ms INTEGER NOT NULL,
        shown_at INTEGER,
        withdraw_at INTEGER,       -- when the window asked to take it back
        outcome_id TEXT,
        outcome TEXT               -- rated | expired | withdrawn; NULL = open
            CHECK (outcome IN ('rated', 'expired', 'withdrawn'))
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX invitations_open ON invitations (device, issued_at) WHERE outcome IS NULL",
    """
    CREATE INDEX invitations_current ON invitations (device, issued_at)
    WHERE outcome IS NULL AND withdraw_at IS NULL
    """,
    "CREATE INDEX invitations_case ON invitations (serial, service_number)",
    "CREATE INDEX invitations_device ON invitations (device, outcome)",
    """
    CREATE TABLE slots (
        device TEXT PRIMARY KEY,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE pauses (
        window TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE refusals (
        device TEXT NOT NULL,
        cause TEXT NOT NULL,
        times INTEGER NOT NULL,
        first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        PRIMARY KEY (device, cause)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE evidence (
        digest BLOB PRIMARY KEY,      -- SHA-256 of body: the same bytes are kept once
        device TEXT NOT NULL,
        cause TEXT NOT NULL,
        at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX evidence_device ON evidence (device, cause)",
    """
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        serial TEXT NOT NULL,
        service_number INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('service', 'rating')),
        position INTEGER,             -- ledger entry of a rating
        state TEXT NOT NULL DEFAULT 'waiting'
            CHECK (state IN ('waiting', 'accepted', 'set_aside')),
        attempts INTEGER NOT NULL DEFAULT 0,
        next_at INTEGER NOT NULL,     -- not before, milliseconds since 1970
        reason TEXT NOT NULL DEFAULT '',
        queued_at INTEGER NOT NULL,
        settled_at INTEGER,
        UNIQUE (serial, service_number, kind)
    ) STRICT
    """,
    # Whose turn it is: the oldest that may go now, and what of its case must go before it.
    "CREATE INDEX deliveries_due ON deliveries (next_at, id) WHERE state = 'waiting'",
    """
    CREATE INDEX deliveries_turn ON deliveries (serial, id)
    WHERE state = 'waiting'
    """,
    "CREATE INDEX deliveries_set_aside ON deliveries (id) WHERE state = 'set_aside'",
    # Counted as they change: counting millions of rows at every look would stall the hub.
    """
    CREATE TABLE delivery_counts (
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (kind, state)
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO delivery_counts
    VALUES ('service', 'waiting', 0), ('service', 'accepted', 0), ('service', 'set_aside', 0),
        ('rating', 'waiting', 0), ('rating', 'accepted', 0), ('rating', 'set_aside', 0)
    """,
    """
    CREATE TRIGGER deliveries_counted AFTER INSERT ON deliveries
    BEGIN
        UPDATE delivery_counts SET n = n + 1 WHERE kind = NEW.kind AND state = NEW.state;
    END
    """,
    """
    CREATE TRIGGER deliveries_recounted AFTER UPDATE OF state ON deliveries
    WHEN NEW.state IS NOT OLD.state
    BEGIN
        UPDATE delivery_counts SET n = n - 1 WHERE kind = OLD.kind AND state = OLD.state;
        UPDATE delivery_counts SET n = n + 1 WHERE kind = NEW.kind AND state = NEW.state;
    END
    """,
)

_REVOCATIONS = """
    CREATE TABLE revocations (
        id INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        key_digest BLOB NOT NULL,     -- SHA-256 of its SubjectPublicKeyInfo
        at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        lifted_at INTEGER             -- taken back: it was revoked by mistake
    ) STRICT
"""


@migrations()
def m001_ledger(db: Database) -> None:
    """The ledger, and triggers by which the database itself refuses to alter it."""
    for statement in _LEDGER:
        db.execute(statement)


@migrations()
def m002_state(db: Database) -> None:
    """Cases, invitations, the way to the city, and what was refused."""
    for statement in _STATE:
        db.execute(statement)


@migrations()
def m003_revocations(db: Database) -> None:
    """Devices that are not to be believed any more."""
    db.execute(_REVOCATIONS)


@migrations()
def m004_device_keys(db: Database) -> None:
    """Public keys, also those that have been replaced since."""
    db.execute(
        """
        CREATE TABLE device_keys (
            device TEXT NOT NULL,
            pem TEXT NOT NULL,
            since INTEGER NOT NULL,
            PRIMARY KEY (device, pem)
        ) STRICT, WITHOUT ROWID
        """
    )


class GuardsMissing(Exception):
    """Somebody took away what keeps the ledger from being altered."""


def check_guards(db: Database) -> None:
    """Raise `GuardsMissing` unless every trigger of the ledger stands as it was made."""
    made = {" ".join(sql.split()) for sql in _LEDGER if "CREATE TRIGGER" in sql}
    there = db.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND sql IS NOT NULL")
    missing = made - {" ".join(str(row[0]).split()) for row in there.fetchall()}
    if missing:
        names = "、".join(sorted(sql.split()[2] for sql in missing))
        raise GuardsMissing(
            f"台账的防改保护被移除或改动（{names}），数据可能已被篡改。"
            "请保留现场，不要继续使用这个数据文件，并联系维护人员核查"
        )


def connect(path: Path) -> Database:
    """Open the file for one thread at a time; every commit is on disk when it returns.

    WAL with synchronous=FULL: WAL with NORMAL may lose the last commits at a power loss.
    """
    connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
    db = Database(connection, execute_plugins=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return db


def migrate(db: Database) -> None:
    """Bring the schema up to date; each step and its record commit together."""
    migrations.apply(db)
