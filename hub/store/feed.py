"""What smaller halls feed to this one: entered in the ledger, queued for the city.

A service belongs to the hall that registered it first: the city knows it by serial and number
alone, so it can have only one. Citizens' data lie where those of the hall's own cases lie, so
that keys, search and terms of retention are the same.
"""

import msgspec
from sqlite_utils import Database

from hub.rules.proof import OWN, FedKind, FeedRequest, Proof
from hub.rules.records import Record
from hub.store import citizens, deliveries, fed, ledger, rulings
from hub.store.citizens import Citizen
from hub.store.database import Swallowed
from hub.store.fed import NAMES, Fed
from hub.store.vault import Vault

OWN_HALL = ""
"""Who a service belongs to that this hall has registered itself."""


class Clash(Exception):
    """The record does not go with what is here; in Chinese."""


def owner(db: Database, serial: str, service_number: int) -> str | None:
    """Return which hall a service belongs to, `OWN_HALL` for this one; None: nobody's yet."""
    of = (serial, service_number)
    row = db.conn.execute(
        "SELECT origin FROM fed WHERE serial = ? AND service_number = ? LIMIT 1", of
    ).fetchone()
    if row is not None:
        return str(row[0])
    for table in ("cases", "deliveries", "invitations"):
        own = db.conn.execute(
            f"SELECT 1 FROM {table} WHERE serial = ? AND service_number = ?",  # noqa: S608
            of,
        ).fetchone()
        if own is not None:
            return OWN_HALL
    return None


def take(db: Database, vault: Vault, origin: str, asked: FeedRequest, now: int) -> bool:
    """Enter and queue a record that was found sound; False: it is here already.

    Raises `Clash`, `VaultError`, `database.Swallowed`: then nothing is committed.
    """
    serial, number = asked.record["projectNo"], int(asked.record["serviceNumber"])
    holder = owner(db, serial, number)
    if holder not in (None, origin):
        raise Clash(
            f"办件 {serial}/{number} 已由"
            + (f"“{holder}”报送" if holder else "本厅登记")
            + f"，不能再由“{origin}”报送：同一流水号的同一次服务只属于一个大厅，请核对流水号"
        )
    if asked.kind == "service":
        return _take_service(db, vault, origin, asked.record, now)
    return _take_rating(db, vault, origin, asked, now)


def _take_service(db: Database, vault: Vault, origin: str, record: Record, now: int) -> bool:
    serial, number = record["projectNo"], int(record["serviceNumber"])
    digest = fed.digest_of(vault, record)
    latest = fed.latest(db, serial, number)
    if latest is not None and latest[1] == digest:
        return False
    said = Fed(origin=origin, kind="service", serial=serial, service_number=number, digest=digest)
    kept = {field: "" if field in NAMES else value for field, value in record.items()}
    position = _enter(db, vault, said, msgspec.json.encode(kept).decode(), now)
    known = {NAMES[field]: record[field] for field in NAMES if field in record}
    citizens.put(db, vault, serial, number, Citizen(**known))
    cursor = db.conn.execute(
        """
        INSERT INTO deliveries (serial, service_number, kind, position, next_at, queued_at)
        VALUES (?, ?, 'service', ?, ?, ?)
        ON CONFLICT DO UPDATE SET position = excluded.position
        """,
        (serial, number, position, now, now),
    )
    if cursor.rowcount != 1:
        raise Swallowed("待报送清单")
    if latest is not None:
        deliveries.again(db, serial, number, now)
    return True


def _take_rating(db: Database, vault: Vault, origin: str, asked: FeedRequest, now: int) -> bool:
    serial, number = asked.record["projectNo"], int(asked.record["serviceNumber"])
    if asked.proof is None:
        raise Clash("评价没有附上评价器的签名")
    if fed.latest(db, serial, number) is None:
        raise Clash(f"没有办件 {serial}/{number}，请先报送办件")
    own = {field: asked.record[field] for field in OWN}
    # Whether it counts is the ruling's to say, and not a rating of its own.
    stands = {**own, "appStatus": "", "EffectivEvalua": "", "": asked.proof.jws}
    digest = fed.digest_of(vault, stands)
    if (before := _digest_of(db, serial, number, asked.kind)) is not None:
        if before != digest:
            raise Clash(f"办件 {serial}/{number} 已有另一次评价、追评或认定，一次服务只评一次")
        return False
    if asked.kind != "rating":
        _follows(db, asked.kind, asked.proof, digest, (serial, number))
    said = Fed(origin=origin, kind=asked.kind, serial=serial, service_number=number, digest=digest)
    if asked.kind != "ruling":
        said = msgspec.structs.replace(said, own=own)
    if asked.kind == "rating":
        said = msgspec.structs.replace(
            said,
            of=asked.proof.position,
            device=asked.proof.device,
            key=asked.proof.key,
            jws=asked.proof.jws,
        )
    position = _enter(db, vault, said, "", now)
    deliveries.queue(db, asked.kind, (serial, number), position, now)  # type: ignore[arg-type]
    if asked.kind == "ruling":
        rulings.take_along(db, (serial, number), now)
    return True


def _enter(db: Database, vault: Vault, said: Fed, record: str, now: int) -> int:
    position = ledger.append_own(db, vault, "fed", now, msgspec.json.encode(said))
    cursor = db.conn.execute(
        """
        INSERT INTO fed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (origin, kind, serial, service_number, assess_number, digest)
        DO UPDATE SET position = excluded.position, received_at = excluded.received_at
        """,
        (
            position,
            said.origin,
            said.kind,
            said.serial,
            said.service_number,
            said.own.get("assessNumber", ""),
            said.digest,
            record,
            now,
        ),
    )
    if cursor.rowcount != 1:
        raise Swallowed("下级大厅报送的记录")
    return position


def _digest_of(db: Database, serial: str, service_number: int, kind: FedKind) -> str | None:
    row = db.conn.execute(
        "SELECT digest FROM fed WHERE serial = ? AND service_number = ? AND kind = ?",
        (serial, service_number, kind),
    ).fetchone()
    return None if row is None else str(row[0])


def _follows(db: Database, kind: FedKind, proof: Proof, digest: str, key: tuple[str, int]) -> None:
    """Raise `Clash` unless the rating has come that a ruling or an addition follows."""
    service = f"{key[0]}/{key[1]}"
    position = fed.place(db, *key, "rating")
    if position is None:
        raise Clash(f"没有办件 {service} 的评价，请先报送评价")
    of = fed.entry(db, position)
    if of is not None and of.jws != proof.jws:
        raise Clash(f"附上的签名不是办件 {service} 已报送的那次评价的")
    if kind == "ruling" and _digest_of(db, *key, "rating") != digest:
        raise Clash(f"认定的不是办件 {service} 已报送的那次评价")
