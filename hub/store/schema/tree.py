"""The Merkle tree over the ledger and its signed checkpoints (m007)."""

TREE = (
    # The tree holds the hash of a body, not the body: what a citizen wrote can be erased where
    # the law asks for it, by an entry that says so, and the ledger still proves to be whole.
    """
    CREATE TABLE erasures (
        position INTEGER PRIMARY KEY,  -- whose body is erased
        digest BLOB NOT NULL,          -- SHA-256 of what it was
        entry INTEGER NOT NULL         -- position of the entry that says so
    ) STRICT
    """,
    """
    CREATE TRIGGER erasures_never_updated BEFORE UPDATE ON erasures
    BEGIN SELECT RAISE(ABORT, 'an erasure is never changed'); END
    """,
    """
    CREATE TRIGGER erasures_never_deleted BEFORE DELETE ON erasures
    BEGIN SELECT RAISE(ABORT, 'an erasure is never taken back'); END
    """,
    """
    CREATE TRIGGER erasures_are_told BEFORE INSERT ON erasures
    WHEN EXISTS (SELECT 1 FROM erasures WHERE position = NEW.position)
        OR NOT EXISTS (SELECT 1 FROM ledger WHERE position = NEW.entry AND kind = 'erased')
    BEGIN SELECT RAISE(ABORT, 'only what the ledger says is erased, and once'); END
    """,
    "DROP TRIGGER ledger_never_updated",
    """
    CREATE TRIGGER ledger_never_updated BEFORE UPDATE ON ledger
    WHEN NEW.body <> x'' OR NEW.position IS NOT OLD.position OR NEW.kind IS NOT OLD.kind
        OR NEW.recorded_at IS NOT OLD.recorded_at OR NEW.device IS NOT OLD.device
        OR NEW.invitation IS NOT OLD.invitation OR NEW.outcome IS NOT OLD.outcome
        OR NEW.seq IS NOT OLD.seq
        OR NOT EXISTS (SELECT 1 FROM erasures WHERE position = OLD.position)
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows: no entry is ever updated'); END
    """,
    "CREATE INDEX ledger_settings ON ledger (position) WHERE kind = 'settings'",
    "CREATE INDEX ledger_outcome ON ledger (outcome) WHERE outcome IS NOT NULL",
    """
    CREATE TABLE tiles (
        level INTEGER NOT NULL,        -- 0: hashes of entries; n: of 256 ** n entries each
        idx INTEGER NOT NULL,
        hashes BLOB NOT NULL,          -- 256 times 32 bytes: only full tiles are kept
        PRIMARY KEY (level, idx)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE checkpoints (
        size INTEGER PRIMARY KEY,      -- so many entries
        at INTEGER NOT NULL,           -- milliseconds since 1970
        note TEXT NOT NULL             -- C2SP tlog-checkpoint, signed
    ) STRICT
    """,
    """
    CREATE TRIGGER checkpoints_never_updated BEFORE UPDATE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'a checkpoint that was given out is never changed'); END
    """,
    """
    CREATE TRIGGER checkpoints_never_deleted BEFORE DELETE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'a checkpoint that was given out is never taken back'); END
    """,
    """
    CREATE TRIGGER checkpoints_never_replaced BEFORE INSERT ON checkpoints
    WHEN EXISTS (SELECT 1 FROM checkpoints WHERE size >= NEW.size)
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows: so do its checkpoints'); END
    """,
)
