"""Which kiosks answer and since when, for commands beside the hub and for its next start.

Nothing rests on it: what is true now only the running hub knows (`hub.kiosks.presence`).
"""

from collections.abc import Collection, Mapping

from msgspec import Struct
from sqlite_utils import Database, Migrations

HUB = ""
"""In the place of a device: the hub itself, `since` is when it last looked."""

NEVER = 0
"""In the place of a time: no hub has ever heard this kiosk."""

migrations = Migrations("attendance")


@migrations()
def m001_attendance(db: Database) -> None:
    """Where a device stands, and since when."""
    db.execute(
        """
        CREATE TABLE attendance (
            device TEXT PRIMARY KEY,
            online INTEGER NOT NULL,
            since INTEGER NOT NULL  -- milliseconds since 1970
        ) STRICT, WITHOUT ROWID
        """
    )


class Standing(Struct, frozen=True):
    """Whether a device answers, and since when it does or does not (ms since 1970; `NEVER`)."""

    online: bool
    since: int


def read(db: Database) -> dict[str, Standing]:
    """Return what the hub noted last, by device; with `HUB` among them once one has looked."""
    if not db["attendance"].exists():
        return {}
    rows = db.conn.execute("SELECT device, online, since FROM attendance").fetchall()
    return {str(device): Standing(bool(online), int(since)) for device, online, since in rows}


def note(db: Database, changed: Mapping[str, Standing], gone: Collection[str], now: int) -> None:
    """Keep what has changed, forget devices that the hub no longer knows; `now` it has looked."""
    db.conn.executemany(
        "INSERT OR REPLACE INTO attendance VALUES (?, ?, ?)",
        [
            (HUB, 1, now),
            *((device, int(each.online), each.since) for device, each in changed.items()),
        ],
    )
    db.conn.executemany("DELETE FROM attendance WHERE device = ?", [(each,) for each in gone])
