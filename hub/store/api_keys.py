"""Keys of the HTTP interface: shown once when they are made, kept here only as a hash.

Each row carries the hub's mark (`hub.store.signet`) over all that it says: one that was put in or
altered past the hub opens nothing.
"""

import hashlib
import hmac
import secrets

import msgspec
from sqlite_utils import Database

from hub.rules.access import Caller, Scope
from hub.store import audit, signet
from hub.store.signet import Forged

PREFIX = "pingyi"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as people may see it; times: milliseconds since 1970.

    `genuine`: the hub itself has made and written it like this; else it opens nothing.
    """

    id: str
    label: str
    scopes: tuple[Scope, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    genuine: bool

    def works(self, now: int) -> bool:
        """Whether it opens anything at `now`."""
        over = self.expires_at is not None and now >= self.expires_at
        return self.genuine and self.revoked_at is None and not over


_Row = tuple[str, str, str, int, int | None, int | None, bytes, bytes]
_COLUMNS = "id, label, scopes, created_at, expires_at, revoked_at, digest, mark"


def create(
    db: Database, label: str, scopes: frozenset[Scope], now: int, *, expires_at: int | None = None
) -> tuple[str, str]:
    """Make a key; return its id and, this once, the key itself (256 random bits).

    Raises `VaultError`.
    """
    name, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    words = msgspec.json.encode(sorted(scopes)).decode()
    said = (name, label, words, now, expires_at, None, _digest(secret))
    db.conn.execute(
        f"INSERT INTO api_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (*said, signet.of(db).mark("key", said)),
    )
    return name, f"{PREFIX}_{name}_{secret}"


def listed(db: Database) -> list[ApiKey]:
    """Return all keys, the oldest first, those that work no more too."""
    rows = db.conn.execute(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at, id")  # noqa: S608
    return [_key(row, genuine=_forged(db, row) is None) for row in rows.fetchall()]


def label(db: Database, name: str) -> str:
    """Return what the key of this id is for, in its makers' words; empty: there is none."""
    row = _row(db, name)
    return "" if row is None or _forged(db, row) is not None else row[1]


def revoke(db: Database, name: str, now: int) -> bool:
    """Have a key open nothing from now on; False if there is none or it is revoked already.

    One that is not the hub's own is deleted: marking it would make it ours.
    """
    row = _row(db, name)
    if row is None:
        return False
    if _forged(db, row) is not None:
        return bool(db.conn.execute("DELETE FROM api_keys WHERE id = ?", (name,)).rowcount)
    done = db.conn.execute(
        "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (now, name)
    )
    if done.rowcount:
        _mark(db, name)
    return bool(done.rowcount)


def caller(db: Database, key: str, now: int) -> Caller | None:
    """Return who comes with a key, or None if it opens nothing.

    Raises `Forged` for one that the hub has not made like this, or that was revoked once; and
    `VaultError`.
    """
    prefix, _, rest = key.partition("_")
    name, _, secret = rest.partition("_")
    if prefix != PREFIX:
        return None
    row = _row(db, name)
    if row is None or not hmac.compare_digest(_digest(secret), row[-2]):
        return None
    forged = _forged(db, row)
    if forged is not None:
        raise forged
    found = _key(row, genuine=True)
    if not found.works(now):
        return None
    return Caller(name=f"key:{found.id}", scopes=frozenset(found.scopes))


def forged(db: Database) -> list[Forged]:
    """Return the rows that the hub has not written like this."""
    rows = db.conn.execute(f"SELECT {_COLUMNS} FROM api_keys ORDER BY id").fetchall()  # noqa: S608
    return [found for row in rows if (found := _forged(db, row)) is not None]


def mark_all(db: Database) -> int:
    """Take all rows for the hub's own, as hubs of before left them; return how many."""
    names = [str(name) for (name,) in db.conn.execute("SELECT id FROM api_keys")]
    for name in names:
        _mark(db, name)
    return len(names)


def _mark(db: Database, name: str) -> None:
    row = _row(db, name)
    if row is not None:
        mark = signet.of(db).mark("key", row[:-1])
        db.conn.execute("UPDATE api_keys SET mark = ? WHERE id = ?", (mark, name))


def _forged(db: Database, row: _Row) -> Forged | None:
    ours, said = signet.of(db), row[:-1]
    # A row as it was before it was revoked has a mark that fits: the trail knows better.
    revived = row[5] is None and audit.knows(db, "revoke_key", row[0])
    if ours.fits("key", said, row[-1]) and not revived:
        return None
    return ours.forged("key", row[0], said)


def _row(db: Database, name: str) -> _Row | None:
    row: _Row | None = db.conn.execute(
        f"SELECT {_COLUMNS} FROM api_keys WHERE id = ?",  # noqa: S608 - constant columns
        (name,),
    ).fetchone()
    return row


def _key(row: _Row, *, genuine: bool) -> ApiKey:
    name, label, scopes, created_at, expires_at, revoked_at, _, _ = row
    known = {scope.value for scope in Scope}
    return ApiKey(
        id=name,
        label=label,
        scopes=tuple(Scope(each) for each in _words(scopes) if each in known),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        genuine=genuine,
    )


def _words(scopes: str) -> list[str]:
    try:
        return msgspec.json.decode(scopes, type=list[str])
    except msgspec.MsgspecError:  # a row that is not the hub's
        return []


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
