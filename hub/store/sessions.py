"""Sessions of people at the pages: the cookie's token is known here by its digest alone.

The hub's mark (`hub.store.signet`) binds that digest to user, form token and time: a session that
was put in past the hub opens nothing. One that has ended has no mark any more.
"""

import hashlib
from typing import Any, Literal

import msgspec
from sqlite_utils import Database

from hub.store import signet
from hub.store.signet import Forged, Value

End = Literal["sign_out", "idle", "over", "clock", "again", "password", "roles", "disabled"]
"""Why a session ended: signed out; no click for too long; as old as one may be; the hub's clock
was put back; the same browser signed in again; the user's password, roles or rights changed."""

_COLUMNS = "digest, user, csrf, address, created_at, seen_at, ended_at, why"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in of one browser; times: milliseconds since 1970."""

    digest: bytes
    user: str
    csrf: str
    address: str
    created_at: int
    seen_at: int
    ended_at: int | None
    why: str


def digest(token: str) -> bytes:
    """Return what is kept of a cookie's token."""
    return hashlib.sha256(token.encode()).digest()


def begin(db: Database, token: str, csrf: str, *, user: str, address: str, now: int) -> None:
    """Keep a new session. Raises `VaultError`."""
    said = (digest(token), user, csrf, address, now)
    db.conn.execute(
        "INSERT INTO sessions (digest, user, csrf, address, created_at, seen_at, mark)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
        (*said, signet.of(db).mark("session", said)),
    )


def get(db: Database, token: str) -> Session | None:
    """Return the session of a token, also one that has ended, or None.

    Raises `Forged` for one that has not ended and that the hub has not begun; and `VaultError`.
    """
    row = db.conn.execute(
        f"SELECT {_COLUMNS}, mark FROM sessions WHERE digest = ?",  # noqa: S608 - constant columns
        (digest(token),),
    ).fetchone()
    if row is None:
        return None
    found = _session(row[:-1])
    if found.ended_at is None and (forged := _forged(db, found, row[-1])) is not None:
        raise forged
    return found


def touch(db: Database, found: Session, now: int) -> None:
    """Note that somebody has clicked."""
    db.conn.execute(
        "UPDATE sessions SET seen_at = ? WHERE digest = ? AND ended_at IS NULL", (now, found.digest)
    )


def end(db: Database, found: Session, now: int, why: End) -> bool:
    """End a session; False if it had ended already."""
    return bool(
        db.conn.execute(
            "UPDATE sessions SET ended_at = ?, why = ?, mark = x''"
            " WHERE digest = ? AND ended_at IS NULL",
            (now, why, found.digest),
        ).rowcount
    )


def end_of(db: Database, user: str, now: int, why: End) -> int:
    """End all sessions of a user; return how many."""
    return db.conn.execute(
        "UPDATE sessions SET ended_at = ?, why = ?, mark = x'' WHERE user = ? AND ended_at IS NULL",
        (now, why, user),
    ).rowcount


def still_open(db: Database) -> list[Session]:
    """Return all sessions that have not ended."""
    rows = db.conn.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE ended_at IS NULL"  # noqa: S608 - constant columns
    )
    return [_session(row) for row in rows]


def forged(db: Database) -> list[Forged]:
    """Return those that have not ended and that the hub has not begun like this."""
    rows = db.conn.execute(
        f"SELECT {_COLUMNS}, mark FROM sessions WHERE ended_at IS NULL"  # noqa: S608 - constant
    ).fetchall()
    found = [_forged(db, _session(row[:-1]), row[-1]) for row in rows]
    return [each for each in found if each is not None]


def signed_in_from(db: Database, user: str, address: str, since: int) -> bool:
    """Whether a user has signed in from an address since then."""
    row = db.conn.execute(
        "SELECT 1 FROM sessions WHERE user = ? AND address = ? AND created_at >= ? LIMIT 1",
        (user, address, since),
    ).fetchone()
    return row is not None


def forget(db: Database, before: int) -> None:
    """Drop what ended long ago; the audit trail keeps what is to be known of it."""
    db.conn.execute("DELETE FROM sessions WHERE ended_at < ?", (before,))


def _forged(db: Database, found: Session, mark: bytes) -> Forged | None:
    ours = signet.of(db)
    said: tuple[Value, ...] = (
        found.digest,
        found.user,
        found.csrf,
        found.address,
        found.created_at,
    )
    return None if ours.fits("session", said, mark) else ours.forged("session", found.user, said)


def _session(row: tuple[Any, ...]) -> Session:
    return Session(**dict(zip(Session.__struct_fields__, row, strict=True)))
