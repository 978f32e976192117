"""Sessions of people at the pages: the cookie's token is known here by its digest alone."""

import hashlib
from typing import Any, Literal

import msgspec
from sqlite_utils import Database

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
    """Keep a new session."""
    db.conn.execute(
        "INSERT INTO sessions (digest, user, csrf, address, created_at, seen_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        (digest(token), user, csrf, address, now),
    )


def get(db: Database, token: str) -> Session | None:
    """Return the session of a token, also one that has ended, or None."""
    row = db.conn.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE digest = ?",  # noqa: S608 - constant columns
        (digest(token),),
    ).fetchone()
    return None if row is None else _session(row)


def touch(db: Database, found: Session, now: int) -> None:
    """Note that somebody has clicked."""
    db.conn.execute(
        "UPDATE sessions SET seen_at = ? WHERE digest = ? AND ended_at IS NULL", (now, found.digest)
    )


def end(db: Database, found: Session, now: int, why: End) -> bool:
    """End a session; False if it had ended already."""
    return bool(
        db.conn.execute(
            "UPDATE sessions SET ended_at = ?, why = ? WHERE digest = ? AND ended_at IS NULL",
            (now, why, found.digest),
        ).rowcount
    )


def end_of(db: Database, user: str, now: int, why: End) -> int:
    """End all sessions of a user; return how many."""
    return db.conn.execute(
        "UPDATE sessions SET ended_at = ?, why = ? WHERE user = ? AND ended_at IS NULL",
        (now, why, user),
    ).rowcount


def still_open(db: Database) -> list[Session]:
    """Return all sessions that have not ended."""
    rows = db.conn.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE ended_at IS NULL"  # noqa: S608 - constant columns
    )
    return [_session(row) for row in rows]


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


def _session(row: tuple[Any, ...]) -> Session:
    return Session(**dict(zip(Session.__struct_fields__, row, strict=True)))
