"""The audit trail (操作记录): who did what, and who was denied what; it only grows.

Each entry carries the hub's mark over itself and the mark before it: one that was put in, altered
or taken out is named by `broken`. Entries of hubs of before have none; `begin` ties up all of them
in the first that has one.
"""

import contextlib
import hashlib
import hmac
from collections.abc import Iterator, Mapping

import msgspec
from sqlite_utils import Database

from hub.rules.access import Caller
from hub.store import signet
from hub.store.database import Swallowed
from hub.store.signet import Value

TEXT_LIMIT = 200
"""Characters of a name that somebody made up; what is longer is cut."""

_FEW = (
    "action IN ('add_user', 'set_roles', 'disable_user', 'enable_user', 'add_key',"
    " 'revoke_key', 'forged', 'begin_marks')"
)
"""By these few an index finds entries (m016)."""

BEGIN = "begin_marks"
"""What the entry is called from which on the trail is marked, where there was one before."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `at`: milliseconds since 1970. `detail` holds plain values, never a secret."""

    position: int
    at: int
    actor: str
    action: str
    target: str
    allowed: bool
    detail: dict[str, str | int | bool | None]


def note(
    db: Database,
    now: int,
    actor: str | Caller,
    action: str,
    target: str = "",
    *,
    allowed: bool = True,
    detail: Mapping[str, str | int | bool | None] | None = None,
) -> None:
    """Add an entry, in the same commit as what it tells of.

    A caller is told with the address that they came from, where it is known. Raises
    `VaultError`, and `database.Swallowed` where the file has not taken it: then nothing is
    committed.
    """
    # Takes the right to write: beside a running hub who reads first, and then writes, fails.
    db.conn.execute("UPDATE audit SET at = at WHERE 0")
    ours = signet.of(db)
    more = dict(detail or {})
    if isinstance(actor, Caller):
        more |= {"address": actor.address} if actor.address else {}
        actor = actor.name
    last, before = db.conn.execute(
        "SELECT position, mark FROM audit ORDER BY position DESC LIMIT 1"
    ).fetchone() or (0, b"")
    said: list[Value] = [
        last + 1,
        now,
        actor[:TEXT_LIMIT],
        action,
        target[:TEXT_LIMIT],
        int(allowed),
        msgspec.json.encode(more).decode(),
    ]
    cursor = db.conn.execute(
        "INSERT INTO audit (position, at, actor, action, target, allowed, detail, mark)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*said, ours.mark("act", [*said, bytes(before)])),
    )
    if cursor.rowcount != 1:
        raise Swallowed("操作记录")


def entries(
    db: Database,
    *,
    before: int | None = None,
    actor: str | None = None,
    denied: bool = False,
    limit: int = 100,
) -> list[Act]:
    """Return the newest entries below position `before`, newest first."""
    rows = db.conn.execute(
        """
        SELECT position, at, actor, action, target, allowed, detail FROM audit
        WHERE position < ifnull(?1, 9223372036854775807)
            AND (?2 IS NULL OR actor = ?2) AND (?3 = 0 OR allowed = 0)
        ORDER BY position DESC LIMIT ?4
        """,
        (before, actor, int(denied), limit),
    )
    return [
        Act(
            position=row[0],
            at=row[1],
            actor=row[2],
            action=row[3],
            target=row[4],
            allowed=bool(row[5]),
            detail=msgspec.json.decode(row[6]),
        )
        for row in rows
    ]


def gaps(db: Database) -> list[tuple[int, int]]:
    """Return from which to which position entries are missing; the last ones leave no gap."""
    if not db["audit"].exists():
        return []
    rows = db.conn.execute(
        """
        SELECT before + 1, position - 1 FROM (
            SELECT position, lag(position, 1, 0) OVER (ORDER BY position) AS before FROM audit)
        WHERE position > before + 1 ORDER BY position
        """
    )
    return [(int(first), int(last)) for first, last in rows.fetchall()]


def newest(db: Database) -> int | None:
    """Return the position of the newest entry, None: there is none."""
    (position,) = db.conn.execute("SELECT max(position) FROM audit").fetchone()
    return None if position is None else int(position)


def head(db: Database) -> tuple[int, bytes] | None:
    """Return position and mark of the newest entry, None: there is none."""
    row = db.conn.execute(
        "SELECT position, mark FROM audit ORDER BY position DESC LIMIT 1"
    ).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


def holds(db: Database, position: int, mark: bytes) -> bool:
    """Whether the entry stands there that was seen there with this mark."""
    row = db.conn.execute("SELECT mark FROM audit WHERE position = ?", (position,)).fetchone()
    return row is not None and bytes(row[0]) == mark


