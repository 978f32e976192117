"""What of the configuration counts for ratings, in the ledger whenever it has changed."""

import msgspec
from sqlite_utils import Database

from hub.config import HubConfig
from hub.store import ledger


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """By which settings the hub works since this entry."""

    hall: str
    hall_name: str
    windows: tuple[tuple[str, str, int], ...]
    """Name, label and how many seconds a citizen is waited for."""
    upstream: str
    """The city's dialect and address; empty: none."""


def note(db: Database, config: HubConfig, now: int) -> bool:
    """Enter the settings if they differ from those of the last entry."""
    upstream = config.upstream
    body = msgspec.json.encode(
        Settings(
            hall=config.hall,
            hall_name=config.hall_name,
            windows=tuple((each.name, each.label, each.ttl_s) for each in config.windows),
            upstream=f"{upstream.dialect} {upstream.url}" if upstream else "",
        )
    )
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
