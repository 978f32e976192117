"""What waits for the city, and in which order it may go (what became of it: `store.answers`).

Of one serial only one delivery may be under way, first in, first out: a service record is
queued before its rating can be (a rating without its service record is refused; domain page,
3), and what follows a rating after it. What has been set aside holds up nobody but its own rating.

A service record that the city has comes back to waiting when its case is registered again
(task "check": it is sent as an update if the city would see a difference), and any record when
somebody asks for it to be sent again ("again"). Until then its task is "first".
"""

from typing import Literal

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.afterwards import Added, Ruled
from hub.rules.case import Case
from hub.store import afterwards, cases
from hub.store.database import Swallowed
from hub.store.vault import Vault
from protocol.messages import Invitation

Kind = Literal["service", "rating", "ruling", "addition"]
"""What is about a case, its rating, a ruling that the rating is not adopted, later words."""
AFTERWARDS: frozenset[Kind] = frozenset({"ruling", "addition"})
State = Literal["waiting", "accepted", "set_aside"]
Task = Literal["first", "check", "again"]


class Delivery(Struct, frozen=True, kw_only=True):
    """One record on its way; `attempts` counts those that failed.

    `service_state` is the state of the service record that a rating belongs to (for a service
    record its own), None if there is no such record. `version` rises whenever the case is
    registered again. `sent` is the digest of what the city has of it; empty: not known.
    `rating_state` is that of the rating that a ruling or an addition follows.
    """

    id: int
    serial: str
    service_number: int
    kind: Kind
    position: int | None
    attempts: int
    service_state: State | None
    version: int = 1
    task: Task = "first"
    sent: bytes = b""
    rating_state: State | None = None


class Parcel(Struct, frozen=True, kw_only=True):
    """What a delivery carries.

    For a rating and what follows it, the bytes that its device signed, the invitation that it
    answers, and the hub's time of record (ms since 1970). `added` and `added_at`: what the
    citizen has written since, on any of them; `ruled`: on a ruling.
    """

    case: Case
    device: str = ""
    jws: bytes = b""
    invitation: Invitation | None = None
    recorded_at: int = 0
    added: Added | None = None
    added_at: int = 0
    ruled: Ruled | None = None


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
        (SELECT CASE WHEN r.task <> 'first' THEN 'accepted' ELSE s.state END
            FROM deliveries AS s LEFT JOIN repeats AS r ON r.delivery = s.id
            WHERE s.serial = d.serial AND s.service_number = d.service_number
                AND s.kind = 'service'),
        coalesce(repeats.version, 1), coalesce(repeats.task, 'first'), coalesce(sent.digest, x''),
        (SELECT CASE WHEN r.task <> 'first' THEN 'accepted' ELSE s.state END
            FROM deliveries AS s LEFT JOIN repeats AS r ON r.delivery = s.id
            WHERE s.serial = d.serial AND s.service_number = d.service_number
                AND s.kind = 'rating')
    FROM deliveries AS d
    LEFT JOIN repeats ON repeats.delivery = d.id LEFT JOIN sent ON sent.delivery = d.id
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
    SET state = 'waiting', attempts = 0, next_at = ?, reason = ''
    WHERE state = 'set_aside'
"""


def queue(
    db: Database,
    kind: Literal["rating", "ruling", "addition"],
    of: tuple[str, int],
    position: int,
    now: int,
) -> None:
    """Put what was just entered in the ledger at `position` on its way, each kind once.

    `of`: its serial and service number. Raises `database.Swallowed`: then nothing is committed.
    """
    cursor = db.conn.execute(
        """
        INSERT INTO deliveries (serial, service_number, kind, position, next_at, queued_at)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        (*of, kind, position, now, now),
    )
    if cursor.rowcount != 1:
        raise Swallowed("待报送清单")


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
            version=row[7],
            task=row[8],
            sent=bytes(row[9]) if any(row[9]) else b"",
            rating_state=row[10],
        )
        for row in db.execute(_DUE, (now, limit)).fetchall()
    ]


