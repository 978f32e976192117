"""What the city has not, for whoever has to see to it; and what it has, to be compared or repeated.

A record belongs to the day (Asia/Shanghai) on which it was first put on its way.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from sqlite_utils import Database

from hub.store.deliveries import Kind, State

AT_ONCE = 500
"""How many records `ask_again` touches in one transaction: a running hub writes in between."""


class Waiting(Struct, frozen=True, kw_only=True):
    """A record that the city has not as it should. Times: ms since 1970."""

    serial: str
    service_number: int
    kind: Kind
    state: State
    attempts: int
    reason: str
    since: int


class Cause(Struct, frozen=True, kw_only=True):
    """How many records are in a state for one reason, and since when the oldest of them is."""

    state: State
    reason: str
    number: int
    since: int


class Held(Struct, frozen=True, kw_only=True):
    """A record that the city has accepted; `body`: what the device signed, of a rating.

    `ruled`: it is a rating that is not adopted after a review.
    """

    serial: str
    service_number: int
    kind: Kind
    body: bytes
    ruled: bool = False


_WAITS = """
    FROM deliveries AS d LEFT JOIN repeats AS r ON r.delivery = d.id
    WHERE d.state IN ('waiting', 'set_aside') OR (d.state = 'accepted' AND d.reason <> '')
"""


def records(db: Database, state: State, limit: int) -> list[Waiting]:
    """Return the records in a state, oldest first; of the accepted those that leave a doubt."""
    rows = db.execute(
        """
        SELECT d.serial, d.service_number, d.kind, d.state, d.attempts, d.reason,
            coalesce(r.asked_at, d.queued_at) AS since
        FROM deliveries AS d LEFT JOIN repeats AS r ON r.delivery = d.id
        WHERE d.state = :state AND (d.state <> 'accepted' OR d.reason <> '')
        ORDER BY since, d.id LIMIT :limit
        """,
        {"state": state, "limit": limit},
    )
    return [
        Waiting(**dict(zip(Waiting.__struct_fields__, row, strict=True))) for row in rows.fetchall()
    ]


def causes(db: Database) -> list[Cause]:
    """Return why records are not with the city as they should be, the oldest cause first."""
    rows = db.execute(
        f"""
        SELECT d.state, d.reason, count(*), min(coalesce(r.asked_at, d.queued_at)) AS since
        {_WAITS} GROUP BY d.state, d.reason ORDER BY since
        """
    )
    return [
        Cause(**dict(zip(Cause.__struct_fields__, row, strict=True))) for row in rows.fetchall()
    ]


def set_aside_for(db: Database, reason: str) -> int:
    """Count the records that are set aside for one reason."""
    [number] = db.execute(
        "SELECT count(*) FROM deliveries WHERE state = 'set_aside' AND reason = ?", (reason,)
    ).fetchone()
    return int(number)


def of_day(db: Database, start: int, end: int) -> list[int]:
    """Return the deliveries of a time (ms since 1970, `end` excluded), in order.

    With the service record of each rating among them: without it the city may refuse the rating.
    With the ruling on each, too, whenever it was made: a rating that goes once more must not
    count again.
    """
    rows = db.execute(
        """
        SELECT id FROM deliveries WHERE queued_at >= :start AND queued_at < :end
        UNION
        SELECT s.id FROM deliveries AS d JOIN deliveries AS s
            ON s.serial = d.serial AND s.service_number = d.service_number AND s.kind = 'service'
        WHERE d.kind <> 'service' AND d.queued_at >= :start AND d.queued_at < :end
        UNION
        SELECT f.id FROM deliveries AS d JOIN deliveries AS f
            ON f.serial = d.serial AND f.service_number = d.service_number AND f.kind = 'ruling'
        WHERE d.kind = 'rating' AND d.queued_at >= :start AND d.queued_at < :end
        ORDER BY 1
        """,
        {"start": start, "end": end},
    )
    return [int(row[0]) for row in rows.fetchall()]


def ask_again(db: Database, ids: Sequence[int], now: int) -> int:
    """Let records go again, whatever the city said of them; returns how many that are.

    Those that wait anyway are left as they are.
    """
    asked = 0
    for first in range(0, len(ids), AT_ONCE):
        with db.atomic():
            asked += sum(_ask_again(db, each, now) for each in ids[first : first + AT_ONCE])
    return asked


def _ask_again(db: Database, delivery_id: int, now: int) -> bool:
    changed = db.execute(
        """
        UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?, reason = ''
        WHERE id = ? AND state = 'set_aside'
        """,
        (now, delivery_id),
    )
    if changed.rowcount:
        return True
    changed = db.execute(
        """
        UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?, reason = ''
        WHERE id = ? AND state = 'accepted'
        """,
        (now, delivery_id),
    )
    if changed.rowcount:
        db.execute(
            """
            INSERT INTO repeats VALUES (?, 1, 'again', ?)
            ON CONFLICT (delivery) DO UPDATE SET task = 'again', asked_at = excluded.asked_at
            """,
            (delivery_id, now),
        )
    return bool(changed.rowcount)


def held(db: Database, start: int, end: int) -> Iterator[Held]:
    """Yield what the city has accepted of the records of a time, in order."""
    rows = db.conn.execute(
        """
        SELECT d.serial, d.service_number, d.kind, coalesce(l.body, x''),
            d.kind = 'rating' AND EXISTS (
                SELECT 1 FROM deliveries AS f
                WHERE f.serial = d.serial AND f.service_number = d.service_number
                    AND f.kind = 'ruling' AND f.state = 'accepted')
        FROM deliveries AS d LEFT JOIN ledger AS l ON l.position = d.position
        LEFT JOIN repeats AS r ON r.delivery = d.id
        WHERE (d.state = 'accepted' OR r.task <> 'first')
            AND d.queued_at >= ? AND d.queued_at < ?
        ORDER BY d.id
        """,
        (start, end),
    )
    for serial, number, kind, body, ruled in rows:
        yield Held(
            serial=serial, service_number=number, kind=kind, body=bytes(body), ruled=bool(ruled)
        )
