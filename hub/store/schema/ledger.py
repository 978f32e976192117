"""The ledger, with triggers by which the database itself refuses to alter it (m001)."""

LEDGER = (
    """
    CREATE TABLE ledger (
        position INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,           -- what `hub.store.ledger.Kind` names
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
