"""What was refused on the wire: counted by cause, and kept as evidence within a limit."""

import hashlib

from sqlite_utils import Database

EVIDENCE_PER_CAUSE = 500
BODY_LIMIT = 4096


def note(db: Database, device: str, cause: str, body: bytes, now: int) -> int:
    """Count a refusal, keep the bytes (the same once, long ones cut); return the count."""
    times = db.conn.execute(
        """
        INSERT INTO refusals (device, cause, times, first_at, last_at) VALUES (?, ?, 1, ?, ?)
        ON CONFLICT (device, cause) DO UPDATE SET times = times + 1, last_at = excluded.last_at
        RETURNING times
        """,
        (device, cause, now, now),
    ).fetchone()[0]
    if times <= EVIDENCE_PER_CAUSE:
        db.conn.execute(
            """
            INSERT INTO evidence (digest, device, cause, at, body) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO NOTHING
            """,
            (hashlib.sha256(body).digest(), device, cause, now, body[:BODY_LIMIT]),
        )
    return int(times)


def counts(db: Database) -> dict[str, dict[str, int]]:
    """Return how often each device was refused, by cause."""
    found: dict[str, dict[str, int]] = {}
    for device, cause, times in db.conn.execute("SELECT device, cause, times FROM refusals"):
        found.setdefault(device, {})[cause] = times
    return found
