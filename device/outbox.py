"""What citizens pressed, safe on this kiosk's disk until the hub has committed it, and a while on.

One SQLite file, every commit synced to the disk. Used from one thread, the keeper's.

What the hub has answered for goes to an archive, from which it can be said again to a hub that
has lost its disk. The archive holds levels and words of citizens, so it is short: at most
`ARCHIVED` outcomes and `ARCHIVED_MS`; what leaves it is overwritten with zeros.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct
from sqlite_utils import Database

from device import outbox_file

REMEMBERED = 2_000
"""How many ended invitations are remembered, so that none is ever shown twice."""

ARCHIVED = 2_000
"""How many answered outcomes are kept at most."""

ARCHIVED_MS = 7 * 86_400_000
"""How long they are kept at most, by the hub's time: a hub has to be backed up more often."""

MOST = 200_000
"""How many outcomes may wait: 100 days of 2,000 citizens. Beyond, the kiosk asks nobody."""

LEAST_FREE = 64 << 20
"""Bytes of free disk below which the kiosk asks nobody: what waits must still be able to move."""

RESERVE = 100
"""How many more find a place, and half of `LEAST_FREE`: for those who have been asked already."""

LOW = 0.8
LOW_FREE = 4
"""From this part of `MOST`, or below this multiple of `LEAST_FREE`, somebody should see to it."""

Storage = Literal["ok", "low", "full"]


class Full(sqlite3.OperationalError):
    """There is no place for another outcome, by our own limits: nobody may be asked."""


class Ended(Exception):
    """The invitation has its outcome already; it takes no other."""


class Kept(Struct, frozen=True):
    """A final outcome that waits for its receipt."""

    seq: int
    id: str
    jws: bytes


