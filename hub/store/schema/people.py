"""Who may do what, and what was done: users, sessions, keys, the audit trail (m006)."""

from hub.store.schema.only_grows import only_grows

PEOPLE = (
    """
    CREATE TABLE users (
        name TEXT PRIMARY KEY,
        roles TEXT NOT NULL,           -- JSON array of `hub.rules.access.Role`
        staff TEXT,                    -- JSON of the clerk that citizens see, or NULL
        password TEXT NOT NULL,        -- Argon2id, PHC string
        must_change INTEGER NOT NULL,  -- the password was given by somebody else
        created_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        disabled_at INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE sessions (
        digest BLOB PRIMARY KEY,       -- SHA-256 of the cookie's token
        user TEXT NOT NULL,
        csrf TEXT NOT NULL,
        address TEXT NOT NULL,         -- from where they signed in
        created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        ended_at INTEGER,
        why TEXT NOT NULL DEFAULT ''   -- it ended, `hub.store.sessions.End`
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX sessions_user ON sessions (user, address)",
    "CREATE INDEX sessions_open ON sessions (seen_at) WHERE ended_at IS NULL",
    """
    CREATE TABLE api_keys (
        id TEXT PRIMARY KEY,           -- what a log may name
        label TEXT NOT NULL,           -- whose it is, for people
        digest BLOB NOT NULL,          -- SHA-256 of the secret part, 256 random bits
        scopes TEXT NOT NULL,          -- JSON array of `hub.rules.access.Scope`
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE guesses (
        who TEXT PRIMARY KEY,          -- what is locked: a name at an address, a name, an address
        failures INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        locked_until INTEGER NOT NULL,
        ignored INTEGER NOT NULL       -- tries while it was locked, since the last entry of audit
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE audit (
        position INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,           -- milliseconds since 1970
        actor TEXT NOT NULL,           -- user:NAME | key:ID | console | hub | unknown
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        allowed INTEGER NOT NULL,      -- 0: it was denied
        detail TEXT NOT NULL           -- JSON object; never a password, key or citizen's data
    ) STRICT
    """,
    "CREATE INDEX audit_actor ON audit (actor, position)",
    *only_grows("audit", "audit trail"),
)
