"""The way to the city against the ledger: what is not on it, and what it never came to say."""

from sqlite_utils import Database

from hub.store.deliveries import Kind


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
