"""The newest certificate of each kiosk, and the requests for the next one."""

import msgspec
from sqlite_utils import Database


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A kiosk's certificate as it showed it (PEM); times: milliseconds since 1970."""

    device: str
    pem: str
    not_before: int
    not_after: int
    seen_at: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A kiosk's wish for its next certificate; `chain` once the IT desk has signed."""

    device: str
    request: str
    asked_at: int
    chain: str | None


def keep(db: Database, held: Held) -> None:
    """Keep a certificate in the place of the one before."""
    db.conn.execute(
        """
        INSERT INTO certificates (device, pem, not_before, not_after, seen_at)
        VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (device) DO UPDATE SET pem = excluded.pem,
            not_before = excluded.not_before, not_after = excluded.not_after,
            seen_at = excluded.seen_at
        """,
        msgspec.structs.astuple(held),
    )


def of_all(db: Database) -> dict[str, Held]:
    """Return the certificates by device."""
    rows = db.conn.execute("SELECT device, pem, not_before, not_after, seen_at FROM certificates")
    return {row[0]: Held(**dict(zip(Held.__struct_fields__, row, strict=True))) for row in rows}


def asked(db: Database, device: str) -> tuple[Request, int] | None:
    """Return what a kiosk has asked for and when the IT desk signed it (0: not yet), or None."""
    row = db.conn.execute(
        "SELECT request, asked_at, chain, issued_at FROM renewals WHERE device = ?", (device,)
    ).fetchone()
    if row is None:
        return None
    return Request(device=device, request=row[0], asked_at=row[1], chain=row[2]), row[3] or 0


def ask(db: Database, device: str, request: str, now: int) -> None:
    """Note what a kiosk asks for, in the place of what it asked for before."""
    db.conn.execute(
        """
        INSERT INTO renewals (device, request, asked_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (device) DO UPDATE SET request = ?2, asked_at = ?3, chain = NULL,
            issued_at = NULL
        """,
        (device, request, now),
    )


def requests(db: Database) -> list[Request]:
    """Return all requests, the oldest first."""
    rows = db.conn.execute(
        "SELECT device, request, asked_at, chain FROM renewals ORDER BY asked_at, device"
    )
    return [Request(device=row[0], request=row[1], asked_at=row[2], chain=row[3]) for row in rows]


def answer(db: Database, device: str, chain: str, now: int) -> bool:
    """Keep what the IT desk signed for a request; False if there is none."""
    return bool(
        db.conn.execute(
            "UPDATE renewals SET chain = ?, issued_at = ? WHERE device = ?", (chain, now, device)
        ).rowcount
    )


def ends(db: Database) -> list[tuple[str, int, int]]:
    """Return device, begin and end of each certificate; milliseconds since 1970."""
    rows = db.conn.execute("SELECT device, not_before, not_after FROM certificates ORDER BY 1")
    return [(str(device), int(begin), int(end)) for device, begin, end in rows]


def fulfilled(db: Database, device: str) -> None:
    """Forget a request: its kiosk has shown the certificate."""
    db.conn.execute("DELETE FROM renewals WHERE device = ?", (device,))
