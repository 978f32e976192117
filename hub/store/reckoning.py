"""The way to the city against the ledger: what is not on it, and what it never came to say."""

import logging
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from sqlite_utils import Database

from hub.store.deliveries import Kind

log = logging.getLogger(__name__)


class Lack(Struct, frozen=True, kw_only=True):
    """Something about a case that is not there, though the rest of it is.

    `of`: a delivery of that kind; the case itself; its citizen; or the citizen was erased before
    the city had the records. `position`: the ledger's entry that wants it, where there is one.
    """

    of: Kind | Literal["case", "citizen", "erased"]
    serial: str
    service_number: int
    position: int | None = None


def not_on_their_way(db: Database) -> list[int]:
    """Return the ratings (ledger positions) that ought to be on their way to the city, and are not.

    Of each service the first one is: of a repeated one the city hears nothing.
    """
    rows = db.conn.execute(
        """
        SELECT first FROM (
            SELECT min(l.position) AS first, i.serial, i.service_number
            FROM ledger AS l JOIN invitations AS i ON i.id = l.invitation
            WHERE l.kind = 'rated' GROUP BY i.serial, i.service_number) AS r
        LEFT JOIN deliveries AS d ON d.serial = r.serial
            AND d.service_number = r.service_number AND d.kind = 'rating' AND d.position = r.first
        WHERE d.id IS NULL ORDER BY first
        """
    )
    return [int(position) for (position,) in rows.fetchall()]


def never_delivered(db: Database) -> list[tuple[Kind, str, int, int | None]]:
    """Return records noted as accepted of which the ledger does not say that the city has them.

    Kind, serial, service number, and the ledger position of a rating. Rulings and later words
    may be left unsent for a reason; services and ratings are accepted by an answer alone. The
    first hubs entered no answers, and nothing but invitations and outcomes: what lies before the
    first entry of another kind is left out.
    """
    rows = db.conn.execute(
        """
        WITH newer AS (
            SELECT position, recorded_at FROM ledger
            WHERE kind NOT IN ('invited', 'rated', 'expired', 'withdrawn')
            ORDER BY position LIMIT 1),
        since AS (
            SELECT coalesce((SELECT position FROM newer), 9223372036854775807) AS position,
                coalesce((SELECT recorded_at FROM newer), 9223372036854775807) AS at)
        SELECT d.kind, d.serial, d.service_number, CASE d.kind WHEN 'rating' THEN d.position END
        FROM deliveries AS d, since WHERE d.state = 'accepted' AND d.kind IN ('service', 'rating')
            AND CASE d.kind WHEN 'rating' THEN coalesce(d.position, since.position)
                    >= since.position
                ELSE since.position = 1 OR coalesce(d.settled_at, since.at) >= since.at END
        EXCEPT
        SELECT json_extract(said, '$.kind'), json_extract(said, '$.serial'),
            json_extract(said, '$.service_number'),
            CASE json_extract(said, '$.kind') WHEN 'rating' THEN json_extract(said, '$.of') END
        FROM (SELECT CASE WHEN json_valid(CAST(body AS TEXT)) THEN CAST(body AS TEXT) ELSE '{}' END
            AS said FROM ledger WHERE kind = 'delivered')
        ORDER BY 2, 3, 1
        """
    )
    return [(row[0], str(row[1]), int(row[2]), row[3]) for row in rows.fetchall()]


