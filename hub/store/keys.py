"""Every public key that a device ever had here: what it signed stays checkable after a change."""

from sqlite_utils import Database


def remember(db: Database, device: str, pem: bytes, now: int) -> None:
    """Keep a key, if it is new."""
    db.conn.execute(
        "INSERT INTO device_keys (device, pem, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (device, pem.decode("ascii"), now),
    )


def of_all(db: Database) -> list[tuple[str, bytes]]:
    """Return devices with their keys, the newest first."""
    rows = db.conn.execute("SELECT device, pem FROM device_keys ORDER BY since DESC")
    return [(str(device), str(pem).encode("ascii")) for device, pem in rows.fetchall()]
