"""What a verification has come across, in a file of its own that vanishes: memory stays flat."""

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import msgspec

from hub.store.fed import Fed

_TABLES = (
    """
    CREATE TABLE invitations (
        id TEXT PRIMARY KEY, device TEXT, ttl_ms INTEGER, digest BLOB, position INTEGER,
        closed_by INTEGER
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE ratings (
        position INTEGER PRIMARY KEY, invitation TEXT, delivered_by INTEGER, ruled_by INTEGER
    )
    """,
    "CREATE INDEX ratings_ruled ON ratings (ruled_by) WHERE ruled_by IS NOT NULL",
    """
    CREATE TABLE fed (
        position INTEGER PRIMARY KEY, serial TEXT, service_number INTEGER, kind TEXT, origin TEXT,
        proof BLOB, digest TEXT
    )
    """,
    "CREATE INDEX fed_service ON fed (serial, service_number, kind)",
    "CREATE TABLE added (invitation TEXT PRIMARY KEY, position INTEGER) WITHOUT ROWID",
    "CREATE TABLE erased (position INTEGER PRIMARY KEY, told_by INTEGER)",
    """
    CREATE TABLE numbers (device TEXT, seq INTEGER, position INTEGER, PRIMARY KEY (device, seq))
        WITHOUT ROWID
    """,
)


class Seen:
    """Invitations and numbers, looked up by position of their entries."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")  # on disk once it is large, and gone when it is closed
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        for table in _TABLES:
            self._db.execute(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def invited(
        self, name: str, device: str, ttl_ms: int, digest: bytes | None, position: int
    ) -> int | None:
        """Note an invitation; return the position where it stood before, if it did.

        `digest` is that of its words, None where they have been erased.
        """
        row = self._db.execute("SELECT position FROM invitations WHERE id = ?", (name,)).fetchone()
        if row is not None:
            return int(row[0])
        self._db.execute(
            "INSERT INTO invitations VALUES (?, ?, ?, ?, ?, NULL)",
            (name, device, ttl_ms, digest, position),
        )
        return None

    def invitation(self, name: str) -> tuple[str, int, bytes | None, int | None] | None:
        """Return device, time to live, digest and what closed it; None if it is unknown."""
        found: tuple[str, int, bytes | None, int | None] | None = self._db.execute(
            "SELECT device, ttl_ms, digest, closed_by FROM invitations WHERE id = ?", (name,)
        ).fetchone()
        return found

    def close(self, name: str, position: int) -> None:
        """Note what closed an invitation."""
        self._db.execute("UPDATE invitations SET closed_by = ? WHERE id = ?", (position, name))

    def numbered(self, device: str, seq: int, position: int) -> int | None:
        """Note a device's number; return the position that has it already, if one does."""
        row = self._db.execute(
            "SELECT position FROM numbers WHERE device = ? AND seq = ?", (device, seq)
        ).fetchone()
        if row is not None:
            return int(row[0])
        self._db.execute("INSERT INTO numbers VALUES (?, ?, ?)", (device, seq, position))
        return None

    def rated(self, position: int, name: str) -> None:
        """Note where a rating stands, and which invitation it answers."""
        self._db.execute(
            "INSERT OR IGNORE INTO ratings VALUES (?, ?, NULL, NULL)", (position, name)
        )

    def rated_by(self, position: int) -> str | None:
        """Return the invitation that the rating at a position answers; None: there is none."""
        row = self._db.execute(
            "SELECT invitation FROM ratings WHERE position = ?", (position,)
        ).fetchone()
        return None if row is None else str(row[0])

    def ruled(self, position: int, by: int) -> int | None:
        """Note a ruling on the rating at a position; return the one before it, if there is one."""
        row = self._db.execute(
            "SELECT ruled_by FROM ratings WHERE position = ?", (position,)
        ).fetchone()
        if row[0] is not None:
            return int(row[0])
        self._db.execute("UPDATE ratings SET ruled_by = ? WHERE position = ?", (by, position))
        return None

    def is_ruling(self, position: int) -> bool:
        """Whether a ruling that was noted stands at a position."""
        row = self._db.execute("SELECT 1 FROM ratings WHERE ruled_by = ?", (position,))
        return row.fetchone() is not None

    def delivered(self, position: int, by: int) -> tuple[bool, int | None]:
        """Note that a rating reached the city; return if it is one, and what said so before."""
        row = self._db.execute(
            "SELECT delivered_by FROM ratings WHERE position = ?", (position,)
        ).fetchone()
        if row is None:
            return False, None
        self._db.execute("UPDATE ratings SET delivered_by = ? WHERE position = ?", (by, position))
        return True, row[0]

    def fed(self, position: int, said: Fed | None) -> None:
        """Note what another hall has fed; None: it has been erased."""
        row: tuple[object, ...] = (None,) * 6
        if said is not None:
            proof = msgspec.json.encode(said.proof)
            of = (said.serial, said.service_number, said.kind)
            row = (*of, said.origin, proof, said.digest)
        self._db.execute("INSERT OR IGNORE INTO fed VALUES (?, ?, ?, ?, ?, ?, ?)", (position, *row))

    def is_fed(self, position: int) -> bool:
        """Whether what stands at a position was fed by another hall."""
        row = self._db.execute("SELECT 1 FROM fed WHERE position = ?", (position,))
        return row.fetchone() is not None

    def fed_before(self, said: Fed, kind: str) -> tuple[int, str, bytes, str] | None:
        """Return position, origin, proof (JSON), digest of the last of this kind of a service."""
        found: tuple[int, str, bytes, str] | None = self._db.execute(
            "SELECT position, origin, proof, digest FROM fed"
            " WHERE serial = ? AND service_number = ? AND kind = ? ORDER BY position DESC LIMIT 1",
            (said.serial, said.service_number, kind),
        ).fetchone()
        return found

    def any_fed_erased(self) -> bool:
        """Whether something that was fed has been erased, so that what followed cannot be told."""
        return self._db.execute("SELECT 1 FROM fed WHERE kind IS NULL").fetchone() is not None

    def added(self, name: str, position: int) -> int | None:
        """Note words on an invitation; return the position where there are some before."""
        row = self._db.execute("SELECT position FROM added WHERE invitation = ?", (name,))
        found = row.fetchone()
        if found is not None:
            return int(found[0])
        self._db.execute("INSERT INTO added VALUES (?, ?)", (name, position))
        return None

    def erased(self, position: int, told_by: int | None) -> None:
        """Note that a body is missing (None), or the entry that says why."""
        self._db.execute(
            "INSERT INTO erased VALUES (?1, ?2) ON CONFLICT DO UPDATE SET told_by = ?2",
            (position, told_by),
        )

    def untold(self) -> list[int]:
        """Return the positions whose bodies are missing though no entry says why."""
        rows = self._db.execute("SELECT position FROM erased WHERE told_by IS NULL LIMIT 1000")
        return [int(row[0]) for row in rows]

    def open(self) -> int:
        """Return how many invitations nothing has closed."""
        row = self._db.execute("SELECT count(*) FROM invitations WHERE closed_by IS NULL")
        return int(row.fetchone()[0])

    def gaps(self) -> Iterator[tuple[str, int, int]]:
        """Return device, first and last of every run of numbers that did not come."""
        rows = self._db.execute(
            """
            SELECT device, before + 1, seq - 1 FROM (
                SELECT device, seq,
                    lag(seq, 1, 0) OVER (PARTITION BY device ORDER BY seq) AS before
                FROM numbers
            ) WHERE seq - before > 1
            """
        )
        yield from rows
