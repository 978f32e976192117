"""Invitations and what became of them: a view of the ledger, kept for fast answers."""

from typing import Literal

import msgspec
from sqlite_utils import Database

from hub.store import ledger
from protocol.messages import Invitation, Slot

UNSETTLED_LIMIT = 1000

OutcomeKind = Literal["rated", "expired", "withdrawn"]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as the hub knows it. `outcome` None = open. Times: ms since 1970."""

    id: str
    device: str
    serial: str
    service_number: int
    invitation: Invitation
    issued_at: int
    ttl_ms: int
    shown_at: int | None
    withdraw_at: int | None
    outcome_id: str | None
    outcome: OutcomeKind | None


_COLUMNS = """id, device, serial, service_number, body, issued_at, ttl_ms, shown_at,
    withdraw_at, outcome_id, outcome"""
_body = msgspec.json.Decoder(Invitation)


def _kept(row: tuple[object, ...]) -> Kept:
    fields = dict(zip(Kept.__struct_fields__, row, strict=True))
    fields["invitation"] = _body.decode(fields["invitation"])  # type: ignore[arg-type]
    return Kept(**fields)  # type: ignore[arg-type]


def issue(db: Database, device: str, invitation: Invitation) -> None:
    """Enter a new invitation, in the ledger first."""
    body = msgspec.json.encode(invitation)
    ledger.append(
        db,
        ledger.Entry(
            kind="invited",
            recorded_at=invitation.issued_at,
            device=device,
            invitation=invitation.id,
            body=body,
        ),
    )
    db.conn.execute(
        """
        INSERT INTO invitations (id, device, serial, service_number, body, issued_at, ttl_ms)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        (
            invitation.id,
            device,
            invitation.serial,
            invitation.service_number,
            body,
            invitation.issued_at,
            invitation.ttl_ms,
        ),
    )


def get(db: Database, identifier: str) -> Kept | None:
    """Return one invitation, or None."""
    row = db.conn.execute(
        f"SELECT {_COLUMNS} FROM invitations WHERE id = ?",  # noqa: S608 - constant columns
        (identifier,),
    ).fetchone()
    return None if row is None else _kept(row)


def of_case(db: Database, serial: str, service_number: int) -> list[Kept]:
    """Return all invitations of one service of a case, oldest first."""
    rows = db.conn.execute(
        f"SELECT {_COLUMNS} FROM invitations"  # noqa: S608 - constant columns
        " WHERE serial = ? AND service_number = ? ORDER BY issued_at, id",
        (serial, service_number),
    )
    return [_kept(row) for row in rows]


def rated(db: Database, serial: str, service_number: int) -> bool:
    """Whether this service has been rated already: one service, one rating (一次一评)."""
    row = db.conn.execute(
        "SELECT 1 FROM invitations WHERE serial = ? AND service_number = ? AND outcome = 'rated'",
        (serial, service_number),
    ).fetchone()
    return row is not None


def open_of(db: Database, device: str) -> list[Kept]:
    """Return the open invitations of a device: those not asked back first, then the newest."""
    rows = db.conn.execute(
        f"SELECT {_COLUMNS} FROM invitations"  # noqa: S608 - constant columns
        " WHERE device = ? AND outcome IS NULL"
        " ORDER BY withdraw_at IS NULL DESC, issued_at DESC, id DESC LIMIT ?",
        (device, UNSETTLED_LIMIT),
    )
    return [_kept(row) for row in rows]


def _current(db: Database, device: str) -> Invitation | None:
    """Return what is open and not asked back: by that, not by its time, for clocks go back."""
    row = db.conn.execute(
        "SELECT body FROM invitations INDEXED BY invitations_current"
        " WHERE device = ? AND outcome IS NULL AND withdraw_at IS NULL"
        " ORDER BY issued_at DESC, id DESC LIMIT 1",
        (device,),
    ).fetchone()
    return None if row is None else _body.decode(row[0])


def _open_ids(db: Database, device: str) -> list[str]:
    """Return the ids of a device's open invitations, newest first, from the index alone."""
    rows = db.conn.execute(
        "SELECT id FROM invitations WHERE device = ? AND outcome IS NULL"
        " ORDER BY issued_at DESC, id DESC LIMIT ?",
        (device, UNSETTLED_LIMIT),
    )
    return [str(row[0]) for row in rows]


def ask_back(db: Database, identifier: str, now: int) -> None:
    """Note that the window wants it back; only the device's word closes it."""
    db.conn.execute(
        "UPDATE invitations SET withdraw_at = coalesce(withdraw_at, ?) WHERE id = ?",
        (now, identifier),
    )


