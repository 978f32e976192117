"""Rulings and later words on their way to the city (m010)."""

from hub.store.schema.state import COUNTED

AFTERWARDS = (
    """
    CREATE INDEX ledger_afterwards ON ledger (invitation, kind) WHERE kind IN ('ruled', 'added')
    """,
    # A CHECK cannot be altered: the table is made anew, with the rows, ids and rules it had.
    "CREATE TEMP TABLE deliveries_before AS SELECT * FROM main.deliveries",
    "DROP TABLE deliveries",
    """
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        serial TEXT NOT NULL,
        service_number INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('service', 'rating', 'ruling', 'addition')),
        position INTEGER,             -- ledger entry, of all but a service record
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
    "INSERT INTO deliveries SELECT * FROM temp.deliveries_before",
    "DROP TABLE temp.deliveries_before",
    "CREATE INDEX deliveries_due ON deliveries (next_at, id) WHERE state = 'waiting'",
    "CREATE INDEX deliveries_turn ON deliveries (serial, id) WHERE state = 'waiting'",
    "CREATE INDEX deliveries_set_aside ON deliveries (id) WHERE state = 'set_aside'",
    """
    CREATE INDEX deliveries_doubted ON deliveries (id)
    WHERE state = 'accepted' AND reason <> ''
    """,
    """
    INSERT INTO delivery_counts
    VALUES ('ruling', 'waiting', 0), ('ruling', 'accepted', 0), ('ruling', 'set_aside', 0),
        ('addition', 'waiting', 0), ('addition', 'accepted', 0), ('addition', 'set_aside', 0)
    """,
    *COUNTED,
)
