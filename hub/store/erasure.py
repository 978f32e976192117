"""What may be erased, and erasing it: citizens' data, their words, refused evidence.

Nothing goes that the city has not got: of a case, every record must have been accepted and
every invitation ended.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from sqlite_utils import Database

from hub.rules.retention import own_part, payload_of, words_of
from hub.store import citizens, ledger
from hub.store.audit import TEXT_LIMIT
from hub.store.vault import Vault

Hindrance = Literal["unknown", "erased", "open", "waiting", "set_aside", "unsent"]
"""Why a case's data stay: there is no such case; they are gone; an invitation is open; records
wait for the city, or were set aside; a rating or the case itself was never accepted by it."""

_HELD = "substr(c.applicant_name, 1, 1) = x'01'"
_ENDED = """
    EXISTS (
        SELECT 1 FROM deliveries AS d
        WHERE d.serial = c.serial AND d.service_number = c.service_number
            AND d.kind = 'service' AND d.state = 'accepted')
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS d
        WHERE d.serial = c.serial AND d.service_number = c.service_number
            AND (d.state <> 'accepted' OR d.settled_at IS NULL OR d.settled_at > ?1))
    AND NOT EXISTS (
        SELECT 1 FROM invitations AS i
        WHERE i.serial = c.serial AND i.service_number = c.service_number
            AND (i.outcome IS NULL OR i.outcome = 'rated' AND NOT EXISTS (
                SELECT 1 FROM deliveries AS d
                WHERE d.serial = c.serial AND d.service_number = c.service_number
                    AND d.kind = 'rating' AND d.state = 'accepted')))
"""
_FOREVER = 1 << 62

UNSEARCHED = "unsearched"
"""Mark: something was erased, and the file has not been searched for it since (1)."""


def due(db: Database, before: int, limit: int) -> list[tuple[str, int]]:
    """Return cases that the city has had whole since `before`, and whose citizens are known."""
    rows = db.conn.execute(
        f"SELECT c.serial, c.service_number FROM citizens AS c WHERE {_HELD} AND {_ENDED}"  # noqa: S608
        " ORDER BY c.id LIMIT ?2",
        (before, limit),
    )
    return [(str(serial), int(number)) for serial, number in rows.fetchall()]


def still_due(db: Database, before: int, serial: str, service_number: int) -> bool:
    """Whether that is so of this case, now that nobody else can write."""
    row = db.conn.execute(
        f"SELECT 1 FROM citizens AS c WHERE {_HELD} AND {_ENDED}"  # noqa: S608
        " AND c.serial = ?2 AND c.service_number = ?3",
        (before, serial, service_number),
    ).fetchone()
    return row is not None


def kept_back(db: Database, before: int) -> int:
    """Return how many cases are as old and stay, for the city has not all of them."""
    (count,) = db.conn.execute(
        f"SELECT count(*) FROM citizens AS c JOIN cases AS k USING (serial, service_number)"  # noqa: S608
        f" WHERE k.updated_at <= ?1 AND {_HELD} AND NOT ({_ENDED.replace('?1', str(_FOREVER))})",
        (before,),
    ).fetchone()
    return int(count)


def hindrance(db: Database, serial: str, service_number: int) -> Hindrance | None:
    """Return why a case's data may not be erased now, or None."""
    key = (serial, service_number)
    kept = citizens.row(db, *key)
    if kept is None:
        return "unknown"
    if not kept.held and not words_of_case(db, *key):
        return "erased"
    open_ = db.conn.execute(
        "SELECT 1 FROM invitations WHERE serial = ? AND service_number = ? AND outcome IS NULL", key
    ).fetchone()
    if open_ is not None:
        return "open"
    states = {
        str(state)
        for (state,) in db.conn.execute(
            "SELECT state FROM deliveries WHERE serial = ? AND service_number = ?", key
        )
    }
    for state in ("waiting", "set_aside"):
        if state in states:
            return state
    may = db.conn.execute(
        f"SELECT 1 FROM citizens AS c WHERE serial = ?2 AND service_number = ?3 AND {_ENDED}",  # noqa: S608
        (_FOREVER, *key),
    ).fetchone()
    return "unsent" if may is None else None