def begin(db: Database, now: int, users: int, keys: int) -> None:
    """Tie up what older hubs have noted, none of it marked, in one entry that is."""
    count = 0
    digest = hashlib.sha256()
    for row in _rows(db):
        count += 1
        digest.update(_line(row))
    counts = {"entries": count, "users": users, "keys": keys}
    note(db, now, "hub", BEGIN, detail={**counts, "digest": digest.hexdigest()})


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A place where the trail is not what this hub has noted.

    `position` None: among the first `older` entries, of hubs of before, or there is no telling.
    """

    position: int | None
    older: int = 0


def broken(db: Database, *, began: bool) -> Iterator[Broken]:
    """Yield where the trail does not fit, oldest first.

    `began`: the hub marks what it notes, so that what bears no mark has to be tied up.
    """
    ours = signet.of(db)
    digest = hashlib.sha256()
    before: bytes | None = None  # until the first that is marked
    older, tied = 0, False
    for count, row in enumerate(_rows(db)):
        said, mark = row[:-1], row[-1]
        if before is None and not mark:
            older += 1
        else:
            if not hmac.compare_digest(ours.mark("act", [*said, before or b""]), mark):
                yield Broken(position=row[0])
            elif not tied and said[3] == BEGIN:
                tied = True
                if older and _tied(said[6]) != (count, digest.hexdigest()):
                    yield Broken(position=None, older=count)
            before = mark
        if not tied:
            digest.update(_line(row))
    if older and not tied and began:
        yield Broken(position=None, older=older)


def older(db: Database) -> int:
    """Return how many entries stand before the first that is marked."""
    (count,) = db.conn.execute(
        "SELECT count(*) FROM audit WHERE position <"
        " (SELECT ifnull(min(position), 9223372036854775807) FROM audit WHERE mark <> x'')"
    ).fetchone()
    return int(count)


def account(db: Database, user: str) -> tuple[frozenset[str], bool] | None:
    """Return a user's roles, and whether disabled, as was last done; None: nothing was."""
    found: tuple[frozenset[str], bool] | None = None
    rows = db.conn.execute(
        f"""
        SELECT action, detail FROM audit
        WHERE target = 'user:' || ? AND {_FEW} AND allowed
            AND CASE WHEN json_valid(detail) THEN json_type(detail) END = 'object'
            AND action IN ('add_user', 'set_roles', 'disable_user', 'enable_user')
        ORDER BY position
        """,  # noqa: S608 - constant
        (user,),
    )
    for action, detail in rows:
        told = msgspec.json.decode(detail, type=dict)
        if action in ("add_user", "set_roles"):
            roles = frozenset(str(told.get("roles", "")).split())
            found = roles, action == "set_roles" and found is not None and found[1]
        elif told.get("why") == "forged":
            found = None
        elif found is not None:
            found = found[0], action == "disable_user"
    return found


@contextlib.contextmanager
def any_text(db: Database) -> Iterator[None]:
    """Have text that is none be read all the same: it would end a look at what was altered."""
    before = db.conn.text_factory
    db.conn.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        yield
    finally:
        db.conn.text_factory = before


def _tied(detail: str) -> tuple[object, object]:
    said = msgspec.json.decode(detail)
    return said.get("entries"), said.get("digest")


def _rows(db: Database) -> Iterator[tuple[int, int, str, str, str, int, str, bytes]]:
    yield from db.conn.execute(
        "SELECT position, at, actor, action, target, allowed, detail, mark FROM audit"
        " ORDER BY position"
    )


def _line(row: tuple[Value, ...]) -> bytes:
    return msgspec.json.encode(row[:-1]) + b"\n"


def knows(db: Database, action: str, target: str) -> bool:
    """Whether an entry tells that this was done to a user (`user:NAME`) or key (its id)."""
    row = db.conn.execute(
        f"SELECT 1 FROM audit WHERE target = ? AND action = ? AND allowed AND {_FEW} LIMIT 1",  # noqa: S608 - constant
        (target, action),
    ).fetchone()
    return row is not None


def told_forged(db: Database, target: str, row: str) -> bool:
    """Whether an entry has told already of this very row that is not the hub's."""
    found = db.conn.execute(
        f"SELECT 1 FROM audit WHERE target = ? AND action = 'forged' AND {_FEW}"  # noqa: S608 - constant
        " AND CASE WHEN json_valid(detail) THEN json_extract(detail, '$.row') END = ? LIMIT 1",
        (target, row),
    ).fetchone()
    return found is not None
