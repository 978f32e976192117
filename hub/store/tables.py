"""The tables beside the ledger, row by row against its entries: what was taken, added or bent.

They are views of the ledger, kept for fast answers. Everything here is read in order, a row at a
time, and asks only for indexes that every hub has had: it runs on files of older ones too.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.store import bindings
from hub.store.bindings import Bound
from hub.store.invitations import NEAR_LIMIT
from protocol.messages import Invitation

_invitation = msgspec.json.Decoder(Invitation)

Part = Literal["device", "body", "case", "time", "end"]


class Bent(Struct, frozen=True, kw_only=True):
    """A row of `invitations` that is not what the ledger says.

    `position`: of the entry that knows better, None: there is none, the row is too many. `parts`
    is empty where the row is missing.
    """

    id: str
    position: int | None
    parts: tuple[Part, ...] = ()


def invitations(db: Database) -> Iterator[Bent]:
    """Yield every invitation whose row is missing, too many, or says something else."""
    yield from _as_issued(db)
    yield from _as_ended(db)
    rows = db.conn.execute(
        """
        SELECT id FROM invitations
        WHERE id NOT IN (SELECT invitation FROM ledger WHERE kind = 'invited') ORDER BY id
        """
    )
    for (name,) in rows:
        yield Bent(id=name, position=None)


def _as_issued(db: Database) -> Iterator[Bent]:
    rows = db.conn.execute(
        """
        SELECT l.position, l.invitation, l.device, l.body, i.device, i.body, i.serial,
            i.service_number, i.issued_at, i.ttl_ms
        FROM ledger AS l LEFT JOIN invitations AS i ON i.id = l.invitation
        WHERE l.kind = 'invited' ORDER BY l.position
        """
    )
    for position, name, device, body, own, *row in rows:
        if own is None:
            yield Bent(id=name, position=position)
            continue
        parts: list[Part] = [] if own == device else ["device"]
        if body:
            parts += _differs(bytes(body), row)
        if parts:
            yield Bent(id=name, position=position, parts=tuple(parts))


def _differs(body: bytes, row: list[object]) -> Iterator[Part]:
    try:
        said = _invitation.decode(body)
    except (msgspec.MsgspecError, ValueError):  # told where the entries are looked at
        return
    if bytes(row[0]) != body:  # type: ignore[call-overload]
        yield "body"
    if row[1:3] != [said.serial, said.service_number]:
        yield "case"
    if row[3:5] != [said.issued_at, said.ttl_ms]:
        yield "time"


def _as_ended(db: Database) -> Iterator[Bent]:
    """Yield rows that end otherwise; of one that the ledger ends twice either end will do."""
    rows = db.conn.execute(
        """
        SELECT i.id, l.position FROM ledger AS l JOIN invitations AS i ON i.id = l.invitation
        WHERE l.kind IN ('rated', 'expired', 'withdrawn')
            AND (i.outcome_id IS NOT l.outcome OR i.outcome IS NOT l.kind)
            AND NOT EXISTS (
                SELECT 1 FROM ledger AS x WHERE x.outcome = i.outcome_id AND x.invitation = i.id
                    AND x.kind = i.outcome)
        ORDER BY l.position
        """
    )
    for name, position in rows:
        yield Bent(id=name, position=position, parts=("end",))
    rows = db.conn.execute(
        """
        SELECT i.id FROM invitations AS i
        WHERE (i.outcome IS NOT NULL OR i.outcome_id IS NOT NULL)
            AND NOT EXISTS (
                SELECT 1 FROM ledger AS x WHERE x.outcome = i.outcome_id AND x.invitation = i.id)
            AND i.id NOT IN (
                SELECT invitation FROM ledger WHERE kind IN ('rated', 'expired', 'withdrawn'))
        ORDER BY i.id
        """
    )
    for (name,) in rows:
        yield Bent(id=name, position=None, parts=("end",))


def windows(db: Database) -> Iterator[tuple[str, Bound, Bound]]:
    """Yield the windows whose pairing or sign-on is not as the ledger leaves it: both of them."""
    said = bindings.replayed(db)
    for window in sorted(said.keys() | bindings.windows_told_of(db)):
        kept, entered = bindings.kept(db, window), said.get(window, Bound())
        if kept != entered:
            yield window, entered, kept


def refusals(db: Database) -> Iterator[tuple[str, str]]:
    """Yield devices and causes of which fewer refusals are counted than there must have been.

    So many closed an invitation, by the ledger, or lie there as evidence. Of what closed nothing
    and whose evidence is gone as well there is no telling.
    """
    rows = db.conn.execute(
        """
        SELECT must.device, must.cause FROM (
            SELECT device, cause, count(*) AS n FROM evidence GROUP BY device, cause
            UNION ALL
            SELECT device, json_extract(CAST(body AS TEXT), '$.refused') AS cause, count(*)
            FROM ledger WHERE kind IN ('expired', 'withdrawn') AND substr(body, 1, 1) = x'7b'
                AND json_valid(CAST(body AS TEXT)) GROUP BY 1, 2) AS must
        LEFT JOIN refusals AS r ON r.device = must.device AND r.cause = must.cause
        WHERE must.cause IS NOT NULL AND coalesce(r.times, 0) < must.n
        GROUP BY must.device, must.cause ORDER BY must.device, must.cause
        """
    )
    yield from ((str(device), str(cause)) for device, cause in rows)


def slots(db: Database) -> Iterator[str]:
    """Yield the devices whose versions no hub can have reached by itself."""
    rows = db.conn.execute(
        "SELECT device FROM slots WHERE version NOT BETWEEN 0 AND ? ORDER BY device", (NEAR_LIMIT,)
    )
    yield from (str(device) for (device,) in rows)
