"""What of the configuration counts for ratings, in the ledger whenever it has changed."""

import msgspec
from sqlite_utils import Database

from hub.store import ledger


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """By which settings the hub works since this entry."""

    hall: str
    hall_name: str
    windows: tuple[tuple[str, str, int], ...]
    """Name, label and how many seconds a citizen is waited for."""
    upstream: str
    """The city's dialect and address; empty: none."""


def note(db: Database, settings: Settings, now: int) -> bool:
    """Enter the settings if they differ from those of the last entry."""
    body = msgspec.json.encode(settings)
    last = db.conn.execute(
        "SELECT body FROM ledger WHERE kind = 'settings' ORDER BY position DESC LIMIT 1"
    ).fetchone()
    if last is not None and bytes(last[0]) == body:
        return False
    ledger.append(
        db,
        ledger.Entry(kind="settings", recorded_at=now, device="", invitation="", body=body),
    )
    return True