class Outbox:
    """The file. Every method that writes returns after the disk has it, or raises sqlite3.Error.

    `most` outcomes may wait and `least_free` bytes of its disk must stay free; beyond, `Full`.
    """

    def __init__(self, db: Database, path: Path, most: int, least_free: int) -> None:
        self._db = db
        self._folder = path.parent
        self._most = most
        self._least_free = least_free
        self._depth = self._count()

    @classmethod
    def open(cls, path: Path, *, most: int = MOST, least_free: int = LEAST_FREE) -> "Outbox":
        """Open or create the file; a damaged one is put aside, loudly, never overwritten."""
        return cls(outbox_file.open_or_renew(path), path, most, least_free)

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
        rated: str | None = None,
    ) -> None:
        """Keep an outcome, or the newer version of a draft under the same number and id.

        `sign(seq, id)` makes the signed bytes. `rated` names the service that it rates, None
        where it is no rating. Raises `Ended` if the invitation has ended, and
        `Full` where a new outcome has no place; a newer version always has.
        """
        with self._db.atomic():
            known = self._db.conn.execute(
                "SELECT seq, id, draft FROM outcomes WHERE invitation = ?", (invitation,)
            ).fetchone()
            if (known is not None and not known[2]) or self._settled(invitation):
                raise Ended(invitation)
            if known is None and self._over():
                raise Full(f"{self._depth} outcomes wait, or the disk is nearly full")
            seq, identifier = (known[0], known[1]) if known else (self._number(), new_id())
            self._db.conn.execute(
                """
                INSERT INTO outcomes (seq, id, invitation, jws, draft, rated)
                VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (seq) DO UPDATE SET jws = excluded.jws, draft = excluded.draft
                """,
                (seq, identifier, invitation, sign(seq, identifier), int(draft), rated),
            )
        self._depth += known is None

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
        self._depth -= row is not None

    def waiting(self, after: int = 0, limit: int = 100) -> list[Kept]:
        """Return final outcomes numbered above `after`, in order."""
        rows = self._db.conn.execute(
            "SELECT seq, id, jws FROM outcomes WHERE NOT draft AND seq > ? ORDER BY seq LIMIT ?",
            (after, limit),
        )
        return [Kept(*row) for row in rows]

    def receipt(self, identifiers: tuple[str, ...], at: int) -> int:
        """Put into the archive what the hub answered for at `at`; return how many there were.

        `at`: milliseconds since 1970, the hub's clock. Their invitations are remembered a while
        longer. A draft stays: the hub cannot have it.
        """
        with self._db.atomic():
            found = 0
            for identifier in identifiers:
                row = self._db.conn.execute(
                    """
                    DELETE FROM outcomes WHERE id = ? AND NOT draft
                    RETURNING invitation, seq, id, jws, rated
                    """,
                    (identifier,),
                ).fetchone()
                if row is not None:
                    found += 1
                    invitation, seq, name, jws, rated = row
                    self._db.conn.execute(
                        "INSERT OR IGNORE INTO settled VALUES (?, ?)", (invitation, seq)
                    )
                    self._db.conn.execute(
                        "INSERT OR REPLACE INTO archive VALUES (?, ?, ?, ?, ?, ?)",
                        (seq, name, invitation, jws, at, rated),
                    )
            if found:
                self._db.conn.execute(
                    "DELETE FROM settled WHERE seq <= (SELECT last FROM numbering) - ?",
                    (REMEMBERED,),
                )
                self._db.conn.execute(
                    """
                    DELETE FROM archive WHERE seq <= (
                        SELECT seq FROM archive ORDER BY seq DESC LIMIT 1 OFFSET ?)
                    """,
                    (ARCHIVED,),
                )
        self._depth -= found
        return found

    def tidy(self, now: int) -> int:
        """Drop from the archive what is too old (`now`: ms since 1970, the hub's); return how many.

        Nothing is dropped while a hub that has lost its disk is being told.
        """
        if self._owed() is not None:
            return 0
        with self._db.atomic():
            return self._db.conn.execute(
                "DELETE FROM archive WHERE answered_at < ?", (now - ARCHIVED_MS,)
            ).rowcount

    def resend(self, since: int, after: int) -> int:
        """Let all be said again that is numbered above `after`; return how much that is.

        `since` names the recovery that asks: one is answered once. Where the numbering itself
        has begun anew (a damaged file was put aside), `after` says nothing, and all is said.
        """
        with self._db.atomic():
            last = int(self._db.conn.execute("SELECT last FROM numbering").fetchone()[0])
            changed = self._db.conn.execute(
                """
                INSERT INTO resend VALUES (1, ?1, ?2)
                ON CONFLICT DO UPDATE SET since = ?1, last = ?2 WHERE since <> ?1
                """,
                (since, last),
            ).rowcount
            if not changed:
                return 0
            floor = after if last > after else 0
            moved = self._db.conn.execute(
                """
                INSERT OR IGNORE INTO outcomes (seq, id, invitation, jws, draft, rated)
                SELECT seq, id, invitation, jws, 0, rated FROM archive WHERE seq > ?
                """,
                (floor,),
            ).rowcount
            self._db.conn.execute("DELETE FROM archive WHERE seq > ?", (floor,))
        self._depth += moved
        return moved

    def resent(self, since: int) -> bool:
        """Whether all that this recovery asked for has been answered for."""
        row = self._db.conn.execute("SELECT since FROM resend").fetchone()
        return row is not None and int(row[0]) == since and self._owed() is None

    def _owed(self) -> int | None:
        """Return the number of an outcome that a recovery still waits for, or None."""
        row = self._db.conn.execute(
            "SELECT seq FROM outcomes WHERE seq <= (SELECT last FROM resend) LIMIT 1"
        ).fetchone()
        return None if row is None else int(row[0])

    def storage(self) -> Storage:
        """Return how the place for outcomes stands, by their number and by the disk.

        "full" means that nobody is to be asked any more; who has been asked can still answer.
        """
        free = self._free()
        if self._depth >= self._most or free < self._least_free:
            return "full"
        low = self._depth >= self._most * LOW or free < self._least_free * LOW_FREE
        return "low" if low else "ok"

    def _over(self) -> bool:
        """Whether even those who have been asked already find no place."""
        return self._depth >= self._most + RESERVE or self._free() < self._least_free // 2

    def _free(self) -> int:
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return 0  # a disk that cannot say it has room has none
        return disk.f_bavail * disk.f_frsize

    def ended(self, invitation: str) -> bool:
        """Whether this invitation has an outcome here, final or draft."""
        row = self._db.conn.execute(
            "SELECT 1 FROM outcomes WHERE invitation = ?", (invitation,)
        ).fetchone()
        return row is not None or self._settled(invitation)

    def rated(self, service: str) -> bool:
        """Whether a rating of this service waits here, final or draft."""
        row = self._db.conn.execute(
            "SELECT 1 FROM outcomes WHERE rated = ? LIMIT 1", (service,)
        ).fetchone()
        return row is not None

    def depth(self) -> int:
        """Return how many outcomes wait."""
        return self._depth

    def probe(self) -> None:
        """Write something and see whether the disk takes it; raises sqlite3.Error if not."""
        if self.storage() == "full":
            raise Full("there is no place for another outcome")
        with self._db.atomic():
            self._db.conn.execute("UPDATE probe SET count = count + 1")

    def _count(self) -> int:
        return int(self._db.conn.execute("SELECT count(*) FROM outcomes").fetchone()[0])

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