def next_at(db: Database, now: int) -> int | None:
    """Return when the next delivery comes due after `now`, or None."""
    row = db.execute(_NEXT, (now,)).fetchone()
    return None if row is None else int(row[0])


def load(db: Database, vault: Vault, delivery: Delivery) -> Parcel | None:
    """Return what a delivery carries, or None if its case or ledger entry is not there.

    Also None where the citizen has been erased. Raises `VaultError` (another key).
    """
    case = cases.get(db, vault, delivery.serial, delivery.service_number)
    if case is None or delivery.kind == "service":
        return None if case is None else Parcel(case=case)
    row = db.execute(
        """
        SELECT l.device, l.body, l.recorded_at, i.body, l.invitation FROM deliveries d
        JOIN ledger l ON l.position = d.position JOIN invitations i ON i.id = l.invitation
        WHERE d.serial = ? AND d.service_number = ? AND d.kind = 'rating' AND l.kind = 'rated'
        """,
        (delivery.serial, delivery.service_number),
    ).fetchone()
    if row is None or not row[1]:
        return None
    added = afterwards.added(db, row[4])
    ruled = None
    if delivery.kind == "ruling":
        ruled = afterwards.ruled(db, delivery.position)
    if (delivery.kind == "ruling" and ruled is None) or (
        delivery.kind == "addition" and added is None
    ):
        return None
    return Parcel(
        case=case,
        device=row[0],
        jws=bytes(row[1]),
        invitation=msgspec.json.decode(row[3], type=Invitation),
        recorded_at=int(row[2]),
        added=added[0] if added else None,
        added_at=added[1] if added else 0,
        ruled=ruled,
    )


class Delivered(Struct, frozen=True, kw_only=True):
    """What the ledger says of a record that the city has; `of`: the position of a rating."""

    serial: str
    service_number: int
    kind: Kind
    of: int | None
    answer: Literal["accepted", "exists"]


def with_its_service(reason: str) -> str:
    """Say why a rating is set aside whose service record was, for `reason`."""
    return f"办件服务数据未能上报：{reason}" if reason else "办件服务数据未能上报"


def again(db: Database, serial: str, service_number: int, now: int) -> int:
    """Take note that a case was registered again: what was set aside for it tries again.

    A service record and its rating go back together; a service record that the city has waits
    to be checked. Returns how many records had been set aside.
    """
    of = (serial, service_number)
    # Not where this very registration has queued it.
    db.execute(
        """
        INSERT INTO repeats (delivery, version, task, asked_at)
        SELECT id, 2, CASE state WHEN 'accepted' THEN 'check' ELSE 'first' END, ?1
        FROM deliveries
        WHERE serial = ?2 AND service_number = ?3 AND kind = 'service' AND queued_at <> ?1
        ON CONFLICT (delivery) DO UPDATE SET version = version + 1, asked_at = excluded.asked_at
        """,
        (now, *of),
    )
    db.execute(
        """
        UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?1, reason = ''
        WHERE serial = ?2 AND service_number = ?3 AND kind = 'service' AND state = 'accepted'
            AND queued_at <> ?1
        """,
        (now, *of),
    )
    return retry_set_aside(db, now, of)


def retry_set_aside(db: Database, now: int, of: tuple[str, int] | None = None) -> int:
    """Let what was set aside try again, all or of one service; returns how many that were."""
    if of is None:
        return db.execute(_AGAIN, (now,)).rowcount
    return db.execute(f"{_AGAIN} AND serial = ? AND service_number = ?", (now, *of)).rowcount


def counts(db: Database) -> Counts:
    """Count what waits, what the city has, and what needs a person; costs the same at any size."""
    n = {
        (row[0], row[1]): int(row[2])
        for row in db.execute("SELECT kind, state, n FROM delivery_counts").fetchall()
    }
    return Counts(
        waiting=sum(number for (_, state), number in n.items() if state == "waiting"),
        accepted_services=n["service", "accepted"],
        accepted_ratings=n["rating", "accepted"],
        set_aside=sum(number for (_, state), number in n.items() if state == "set_aside"),
    )
