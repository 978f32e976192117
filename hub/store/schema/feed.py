"""Records that smaller halls have fed to this one (m014)."""

FEED = (
    # One row for each content that came; one that comes back after another has its newest place.
    # What is about the citizen is sealed in `citizens`, like that of the hall's own cases.
    """
    CREATE TABLE fed (
        position INTEGER PRIMARY KEY, -- ledger entry, of kind `fed`
        origin TEXT NOT NULL,         -- label of the interface key by which it came
        kind TEXT NOT NULL CHECK (kind IN ('service', 'rating', 'ruling', 'addition')),
        serial TEXT NOT NULL,
        service_number INTEGER NOT NULL,
        assess_number TEXT NOT NULL,  -- empty for a service record
        digest TEXT NOT NULL,         -- keyed hash of the record, hex
        record TEXT NOT NULL,         -- JSON of a service record, without the citizen; else empty
        received_at INTEGER NOT NULL, -- milliseconds since 1970
        UNIQUE (origin, kind, serial, service_number, assess_number, digest)
    ) STRICT
    """,
    "CREATE INDEX fed_service ON fed (serial, service_number, kind, position)",
)
