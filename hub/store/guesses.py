"""Wrong passwords, counted by who is to wait: a name at an address, a name, an address."""

import msgspec
from sqlite_utils import Database

from hub.rules.tries import Tries


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one who tries; `ignored`: tries that the lock has kept out."""

    who: str
    tries: Tries
    ignored: int


def get(db: Database, who: str) -> Tries:
    """Return what is remembered; nothing is like no wrong try."""
    row = db.conn.execute(
        "SELECT failures, last_at, locked_until FROM guesses WHERE who = ?", (who,)
    ).fetchone()
    return Tries() if row is None else _tries(*row)


def put(db: Database, who: str, tries: Tries) -> None:
    """Remember."""
    db.conn.execute(
        """
        INSERT INTO guesses (who, failures, last_at, locked_until, ignored)
        VALUES (?1, ?2, ?3, ?4, 0)
        ON CONFLICT (who) DO UPDATE SET failures = ?2, last_at = ?3, locked_until = ?4
        """,
        (who, tries.failures, tries.last_at, tries.locked_until),
    )


def drop(db: Database, who: str) -> None:
    """Remember nothing of one who tries."""
    db.conn.execute("DELETE FROM guesses WHERE who = ?", (who,))


def ignore(db: Database, who: str, times: int) -> None:
    """Count tries that were not looked at."""
    db.conn.execute("UPDATE guesses SET ignored = ignored + ? WHERE who = ?", (times, who))


def beginning(db: Database, prefix: str) -> list[Kept]:
    """Return what is remembered of all whose key begins with `prefix`."""
    rows = db.conn.execute(
        "SELECT who, failures, last_at, locked_until, ignored FROM guesses"
        " WHERE who >= ?1 AND who < ?1 || char(1114111) ORDER BY who",
        (prefix,),
    )
    return [_kept(row) for row in rows]


def take_ignored(db: Database, now: int) -> list[Kept]:
    """Return those whose lock is over and who tried meanwhile; their count begins anew."""
    found = [
        _kept(row)
        for row in db.conn.execute(
            "SELECT who, failures, last_at, locked_until, ignored FROM guesses"
            " WHERE ignored > 0 AND locked_until <= ? ORDER BY who",
            (now,),
        )
    ]
    if found:
        db.conn.execute("UPDATE guesses SET ignored = 0 WHERE locked_until <= ?", (now,))
    return found


def forget(db: Database, before: int) -> None:
    """Drop those who have not tried since then."""
    db.conn.execute("DELETE FROM guesses WHERE last_at < ?1 AND locked_until < ?1", (before,))


def _tries(failures: int, last_at: int, locked_until: int) -> Tries:
    return Tries(failures=failures, last_at=last_at, locked_until=locked_until)


def _kept(row: tuple[str, int, int, int, int]) -> Kept:
    who, failures, last_at, locked_until, ignored = row
    return Kept(who=who, tries=_tries(failures, last_at, locked_until), ignored=ignored)
