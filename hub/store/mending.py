"""Invitations as the ledger has them, and the table beside it mended where it says otherwise.

The ledger is the truth. A row that was taken away or bent would have the hub refuse a rating for
which somebody was thanked; so whoever judges by a row has it compared first.
"""

import logging

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.store import invitations, recovery
from hub.store.invitations import Kept, OutcomeKind
from hub.store.vault import Vault
from protocol.messages import Invitation

log = logging.getLogger(__name__)

_invitation = msgspec.json.Decoder(Invitation)


class Issued(Struct, frozen=True, kw_only=True):
    """What the ledger says of an invitation: to which device, in which bytes, how it ended.

    `body` is empty where it has been erased.
    """

    device: str
    body: bytes
    outcome_id: str | None = None
    outcome: OutcomeKind | None = None


def issued(db: Database, identifier: str) -> Issued | None:
    """Return what the ledger says of an invitation: its first entry and its first end, or None."""
    rows = db.conn.execute(
        """
        SELECT kind, device, body, outcome FROM ledger WHERE invitation = ?
            AND kind IN ('invited', 'rated', 'expired', 'withdrawn') ORDER BY position
        """,
        (identifier,),
    ).fetchall()
    entry = next((row for row in rows if row[0] == "invited"), None)
    if entry is None:
        return None
    end = next((row for row in rows if row[0] != "invited"), None)
    return Issued(
        device=entry[1],
        body=bytes(entry[2]),
        outcome_id=None if end is None else end[3],
        outcome=None if end is None else end[0],
    )


def get(db: Database, identifier: str) -> Kept | None:
    """Return an invitation by its row, made anew where it is not what the ledger says; or None.

    One that the ledger does not know is returned as its row says: `verify` names it.
    """
    row, said = invitations.row(db, identifier), issued(db, identifier)
    if said is None or not said.body:
        return None if row is None else invitations.kept(row)
    try:
        asked = _invitation.decode(said.body)
    except (msgspec.MsgspecError, ValueError):  # the ledger itself was altered
        return None if row is None else invitations.kept(row)
    shown_at, withdraw_at = (None, None) if row is None else row[7:9]
    due = (
        identifier,
        said.device,
        asked.serial,
        asked.service_number,
        said.body,
        asked.issued_at,
        asked.ttl_ms,
        shown_at,
        withdraw_at,
        said.outcome_id,
        said.outcome,
    )
    if row != due:
        invitations.replace(db, due)
        log.critical("invitation=altered id=%s note=mended-by-the-ledger", identifier)
    return Kept(**dict(zip(Kept.__struct_fields__, due, strict=True)) | {"invitation": asked})  # type: ignore[arg-type]


def of_case(db: Database, serial: str, service_number: int) -> list[Kept]:
    """Return the invitations of one service, oldest first, each as the ledger has it."""
    names = invitations.names_of_case(db, serial, service_number)
    found = [get(db, name) for name in names]
    of = (serial, service_number)
    return [kept for kept in found if kept and (kept.serial, kept.service_number) == of]


def rated(db: Database, serial: str, service_number: int) -> bool:
    """Whether this service has a rating already, by its rows and its place in the city's queue.

    Both can be bent: where they say yes the ledger is asked. What is in the queue without an
    entry to go with it would keep the true rating from its place, and is taken out.
    """
    if invitations.rated(db, serial, service_number) and any(
        kept.outcome == "rated" and issued(db, kept.id) is not None
        for kept in of_case(db, serial, service_number)
    ):
        return True
    return _queued(db, serial, service_number)


def genuine(db: Database, vault: Vault, device: str, invitation: Invitation) -> bool:
    """Whether this hub has issued this very invitation to this device; raises `VaultError`."""
    said = issued(db, invitation.id)
    if said is None or said.device != device:
        return False
    try:
        asked = _invitation.decode(said.body)
    except (msgspec.MsgspecError, ValueError):
        return False
    return asked == invitation and recovery.genuine(vault, device, invitation)


def _queued(db: Database, serial: str, service_number: int) -> bool:
    row = db.conn.execute(
        """
        SELECT d.id, d.state, l.kind, l.invitation FROM deliveries AS d
        LEFT JOIN ledger AS l ON l.position = d.position
        WHERE d.serial = ? AND d.service_number = ? AND d.kind = 'rating'
        """,
        (serial, service_number),
    ).fetchone()
    if row is None:
        return False
    delivery, state, kind, invitation = row
    if kind == "fed":
        return True
    kept = get(db, invitation) if kind == "rated" else None
    if kept is not None and (kept.serial, kept.service_number) == (serial, service_number):
        return True
    db.conn.execute("DELETE FROM deliveries WHERE id = ?", (delivery,))
    db.conn.execute(
        "UPDATE delivery_counts SET n = n - 1 WHERE kind = 'rating' AND state = ?", (state,)
    )
    log.critical("delivery=altered id=%d note=taken-out", delivery)
    return False
