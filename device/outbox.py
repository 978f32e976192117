"""What citizens pressed, safe on this kiosk's disk until the hub has committed it.

One SQLite file, every commit synced to the disk. Used from one thread, the keeper's.
"""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from sqlite_utils import Database, Migrations

log = logging.getLogger(__name__)

REMEMBERED = 2_000
"""How many ended invitations are remembered, so that none is ever shown twice."""

migrations = Migrations("outbox")


@migrations()
def m001_outcomes(db: Database) -> None:
    """Outcomes in the device's own numbering, and the invitations that have ended here."""
    for statement in (
        """
        CREATE TABLE outcomes (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            invitation TEXT NOT NULL UNIQUE,
            jws BLOB NOT NULL,
            draft INTEGER NOT NULL  -- 1 = the citizen may still amend it; not to be sent
        ) STRICT
        """,
        "CREATE TABLE settled (invitation TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT",
        "CREATE INDEX settled_seq ON settled (seq)",
        "CREATE TABLE spare (seq INTEGER PRIMARY KEY) STRICT",
        "CREATE TABLE numbering (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER) STRICT",
        "INSERT INTO numbering VALUES (1, 0)",
        "CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER) STRICT",
        "INSERT INTO probe VALUES (1, 0)",
    ):
        db.execute(statement)


class Ended(Exception):
    """The invitation has its outcome already; it takes no other."""


class Kept(Struct, frozen=True):
    """A final outcome that waits for its receipt."""

    seq: int
    id: str
    jws: bytes


class Outbox:
    """The file. Every method that writes returns after the disk has it, or raises sqlite3.Error."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @classmethod
    def open(cls, path: Path) -> "Outbox":
        """Open or create the file; a damaged one is put aside, loudly, never overwritten."""
        try:
            return cls(_connect(path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # no access, disk full: the content may be well
            aside = _free_name(path)
            log.critical("outbox=damaged error=%s kept_as=%s", error, aside.name)
            for suffix in ("", "-wal", "-shm"):
                part = path.with_name(path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            return cls(_connect(path))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def keep(
        self,
        invitation: str,
        new_id: Callable[[], str],
        sign: Callable[[int, str], bytes],
        *,
        draft: bool,
    ) -> None:
        """Keep an outcome, or the newer version of a draft under the same number and id.

        `sign(seq, id)` makes the signed bytes. Raises `Ended` if the invitation has ended.
        """
        with self._db.atomic():
            known = self._db.conn.execute(
                "SELECT seq, id, draft FROM outcomes WHERE invitation = ?", (invitation,)
            ).fetchone()
            if (known is not None and not known[2]) or self._settled(invitation):
                raise Ended(invitation)
            seq, identifier = (known[0], known[1]) if known else (self._number(), new_id())
            self._db.conn.execute(
                """
                INSERT INTO outcomes (seq, id, invitation, jws, draft) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (seq) DO UPDATE SET jws = excluded.jws, draft = excluded.draft
                """,
                (seq, identifier, invitation, sign(seq, identifier), int(draft)),
            )

    def release(self, invitation: str) -> None:
        """Make a draft final."""
        with self._db.atomic():
            self._db.conn.execute(
                "UPDATE outcomes SET draft = 0 WHERE invitation = ?", (invitation,)
            )

    def release_all(self) -> int:
        """Make final what a power cut left as drafts; return how many."""
        with self._db.atomic():
            return self._db.conn.execute("UPDATE outcomes SET draft = 0 WHERE draft").rowcount

    def discard(self, invitation: str) -> None:
        """Take back a draft that was undone; its number goes to the next outcome."""
        with self._db.atomic():
            row = self._db.conn.execute(
                "DELETE FROM outcomes WHERE invitation = ? AND draft RETURNING seq", (invitation,)
            ).fetchone()
            if row is not None:
                self._db.conn.execute("INSERT INTO spare VALUES (?)", row)

    def waiting(self, after: int = 0, limit: int = 100) -> list[Kept]:
        """Return final outcomes numbered above `after`, in order."""
        rows = self._db.conn.execute(
            "SELECT seq, id, jws FROM outcomes WHERE NOT draft AND seq > ? ORDER BY seq LIMIT ?",
            (after, limit),
        )
        return [Kept(*row) for row in rows]

    def receipt(self, identifiers: tuple[str, ...]) -> int:
        """Forget outcomes that the hub answered for; return how many there were.

        Their invitations are remembered a while longer. A draft is never forgotten: the hub
        cannot have it.
        """
        with self._db.atomic():
            found = 0
            for identifier in identifiers:
                row = self._db.conn.execute(
                    "DELETE FROM outcomes WHERE id = ? AND NOT draft RETURNING invitation, seq",
                    (identifier,),
                ).fetchone()
                if row is not None:
                    found += 1
                    self._db.conn.execute("INSERT OR IGNORE INTO settled VALUES (?, ?)", row)
            self._db.conn.execute(
                "DELETE FROM settled WHERE seq <= (SELECT last FROM numbering) - ?", (REMEMBERED,)
            )
            return found

    def ended(self, invitation: str) -> bool:
        """Whether this invitation has an outcome here, final or draft."""
        row = self._db.conn.execute(
            "SELECT 1 FROM outcomes WHERE invitation = ?", (invitation,)
        ).fetchone()
        return row is not None or self._settled(invitation)

    def depth(self) -> int:
        """Return how many outcomes wait."""
        return int(self._db.conn.execute("SELECT count(*) FROM outcomes").fetchone()[0])

    def probe(self) -> None:
        """Write something and see whether the disk takes it; raises sqlite3.Error if not."""
        with self._db.atomic():
            self._db.conn.execute("UPDATE probe SET count = count + 1")

    def _settled(self, invitation: str) -> bool:
        row = self._db.conn.execute(
            "SELECT 1 FROM settled WHERE invitation = ?", (invitation,)
        ).fetchone()
        return row is not None

    def _number(self) -> int:
        spare = self._db.conn.execute(
            "DELETE FROM spare WHERE seq = (SELECT min(seq) FROM spare) RETURNING seq"
        ).fetchone()
        if spare is not None:
            return int(spare[0])
        row = self._db.conn.execute(
            "UPDATE numbering SET last = last + 1 RETURNING last"
        ).fetchone()
        return int(row[0])


def _connect(path: Path) -> Database:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        found = connection.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)  # noqa: TRY301 - closed below either way
        db = Database(connection, execute_plugins=False)
        migrations.apply(db)
    except BaseException:
        connection.close()
        raise
    return db


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside
