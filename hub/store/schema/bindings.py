"""Who is bound to which window, and by which certificate a kiosk is known (m005).

What is bound now; how it came about stands in the ledger.
"""

BINDINGS = (
    """
    CREATE TABLE pairings (
        window TEXT PRIMARY KEY,
        device TEXT NOT NULL UNIQUE,
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE sign_ons (
        window TEXT PRIMARY KEY,
        number TEXT NOT NULL,          -- of the clerk; empty where the hall has no numbers
        name TEXT NOT NULL,
        post TEXT NOT NULL,
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX sign_ons_one_window ON sign_ons (number) WHERE number <> ''",
    """
    CREATE INDEX ledger_bindings ON ledger (position)
    WHERE kind IN ('paired', 'unpaired', 'signed_on', 'signed_off')
    """,
    """
    CREATE TABLE certificates (
        device TEXT PRIMARY KEY,
        pem TEXT NOT NULL,             -- the newest that the device has shown
        not_before INTEGER NOT NULL,   -- milliseconds since 1970
        not_after INTEGER NOT NULL,
        seen_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE renewals (
        device TEXT PRIMARY KEY,
        request TEXT NOT NULL,         -- PKCS #10, PEM
        asked_at INTEGER NOT NULL,
        chain TEXT,                    -- PEM, once the IT desk has signed
        issued_at INTEGER
    ) STRICT, WITHOUT ROWID
    """,
)
