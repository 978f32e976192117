"""Citizens' data, sealed field by field, and how long they are kept (m008).

A row is only ever added behind all others, or overwritten by one of the same size: so SQLite
moves none of them, and of what is overwritten no copy stays in the free space of other pages.
"""

_FIELDS = ("applicant_name", "applicant_number", "mobile", "agent_name", "agent_number")
_DROPPED = " OR ".join(
    f"EXISTS (SELECT 1 FROM dropped_keys WHERE front = substr(NEW.{field}, 1, 3))"  # noqa: S608
    for field in _FIELDS
)
_REFUSED = "BEGIN SELECT RAISE(ABORT, 'sealed by a key that was dropped: seal it anew'); END"

CITIZENS = (
    """
    CREATE TABLE citizens (
        id INTEGER PRIMARY KEY,
        serial TEXT NOT NULL,
        service_number INTEGER NOT NULL,
        applicant_name BLOB NOT NULL,    -- sealed, as the four that follow; zeros: erased
        applicant_number BLOB NOT NULL,  -- of the certificate
        mobile BLOB NOT NULL,
        agent_name BLOB NOT NULL,
        agent_number BLOB NOT NULL,
        find_applicant BLOB NOT NULL,    -- keyed hash of the certificate's number, or zeros
        find_mobile BLOB NOT NULL,
        find_agent BLOB NOT NULL,
        UNIQUE (serial, service_number)
    ) STRICT
    """,
    # A key is dropped once no row needs it; whoever sealed by it a moment before comes too late.
    """
    CREATE TABLE dropped_keys (
        front BLOB PRIMARY KEY,          -- how what it sealed begins
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    f"CREATE TRIGGER citizens_added BEFORE INSERT ON citizens WHEN {_DROPPED} {_REFUSED}",
    f"CREATE TRIGGER citizens_changed BEFORE UPDATE ON citizens WHEN {_DROPPED} {_REFUSED}",
    "CREATE INDEX cases_first_form ON cases (serial, service_number) WHERE sealed <> x''",
    """
    CREATE TABLE retention (
        name TEXT PRIMARY KEY,           -- ran_at: ms since 1970; comments: where to go on
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)
