"""What was said with the city, and what of the way there is walked more than once (m009)."""

EXCHANGES = (
    """
    CREATE TABLE exchanges (
        id INTEGER PRIMARY KEY,        -- rises: only the oldest are ever removed
        at INTEGER NOT NULL,           -- end of the exchange, ms since 1970
        serial TEXT NOT NULL,
        service_number INTEGER NOT NULL,
        purpose TEXT NOT NULL,         -- service | rating | update | token
        address TEXT NOT NULL,
        sent TEXT NOT NULL,            -- JSON, no secret and nothing about the citizen
        status INTEGER,                -- of HTTP; NULL: no answer came
        received TEXT NOT NULL,
        took_ms INTEGER NOT NULL,
        skew_ms INTEGER,               -- the city's clock less the hub's, where the answer said
        verdict TEXT NOT NULL
            CHECK (verdict IN ('accepted', 'exists', 'refused', 'unavailable')),
        reason TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX exchanges_serial ON exchanges (serial, id)",
    """
    CREATE INDEX exchanges_failed ON exchanges (id)
    WHERE verdict IN ('refused', 'unavailable')
    """,
    # What the city holds of a case: rows of one size, overwritten in place.
    """
    CREATE TABLE sent (
        delivery INTEGER PRIMARY KEY,
        digest BLOB NOT NULL           -- keyed hash of the record; zeros: not known (any more)
    ) STRICT
    """,
    """
    CREATE TRIGGER sent_forgets_the_erased AFTER UPDATE OF applicant_name ON citizens
    WHEN substr(NEW.applicant_name, 1, 1) = x'00'
    BEGIN
        UPDATE sent SET digest = zeroblob(length(digest)) WHERE delivery IN (
            SELECT id FROM deliveries WHERE serial = NEW.serial
                AND service_number = NEW.service_number AND kind = 'service');
    END
    """,
    # A delivery without a row here goes for the first time, with what was registered first.
    """
    CREATE TABLE repeats (
        delivery INTEGER PRIMARY KEY,
        version INTEGER NOT NULL,      -- rises whenever the case is registered again
        task TEXT NOT NULL CHECK (task IN ('first', 'check', 'again')),
        asked_at INTEGER NOT NULL      -- since when it waits for this
    ) STRICT
    """,
    """
    CREATE INDEX deliveries_doubted ON deliveries (id)
    WHERE state = 'accepted' AND reason <> ''
    """,
)
