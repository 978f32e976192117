"""What was refused on the wire: counted by cause, and kept as evidence within a limit."""

import hashlib
import logging

from sqlite_utils import Database

log = logging.getLogger(__name__)

EVIDENCE_PER_CAUSE = 500
"""Of each device; of all that nobody knows together, or their names would multiply it."""
BODY_LIMIT = 4096
STRANGERS = 500
OTHERS = "*"
"""Stands for all unknown devices after the first `STRANGERS`; no topic can hold this name."""


def note(
    db: Database, device: str, cause: str, body: bytes, now: int, *, stranger: bool = False
) -> int:
    """Count a refusal, keep the bytes (the same once, long ones cut); return the count.

    `stranger`: the device is unknown, and its name what somebody may have made up.
    """
    body = body[:BODY_LIMIT]
    times = db.conn.execute(
        """
        INSERT INTO refusals (device, cause, times, first_at, last_at) VALUES (?, ?, 1, ?, ?)
        ON CONFLICT (device, cause) DO UPDATE SET times = times + 1, last_at = excluded.last_at
        RETURNING times
        """,
        (device, cause, now, now),
    ).fetchone()[0]
    kept = db.conn.execute(
        "SELECT count(*) FROM evidence WHERE cause = ?1 AND (?2 IS NULL OR device = ?2)",
        (cause, None if stranger else device),
    ).fetchone()[0]
    if kept < EVIDENCE_PER_CAUSE:
        added = db.conn.execute(
            """
            INSERT INTO evidence (digest, device, cause, at, body) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO NOTHING
            """,
            (hashlib.sha256(body).digest(), device, cause, now, body),
        ).rowcount
        if kept + added == EVIDENCE_PER_CAUSE:
            whose = "unknown" if stranger else device
            log.warning("evidence=full device=%s cause=%s note=only-counted-now", whose, cause)
    return int(times)


def name_of_stranger(db: Database, device: str) -> str:
    """Return the name to count an unknown device under: inventing names must not fill the disk."""
    found = db.conn.execute(
        "SELECT count(*), total(device = ?) FROM (SELECT DISTINCT device FROM refusals)", (device,)
    ).fetchone()
    return device if found[1] or found[0] < STRANGERS else OTHERS


def counts(db: Database) -> dict[str, dict[str, int]]:
    """Return how often each device was refused, by cause."""
    found: dict[str, dict[str, int]] = {}
    for device, cause, times in db.conn.execute("SELECT device, cause, times FROM refusals"):
        found.setdefault(device, {})[cause] = times
    return found
