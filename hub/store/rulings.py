"""Ratings as the office looks at them, and the rulings (复核认定) that it has made."""

import contextlib

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.afterwards import Ruled
from hub.store import afterwards, deliveries, documents, ledger
from hub.store.database import Swallowed
from hub.store.deliveries import State
from hub.store.documents import Document
from hub.store.vault import Vault
from protocol.messages import Invitation

_invitation = msgspec.json.Decoder(Invitation)
_ruled = msgspec.json.Decoder(Ruled)


class Rating(Struct, frozen=True, kw_only=True):
    """A rating in the ledger, and what its citizen was asked.

    `body`: what the device signed, empty if it has been erased. `counts`: it is its service's
    one rating; of a repeated one it is False. `recorded_at`: ms since 1970.
    """

    position: int
    device: str
    asked: Invitation
    body: bytes
    recorded_at: int
    counts: bool


class Ruling(Struct, frozen=True, kw_only=True):
    """A ruling, at ledger position `position`, of the rating at `of`; `at`: ms since 1970.

    `told` is how it stands with the city, `reason_untold` why the city does not know it.
    """

    position: int
    at: int
    invitation: str
    serial: str
    service_number: int
    of: int
    by: str
    reason: str
    evidence: tuple[Document, ...]
    told: State
    reason_untold: str = ""


def rating(db: Database, invitation: str) -> Rating | None:
    """Return the rating that answered an invitation, or None."""
    row = db.conn.execute(
        """
        SELECT l.position, l.device, i.body, l.body, l.recorded_at, i.serial, i.service_number
        FROM invitations AS i
        JOIN ledger AS l ON l.outcome = i.outcome_id AND l.invitation = i.id AND l.kind = 'rated'
        WHERE i.id = ? AND i.outcome = 'rated' ORDER BY l.position LIMIT 1
        """,
        (invitation,),
    ).fetchone()
    if row is None:
        return None
    return Rating(
        position=row[0],
        device=row[1],
        asked=_invitation.decode(row[2]),
        body=bytes(row[3]),
        recorded_at=row[4],
        counts=of_service(db, row[5], row[6]) == invitation,
    )


def of_service(db: Database, serial: str, service_number: int) -> str | None:
    """Return the invitation whose rating is the service's: the first to arrive; None: unrated."""
    row = db.conn.execute(
        """
        SELECT i.id FROM invitations AS i
        JOIN ledger AS l ON l.outcome = i.outcome_id AND l.invitation = i.id AND l.kind = 'rated'
        WHERE i.serial = ? AND i.service_number = ? AND i.outcome = 'rated'
        ORDER BY l.position LIMIT 1
        """,
        (serial, service_number),
    ).fetchone()
    return None if row is None else str(row[0])


def enter(db: Database, vault: Vault, of: Rating, ruled: Ruled, now: int) -> Ruling:
    """Enter a ruling in the ledger and put it on its way to the city.

    Raises `VaultError`, and `database.Swallowed` where the file has not taken all of it: then
    nothing is committed.
    """
    position = ledger.append(
        db,
        ledger.Entry(
            kind="ruled",
            recorded_at=now,
            device="",
            invitation=of.asked.id,
            body=msgspec.json.encode(afterwards.marked(vault, of.asked.id, ruled)),
        ),
    )
    for digest in ruled.evidence:
        bound = db.conn.execute("INSERT INTO ruling_documents VALUES (?, ?)", (position, digest))
        if bound.rowcount != 1:
            raise Swallowed("证据文件")
    service = of.asked.serial, of.asked.service_number
    deliveries.queue(db, "ruling", service, position, now)
    take_along(db, service, now)
    entered = ruling_of(db, of.asked.id)
    if entered is None:
        raise AssertionError("a ruling vanished within its own commit")
    return entered


