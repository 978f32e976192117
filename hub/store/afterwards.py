"""What the ledger holds on a rating after it: rulings, and the citizen's later words."""

import msgspec
from sqlite_utils import Database

from hub.rules.afterwards import Added, Ruled

_ruled = msgspec.json.Decoder(Ruled)
_added = msgspec.json.Decoder(Added)


def ruled(db: Database, position: int | None) -> Ruled | None:
    """Return the ruling at a ledger position, or None."""
    row = db.conn.execute(
        "SELECT body FROM ledger WHERE position = ? AND kind = 'ruled'", (position,)
    ).fetchone()
    return None if row is None or not row[0] else _ruled.decode(row[0])


def ruling_settled(db: Database, serial: str, service_number: int) -> bool:
    """Whether a service's rating has been ruled on, and the ruling is off its way to the city.

    It is there, or there was nobody to be told; then the rating never goes as a valid one again.
    """
    row = db.conn.execute(
        """
        SELECT 1 FROM deliveries AS d LEFT JOIN repeats AS r ON r.delivery = d.id
        JOIN ledger AS l ON l.position = d.position AND l.kind IN ('ruled', 'fed')
        WHERE d.serial = ? AND d.service_number = ? AND d.kind = 'ruling'
            AND (d.state = 'accepted' OR r.task <> 'first')
        """,
        (serial, service_number),
    ).fetchone()
    return row is not None


def is_ruled(db: Database, serial: str, service_number: int) -> bool:
    """Whether a service's rating has been ruled on, wherever the ruling is on its way."""
    row = db.conn.execute(
        """
        SELECT 1 FROM deliveries AS d
        JOIN ledger AS l ON l.position = d.position AND l.kind IN ('ruled', 'fed')
        WHERE d.serial = ? AND d.service_number = ? AND d.kind = 'ruling'
        """,
        (serial, service_number),
    ).fetchone()
    return row is not None


def position_added(db: Database, invitation: str) -> int | None:
    """Return where the ledger holds what a citizen wrote on an invitation, or None."""
    row = db.conn.execute(
        # Both conditions on the kind: the first is the index's own.
        "SELECT position FROM ledger INDEXED BY ledger_afterwards"
        " WHERE kind IN ('ruled', 'added') AND kind = 'added' AND invitation = ?",
        (invitation,),
    ).fetchone()
    return None if row is None else int(row[0])


def added(db: Database, invitation: str) -> tuple[Added, int] | None:
    """Return what a citizen wrote on an invitation and when (ms since 1970).

    None where there is nothing, or where it has been erased.
    """
    position = position_added(db, invitation)
    row = db.conn.execute(
        "SELECT body, recorded_at FROM ledger WHERE position = ?", (position,)
    ).fetchone()
    return None if row is None or not row[0] else (_added.decode(row[0]), int(row[1]))
