"""Every public key that a device ever had here: what it signed stays checkable after a change.

Each stands in the ledger before the first word that is signed with it (kind `key`), with each
certificate by which it was known. The table beside it keeps what older hubs have learnt.
"""

from collections.abc import Iterator

import msgspec
from sqlite_utils import Database

from hub.store import ledger


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A key (PEM) as the ledger tells of it; `certificate` (PEM) None: from the configuration."""

    public_key: str
    certificate: str | None = None


_arrival = msgspec.json.Decoder(Arrival)


def read(body: str) -> Arrival:
    """Return what an entry of kind `key` says; raises `msgspec.MsgspecError` or ValueError."""
    return _arrival.decode(body)


def remember(
    db: Database, device: str, pem: bytes, now: int, certificate: str | None = None
) -> None:
    """Keep a key; enter it in the ledger, if it is new or shown with a new certificate."""
    text = pem.decode("ascii")
    db.conn.execute(
        "INSERT INTO device_keys (device, pem, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (device, text, now),
    )
    for _, known in arrivals(db, device):
        if known.public_key == text and certificate in (None, known.certificate):
            return
    ledger.append(
        db,
        ledger.Entry(
            kind="key",
            recorded_at=now,
            device=device,
            invitation="",
            body=msgspec.json.encode(Arrival(public_key=text, certificate=certificate)),
        ),
    )


def arrivals(db: Database, device: str | None = None) -> Iterator[tuple[str, Arrival]]:
    """Return devices (or one) with the keys that the ledger tells of, the newest first."""
    rows = db.conn.execute(
        """
        SELECT device, body FROM ledger
        WHERE kind = 'key' AND (?1 IS NULL OR device = ?1) ORDER BY position DESC
        """,
        (device,),
    )
    for name, body in rows.fetchall():
        try:
            yield str(name), read(bytes(body).decode())
        except (msgspec.MsgspecError, ValueError):
            continue  # nobody enters such a one through `remember`; `verify` names it


def of_all(db: Database) -> list[tuple[str, bytes]]:
    """Return devices with their keys, the newest first."""
    rows = db.conn.execute("SELECT device, pem FROM device_keys ORDER BY since DESC")
    return [(str(device), str(pem).encode("ascii")) for device, pem in rows.fetchall()]