_LACKS: tuple[tuple[Literal["case", "citizen", "erased"] | Kind, str], ...] = (
    # A hub that was restored keeps a place for cases that it lost with its disk.
    (
        "case",
        """
        SELECT d.serial, d.service_number, NULL FROM deliveries AS d
        WHERE d.kind = 'service' AND d.position IS NULL
            AND NOT EXISTS (SELECT 1 FROM cases AS c
                WHERE c.serial = d.serial AND c.service_number = d.service_number)
            AND NOT EXISTS (SELECT 1 FROM ledger WHERE kind = 'settings'
                AND CASE WHEN json_valid(CAST(body AS TEXT))
                    THEN json_extract(CAST(body AS TEXT), '$.recovery') END = 'begun')
        """,
    ),
    (
        "citizen",
        """
        SELECT c.serial, c.service_number, NULL FROM cases AS c
        WHERE c.sealed = x'' AND NOT EXISTS (SELECT 1 FROM citizens AS p
            WHERE p.serial = c.serial AND p.service_number = c.service_number)
        """,
    ),
    # Nobody is erased whose records the city has not; what is asked for again it has.
    (
        "erased",
        """
        SELECT p.serial, p.service_number, NULL FROM citizens AS p JOIN deliveries AS d
            ON d.serial = p.serial AND d.service_number = p.service_number
            AND d.kind IN ('service', 'rating')
        LEFT JOIN repeats AS r ON r.delivery = d.id
        WHERE substr(p.applicant_name, 1, 1) <> x'01' AND d.state <> 'accepted'
            AND coalesce(r.task, 'first') = 'first'
        GROUP BY p.serial, p.service_number
        """,
    ),
    (
        "service",
        """
        SELECT c.serial, c.service_number, NULL FROM cases AS c
        WHERE NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.serial = c.serial
            AND d.service_number = c.service_number AND d.kind = 'service')
        UNION
        SELECT e.serial, e.service_number, NULL FROM deliveries AS e
        WHERE e.kind <> 'service' AND NOT EXISTS (SELECT 1 FROM deliveries AS d
            WHERE d.serial = e.serial AND d.service_number = e.service_number
                AND d.kind = 'service')
        """,
    ),
    (
        "ruling",
        """
        SELECT i.serial, i.service_number, l.position FROM ledger AS l
        JOIN invitations AS i ON i.id = l.invitation
        WHERE l.kind = 'ruled' AND NOT EXISTS (SELECT 1 FROM deliveries AS d
            WHERE d.serial = i.serial AND d.service_number = i.service_number
                AND d.kind = 'ruling')
        """,
    ),
    # Words on a rating of which the city hears nothing stay here.
    (
        "addition",
        """
        SELECT e.serial, e.service_number, l.position FROM ledger AS l
        JOIN invitations AS i ON i.id = l.invitation
        JOIN deliveries AS e ON e.serial = i.serial AND e.service_number = i.service_number
            AND e.kind = 'rating'
        JOIN ledger AS o ON o.position = e.position AND o.invitation = l.invitation
        WHERE l.kind = 'added' AND NOT EXISTS (SELECT 1 FROM deliveries AS d
            WHERE d.serial = e.serial AND d.service_number = e.service_number
                AND d.kind = 'addition')
        """,
    ),
)


def lacks(db: Database) -> Iterator[Lack]:
    """Yield what is missing of cases, citizens and their way to the city."""
    tables = set(db.table_names())
    for of, statement in _LACKS:
        if "citizens" in tables and "repeats" in tables:
            for serial, number, position in db.conn.execute(f"{statement} ORDER BY 1, 2"):
                yield Lack(of=of, serial=serial, service_number=number, position=position)
    if "fed" in tables:
        rows = db.conn.execute(
            """
            SELECT f.kind, f.serial, f.service_number, f.position FROM fed AS f
            WHERE NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.serial = f.serial
                AND d.service_number = f.service_number AND d.kind = f.kind)
            ORDER BY f.position
            """
        )
        for kind, serial, number, position in rows:
            yield Lack(of=kind, serial=serial, service_number=number, position=position)


def set_aside(db: Database) -> int:
    """Return how many records are kept from the city; why is nowhere but in the same table."""
    row = db.conn.execute("SELECT count(*) FROM deliveries WHERE state = 'set_aside'").fetchone()
    return int(row[0])


def miscounted(db: Database) -> list[tuple[Kind, str, int]]:
    """Return kinds and states of which the count is not what there is, and how many there are."""
    rows = db.conn.execute(
        """
        SELECT c.kind, c.state, coalesce(f.n, 0) FROM delivery_counts AS c LEFT JOIN (
            SELECT kind, state, count(*) AS n FROM deliveries GROUP BY kind, state) AS f
            ON f.kind = c.kind AND f.state = c.state
        WHERE c.n <> coalesce(f.n, 0) ORDER BY c.kind, c.state
        """
    )
    return [(row[0], str(row[1]), int(row[2])) for row in rows.fetchall()]


def recount(db: Database) -> None:
    """Put the counts right, once at a start: whoever takes rows out by hand leaves them wrong."""
    with db.atomic():
        for kind, state, n in miscounted(db):
            db.conn.execute(
                "UPDATE delivery_counts SET n = ? WHERE kind = ? AND state = ?", (n, kind, state)
            )
            log.critical("deliveries=miscounted kind=%s state=%s note=counted-anew", kind, state)
