"""Windows that are closed for the moment, and the reason that citizens read."""

from sqlite_utils import Database


def put(db: Database, window: str, reason: str | None, now: int) -> None:
    """Close a window (the first reason keeps its time), or open it with None."""
    if reason is None:
        db.conn.execute("DELETE FROM pauses WHERE window = ?", (window,))
        return
    db.conn.execute(
        """
        INSERT INTO pauses (window, reason, since) VALUES (?, ?, ?)
        ON CONFLICT (window) DO UPDATE SET reason = excluded.reason
        """,
        (window, reason, now),
    )


def reason(db: Database, window: str) -> str | None:
    """Return why a window is closed, or None if it is open."""
    row = db.conn.execute("SELECT reason FROM pauses WHERE window = ?", (window,)).fetchone()
    return None if row is None else str(row[0])