def note_shown(db: Database, device: str, identifier: str, now: int) -> None:
    """Note that the screen shows it (the first time counts)."""
    db.conn.execute(
        "UPDATE invitations SET shown_at = ? WHERE id = ? AND device = ? AND shown_at IS NULL",
        (now, identifier, device),
    )


def close(db: Database, identifier: str, outcome_id: str, outcome: OutcomeKind) -> None:
    """Close an open invitation."""
    db.conn.execute(
        "UPDATE invitations SET outcome_id = ?, outcome = ? WHERE id = ? AND outcome IS NULL",
        (outcome_id, outcome, identifier),
    )


def slot(db: Database, device: str, now: int) -> Slot:
    """Return what the device should be showing, under a version above all before.

    The version is the hub's time in milliseconds, pushed on where that would not grow: even
    a hub restored from an old copy goes on above what its devices have seen.
    """
    current = _current(db, device)
    unsettled = [name for name in _open_ids(db, device) if current is None or name != current.id]
    version = db.conn.execute(
        """
        INSERT INTO slots (device, version) VALUES (?, ?)
        ON CONFLICT (device) DO UPDATE SET version = max(version + 1, excluded.version)
        RETURNING version
        """,
        (device, now),
    ).fetchone()[0]
    return Slot(version=version, invitation=current, unsettled=tuple(unsettled))


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """How many were invited, and how they ended, by the ledger; `open` by the invitations.

    Of the `rated`, `ruled` are not adopted after a review (复核认定, 按未评计) and `repeated` are
    not the first of their service (一次一评): neither is a valid rating. `agrees`: the invitations
    say the same of their outcomes as the ledger.
    """

    invited: int = 0
    rated: int = 0
    expired: int = 0
    withdrawn: int = 0
    open: int = 0
    ruled: int = 0
    repeated: int = 0
    agrees: bool = True

    @property
    def valid(self) -> int:
        """How many ratings count: what a rate is reckoned from."""
        return self.rated - self.ruled - self.repeated

    @property
    def balanced(self) -> bool:
        """Whether invited = rated + expired + withdrawn + open (promise 3)."""
        ended = self.rated + self.expired + self.withdrawn
        return self.agrees and self.invited == ended + self.open


def account(db: Database, device: str | None = None) -> Account:
    """Count the ledger's entries and, apart from them, the invitations (all, or a device's)."""
    where = "" if device is None else " WHERE device = :device"
    values = {"device": device} if device is not None else {}
    entered = dict(
        db.conn.execute(
            f"SELECT kind, count(*) FROM ledger{where} GROUP BY kind",  # noqa: S608 - constants
            values,
        ).fetchall()
    )
    derived = dict(
        db.conn.execute(
            "SELECT coalesce(outcome, 'open'), count(*)"  # noqa: S608 - constants
            f" FROM invitations{where} GROUP BY 1",
            values,
        ).fetchall()
    )
    ended = {kind: entered.get(kind, 0) for kind in ("rated", "expired", "withdrawn")}
    return Account(
        invited=entered.get("invited", 0),
        open=derived.get("open", 0),
        ruled=_ruled(db, device),
        repeated=_repeated(db, device),
        agrees=all(derived.get(kind, 0) == count for kind, count in ended.items()),
        **ended,
    )


def _ruled(db: Database, device: str | None) -> int:
    """Count the ratings (of a device) on which the ledger holds a ruling."""
    row = db.conn.execute(
        """
        SELECT count(DISTINCT l.invitation) FROM ledger AS l
        JOIN invitations AS i ON i.id = l.invitation AND i.outcome = 'rated'
        WHERE l.kind IN ('ruled', 'added') AND l.kind = 'ruled'
            AND (?1 IS NULL OR i.device = ?1)
        """,
        (device,),
    ).fetchone()
    return int(row[0])


def _repeated(db: Database, device: str | None) -> int:
    """Count the ratings (of a device) whose service had one in the ledger before them."""
    row = db.conn.execute(
        """
        WITH twice AS (
            SELECT serial, service_number FROM invitations WHERE outcome = 'rated'
            GROUP BY serial, service_number HAVING count(*) > 1
        ), entered AS (
            SELECT i.device AS device, row_number() OVER (
                PARTITION BY i.serial, i.service_number ORDER BY l.position) AS turn
            FROM twice CROSS JOIN invitations AS i
                ON i.serial = twice.serial AND i.service_number = twice.service_number
            JOIN ledger AS l
                ON l.outcome = i.outcome_id AND l.invitation = i.id AND l.kind = 'rated'
            WHERE i.outcome = 'rated'
        )
        SELECT count(*) FROM entered WHERE turn > 1 AND (?1 IS NULL OR device = ?1)
        """,
        (device,),
    ).fetchone()
    return int(row[0])
