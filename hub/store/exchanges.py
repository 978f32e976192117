"""The journal of the way to the city: every request and answer, without secrets or citizens.

It holds the last `DAYS` days and at most `MOST` exchanges, whichever is less; a kilobyte each.
The ledger, not the journal, is the record of what the city has.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct
from sqlite_utils import Database

DAYS = 30
MOST = 200_000
AT_ONCE = 2_000
"""How many `trim` removes at most in one go, so that nobody waits for it."""

_DAY_MS = 86_400_000
_LOOKED_AT = 200

Verdict = Literal["accepted", "exists", "refused", "unavailable"]


class Line(Struct, frozen=True, kw_only=True):
    """One request and what came back, at `at` (ms since 1970); see `dialects.Exchange`.

    `skew_ms`: by how much the city's clock was ahead of the hub's, None where it did not say.
    """

    at: int
    serial: str
    service_number: int
    purpose: str
    address: str
    sent: dict[str, str]
    status: int | None
    received: str
    took_ms: int
    skew_ms: int | None
    verdict: Verdict
    reason: str


class Standing(Struct, frozen=True, kw_only=True):
    """How the city has answered of late; times in ms since 1970, None: never.

    `failing_since`: the first of the unbroken row of failures up to now, None if the last
    exchange was answered.
    """

    answered_at: int | None
    failing_since: int | None
    failing: str


def note(db: Database, lines: Iterable[Line]) -> None:
    """Keep exchanges, in order."""
    for line in lines:
        db.execute(
            """
            INSERT INTO exchanges (at, serial, service_number, purpose, address, sent, status,
                received, took_ms, skew_ms, verdict, reason)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            (
                line.at,
                line.serial,
                line.service_number,
                line.purpose,
                line.address,
                msgspec.json.encode(line.sent).decode(),
                line.status,
                line.received,
                line.took_ms,
                line.skew_ms,
                line.verdict,
                line.reason,
            ),
        )


def trim(db: Database, now: int) -> int:
    """Remove what is too old or too much, at most `AT_ONCE`; return how many that were."""
    newest = db.execute("SELECT coalesce(max(id), 0) FROM exchanges").fetchone()[0]
    return db.execute(
        """
        DELETE FROM exchanges WHERE id IN (
            SELECT id FROM (SELECT id, at FROM exchanges ORDER BY id LIMIT ?)
            WHERE id <= ? OR at < ?)
        """,
        (AT_ONCE, newest - MOST, now - DAYS * _DAY_MS),
    ).rowcount


def latest(
    db: Database, limit: int, *, serial: str | None = None, failed: bool = False
) -> list[Line]:
    """Return the newest exchanges, oldest of them first."""
    where = []
    if serial is not None:
        where.append("serial = :serial")
    if failed:
        where.append("verdict IN ('refused', 'unavailable')")
    chosen = f"WHERE {' AND '.join(where)}" if where else ""
    rows = db.execute(
        "SELECT at, serial, service_number, purpose, address, sent, status, received, took_ms,"  # noqa: S608
        f" skew_ms, verdict, reason FROM exchanges {chosen} ORDER BY id DESC LIMIT :limit",
        {"serial": serial, "limit": limit} if serial is not None else {"limit": limit},
    ).fetchall()
    named = [dict(zip(Line.__struct_fields__, row, strict=True)) for row in reversed(rows)]
    return [Line(**row | {"sent": msgspec.json.decode(row["sent"])}) for row in named]


def standing(db: Database) -> Standing:
    """Return whether the city answers, by the last exchange with it and those before."""
    answered = db.execute(
        "SELECT id, at FROM exchanges WHERE verdict <> 'unavailable' ORDER BY id DESC LIMIT 1"
    ).fetchone()
    after = 0 if answered is None else answered[0]
    failing = db.execute(
        "SELECT min(at), reason FROM (SELECT id, at, reason FROM exchanges WHERE id > ? LIMIT 1)",
        (after,),
    ).fetchone()
    last = db.execute("SELECT reason FROM exchanges ORDER BY id DESC LIMIT 1").fetchone()
    return Standing(
        answered_at=None if answered is None else answered[1],
        failing_since=failing[0],
        failing="" if failing[0] is None else last[0],
    )


def skews(db: Database) -> list[int]:
    """Return the measurements of the city's clock among the last exchanges, sorted, in ms."""
    rows = db.execute(
        """
        SELECT skew_ms FROM exchanges
        WHERE id > (SELECT max(id) FROM exchanges) - ? AND skew_ms IS NOT NULL
        """,
        (_LOOKED_AT,),
    )
    return sorted(int(row[0]) for row in rows.fetchall())
