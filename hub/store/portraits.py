"""The photographs of clerks (照片), one for an account, as citizens see them beside the name.

A photograph is of the clerk that its account was when it was given: once the account says another
name or number it is shown no more, and nobody's face stands beside another's name. The hub's mark
(`hub.store.signet`) binds it to both: one that was put in past the hub is shown to nobody.
"""

import hashlib

from msgspec import Struct
from sqlite_utils import Database

from hub.store import signet, users
from hub.store.signet import Forged
from protocol.messages import Staff


class Portrait(Struct, frozen=True, kw_only=True):
    """What is known of a photograph. `at`: milliseconds since 1970; `shown`: to citizens."""

    name: str
    number: str
    digest: str
    at: int
    shown: bool


_COLUMNS = (
    "portraits.user, portraits.name, portraits.number, digest, added_at, portraits.mark, picture"
)
_Row = tuple[str, str, str, str, int, bytes, bytes]
_CLERK = """
    portraits.name = json_extract(users.staff, '$.name')
    AND portraits.number = ifnull(json_extract(users.staff, '$.number'), '')
"""


def put(db: Database, user: str, staff: Staff, picture: bytes, now: int) -> str:
    """Keep a photograph in the place of the one before; return its digest. Raises `VaultError`."""
    digest = hashlib.sha256(picture).hexdigest()
    said = (user, staff.name, staff.number, digest, now)
    db.conn.execute(
        "INSERT OR REPLACE INTO portraits (user, name, number, digest, added_at, picture, mark)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*said, picture, signet.of(db).mark("portrait", said)),
    )
    return digest


def remove(db: Database, user: str) -> bool:
    """Take the photograph of an account away; False if there was none."""
    return bool(db.conn.execute("DELETE FROM portraits WHERE user = ?", (user,)).rowcount)


def of_user(db: Database, user: str) -> Portrait | None:
    """Return what is known of the photograph of an account, or None."""
    row = db.conn.execute(
        f"""
        SELECT {_COLUMNS}, ifnull({_CLERK}, 0)
        FROM portraits JOIN users ON users.name = portraits.user WHERE portraits.user = ?
        """,  # noqa: S608 - constant
        (user,),
    ).fetchone()
    if row is None:
        return None
    _, name, number, digest, at, *_, shown = row
    good = bool(shown) and _forged(db, row[:-1]) is None
    return Portrait(name=name, number=number, digest=digest, at=at, shown=good)


def picture_of_user(db: Database, user: str) -> bytes | None:
    """Return the photograph of an account, or None."""
    row = db.conn.execute("SELECT picture FROM portraits WHERE user = ?", (user,)).fetchone()
    return None if row is None else bytes(row[0])


def digest_of(db: Database, staff: Staff) -> str:
    """Return the digest of a clerk's photograph, empty if there is none that the hub was given."""
    rows = db.conn.execute(
        f"""
        SELECT {_COLUMNS} FROM portraits JOIN users ON users.name = portraits.user
        WHERE portraits.name = ? AND portraits.number = ? AND {_CLERK} ORDER BY added_at DESC
        """,  # noqa: S608 - constant
        (staff.name, staff.number),
    ).fetchall()
    return next((str(row[3]) for row in rows if _good(db, row)), "")


def picture(db: Database, digest: str) -> bytes:
    """Return the photograph of this digest; raises `KeyError` if there is none."""
    rows = db.conn.execute("SELECT picture FROM portraits WHERE digest = ?", (digest,))
    for (found,) in rows.fetchall():
        if hashlib.sha256(found).hexdigest() == digest:
            return bytes(found)
    raise KeyError(digest)


def forged(db: Database) -> list[Forged]:
    """Return the photographs that the hub was not given like this."""
    rows = db.conn.execute(f"SELECT {_COLUMNS} FROM portraits ORDER BY user").fetchall()  # noqa: S608
    return [found for row in rows if (found := _forged(db, row)) is not None]


def mark_all(db: Database) -> None:
    """Take all for the hub's own, as hubs of before left them, whose pictures are what they say."""
    for row in db.conn.execute(f"SELECT {_COLUMNS} FROM portraits").fetchall():  # noqa: S608
        mark = signet.of(db).mark("portrait", row[:5])
        db.conn.execute("UPDATE portraits SET mark = ? WHERE user = ?", (mark, row[0]))


def _good(db: Database, row: _Row) -> bool:
    try:
        return users.get(db, row[0]) is not None and _forged(db, row) is None
    except Forged:
        return False


def _forged(db: Database, row: _Row) -> Forged | None:
    ours, said = signet.of(db), row[:5]
    whole = hashlib.sha256(row[6]).hexdigest() == row[3]
    if whole and ours.fits("portrait", said, row[5]):
        return None
    return ours.forged("portrait", row[0], said)
