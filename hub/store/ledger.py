"""The append-only record (台账): the very bytes that were signed, in the order of commit."""

from typing import Literal

import msgspec
from sqlite_utils import Database

Kind = Literal["invited", "rated", "expired", "withdrawn"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; `body` is a device's JWS, or JSON where the hub itself speaks."""

    kind: Kind
    recorded_at: int
    device: str
    invitation: str
    outcome: str | None = None
    seq: int | None = None
    body: bytes


def append(db: Database, entry: Entry) -> int:
    """Add an entry and return its position."""
    cursor = db.conn.execute(
        """
        INSERT INTO ledger (kind, recorded_at, device, invitation, outcome, seq, body)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        msgspec.structs.astuple(entry),
    )
    if cursor.lastrowid is None:
        raise AssertionError("SQLite gave no position")
    return cursor.lastrowid


def holds(db: Database, device: str, seq: int, body: bytes) -> bool:
    """Whether these very bytes stand in the ledger under this number of this device."""
    row = db.conn.execute(
        "SELECT 1 FROM ledger WHERE device = ? AND seq = ? AND body = ?", (device, seq, body)
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
