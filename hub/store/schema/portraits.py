"""The photographs of clerks (m011)."""

PORTRAITS = (
    """
    CREATE TABLE portraits (
        user TEXT PRIMARY KEY,      -- account it was given for
        name TEXT NOT NULL,         -- whom it shows: the clerk that the account was then
        number TEXT NOT NULL,
        digest TEXT NOT NULL,       -- SHA-256 of the picture, hex
        picture BLOB NOT NULL,      -- JPEG, made anew by `hub.counter.picture`
        added_at INTEGER NOT NULL   -- milliseconds since 1970
    ) STRICT
    """,
    "CREATE INDEX portraits_clerk ON portraits (name, number)",
)
