"""The users of the hub (账号): names, roles, the clerk that citizens see; passwords as hashes."""

from collections.abc import Iterable

import msgspec
from sqlite_utils import Database

from hub.rules.access import Role
from protocol.messages import Staff

_COLUMNS = "name, roles, staff, must_change, created_at, changed_at, disabled_at"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as people may see them; times: milliseconds since 1970."""

    name: str
    roles: tuple[Role, ...]
    staff: Staff | None
    must_change: bool
    created_at: int
    changed_at: int
    disabled_at: int | None

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

    `password` is a PHC string.
    """
    return bool(
        db.conn.execute(
            """
            INSERT INTO users (name, roles, staff, password, must_change, created_at, changed_at)
            VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5) ON CONFLICT (name) DO NOTHING
            """,
            (name, _roles(roles), _staff(staff), password, now),
        ).rowcount
    )


def get(db: Database, name: str) -> User | None:
    """Return a user, or None."""
    row = db.conn.execute(
        f"SELECT {_COLUMNS} FROM users WHERE name = ?",  # noqa: S608 - constant columns
        (name,),
    ).fetchone()
    return None if row is None else _user(row)


def listed(db: Database) -> list[User]:
    """Return all users by name, those who are disabled too."""
    rows = db.conn.execute(f"SELECT {_COLUMNS} FROM users ORDER BY name")  # noqa: S608
    return [_user(row) for row in rows]


def password_of(db: Database, name: str) -> str | None:
    """Return the hash of a user's password, or None if there is no such user."""
    row = db.conn.execute("SELECT password FROM users WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def set_password(db: Database, name: str, password: str, now: int, *, must_change: bool) -> None:
    """Put another hash in the place of the one before."""
    db.conn.execute(
        "UPDATE users SET password = ?, must_change = ?, changed_at = ? WHERE name = ?",
        (password, int(must_change), now, name),
    )


def set_roles(db: Database, name: str, roles: Iterable[Role], now: int) -> None:
    """Give a user these roles and no others."""
    db.conn.execute(
        "UPDATE users SET roles = ?, changed_at = ? WHERE name = ?", (_roles(roles), now, name)
    )


def set_staff(db: Database, name: str, staff: Staff | None, now: int) -> None:
    """Say which clerk citizens see when this user signs on."""
    db.conn.execute(
        "UPDATE users SET staff = ?, changed_at = ? WHERE name = ?", (_staff(staff), now, name)
    )


def set_disabled(db: Database, name: str, at: int | None, now: int) -> None:
    """Shut a user out since `at`, or let them in again (None)."""
    db.conn.execute(
        "UPDATE users SET disabled_at = ?, changed_at = ? WHERE name = ?", (at, now, name)
    )


def _user(row: tuple[str, str, str | None, int, int, int, int | None]) -> User:
    name, roles, staff, must_change, created_at, changed_at, disabled_at = row
    known = {role.value for role in Role}
    return User(
        name=name,
        roles=tuple(Role(each) for each in msgspec.json.decode(roles) if each in known),
        staff=None if staff is None else msgspec.json.decode(staff, type=Staff),
        must_change=bool(must_change),
        created_at=created_at,
        changed_at=changed_at,
        disabled_at=disabled_at,
    )


def _roles(roles: Iterable[Role]) -> str:
    held = frozenset(roles)
    return msgspec.json.encode([role for role in Role if role in held]).decode()


def _staff(staff: Staff | None) -> str | None:
    return None if staff is None else msgspec.json.encode(staff).decode()
