"""What the ledger holds on a rating after it: rulings, and the citizen's later words."""

import hmac
from typing import TypeVar

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from hub.rules.afterwards import Added, Ruled
from hub.store import marks
from hub.store.vault import Vault

_ruled = msgspec.json.Decoder(Ruled)
_added = msgspec.json.Decoder(Added)

Said = TypeVar("Said", Added, Ruled)


def mark(vault: Vault, invitation: str, said: Added | Ruled) -> str:
    """Return by which the hub knows what it has entered itself on an invitation, hex.

    Over all that is said; of a ruling, that is also the rating's position. Its key is the
    vault's index key, as of `recovery.seal`: who has the database alone cannot make it. Raises
    `VaultError`.
    """
    purpose = "ruling" if isinstance(said, Ruled) else "addition"
    body = msgspec.json.encode(replace(said, mark="")).decode()
    return vault.digest(purpose, f"{invitation}\0{body}").hex()


def marked(vault: Vault, invitation: str, said: Said) -> Said:
    """Return what is to be entered with its mark; raises `VaultError`."""
    return replace(said, mark=mark(vault, invitation, said))


def genuine(vault: Vault, invitation: str, said: Added | Ruled) -> bool:
    """Whether this hub has entered it, on this invitation; raises `VaultError`."""
    return hmac.compare_digest(mark(vault, invitation, said).encode(), said.mark.encode())


def ruled(db: Database, position: int | None) -> Ruled | None:
    """Return the ruling at a ledger position, or None."""
    row = db.conn.execute(
        "SELECT body FROM ledger WHERE position = ? AND kind = 'ruled'", (position,)
    ).fetchone()
    return None if row is None or not row[0] else _ruled.decode(row[0])


def void(
    db: Database, vault: Vault, serial: str, service_number: int, *, settled: bool = False
) -> bool:
    """Whether a service's rating has been ruled on, by whoever may: this hub, or who fed it.

    `settled`: and the ruling is off its way to the city. It is there, or there was nobody to be
    told; then the rating never goes as a valid one again. What was entered past the hub rules on
    nothing. Raises `VaultError`.
    """
    row = db.conn.execute(
        """
        SELECT l.kind, l.body, o.kind, o.position, o.invitation, l.recorded_at,
            l.position,
            d.state = 'accepted' OR coalesce(r.task, 'first') <> 'first'
        FROM deliveries AS d LEFT JOIN repeats AS r ON r.delivery = d.id
        JOIN ledger AS l ON l.position = d.position
        JOIN deliveries AS e ON e.serial = d.serial AND e.service_number = d.service_number
            AND e.kind = 'rating'
        JOIN ledger AS o ON o.position = e.position
        WHERE d.serial = ? AND d.service_number = ? AND d.kind = 'ruling'
        """,
        (serial, service_number),
    ).fetchone()
    if row is None or (settled and not row[7]):
        return False
    kind, body, of, position, invitation, at, place, _ = row
    if kind == of == "fed":
        return marks.genuine(vault, "fed", place, at, bytes(body))
    if (kind, of) != ("ruled", "rated"):
        return False
    try:
        said = _ruled.decode(body)
    except (msgspec.MsgspecError, ValueError):
        return False
    return said.of == position and genuine(vault, invitation, said)


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
