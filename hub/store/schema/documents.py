"""Evidence documents and the rulings that rest on them (m012)."""

_DROPPED = "EXISTS (SELECT 1 FROM dropped_keys WHERE front = substr(NEW.sealed, 1, 3))"
_REFUSED = "BEGIN SELECT RAISE(ABORT, 'sealed by a key that was dropped: seal it anew'); END"

DOCUMENTS = (
    """
    CREATE TABLE documents (
        digest TEXT PRIMARY KEY,      -- SHA-256 of the document, hex
        kind TEXT NOT NULL CHECK (kind IN ('pdf', 'jpeg', 'png')),
        size INTEGER NOT NULL,        -- bytes, before it was sealed
        sealed BLOB NOT NULL,
        kept_at INTEGER NOT NULL,     -- milliseconds since 1970, the last time it was put in
        kept_by TEXT NOT NULL         -- `Caller.name` of who put it in then
    ) STRICT
    """,
    # By this what the ledger says of a ruling's evidence is found again; the ledger is what holds.
    """
    CREATE TABLE ruling_documents (
        position INTEGER NOT NULL,    -- of the ruling in the ledger
        digest TEXT NOT NULL REFERENCES documents (digest),
        PRIMARY KEY (position, digest)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX ruling_documents_digest ON ruling_documents (digest)",
    "CREATE INDEX ledger_ruled ON ledger (position) WHERE kind = 'ruled'",
    """
    CREATE TRIGGER documents_stay BEFORE DELETE ON documents
    WHEN EXISTS (SELECT 1 FROM ruling_documents WHERE digest = OLD.digest)
    BEGIN SELECT RAISE(ABORT, 'a ruling rests on this document: it stays'); END
    """,
    """
    CREATE TRIGGER documents_never_changed BEFORE UPDATE OF digest, kind, size ON documents
    BEGIN SELECT RAISE(ABORT, 'a document is known by its content: it never changes'); END
    """,
    """
    CREATE TRIGGER ruling_documents_stay BEFORE DELETE ON ruling_documents
    BEGIN SELECT RAISE(ABORT, 'what a ruling rests on stays with it'); END
    """,
    """
    CREATE TRIGGER ruling_documents_never_changed BEFORE UPDATE ON ruling_documents
    BEGIN SELECT RAISE(ABORT, 'what a ruling rests on stays with it'); END
    """,
    f"CREATE TRIGGER documents_added BEFORE INSERT ON documents WHEN {_DROPPED} {_REFUSED}",
    f"""
    CREATE TRIGGER documents_resealed BEFORE UPDATE OF sealed ON documents
    WHEN {_DROPPED} {_REFUSED}
    """,
)
