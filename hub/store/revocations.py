"""Devices that are not to be believed any more: by name and key, so that a new key may begin."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlite_utils import Database


def digest(key: EllipticCurvePublicKey) -> bytes:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo."""
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(data).digest()


def revoke(db: Database, device: str, key_digest: bytes, reason: str, now: int) -> bool:
    """Revoke a device's key; False if it is revoked already (the first reason stands)."""
    # One statement: a transaction that reads first and then writes beside a running hub fails.
    return bool(
        db.conn.execute(
            """
            INSERT INTO revocations (device, key_digest, at, reason)
            SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (
                SELECT 1 FROM revocations
                WHERE device = ?1 AND key_digest = ?2 AND lifted_at IS NULL
            )
            """,
            (device, key_digest, now, reason),
        ).rowcount
    )


def lift(db: Database, device: str, now: int) -> int:
    """Take back what was revoked by mistake; return how many. The entries stay."""
    return db.conn.execute(
        "UPDATE revocations SET lifted_at = ? WHERE device = ? AND lifted_at IS NULL",
        (now, device),
    ).rowcount


def current(db: Database) -> frozenset[tuple[str, bytes]]:
    """Return device and key digest of each revocation that holds."""
    rows = db.conn.execute("SELECT device, key_digest FROM revocations WHERE lifted_at IS NULL")
    return frozenset((str(device), bytes(key)) for device, key in rows)