def words_of_case(db: Database, serial: str, service_number: int) -> list[tuple[int, bytes]]:
    """Return the entries of a case that hold a citizen's words: position and body.

    Its ratings, and what was added to them.
    """
    rows = db.conn.execute(
        """
        SELECT l.position, l.body FROM invitations AS i JOIN ledger AS l
            ON l.outcome = i.outcome_id AND l.invitation = i.id
        WHERE i.serial = ?1 AND i.service_number = ?2 AND l.body <> x''
        UNION ALL
        SELECT l.position, l.body FROM invitations AS i JOIN ledger AS l
            ON l.invitation = i.id AND l.kind IN ('ruled', 'added') AND l.kind = 'added'
        WHERE i.serial = ?1 AND i.service_number = ?2 AND l.body <> x''
        UNION ALL
        SELECT l.position, l.body FROM fed AS f JOIN ledger AS l ON l.position = f.position
        WHERE f.serial = ?1 AND f.service_number = ?2 AND l.body <> x''
        """,
        (serial, service_number),
    )
    return [(int(p), bytes(body)) for p, body in rows.fetchall() if words_of(bytes(body))]


def words_due(
    db: Database, before: int, after: int, limit: int, most: int
) -> tuple[list[tuple[int, bytes]], int]:
    """Look at `limit` ratings behind delivery `after`; return at most `most` entries, as above.

    Those that hold words and that the city has had since `before`; and behind which delivery to
    go on, 0: that was the last.
    """
    rows = db.conn.execute(
        "SELECT d.id, l.position, l.body, d.state = 'accepted' AND d.settled_at <= ?"
        " FROM deliveries AS d JOIN ledger AS l ON l.position = d.position"
        " WHERE (d.kind = 'rating' OR l.kind = 'fed') AND d.id > ? ORDER BY d.id LIMIT ?",
        (before, after, limit),
    )
    return _with_words(rows, limit, most)


def refused_words_due(
    db: Database, before: int, after: int, limit: int, most: int
) -> tuple[list[tuple[int, bytes]], int]:
    """Look at `limit` entries behind `after`, for those that hold refused words since `before`."""
    rows = db.conn.execute(
        "SELECT position, position, body, recorded_at <= ? AND substr(body, 1, 1) = x'7b'"
        " FROM ledger WHERE kind IN ('expired', 'withdrawn') AND position > ?"
        " ORDER BY position LIMIT ?",
        (before, after, limit),
    )
    return _with_words(rows, limit, most)


def added_words_due(
    db: Database, before: int, after: int, limit: int, most: int
) -> tuple[list[tuple[int, bytes]], int]:
    """Look at `limit` entries behind `after`, for words that were added to a rating.

    Those that the city has had since `before`, or that are as old and are not for the city.
    """
    rows = db.conn.execute(
        """
        SELECT l.position, l.position, l.body, CASE
            WHEN d.id IS NOT NULL THEN d.state = 'accepted' AND d.settled_at <= ?1
            ELSE i.outcome IS NOT NULL AND l.recorded_at <= ?1 END
        FROM ledger AS l INDEXED BY ledger_afterwards
        JOIN invitations AS i ON i.id = l.invitation
        LEFT JOIN deliveries AS d ON d.serial = i.serial AND d.service_number = i.service_number
            AND d.kind = 'addition' AND d.position = l.position
        WHERE l.kind IN ('ruled', 'added') AND l.kind = 'added' AND l.position > ?2
        ORDER BY l.position LIMIT ?3
        """,
        (before, after, limit),
    )
    return _with_words(rows, limit, most)


def _with_words(
    rows: Iterable[tuple[int, int, bytes, int | None]], limit: int, most: int
) -> tuple[list[tuple[int, bytes]], int]:
    found: list[tuple[int, bytes]] = []
    seen = last = 0
    for place, position, body, old in rows:
        seen, last = seen + 1, place
        if old and words_of(bytes(body)):
            found.append((position, bytes(body)))
            if len(found) == most:
                return found, last
    return found, last if seen == limit else 0


