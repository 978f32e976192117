"""Devices that are not to be believed any more: by name and key, so that a new key may begin.

The ledger has each revocation, and each that was lifted, under the hub's mark. The table beside it
adds to it and takes nothing away: who empties it lifts no revocation.
"""

import hashlib

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlite_utils import Database

from hub.rules.access import CONSOLE
from hub.store import ledger, marks, signet
from hub.store.database import Swallowed


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a revocation: of which key (SHA-256, hex), by whom; or `lifted`."""

    device: str
    by: str
    key: str
    reason: str = ""
    lifted: bool = False


_said = msgspec.json.Decoder(Revoked)


def digest(key: EllipticCurvePublicKey) -> bytes:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo."""
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(data).digest()


def revoke(
    db: Database,
    device: str,
    key_digest: bytes,
    reason: str,
    now: int,
    *,
    by: str = CONSOLE.name,
) -> bool:
    """Revoke a device's key, in the ledger too; False if it is revoked already.

    The first reason stands. Raises `VaultError`, `database.Swallowed`: then nothing is committed.
    """
    if (device, key_digest) in current(db):
        return False
    done = db.conn.execute(
        "INSERT INTO revocations (device, key_digest, at, reason) VALUES (?, ?, ?, ?)",
        (device, key_digest, now, reason),
    )
    if done.rowcount != 1:
        raise Swallowed("吊销记录")
    said = Revoked(device=device, by=by, key=key_digest.hex(), reason=reason)
    _enter(db, now, said)
    return True


def lift(db: Database, device: str, now: int, *, by: str = CONSOLE.name) -> int:
    """Take back what was revoked by mistake, in the ledger too; return how many.

    The entries stay. Raises as `revoke` does.
    """
    held = sorted(key for name, key in current(db) if name == device)
    for key in held:
        _enter(db, now, Revoked(device=device, by=by, key=key.hex(), lifted=True))
    db.conn.execute(
        "UPDATE revocations SET lifted_at = ? WHERE device = ? AND lifted_at IS NULL",
        (now, device),
    )
    return len(held)


def current(db: Database) -> frozenset[tuple[str, bytes]]:
    """Return device and key digest of each revocation that holds by the table or by the ledger.

    Raises `VaultError`.
    """
    return in_table(db) | in_ledger(db)


def in_table(db: Database) -> frozenset[tuple[str, bytes]]:
    """Return those of the table beside the ledger."""
    rows = db.conn.execute("SELECT device, key_digest FROM revocations WHERE lifted_at IS NULL")
    return frozenset((str(device), bytes(key)) for device, key in rows.fetchall())


def in_ledger(db: Database) -> frozenset[tuple[str, bytes]]:
    """Return those of the ledger; what this hub has not entered there counts for nothing."""
    found: set[tuple[str, bytes]] = set()
    rows = db.conn.execute(
        "SELECT position, recorded_at, body FROM ledger WHERE kind = 'revoked' ORDER BY position"
    )
    vault = signet.of(db).vault
    for position, at, body in rows.fetchall():
        raw = bytes(body)
        if not marks.genuine(vault, "revoked", position, at, raw):
            continue
        said = _said.decode(raw)
        each = said.device, bytes.fromhex(said.key)
        (found.discard if said.lifted else found.add)(each)
    return frozenset(found)


def enter_all(db: Database, now: int) -> None:
    """Enter what only the table holds, as hubs of before left it."""
    known = in_ledger(db)
    rows = db.conn.execute(
        "SELECT device, key_digest, reason FROM revocations WHERE lifted_at IS NULL ORDER BY at"
    )
    for device, key, reason in rows.fetchall():
        if (device, bytes(key)) not in known:
            said = Revoked(device=device, by="hub", key=bytes(key).hex(), reason=reason)
            _enter(db, now, said)


def _enter(db: Database, now: int, said: Revoked) -> None:
    ledger.append_own(db, signet.of(db).vault, "revoked", now, msgspec.json.encode(said))
