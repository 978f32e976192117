"""Which kiosk stands at which window, and who serves there: a view of the ledger's bindings."""

import contextlib

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


_change = msgspec.json.Decoder(Change)


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


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """Which kiosk and which clerk a window has, None: none."""

    device: str | None = None
    staff: Staff | None = None


def kept(db: Database, window: str) -> Bound:
    """Return how a window stands by the tables."""
    held = seat(db, window)
    return Bound(device=device_of(db, window), staff=held.staff if held else None)


def entered(db: Database, window: str) -> Bound:
    """Return how a window stands by the ledger, at the cost of a few looks at an index."""
    paired = _last(db, window, "paired", "unpaired")
    seated = _last(db, window, "signed_on", "signed_off")
    return Bound(
        device=paired[0] if paired else None,
        staff=_change.decode(seated[1]).staff if seated else None,
    )


def _last(db: Database, window: str, begins: str, ends: str) -> tuple[str, bytes] | None:
    """Return device and body of the last entry of two kinds about a window, if it `begins`."""
    row = db.conn.execute(
        """
        SELECT kind, device, body FROM ledger WHERE position = (
            SELECT max(position) FROM (
                SELECT max(position) AS position FROM ledger INDEXED BY ledger_bound
                WHERE kind IN ('paired', 'unpaired', 'signed_on', 'signed_off') AND kind = ?2
                    AND CASE WHEN json_valid(CAST(body AS TEXT))
                        THEN json_extract(CAST(body AS TEXT), '$.window') END = ?1
                UNION ALL
                SELECT max(position) FROM ledger INDEXED BY ledger_bound
                WHERE kind IN ('paired', 'unpaired', 'signed_on', 'signed_off') AND kind = ?3
                    AND CASE WHEN json_valid(CAST(body AS TEXT))
                        THEN json_extract(CAST(body AS TEXT), '$.window') END = ?1))
        """,
        (window, begins, ends),
    ).fetchone()
    return (row[1], bytes(row[2])) if row is not None and row[0] == begins else None


def windows_told_of(db: Database) -> set[str]:
    """Return the windows that a table has something bound to."""
    rows = db.conn.execute("SELECT window FROM pairings UNION SELECT window FROM sign_ons")
    return {str(window) for (window,) in rows.fetchall()}


def replayed(db: Database) -> dict[str, Bound]:
    """Return how the ledger leaves every window that it tells of, by all of its changes."""
    found: dict[str, Bound] = {}
    rows = db.conn.execute(
        """
        SELECT kind, device, body FROM ledger
        WHERE kind IN ('paired', 'unpaired', 'signed_on', 'signed_off') ORDER BY position
        """
    )
    for kind, device, body in rows:
        with contextlib.suppress(msgspec.MsgspecError, ValueError):
            change = _change.decode(body)
            before = found.get(change.window, Bound())
            found[change.window] = after(before, kind, device, change)
    return found


def after(before: Bound, kind: str, device: str, change: Change) -> Bound:
    """Return how a window stands after an entry of one of the four kinds."""
    if kind in ("paired", "unpaired"):
        return msgspec.structs.replace(before, device=device if kind == "paired" else None)
    return msgspec.structs.replace(before, staff=change.staff if kind == "signed_on" else None)


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
