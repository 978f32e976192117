"""What waits for the city, in which order it may go, and what became of it.

Of one serial only one delivery may be under way: the service record of service 1, its rating,
then service 2 and so on (a rating without its service record is refused; domain page, 3).
What has been set aside holds up nobody but its own rating.
"""

import base64
import binascii
from typing import Literal

from msgspec import Struct
from sqlite_utils import Database

from hub.rules.case import Case
from hub.store import cases
from hub.store.vault import Vault
from protocol import wire
from protocol.errors import Malformed
from protocol.messages import Rated

Kind = Literal["service", "rating"]
State = Literal["waiting", "accepted", "set_aside"]


class Delivery(Struct, frozen=True, kw_only=True):
    """One record on its way; `attempts` counts those that failed.

    `service_state` is the state of the service record that a rating belongs to (for a service
    record its own), None if there is no such record.
    """

    id: int
    serial: str
    service_number: int
    kind: Kind
    position: int | None
    attempts: int
    service_state: State | None


class Parcel(Struct, frozen=True, kw_only=True):
    """What a delivery carries; `rated` is there for ratings, with the hub's time of record."""

    case: Case
    rated: Rated | None = None
    recorded_at: int = 0


class Counts(Struct, frozen=True, kw_only=True):
    """How the way to the city stands."""

    waiting: int
    accepted_services: int
    accepted_ratings: int
    set_aside: int


_IN_TURN = """
    d.state = 'waiting' AND NOT EXISTS (
        SELECT 1 FROM deliveries AS e
        WHERE e.state = 'waiting' AND e.serial = d.serial
            AND (e.service_number < d.service_number
                OR (e.service_number = d.service_number
                    AND e.kind = 'service' AND d.kind = 'rating'))
    )
"""

_DUE = f"""
    SELECT d.id, d.serial, d.service_number, d.kind, d.position, d.attempts,
        (SELECT s.state FROM deliveries AS s
            WHERE s.serial = d.serial AND s.service_number = d.service_number
                AND s.kind = 'service')
    FROM deliveries AS d
    WHERE d.next_at <= ? AND {_IN_TURN}
    ORDER BY d.next_at, d.id LIMIT ?
"""  # noqa: S608 - made of constants

_NEXT = f"""
    SELECT d.next_at FROM deliveries AS d
    WHERE d.next_at > ? AND {_IN_TURN}
    ORDER BY d.next_at LIMIT 1
"""  # noqa: S608 - made of constants


def queue_rating(db: Database, serial: str, service_number: int, position: int, now: int) -> None:
    """Put a rating that was just entered in the ledger at `position` on its way."""
    db.conn.execute(
        """
        INSERT INTO deliveries (serial, service_number, kind, position, next_at, queued_at)
        VALUES (?, ?, 'rating', ?, ?, ?)
        """,
        (serial, service_number, position, now, now),
    )


def due(db: Database, now: int, limit: int) -> list[Delivery]:
    """Return what may go now (`now` in ms since 1970), at most one per serial, oldest first."""
    return [
        Delivery(
            id=row[0],
            serial=row[1],
            service_number=row[2],
            kind=row[3],
            position=row[4],
            attempts=row[5],
            service_state=row[6],
        )
        for row in db.execute(_DUE, (now, limit)).fetchall()
    ]


def next_at(db: Database, now: int) -> int | None:
    """Return when the next delivery comes due after `now`, or None."""
    row = db.execute(_NEXT, (now,)).fetchone()
    return None if row is None else int(row[0])


def load(db: Database, vault: Vault, delivery: Delivery) -> Parcel | None:
    """Return what a delivery carries, or None if its case or ledger entry is not there.

    Raises `VaultError` (another key) or `WireError` (the ledger's entry is no rating).
    """
    case = cases.get(db, vault, delivery.serial, delivery.service_number)
    if case is None or delivery.kind == "service":
        return None if case is None else Parcel(case=case)
    row = db.execute(
        "SELECT body, recorded_at FROM ledger WHERE position = ? AND kind = 'rated'",
        (delivery.position,),
    ).fetchone()
    if row is None:
        return None
    return Parcel(case=case, rated=_rated(bytes(row[0])), recorded_at=int(row[1]))


def _rated(jws: bytes) -> Rated:
    # The signature was verified before the entry was made, and the ledger cannot be altered.
    try:
        payload = jws.split(b".")[1]
        content = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
    except (IndexError, binascii.Error) as error:
        raise Malformed("not a compact JWS") from error
    return wire.decode(Rated, content)


def accepted(db: Database, delivery_id: int, now: int) -> None:
    """Note the city's word that it has this record."""
    db.execute(
        """
        UPDATE deliveries SET state = 'accepted', reason = '', settled_at = ?
        WHERE id = ? AND state = 'waiting'
        """,
        (now, delivery_id),
    )


def retry(db: Database, delivery_id: int, at: int, reason: str) -> None:
    """Count a failed attempt; the next one may be made at `at` (ms since 1970)."""
    db.execute(
        """
        UPDATE deliveries SET attempts = attempts + 1, next_at = ?, reason = ?
        WHERE id = ? AND state = 'waiting'
        """,
        (at, reason, delivery_id),
    )


def set_aside(db: Database, delivery_id: int, reason: str, now: int) -> None:
    """Take a record out of the way, with the reason; a service record takes its rating along."""
    db.execute(
        """
        UPDATE deliveries SET state = 'set_aside', reason = ?, settled_at = ?
        WHERE id = ? AND state = 'waiting'
        """,
        (reason, now, delivery_id),
    )
    db.execute(
        """
        UPDATE deliveries SET state = 'set_aside', reason = ?, settled_at = ?
        WHERE state = 'waiting' AND kind = 'rating' AND (serial, service_number) IN (
            SELECT serial, service_number FROM deliveries
            WHERE id = ? AND kind = 'service' AND state = 'set_aside'
        )
        """,
        (with_its_service(reason), now, delivery_id),
    )


def with_its_service(reason: str) -> str:
    """Say why a rating is set aside whose service record was, for `reason`."""
    return f"办件服务数据未能上报：{reason}" if reason else "办件服务数据未能上报"


def again(db: Database, delivery_id: int, now: int) -> None:
    """Let a record that was set aside try again, once its cause has been put right.

    A service record and its rating go back together, whichever of them is named.
    """
    db.execute(
        """
        UPDATE deliveries
        SET state = 'waiting', attempts = 0, next_at = ?, reason = '', settled_at = NULL
        WHERE state = 'set_aside' AND (serial, service_number) IN (
            SELECT serial, service_number FROM deliveries WHERE id = ?
        )
        """,
        (now, delivery_id),
    )


def counts(db: Database) -> Counts:
    """Count what waits, what the city has, and what needs a person; costs the same at any size."""
    n = {
        (row[0], row[1]): int(row[2])
        for row in db.execute("SELECT kind, state, n FROM delivery_counts").fetchall()
    }
    return Counts(
        waiting=n["service", "waiting"] + n["rating", "waiting"],
        accepted_services=n["service", "accepted"],
        accepted_ratings=n["rating", "accepted"],
        set_aside=n["service", "set_aside"] + n["rating", "set_aside"],
    )
