"""The ledger, with triggers by which the database itself refuses to alter it (m001)."""

from hub.store.schema.only_grows import only_grows

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
    *only_grows("ledger", "ledger"),
)
