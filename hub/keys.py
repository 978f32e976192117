"""The public keys of the kiosks, by which their ratings are believed."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlite_utils import Database

from hub.config import ConfigError, HubConfig
from hub.store import keys as store


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
    db: Database, keys: Mapping[str, ec.EllipticCurvePublicKey], now: int
) -> dict[str, list[ec.EllipticCurvePublicKey]]:
    """Remember today's keys; return all that each device has or had, the newest first."""
    with db.atomic():
        for device, key in keys.items():
            store.remember(db, device, pem_of(key), now)
    found: dict[str, list[ec.EllipticCurvePublicKey]] = {}
    for device, pem in store.of_all(db):
        past = serialization.load_pem_public_key(pem)
        if isinstance(past, ec.EllipticCurvePublicKey):
            found.setdefault(device, []).append(past)
    return found


def pem_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