def take_along(db: Database, service: tuple[str, int], now: int) -> None:
    """Let later words that the city has go again: they say the level, too, and count no more."""
    row = db.conn.execute(
        """
        UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?, reason = ''
        WHERE serial = ? AND service_number = ? AND kind = 'addition' AND state = 'accepted'
        RETURNING id
        """,
        (now, *service),
    ).fetchone()
    if row is not None:
        db.conn.execute(
            """
            INSERT INTO repeats VALUES (?, 1, 'again', ?)
            ON CONFLICT (delivery) DO UPDATE SET task = 'again', asked_at = excluded.asked_at
            """,
            (row[0], now),
        )


_RULINGS = """
    SELECT l.position, l.recorded_at, l.invitation, i.serial, i.service_number, l.body,
        coalesce(d.state, 'waiting'), coalesce(d.reason, '')
    FROM ledger AS l JOIN invitations AS i ON i.id = l.invitation
    LEFT JOIN deliveries AS d ON d.serial = i.serial AND d.service_number = i.service_number
        AND d.kind = 'ruling'
"""


def ruling_of(db: Database, invitation: str) -> Ruling | None:
    """Return the ruling on the rating that answered an invitation, or None."""
    row = db.conn.execute(
        f"{_RULINGS} WHERE l.kind IN ('ruled', 'added') AND l.kind = 'ruled' AND l.invitation = ?"
        " ORDER BY l.position LIMIT 1",
        (invitation,),
    ).fetchone()
    return None if row is None else _ruling(db, row)


def made(db: Database, before: int | None, limit: int) -> list[Ruling]:
    """Return the rulings below a ledger position (None: all), the newest first."""
    rows = db.conn.execute(
        f"{_RULINGS} WHERE l.kind = 'ruled' AND l.position < ifnull(?, 9223372036854775807)"
        " ORDER BY l.position DESC LIMIT ?",
        (before, limit),
    )
    return [_ruling(db, row) for row in rows.fetchall()]


def without_act(db: Database) -> list[int]:
    """Return the rulings (ledger positions) of which the audit trail knows nothing.

    None in a file of an older hub, by which no ruling could be made.
    """
    if not db["documents"].exists():
        return []
    rows = db.conn.execute(
        """
        SELECT position FROM ledger WHERE kind = 'ruled' AND position NOT IN (
            SELECT json_extract(detail, '$.entry') FROM audit
            WHERE action = 'rule' AND allowed AND json_type(detail, '$.entry') = 'integer')
        ORDER BY position
        """
    )
    return [int(row[0]) for row in rows.fetchall()]


def without_entry(db: Database) -> list[int]:
    """Return where the ledger should hold a ruling that is on its way to the city, and has none."""
    rows = db.conn.execute(
        """
        SELECT coalesce(d.position, 0) FROM deliveries AS d
        LEFT JOIN ledger AS l ON l.position = d.position AND l.kind IN ('ruled', 'fed')
        WHERE d.kind = 'ruling' AND l.position IS NULL ORDER BY d.id
        """
    )
    return [int(row[0]) for row in rows.fetchall()]


def made_by(db: Database) -> list[tuple[int, str]]:
    """Return the position of each ruling that can be read, and by whom it says it was made."""
    found = []
    for position, body in db.conn.execute(
        "SELECT position, body FROM ledger WHERE kind = 'ruled' ORDER BY position"
    ):
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            found.append((int(position), _ruled.decode(body).by))
    return found


def _ruling(db: Database, row: tuple[object, ...]) -> Ruling:
    position, at, invitation, serial, number, body, state, untold = row
    said = _ruled.decode(body)  # type: ignore[arg-type]
    return Ruling(
        position=position,  # type: ignore[arg-type]
        at=at,  # type: ignore[arg-type]
        invitation=invitation,  # type: ignore[arg-type]
        serial=serial,  # type: ignore[arg-type]
        service_number=number,  # type: ignore[arg-type]
        of=said.of,
        by=said.by,
        reason=said.reason,
        evidence=documents.of_ruling(db, position),  # type: ignore[arg-type]
        told=state,  # type: ignore[arg-type]
        reason_untold=untold,  # type: ignore[arg-type]
    )
