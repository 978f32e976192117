"""Invitations and what became of them: a view of the ledger, kept for fast answers."""

import contextlib
import logging
from collections.abc import Callable
from typing import Literal

import msgspec
from sqlite_utils import Database

from hub.store import ledger
from protocol.messages import Invitation, Slot

log = logging.getLogger(__name__)

UNSETTLED_LIMIT = 1000

VERSION_LIMIT = 1 << 53
"""The highest version that a message holds (`protocol.messages.Count`)."""

NEAR_LIMIT = VERSION_LIMIT - 1_000_000
"""No hub comes here by itself: by the time in milliseconds it takes 280,000 years."""

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

Row = tuple[object, ...]
"""A row as it stands, in the order of the fields of `Kept`; the invitation in JSON."""


def kept(row: Row) -> Kept:
    """Return what a row says; raises `msgspec.MsgspecError` for an invitation that is none."""
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


def row(db: Database, identifier: str) -> Row | None:
    """Return one row as it stands, or None."""
    found: Row | None = db.conn.execute(
        f"SELECT {_COLUMNS} FROM invitations WHERE id = ?",  # noqa: S608 - constant columns
        (identifier,),
    ).fetchone()
    return found


def replace(db: Database, values: Row) -> None:
    """Put a row in the place of what is there, or is not there any more."""
    db.conn.execute("DELETE FROM invitations WHERE id = ?", values[:1])
    marks = ", ".join("?" * len(values))
    db.conn.execute(f"INSERT INTO invitations ({_COLUMNS}) VALUES ({marks})", values)  # noqa: S608


def get(db: Database, identifier: str) -> Kept | None:
    """Return one invitation, or None."""
    found = row(db, identifier)
    return None if found is None else kept(found)


def names_of_case(db: Database, serial: str, service_number: int) -> list[str]:
    """Return the ids of all invitations of one service of a case, oldest first."""
    rows = db.conn.execute(
        "SELECT id FROM invitations WHERE serial = ? AND service_number = ? ORDER BY issued_at, id",
        (serial, service_number),
    )
    return [str(name) for (name,) in rows.fetchall()]


def of_case(db: Database, serial: str, service_number: int) -> list[Kept]:
    """Return all invitations of one service of a case, oldest first."""
    rows = db.conn.execute(
        f"SELECT {_COLUMNS} FROM invitations"  # noqa: S608 - constant columns
        " WHERE serial = ? AND service_number = ? ORDER BY issued_at, id",
        (serial, service_number),
    )
    return [kept(row) for row in rows]


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
    return [kept(row) for row in rows]


def _current(
    db: Database, device: str, genuine: Callable[[Invitation], bool]
) -> tuple[Invitation | None, set[str]]:
    """Return what is open and not asked back: by that, not by its time, for clocks go back.

    And those before it that are not genuine: nobody is asked by them, nor asked about them.
    """
    rows = db.conn.execute(
        "SELECT id, body FROM invitations INDEXED BY invitations_current"
        " WHERE device = ? AND outcome IS NULL AND withdraw_at IS NULL"
        " ORDER BY issued_at DESC, id DESC LIMIT ?",
        (device, UNSETTLED_LIMIT),
    )
    forged: set[str] = set()
    for name, body in rows:
        with contextlib.suppress(msgspec.MsgspecError, ValueError):
            invitation = _body.decode(body)
            if invitation.id == name and genuine(invitation):
                return invitation, forged
        forged.add(str(name))
    return None, forged


def open_ids(db: Database, device: str) -> list[str]:
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


def slot(
    db: Database, device: str, now: int, genuine: Callable[[Invitation], bool] = lambda _: True
) -> Slot:
    """Return what the device should be showing, under a version above all before.

    The version is the hub's time in milliseconds, pushed on where that would not grow: even
    a hub restored from an old copy goes on above what its devices have seen. One that no device
    can have taken, for messages hold none so high, was put there by somebody: it begins anew at
    the hub's time. `genuine(invitation)` says whether the hub has issued it.
    """
    current, forged = _current(db, device, genuine)
    shown = None if current is None else current.id
    unsettled = [name for name in open_ids(db, device) if name != shown and name not in forged]
    return Slot(version=_version(db, device, now), invitation=current, unsettled=tuple(unsettled))


def _version(db: Database, device: str, now: int) -> int:
    before = db.conn.execute("SELECT version FROM slots WHERE device = ?", (device,)).fetchone()
    version = now
    if before is not None:
        if 0 <= before[0] < VERSION_LIMIT:
            version = max(now, before[0] + 1)
        else:
            log.critical("slot=altered device=%s version=%d note=begun-anew", device, before[0])
    db.conn.execute(
        "INSERT INTO slots (device, version) VALUES (?1, ?2)"
        " ON CONFLICT (device) DO UPDATE SET version = ?2",
        (device, version),
    )
    return version


def near_their_end(db: Database) -> list[str]:
    """Return the devices whose versions were pushed so high that hardly any is left."""
    rows = db.conn.execute(
        "SELECT device FROM slots WHERE version > ? ORDER BY device", (NEAR_LIMIT,)
    )
    return [str(device) for (device,) in rows.fetchall()]


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
