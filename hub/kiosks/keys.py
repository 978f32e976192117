"""The public keys of the kiosks, by which their ratings are believed."""

import logging
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlite_utils import Database

from hub.config import ConfigError, HubConfig
from hub.kiosks.roster import Roster
from hub.store import keys as store

log = logging.getLogger(__name__)


def public_keys(config: HubConfig, base: Path) -> dict[str, ec.EllipticCurvePublicKey]:
    """Read the devices' public keys; raises `ConfigError` naming every unusable file."""
    keys, faults = {}, []
    for device in config.devices:
        path = base / device.public_key
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            faults.append(f"{path}：不是公钥文件（PEM）：{error}")
            continue
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            keys[device.name] = key
        else:
            faults.append(f"{path}：不是 P-256 公钥")
    if faults:
        raise ConfigError("\n".join(faults))
    return keys


def remembered(
    db: Database, roster: Roster, now: int
) -> dict[str, list[ec.EllipticCurvePublicKey]]:
    """Enter today's keys; return all that are believed of each device, the newest first.

    A key of the past is believed for what it signed then: with a device CA, if one of its
    certificates comes from there; without one (trial), as the hub's file has it.
    """
    held = roster.held()
    with db.atomic():
        for device, key in roster.items():
            certificate = held[device].pem if device in held else None
            store.remember(db, device, pem_of(key), now, certificate)
    found: dict[str, list[ec.EllipticCurvePublicKey]] = {each: [] for each in roster}
    unvouched: set[tuple[str, str]] = set()
    for device, known in _past(db):
        past = _believed(roster, device, known)
        if past is None:
            unvouched.add((device, known.public_key))
        elif past not in found.setdefault(device, []):
            found[device].append(past)
    believed = {(name, pem_of(key).decode("ascii")) for name in found for key in found[name]}
    for device in sorted({name for name, _ in unvouched - believed}):
        log.warning("key=unvouched device=%s note=what-it-signed-goes-to-nobody", device)
    return {device: keys for device, keys in found.items() if keys}


def present(db: Database, roster: Roster, device: str) -> ec.EllipticCurvePublicKey | None:
    """Return the key of a device: as the roster knows it, else the newest that is vouched for.

    Whoever has put another certificate in the place of the kiosk's has not taken it away.
    """
    known = roster.get(device)
    past = (
        roster.vouched(device, each.certificate)
        for _, each in store.arrivals(db, device)
        if each.certificate is not None
    )
    return known or next((key for key in past if key is not None), None)


def _past(db: Database) -> Iterator[tuple[str, store.Arrival]]:
    yield from store.arrivals(db)
    for device, pem in store.of_all(db):
        yield device, store.Arrival(public_key=pem.decode("ascii"))


def _believed(
    roster: Roster, device: str, known: store.Arrival
) -> ec.EllipticCurvePublicKey | None:
    if known.certificate is not None:
        key = roster.vouched(device, known.certificate)
        if key is not None or roster.device_ca is not None:
            return key
    try:
        past = serialization.load_pem_public_key(known.public_key.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(past, ec.EllipticCurvePublicKey):
        return None
    trial = roster.device_ca is None or roster.get(device) == past
    return past if trial else None


def pem_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
