"""What citizens write on their own pages (追评): into the ledger, and on its way to the city."""

import msgspec
from sqlite_utils import Database

from hub.rules.afterwards import Added
from hub.store import afterwards, citizens, deliveries, ledger
from hub.store.invitations import Kept
from hub.store.vault import Vault


def entered(db: Database, position: int) -> int:
    """Return when an entry was made, in ms since 1970."""
    row = db.conn.execute("SELECT recorded_at FROM ledger WHERE position = ?", (position,))
    return int(row.fetchone()[0])


def too_late(db: Database, kept: Kept) -> bool:
    """Whether the citizen of this case has been erased: nothing can be sent after that."""
    row = citizens.row(db, kept.serial, kept.service_number)
    return row is not None and not row.held


def enter(db: Database, vault: Vault, kept: Kept, text: str, now: int, *, incomplete: str) -> int:
    """Enter words on an invitation, which has none yet; returns their position.

    They go to the city where the rating is on its way or there; else when it comes. A rating
    that was set aside as `incomplete` (the reason) tries again: now it says why. Raises
    `VaultError`.
    """
    position = ledger.append(
        db,
        ledger.Entry(
            kind="added",
            recorded_at=now,
            device="",
            invitation=kept.id,
            body=msgspec.json.encode(afterwards.marked(vault, kept.id, Added(text=text))),
        ),
    )
    of = (kept.serial, kept.service_number)
    row = db.conn.execute(
        # Only the rating that counts: of a second one of the same service the city hears nothing.
        """
        SELECT d.id, d.state, d.reason FROM deliveries AS d JOIN ledger AS l
            ON l.position = d.position
        WHERE d.serial = ? AND d.service_number = ? AND d.kind = 'rating' AND l.invitation = ?
        """,
        (*of, kept.id),
    ).fetchone()
    if row is None:
        return position
    rating, state, reason = row
    deliveries.queue(db, "addition", of, position, now)
    if state == "set_aside" and reason == incomplete:
        db.conn.execute(
            "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?, reason = ''"
            " WHERE id = ?",
            (now, rating),
        )
    elif state == "waiting":
        # Under way perhaps, as it was before: what is found wrong with it is looked at again.
        db.conn.execute(
            "INSERT INTO repeats (delivery, version, task, asked_at) VALUES (?, 2, 'first', ?)"
            " ON CONFLICT (delivery) DO UPDATE SET version = version + 1",
            (rating, now),
        )
    return position
