"""What the city answered to a record, or that it gave no answer, noted on what waits for it."""

from typing import Literal

import msgspec
from sqlite_utils import Database

from hub.store import afterwards, ledger
from hub.store.deliveries import Delivered, with_its_service
from hub.store.vault import Vault

UNSURE = "上级平台对更正或复核认定答“已存在”，可能没有采纳，请与平台核对"


def accepted(
    db: Database,
    delivery_id: int,
    now: int,
    answer: Literal["accepted", "exists"] = "accepted",
    *,
    version: int | None = None,
    digest: bytes = b"",
    vault: Vault | None = None,
) -> None:
    """Note the city's word that it has this record, in the ledger too unless it stands there.

    `version` is that which was sent, `digest` by what its content is known. If the case was
    registered again meanwhile, or if it is not sure which version the city has, it stays
    waiting, to be checked. "Exists" for an update or a ruling leaves a doubt, and says so.
    `vault` marks the entry as the hub's own; without it it stands as those of older hubs. Raises
    `VaultError`.
    """
    row = db.execute(
        """
        SELECT d.serial, d.service_number, d.kind, d.position, d.settled_at,
            coalesce(r.version, 1), coalesce(r.task, 'first')
        FROM deliveries AS d LEFT JOIN repeats AS r ON r.delivery = d.id
        WHERE d.id = ? AND d.state = 'waiting'
        """,
        (delivery_id,),
    ).fetchone()
    if row is None:
        return
    kind, settled_at, current, task = row[2], row[4], int(row[5]), row[6]
    exists = answer == "exists"
    unknown = kind == "service" and exists and task == "first" and current > 1
    updated = task == "check" or (task == "again" and _differs(db, delivery_id, digest))
    if kind == "service" and digest:
        known = bytes(len(digest)) if unknown else digest
        db.execute("INSERT OR REPLACE INTO sent VALUES (?, ?)", (delivery_id, known))
    if unknown or (kind == "service" and version not in (None, current)):
        db.execute(
            """
            UPDATE deliveries SET attempts = 0, next_at = ?, reason = '', settled_at = ?
            WHERE id = ?
            """,
            (now, now, delivery_id),
        )
        db.execute("UPDATE repeats SET task = 'check' WHERE delivery = ?", (delivery_id,))
    else:
        known_since = settled_at if task == "again" and not updated else None
        void = kind == "ruling" or (
            (kind, task) == ("addition", "again") and afterwards.is_ruled(db, row[0], row[1])
        )
        doubt = UNSURE if exists and (updated or void) else ""
        _settle(db, delivery_id, doubt, now if known_since is None else known_since)
    if task == "first" or updated:
        said = Delivered(serial=row[0], service_number=row[1], kind=kind, of=row[3], answer=answer)
        body = msgspec.json.encode(said)
        if vault is not None:
            ledger.append_own(db, vault, "delivered", now, body)
            return
        entry = ledger.Entry(kind="delivered", recorded_at=now, device="", invitation="", body=body)
        ledger.append(db, entry)


def _differs(db: Database, delivery_id: int, digest: bytes) -> bool:
    row = db.execute("SELECT digest FROM sent WHERE delivery = ?", (delivery_id,)).fetchone()
    return row is not None and any(row[0]) and bytes(row[0]) != digest


def left(db: Database, delivery_id: int, version: int, reason: str, now: int) -> None:
    """Leave with the city what it has; `reason` is what it has not been told, or nothing."""
    row = db.execute(
        """
        SELECT d.settled_at, coalesce(r.version, 1) FROM deliveries AS d
        LEFT JOIN repeats AS r ON r.delivery = d.id WHERE d.id = ? AND d.state = 'waiting'
        """,
        (delivery_id,),
    ).fetchone()
    if row is not None and row[1] == version:
        _settle(db, delivery_id, reason, now if row[0] is None else row[0])


def _settle(db: Database, delivery_id: int, reason: str, at: int) -> None:
    db.execute(
        """
        UPDATE deliveries SET state = 'accepted', attempts = 0, reason = ?, settled_at = ?
        WHERE id = ?
        """,
        (reason, at, delivery_id),
    )
    # The task stays "check": the city has the record, whatever is asked of it next.
    db.execute("UPDATE repeats SET task = 'check' WHERE delivery = ?", (delivery_id,))


def retry(db: Database, delivery_id: int, at: int, reason: str) -> None:
    """Count a failed attempt; the next one may be made at `at` (ms since 1970)."""
    db.execute(
        """
        UPDATE deliveries SET attempts = attempts + 1, next_at = ?, reason = ?
        WHERE id = ? AND state = 'waiting'
        """,
        (at, reason, delivery_id),
    )


def set_aside(
    db: Database, delivery_id: int, reason: str, now: int, *, version: int | None = None
) -> None:
    """Take a record out of the way, with the reason; a service record takes its rating along.

    Not if the case was registered again since that `version`: then it is tried anew. Nor does
    an update that was refused take a rating along: the city has its service record.
    """
    row = db.execute("SELECT version, task FROM repeats WHERE delivery = ?", (delivery_id,))
    current, task = row.fetchone() or (1, "first")
    if version not in (None, current):
        retry(db, delivery_id, now, reason)
        return
    db.execute(
        """
        UPDATE deliveries SET state = 'set_aside', reason = ?, settled_at = ?
        WHERE id = ? AND state = 'waiting'
        """,
        (reason, now, delivery_id),
    )
    if task != "first":
        return
    db.execute(
        """
        UPDATE deliveries SET state = 'set_aside', reason = ?, settled_at = ?
        WHERE state = 'waiting' AND kind <> 'service' AND (serial, service_number) IN (
            SELECT serial, service_number FROM deliveries
            WHERE id = ? AND kind = 'service' AND state = 'set_aside'
        )
        """,
        (with_its_service(reason), now, delivery_id),
    )
