"""The key of this kiosk: made here, kept here, never shown."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol import signing


class IdentityError(Exception):
    """The key is missing, damaged or readable by others; the text says what to do."""


def load(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the key; raises `IdentityError`."""
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except FileNotFoundError:
        raise IdentityError(f"本机没有密钥 {path}，请先执行 pingyi-kiosk enrol") from None
    except OSError as error:
        raise IdentityError(f"无法读取密钥 {path}：{error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise IdentityError(f"密钥 {path} 可被他人读取，请执行 chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IdentityError(f"密钥 {path} 已损坏，请重新入网：{error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise IdentityError(f"密钥 {path} 不是 P-256 密钥，请重新入网")
    return key


def load_or_create(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the key, or make it: whole on the disk or not at all, whatever the power does."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        data = signing.generate_key().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    return load(path)


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half, for the hub."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
