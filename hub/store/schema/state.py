"""Cases, invitations, the way to the city, refusals; devices and their keys (m002 to m004)."""

COUNTED = (
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
"""How deliveries are counted as they change; once more wherever their table is made anew."""

STATE = (
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
    *COUNTED,
)

REVOCATIONS = """
    CREATE TABLE revocations (
        id INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        key_digest BLOB NOT NULL,     -- SHA-256 of its SubjectPublicKeyInfo
        at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        lifted_at INTEGER             -- taken back: it was revoked by mistake
    ) STRICT
"""

DEVICE_KEYS = """
    CREATE TABLE device_keys (
        device TEXT NOT NULL,
        pem TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (device, pem)
    ) STRICT, WITHOUT ROWID
"""