def erase_words(
    db: Database,
    vault: Vault,
    entries: Sequence[tuple[int, bytes]],
    *,
    by: str,
    why: str,
    now: int,
) -> tuple[int, list[bytes]]:
    """Erase entries' bodies, saying so in the ledger; the audit trail has to name that entry.

    Returns its position, and by what the bodies could be found. Raises `VaultError`.
    """
    places = [position for position, _ in entries]
    told = ledger.erase(db, vault, places, by=by, why=why, now=now)
    return told, [own_part(body) for _, body in entries]


def without_act(db: Database) -> list[int]:
    """Return the erasures (positions of entries `erased`) of which the audit trail knows nothing.

    An act names its entry. Acts of before that rule name none: each of them stands for one
    entry of the same moment and name, for no more.
    """
    rows = db.conn.execute(
        """
        WITH acts AS (
            SELECT at, actor, json_extract(detail, '$.entry') AS entry FROM audit
            WHERE allowed AND (action = 'erase_citizen'
                OR action = 'retention' AND target <> 'evidence')),
        untold AS (
            SELECT position, recorded_at, substr(CASE WHEN json_valid(CAST(body AS TEXT))
                THEN json_extract(CAST(body AS TEXT), '$.by') END, 1, ?) AS actor
            FROM ledger WHERE kind = 'erased'
                AND position NOT IN (SELECT entry FROM acts WHERE entry IS NOT NULL))
        SELECT position FROM (
            SELECT position, recorded_at, actor,
                row_number() OVER (PARTITION BY recorded_at, actor ORDER BY position) AS place
            FROM untold) AS u
        WHERE place > (SELECT count(*) FROM acts
            WHERE entry IS NULL AND at = u.recorded_at AND acts.actor = u.actor)
        ORDER BY position
        """,
        (TEXT_LIMIT,),
    )
    return [int(position) for (position,) in rows.fetchall()]


def evidence_of_case(db: Database, serial: str, service_number: int) -> list[bytes]:
    """Return which pieces of evidence (their digests) answer an invitation of this case."""
    rows = db.conn.execute(
        "SELECT id FROM invitations WHERE serial = ? AND service_number = ?",
        (serial, service_number),
    )
    names = {str(name) for (name,) in rows.fetchall()}
    found = []
    for digest, body in db.conn.execute("SELECT digest, body FROM evidence"):
        said = payload_of(bytes(body))
        if said is not None and said.get("invitation") in names:
            found.append(bytes(digest))
    return found


def evidence_due(db: Database, before: int, limit: int) -> list[bytes]:
    """Return which pieces of evidence came before then."""
    rows = db.conn.execute("SELECT digest FROM evidence WHERE at <= ? LIMIT ?", (before, limit))
    return [bytes(digest) for (digest,) in rows.fetchall()]


def erase_evidence(db: Database, digests: Sequence[bytes]) -> list[bytes]:
    """Erase evidence; how often it was refused stays counted. Returns by what it could be found."""
    found = []
    for digest in digests:
        (body,) = db.conn.execute(
            "SELECT body FROM evidence WHERE digest = ?", (digest,)
        ).fetchone()
        found.append(own_part(bytes(body)))
        db.conn.execute(
            "UPDATE evidence SET body = zeroblob(length(body)) WHERE digest = ?", (digest,)
        )
        db.conn.execute("DELETE FROM evidence WHERE digest = ?", (digest,))
    return found


def mark(db: Database, name: str) -> int | None:
    """Return what was noted for the next run, or None."""
    row = db.conn.execute("SELECT value FROM retention WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def set_mark(db: Database, name: str, value: int) -> None:
    """Note something for the next run."""
    db.conn.execute(
        "INSERT INTO retention VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        (name, value),
    )


def newest_entry_at(db: Database) -> int | None:
    """Return when the newest entry of the ledger was made, by the hub's clock, or None."""
    row = db.conn.execute(
        "SELECT recorded_at FROM ledger ORDER BY position DESC LIMIT 1"
    ).fetchone()
    return None if row is None else int(row[0])
