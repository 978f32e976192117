"""The photographs of clerks (照片), one for an account, as citizens see them beside the name.

A photograph is of the clerk that its account was when it was given: once the account says another
name or number it is shown no more, and nobody's face stands beside another's name.
"""

import hashlib

from msgspec import Struct
from sqlite_utils import Database

from protocol.messages import Staff


class Portrait(Struct, frozen=True, kw_only=True):
    """What is known of a photograph. `at`: milliseconds since 1970; `shown`: to citizens."""

    name: str
    number: str
    digest: str
    at: int
    shown: bool


_CLERK = """
    portraits.name = json_extract(users.staff, '$.name')
    AND portraits.number = ifnull(json_extract(users.staff, '$.number'), '')
"""


def put(db: Database, user: str, staff: Staff, picture: bytes, now: int) -> str:
    """Keep a photograph in the place of the one before; return its digest."""
    digest = hashlib.sha256(picture).hexdigest()
    db.conn.execute(
        "INSERT OR REPLACE INTO portraits (user, name, number, digest, picture, added_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (user, staff.name, staff.number, digest, picture, now),
    )
    return digest


def remove(db: Database, user: str) -> bool:
    """Take the photograph of an account away; False if there was none."""
    return bool(db.conn.execute("DELETE FROM portraits WHERE user = ?", (user,)).rowcount)


def of_user(db: Database, user: str) -> Portrait | None:
    """Return what is known of the photograph of an account, or None."""
    row = db.conn.execute(
        f"""
        SELECT portraits.name, portraits.number, digest, added_at, ifnull({_CLERK}, 0)
        FROM portraits JOIN users ON users.name = portraits.user WHERE portraits.user = ?
        """,  # noqa: S608 - constant condition
        (user,),
    ).fetchone()
    if row is None:
        return None
    name, number, digest, at, shown = row
    return Portrait(name=name, number=number, digest=digest, at=at, shown=bool(shown))


def picture_of_user(db: Database, user: str) -> bytes | None:
    """Return the photograph of an account, or None."""
    row = db.conn.execute("SELECT picture FROM portraits WHERE user = ?", (user,)).fetchone()
    return None if row is None else bytes(row[0])


def digest_of(db: Database, staff: Staff) -> str:
    """Return the digest of a clerk's photograph, empty if there is none."""
    row = db.conn.execute(
        f"""
        SELECT digest FROM portraits JOIN users ON users.name = portraits.user
        WHERE portraits.name = ? AND portraits.number = ? AND {_CLERK}
        ORDER BY added_at DESC LIMIT 1
        """,  # noqa: S608 - constant condition
        (staff.name, staff.number),
    ).fetchone()
    return "" if row is None else str(row[0])


def picture(db: Database, digest: str) -> bytes:
    """Return the photograph of this digest; raises `KeyError` if there is none."""
    row = db.conn.execute(
        "SELECT picture FROM portraits WHERE digest = ? LIMIT 1", (digest,)
    ).fetchone()
    if row is None:
        raise KeyError(digest)
    return bytes(row[0])
