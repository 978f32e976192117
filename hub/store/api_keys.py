"""Keys of the HTTP interface: shown once when they are made, kept here only as a hash."""

import hashlib
import hmac
import secrets

import msgspec
from sqlite_utils import Database

from hub.rules.access import Caller, Scope

PREFIX = "pingyi"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as people may see it; times: milliseconds since 1970."""

    id: str
    label: str
    scopes: tuple[Scope, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None

    def works(self, now: int) -> bool:
        """Whether it opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


_COLUMNS = "id, label, scopes, created_at, expires_at, revoked_at"


def create(
    db: Database, label: str, scopes: frozenset[Scope], now: int, *, expires_at: int | None = None
) -> tuple[str, str]:
    """Make a key; return its id and, this once, the key itself (256 random bits)."""
    name, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    db.conn.execute(
        "INSERT INTO api_keys (id, label, digest, scopes, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            name,
            label,
            _digest(secret),
            msgspec.json.encode(sorted(scopes)).decode(),
            now,
            expires_at,
        ),
    )
    return name, f"{PREFIX}_{name}_{secret}"


def listed(db: Database) -> list[ApiKey]:
    """Return all keys, the oldest first, those that work no more too."""
    rows = db.conn.execute(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at, id")  # noqa: S608
    return [_key(row) for row in rows]


def label(db: Database, name: str) -> str:
    """Return what the key of this id is for, in its makers' words; empty: there is none."""
    row = db.conn.execute("SELECT label FROM api_keys WHERE id = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def revoke(db: Database, name: str, now: int) -> bool:
    """Have a key open nothing from now on; False if there is none or it is revoked already."""
    return bool(
        db.conn.execute(
            "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (now, name)
        ).rowcount
    )


def caller(db: Database, key: str, now: int) -> Caller | None:
    """Return who comes with a key, or None if it opens nothing."""
    prefix, _, rest = key.partition("_")
    name, _, secret = rest.partition("_")
    if prefix != PREFIX:
        return None
    row = db.conn.execute(
        f"SELECT {_COLUMNS}, digest FROM api_keys WHERE id = ?",  # noqa: S608 - constant columns
        (name,),
    ).fetchone()
    given = _digest(secret)
    if row is None:
        return None
    found = _key(row[:-1])
    if not hmac.compare_digest(given, row[-1]) or not found.works(now):
        return None
    return Caller(name=f"key:{found.id}", scopes=frozenset(found.scopes))


def _key(row: tuple[str, str, str, int, int | None, int | None]) -> ApiKey:
    name, label, scopes, created_at, expires_at, revoked_at = row
    known = {scope.value for scope in Scope}
    return ApiKey(
        id=name,
        label=label,
        scopes=tuple(Scope(each) for each in msgspec.json.decode(scopes) if each in known),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
