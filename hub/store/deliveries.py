"""What waits for the city, in which order it may go, and what became of it.

Of one serial only one delivery may be under way, first in, first out: a service record is
queued before its rating can be (a rating without its service record is refused; domain page,
3). What has been set aside holds up nobody but its own rating.
"""

from typing import Literal

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.case import Case
from hub.store import cases
from hub.store.vault import Vault
from protocol.messages import Invitation

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
    """What a delivery carries.

    For a rating, the bytes that its device signed, the invitation that it answers, and the
    hub's time of record (ms since 1970).
    """

    case: Case
    device: str = ""
    jws: bytes = b""
    invitation: Invitation | None = None
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
        WHERE e.state = 'waiting' AND e.serial = d.serial AND e.id < d.id
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


_AGAIN = """
    UPDATE deliveries
    SET state = 'waiting', attempts = 0, next_at = ?, reason = '', settled_at = NULL
    WHERE state = 'set_aside'
"""


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

    Raises `VaultError` (another key).
    """
    case = cases.get(db, vault, delivery.serial, delivery.service_number)
    if case is None or delivery.kind == "service":
        return None if case is None else Parcel(case=case)
    row = db.execute(
        """
        SELECT l.device, l.body, l.recorded_at, i.body FROM ledger l
        JOIN invitations i ON i.id = l.invitation
        WHERE l.position = ? AND l.kind = 'rated'
        """,
        (delivery.position,),
    ).fetchone()
    if row is None:
        return None
    return Parcel(
        case=case,
        device=row[0],
        jws=bytes(row[1]),
        invitation=msgspec.json.decode(row[3], type=Invitation),
        recorded_at=int(row[2]),
    )


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


def again(db: Database, serial: str, service_number: int, now: int) -> int:
    """Let what was set aside for one service try again, once its cause has been put right.

    A service record and its rating go back together. Returns how many records that were.
    """
    return db.execute(
        f"{_AGAIN} AND serial = ? AND service_number = ?", (now, serial, service_number)
    ).rowcount


def all_again(db: Database, now: int) -> int:
    """Let everything that was set aside try again; returns how many records that were."""
    return db.execute(_AGAIN, (now,)).rowcount


class Waiting(Struct, frozen=True, kw_only=True):
    """A record that the city has not, for whoever has to see to it. Times: ms since 1970."""

    serial: str
    service_number: int
    kind: Kind
    state: State
    attempts: int
    reason: str
    queued_at: int


def not_there_yet(db: Database, state: State, limit: int) -> list[Waiting]:
    """Return the records in a state, those that have been in it longest first."""
    rows = db.execute(
        """
        SELECT serial, service_number, kind, state, attempts, reason, queued_at FROM deliveries
        WHERE state = ? ORDER BY id LIMIT ?
        """,
        (state, limit),
    )
    return [
        Waiting(**dict(zip(Waiting.__struct_fields__, row, strict=True))) for row in rows.fetchall()
    ]


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
