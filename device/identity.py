"""The key of this kiosk: made here, kept here, never shown. And what enrolment adds to it."""

import contextlib
import os
import secrets
import shutil
import stat
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from protocol import signing, wire
from protocol.enrolment.chain import check_chain
from protocol.enrolment.messages import Terms, public_bytes
from protocol.errors import ProtocolError

_CHAIN, _CA, _TERMS = "device.pem", "ca.pem", "terms.json"


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
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.new")  # two may begin at once
        data = signing.generate_key().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write(temporary, data)
        with contextlib.suppress(FileNotFoundError):  # another was quicker, and tidied up
            temporary.rename(path)
        _sync(path.parent)
        for left in path.parent.glob(f"{path.stem}.*.new"):  # by power cuts
            left.unlink(missing_ok=True)
    return load(path)


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half, for the hub."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class Enrolled(Struct, frozen=True):
    """What enrolment gave this kiosk, and renewal renewed: `leaf` is its own certificate.

    The paths are for TLS: own chain, and whom to trust.
    """

    certificate: Path
    ca: Path
    terms: Terms
    leaf: x509.Certificate


def store(state: Path, chain: str, terms: Terms) -> None:
    """Put certificate and terms under `state`/identity: whole, or nothing changes.

    A new directory is written and synced, then one rename makes it the identity; a power cut
    leaves the old one or the new. Raises OSError.
    """
    # Not one file after the other: a certificate beside the CA of another authority, or beside
    # the address of another hub, would be an identity that nobody gave.
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = state / f"identity-{secrets.token_hex(8)}"
    try:
        place.mkdir(mode=0o700)
        for name, data in (
            (_CHAIN, chain.encode()),
            (_CA, terms.ca.encode()),
            (_TERMS, msgspec.json.encode(terms)),
        ):
            _write(place / name, data)
        _sync(place)
        fresh = state / "identity.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(place.name)
        fresh.rename(state / "identity")
    except OSError:
        shutil.rmtree(place, ignore_errors=True)
        raise
    _sync(state)
    for old in state.glob("identity-*"):  # earlier ones, and what power cuts left
        if old != place:
            shutil.rmtree(old, ignore_errors=True)


def enrolled(state: Path) -> Enrolled | None:
    """Return what enrolment gave, or None for a kiosk that is not enrolled.

    Raises `IdentityError` when something is there that does not belong to this kiosk's key.
    """
    place = state / "identity"
    try:
        terms = wire.decode(Terms, (place / _TERMS).read_bytes())
        chain = (place / _CHAIN).read_text("ascii")
        public = public_bytes(load(state / "device-key.pem").public_key())
        check_chain(chain, terms.ca, public, terms.device, terms.hall)
    except FileNotFoundError:
        return None
    except (ProtocolError, OSError, ValueError) as error:
        raise IdentityError(f"{place} 已损坏或不属于本机，请重新入网：{error}") from error
    return Enrolled(place / _CHAIN, place / _CA, terms, leaf(chain))


def leaf(chain: str) -> x509.Certificate:
    """Return the first certificate of a chain (PEM) that was found good."""
    return x509.load_pem_x509_certificates(chain.encode())[0]


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    """Make what was created or renamed in a directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
