"""The append-only record (台账): the very bytes that were signed, in the order of commit."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from sqlite_utils import Database

from hub.store import marks
from hub.store.database import Swallowed
from hub.store.marks import Marked
from hub.store.vault import Vault

Kind = Literal[
    "invited",
    "rated",
    "expired",
    "withdrawn",
    "paired",
    "unpaired",
    "signed_on",
    "signed_off",
    "delivered",
    "settings",
    "erased",
    "ruled",
    "added",
    "key",
    "fed",
    "revoked",
]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; `body` is a device's JWS, or JSON where the hub itself speaks.

    `device` and `invitation` are empty where an entry is not about one.
    """

    kind: Kind
    recorded_at: int
    device: str
    invitation: str
    outcome: str | None = None
    seq: int | None = None
    body: bytes


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it is hashed, at `position` (from 1); `at`: ms since 1970.

    `digest` is the SHA-256 of its body in hex: the body may be erased one day, the line stays.
    """

    position: int
    kind: str
    at: int
    device: str
    invitation: str
    outcome: str | None
    seq: int | None
    digest: str


class Recorded(Line, frozen=True, kw_only=True):
    """An entry as it stands in the ledger; `body` None: erased."""

    body: str | None


def line(entry: Line) -> bytes:
    """Return the JSON by which an entry is hashed and exported, one line, always the same."""
    return msgspec.json.encode(Line(**{name: getattr(entry, name) for name in _FIELDS}))


def digest(body: bytes) -> str:
    """Return by what a body is known in its line."""
    return hashlib.sha256(body).hexdigest()


_FIELDS = Line.__struct_fields__


def entries(db: Database, after: int = 0, limit: int = -1) -> Iterator[Recorded]:
    """Return the entries behind position `after`, in order; at most `limit` of them."""
    rows = db.conn.execute(
        """
        SELECT l.position, kind, recorded_at, device, invitation, outcome, seq, body, e.digest
        FROM ledger AS l LEFT JOIN erasures AS e ON e.position = l.position AND body = x''
        WHERE l.position > ? ORDER BY l.position LIMIT ?
        """,
        (after, limit),
    )
    for *fields, body, erased in rows:
        known = digest(bytes(body)) if erased is None else bytes(erased).hex()
        # Whoever puts bytes there that are no text has not put them there through `append`.
        text = bytes(body).decode(errors="replace") if erased is None else None
        named = dict(zip(_FIELDS, (*fields, known), strict=True))
        yield Recorded(**named, body=text)


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of an erasure: of which entries, by whom, by which rule."""

    positions: tuple[int, ...]
    by: str
    why: str


def erase(
    db: Database, vault: Vault, positions: Sequence[int], *, by: str, why: str, now: int
) -> int:
    """Erase the bodies of entries for good; the ledger says so first. Returns its position.

    `vault` marks what it says. Raises `VaultError`, `database.Swallowed`: then nothing is
    committed.
    """
    said = Erased(positions=tuple(positions), by=by, why=why)
    entry = append_own(db, vault, "erased", now, msgspec.json.encode(said))
    for position in said.positions:
        row = db.conn.execute("SELECT body FROM ledger WHERE position = ?", (position,)).fetchone()
        known = hashlib.sha256(bytes(row[0])).digest()
        db.conn.execute("INSERT INTO erasures VALUES (?, ?, ?)", (position, known, entry))
        wiped = db.conn.execute("UPDATE ledger SET body = x'' WHERE position = ?", (position,))
        if wiped.rowcount != 1:
            raise Swallowed("台账")
    return entry


def of_outcome(db: Database, outcome: str) -> Recorded | None:
    """Return the entry by which an outcome (its id) was entered, or None."""
    row = db.conn.execute(
        "SELECT position FROM ledger WHERE outcome = ? ORDER BY position LIMIT 1", (outcome,)
    ).fetchone()
    return None if row is None else next(entries(db, int(row[0]) - 1, 1), None)


def size(db: Database) -> int:
    """Return how many entries there are: the highest position, for there are no gaps."""
    return int(db.conn.execute("SELECT coalesce(max(position), 0) FROM ledger").fetchone()[0])


def latest(db: Database, among: int) -> int | None:
    """Return the latest time of record among the last entries (ms since 1970), or None."""
    row = db.conn.execute(
        "SELECT max(recorded_at) FROM"
        " (SELECT recorded_at FROM ledger ORDER BY position DESC LIMIT ?)",
        (among,),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def append(db: Database, entry: Entry) -> int:
    """Add an entry and return its position.

    Raises `database.Swallowed` where the file has not taken it: then nothing is committed.
    """
    cursor = db.conn.execute(
        """
        INSERT INTO ledger (kind, recorded_at, device, invitation, outcome, seq, body)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        msgspec.structs.astuple(entry),
    )
    if cursor.rowcount != 1 or cursor.lastrowid is None:
        raise Swallowed("台账")
    return cursor.lastrowid


def append_own(db: Database, vault: Vault, kind: Marked, at: int, body: bytes) -> int:
    """Add an entry of the hub's own, about no device, with its mark; `at`: ms since 1970.

    Raises `VaultError`, `database.Swallowed`: then nothing is committed.
    """
    position = size(db) + 1
    marked = marks.marked(vault, kind, position, at, body)
    entry = Entry(kind=kind, recorded_at=at, device="", invitation="", body=marked)
    if append(db, entry) != position:
        raise Swallowed("台账")
    return position


def holds(db: Database, device: str, seq: int, body: bytes) -> bool:
    """Whether these very bytes stand in the ledger under this number of this device."""
    row = db.conn.execute(
        """
        SELECT 1 FROM ledger AS l LEFT JOIN erasures AS e ON e.position = l.position
        WHERE l.device = ? AND l.seq = ? AND (l.body = ? OR e.digest = ?)
        """,
        (device, seq, body, hashlib.sha256(body).digest()),
    ).fetchone()
    return row is not None


def missing(db: Database) -> dict[str, int]:
    """Return, per device, how many numbers below its highest have not arrived (if any)."""
    rows = db.execute(
        """
        SELECT device, max(seq) - count(DISTINCT seq) AS gap FROM ledger
        WHERE seq IS NOT NULL GROUP BY device HAVING gap > 0
        """
    )
    return {str(device): int(gap) for device, gap in rows}


OUTBOX = 200_000
"""How many outcomes a kiosk holds back at most: more numbers in a row are not on their way."""


def jumps(db: Database, device: str) -> list[tuple[int, int]]:
    """Return the numbers of a device between which more are missing than it can hold back."""
    rows = db.conn.execute(
        """
        SELECT before, seq FROM (
            SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before
            FROM ledger WHERE device = ? AND seq IS NOT NULL
        ) WHERE seq - before - 1 > ? ORDER BY seq
        """,
        (device, OUTBOX),
    )
    return [(int(before), int(after)) for before, after in rows.fetchall()]
