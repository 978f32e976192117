"""Which kiosk stands at which window, and who serves there: a view of the ledger's bindings."""

import msgspec
from sqlite_utils import Database

from hub.store import ledger
from protocol.messages import Staff


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the ledger says of one change of binding; `by` did it, `why` where it has a reason."""

    window: str
    by: str
    staff: Staff | None = None
    why: str = ""


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the ledger about a binding. `at`: milliseconds since 1970."""

    position: int
    kind: ledger.Kind
    at: int
    device: str
    change: Change


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A clerk at a window, since milliseconds since 1970."""

    window: str
    staff: Staff
    since: int


def device_of(db: Database, window: str) -> str | None:
    """Return the kiosk that is paired with a window, or None."""
    row = db.conn.execute("SELECT device FROM pairings WHERE window = ?", (window,)).fetchone()
    return None if row is None else str(row[0])


def window_of(db: Database, device: str) -> str | None:
    """Return the window that a kiosk is paired with, or None."""
    row = db.conn.execute("SELECT window FROM pairings WHERE device = ?", (device,)).fetchone()
    return None if row is None else str(row[0])


def pairings(db: Database) -> dict[str, str]:
    """Return the kiosk of every window that has one."""
    rows = db.conn.execute("SELECT window, device FROM pairings")
    return {str(window): str(device) for window, device in rows}


def pair(db: Database, window: str, device: str, *, by: str, now: int, why: str = "") -> set[str]:
    """Pair a kiosk with a window; whatever either was bound to before is unpaired.

    Returns the other kiosks whose binding ended.
    """
    if device_of(db, window) == device:
        return set()
    before = window_of(db, device)
    if before is not None:
        unpair(db, before, by=by, now=now, why=why)
    replaced = unpair(db, window, by=by, now=now, why=why)
    db.conn.execute("INSERT INTO pairings VALUES (?, ?, ?)", (window, device, now))
    _enter(db, "paired", now, device, Change(window=window, by=by, why=why))
    return set() if replaced is None else {replaced}


def unpair(db: Database, window: str, *, by: str, now: int, why: str = "") -> str | None:
    """End a window's pairing; return the kiosk that was there, or None."""
    device = device_of(db, window)
    if device is None:
        return None
    db.conn.execute("DELETE FROM pairings WHERE window = ?", (window,))
    _enter(db, "unpaired", now, device, Change(window=window, by=by, why=why))
    return device


def seat(db: Database, window: str) -> Seat | None:
    """Return who is signed on at a window, or None."""
    row = db.conn.execute(
        "SELECT window, name, number, post, since FROM sign_ons WHERE window = ?", (window,)
    ).fetchone()
    return None if row is None else _seat(row)


def seats(db: Database) -> dict[str, Seat]:
    """Return who is signed on, by window."""
    rows = db.conn.execute("SELECT window, name, number, post, since FROM sign_ons")
    return {str(row[0]): _seat(row) for row in rows}


def sign_on(db: Database, window: str, staff: Staff, *, by: str, now: int) -> set[str]:
    """Put a clerk at a window; who was there, and where the clerk was before, is signed off.

    Clerks are known apart by their number, where they have one, else by their name. Signing
    on again where one sits changes nothing. Returns the other windows that changed.
    """
    held = seat(db, window)
    if held is not None and held.staff == staff:
        return set()
    elsewhere = db.conn.execute(
        "SELECT window FROM sign_ons WHERE window <> ?1 AND"
        " (number = ?2 AND (?2 <> '' OR name = ?3))",
        (window, staff.number, staff.name),
    ).fetchall()
    for (other,) in elsewhere:
        sign_off(db, str(other), by=by, now=now, why="moved")
    sign_off(db, window, by=by, now=now, why="replaced")
    db.conn.execute(
        "INSERT INTO sign_ons (window, number, name, post, since) VALUES (?, ?, ?, ?, ?)",
        (window, staff.number, staff.name, staff.post, now),
    )
    _enter(
        db, "signed_on", now, device_of(db, window) or "", Change(window=window, by=by, staff=staff)
    )
    return {str(other) for (other,) in elsewhere}


def sign_off(db: Database, window: str, *, by: str, now: int, why: str = "") -> bool:
    """Let the clerk of a window go; False if there was none."""
    held = seat(db, window)
    if held is None:
        return False
    db.conn.execute("DELETE FROM sign_ons WHERE window = ?", (window,))
    change = Change(window=window, by=by, staff=held.staff, why=why)
    _enter(db, "signed_off", now, device_of(db, window) or "", change)
    return True


def history(db: Database, window: str | None = None, *, limit: int = 200) -> list[Binding]:
    """Return the newest changes of binding (of one window, or of all), newest first."""
    rows = db.conn.execute(
        """
        SELECT position, kind, recorded_at, device, body FROM ledger
        WHERE kind IN ('paired', 'unpaired', 'signed_on', 'signed_off')
            AND (?1 IS NULL OR json_extract(CAST(body AS TEXT), '$.window') = ?1)
        ORDER BY position DESC LIMIT ?2
        """,
        (window, limit),
    )
    return [
        Binding(
            position=row[0],
            kind=row[1],
            at=row[2],
            device=row[3],
            change=msgspec.json.decode(row[4], type=Change),
        )
        for row in rows
    ]


def _seat(row: tuple[str, str, str, str, int]) -> Seat:
    window, name, number, post, since = row
    return Seat(window=window, staff=Staff(name=name, number=number, post=post), since=since)


def _enter(db: Database, kind: ledger.Kind, now: int, device: str, change: Change) -> None:
    entry = ledger.Entry(
        kind=kind,
        recorded_at=now,
        device=device,
        invitation="",
        body=msgspec.json.encode(change),
    )
    ledger.append(db, entry)
