"""The users of the hub (账号): names, roles, the clerk that citizens see; passwords as hashes.

Each row carries the hub's mark (`hub.store.signet`) over all that it says: one that was put in or
altered past the hub is nobody's account.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from sqlite_utils import Database

from hub.rules.access import Role
from hub.store import audit, signet
from hub.store.signet import Forged, Value
from protocol.messages import Staff

T = TypeVar("T")

_COLUMNS = "name, roles, staff, must_change, created_at, changed_at, disabled_at, password, mark"
_Row = tuple[str, str, str | None, int, int, int, int | None, str, bytes]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as people may see them; times: milliseconds since 1970.

    `genuine`: the hub itself has written them like this; else they may do nothing.
    """

    name: str
    roles: tuple[Role, ...]
    staff: Staff | None
    must_change: bool
    created_at: int
    changed_at: int
    disabled_at: int | None
    genuine: bool = True

    @property
    def disabled(self) -> bool:
        """Whether they may not sign in."""
        return self.disabled_at is not None


def add(
    db: Database,
    name: str,
    roles: Iterable[Role],
    staff: Staff | None,
    *,
    password: str,
    now: int,
) -> bool:
    """Add a user with the hash of a password that somebody else chose; False if the name is taken.

    `password` is a PHC string. Raises `VaultError`.
    """
    said = (name, _roles(roles), _staff(staff), 1, now, now, None, password)
    done = db.conn.execute(
        f"INSERT INTO users ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (name) DO NOTHING",
        (*said, signet.of(db).mark("user", said)),
    )
    return bool(done.rowcount)


def get(db: Database, name: str) -> User | None:
    """Return a user, or None.

    Raises `Forged` where the hub has not written them like this; and `VaultError`.
    """
    row = _genuine(db, name)
    return None if row is None else _user(row, genuine=True)


def listed(db: Database) -> list[User]:
    """Return all users by name, those who are disabled too."""
    rows = db.conn.execute(f"SELECT {_COLUMNS} FROM users ORDER BY name")  # noqa: S608
    return [_user(row, genuine=_forged(db, row) is None) for row in rows.fetchall()]


def password_of(db: Database, name: str) -> str | None:
    """Return the hash of a user's password, or None if there is no such user; raises as `get`."""
    row = _genuine(db, name)
    return None if row is None else row[-2]


def set_password(db: Database, name: str, password: str, now: int, *, must_change: bool) -> None:
    """Put another hash in the place of the one before; raises `Forged`, as all that follow."""
    _set(db, name, now, "password = ?, must_change = ?", password, int(must_change))


def set_roles(db: Database, name: str, roles: Iterable[Role], now: int) -> None:
    """Give a user these roles and no others."""
    _set(db, name, now, "roles = ?", _roles(roles))


def set_staff(db: Database, name: str, staff: Staff | None, now: int) -> None:
    """Say which clerk citizens see when this user signs on."""
    _set(db, name, now, "staff = ?", _staff(staff))


def set_disabled(db: Database, name: str, at: int | None, now: int) -> None:
    """Shut a user out since `at`, or let them in again (None)."""
    _set(db, name, now, "disabled_at = ?", at)


def discard(db: Database, name: str) -> bool:
    """Delete a user whom the hub has not written like this; False for any other."""
    row = _row(db, name)
    if row is None or _forged(db, row) is None:
        return False
    return bool(db.conn.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount)


def forged(db: Database) -> list[Forged]:
    """Return the rows that the hub has not written like this."""
    rows = db.conn.execute(f"SELECT {_COLUMNS} FROM users ORDER BY name").fetchall()  # noqa: S608
    return [found for row in rows if (found := _forged(db, row)) is not None]


def set_back(db: Database, name: str) -> Forged | None:
    """Return what tells of an account that says otherwise than the trail says was last done.

    The row of an account as it was before carries a mark that fits.
    """
    row, last = _row(db, name), audit.account(db, name)
    if row is None or last is None:
        return None
    known = _user(row, genuine=True)
    if last == (frozenset(known.roles), known.disabled):
        return None
    return signet.of(db).forged("user", name, row[:-1])


def mark_all(db: Database) -> int:
    """Take all rows for the hub's own, as hubs of before left them; return how many."""
    names = [str(name) for (name,) in db.conn.execute("SELECT name FROM users")]
    for name in names:
        _mark(db, name)
    return len(names)


def _set(db: Database, name: str, now: int, change: str, *values: Value) -> None:
    # Looked at first: marking what somebody else has written would make it the hub's.
    if _genuine(db, name) is not None:
        db.conn.execute(
            f"UPDATE users SET {change}, changed_at = ? WHERE name = ?",  # noqa: S608 - constant
            (*values, now, name),
        )
        _mark(db, name)


def _mark(db: Database, name: str) -> None:
    row = _row(db, name)
    if row is not None:
        mark = signet.of(db).mark("user", row[:-1])
        db.conn.execute("UPDATE users SET mark = ? WHERE name = ?", (mark, name))


def _genuine(db: Database, name: str) -> _Row | None:
    row = _row(db, name)
    if row is not None and (forged := _forged(db, row)) is not None:
        raise forged
    return row


def _forged(db: Database, row: _Row) -> Forged | None:
    ours, said = signet.of(db), row[:-1]
    return None if ours.fits("user", said, row[-1]) else ours.forged("user", row[0], said)


def _row(db: Database, name: str) -> _Row | None:
    row: _Row | None = db.conn.execute(
        f"SELECT {_COLUMNS} FROM users WHERE name = ?",  # noqa: S608 - constant columns
        (name,),
    ).fetchone()
    return row


def _user(row: _Row, *, genuine: bool) -> User:
    name, roles, staff, must_change, created_at, changed_at, disabled_at, _, _ = row
    known = {role.value for role in Role}
    return User(
        name=name,
        roles=tuple(Role(each) for each in _decoded(roles, list[str]) or () if each in known),
        staff=None if staff is None else _decoded(staff, Staff),
        must_change=bool(must_change),
        created_at=created_at,
        changed_at=changed_at,
        disabled_at=disabled_at,
        genuine=genuine,
    )


def _decoded(text: str, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:  # a row that is not the hub's
        return None


def _roles(roles: Iterable[Role]) -> str:
    held = frozenset(roles)
    return msgspec.json.encode([role for role in Role if role in held]).decode()


def _staff(staff: Staff | None) -> str | None:
    return None if staff is None else msgspec.json.encode(staff).decode()
