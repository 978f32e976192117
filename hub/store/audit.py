"""The audit trail (操作记录): who did what, and who was denied what; it only grows."""

from collections.abc import Mapping

import msgspec
from sqlite_utils import Database

from hub.rules.access import Caller

TEXT_LIMIT = 200
"""Characters of a name that somebody made up; what is longer is cut."""


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

    A caller is told with the address that they came from, where it is known.
    """
    more = dict(detail or {})
    if isinstance(actor, Caller):
        more |= {"address": actor.address} if actor.address else {}
        actor = actor.name
    db.conn.execute(
        "INSERT INTO audit (at, actor, action, target, allowed, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (
            now,
            actor[:TEXT_LIMIT],
            action,
            target[:TEXT_LIMIT],
            int(allowed),
            msgspec.json.encode(more).decode(),
        ),
    )


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
