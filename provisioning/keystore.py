"""The authority's directory: how it comes to be, and how its keys and certificates are read.

    root.key  root.pem              signed the two CAs; the key may then be kept elsewhere
    device-ca.key  device-ca.pem    signs certificates of kiosks and their revocation list
    server-ca.key  server-ca.pem    signs certificates of hubs
    authority.db                    the register

Keys are PKCS #8, encrypted with a passphrase. Whoever holds the directory and the passphrase can
make kiosks; neither is of use alone.
"""

import sqlite3
import stat
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol import certificates
from protocol.certificates import Purpose
from provisioning import files
from provisioning.errors import AuthorityError, WrongPassphrase
from provisioning.register import Register

SHORTEST_PASSPHRASE = 12
"""Characters. PKCS #8 as everybody reads it stretches little, so the length has to do it."""

_REGISTER = "authority.db"
_FILES = {Purpose.DEVICE: "device-ca", Purpose.SERVER: "server-ca"}


class Issuer(NamedTuple):
    """A CA that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def check_free(directory: Path) -> None:
    """Raise `AuthorityError` if something is at the place of a new authority."""
    if not files.is_free(directory):
        raise AuthorityError(f"{directory} 已经存在且不是空目录，不会覆盖：请换一个目录")


def create(directory: Path, passphrase: str, name: str, now: datetime) -> None:
    """Make a new authority: the whole of it appears at once, or nothing does.

    Raises `AuthorityError`: the place is taken, the passphrase too short, the disk refuses.
    """
    check_free(directory)
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise AuthorityError(f"口令太短：至少要 {SHORTEST_PASSPHRASE} 个字符，请重新设定")
    root_key = _new_key()
    root = certificates.root(root_key, name=name, now=now)
    issuers = {"root": Issuer(root, root_key)}
    for purpose, file in _FILES.items():
        key = _new_key()
        certificate = certificates.authority(
            key.public_key(),
            purpose=purpose,
            name=name,
            issuer=root,
            issuer_key=root_key,
            now=now,
        )
        issuers[file] = Issuer(certificate, key)
    locked = serialization.BestAvailableEncryption(passphrase.encode())
    try:
        with files.whole_directory(directory) as place:
            for file, issuer in issuers.items():
                files.write(place / f"{file}.key", key_pem(issuer.key, locked), files.PRIVATE)
                files.write(place / f"{file}.pem", pem(issuer.certificate), files.PUBLIC)
            Register.open(place / _REGISTER).close()
            (place / _REGISTER).chmod(files.PRIVATE)
    except OSError as error:
        raise AuthorityError(
            f"无法写入 {directory}：{error.strerror}。请检查目录权限和磁盘空间"
        ) from error


def open_register(directory: Path) -> Register:
    """Open the register, which needs no passphrase; raises `AuthorityError`."""
    path = directory / _REGISTER
    if not path.is_file():
        raise AuthorityError(
            f"{directory} 里没有签发机构的登记簿：请核对 --dir，或先执行 pingyi-provision init"
        )
    try:
        return Register.open(path)
    except sqlite3.Error as error:
        raise AuthorityError(
            f"登记簿 {path} 无法使用：{error}。请检查权限和磁盘空间；已损坏时请从备份恢复"
        ) from error


def root_certificate(directory: Path) -> x509.Certificate:
    """Return the root's certificate; raises `AuthorityError`."""
    return _certificate(directory / "root.pem")


def issuer(directory: Path, purpose: Purpose, passphrase: str) -> Issuer:
    """Return one of the two CAs, ready to sign.

    Raises `WrongPassphrase`, or `AuthorityError` for files missing, damaged, readable by others.
    """
    path = directory / f"{_FILES[purpose]}.key"
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise AuthorityError(
            f"无法读取密钥 {path}：{error.strerror}。请核对 --dir 和目录权限"
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AuthorityError(f"密钥 {path} 可被他人读取，请执行 chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, password=passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise WrongPassphrase(
            f"打不开密钥 {path}：请重新输入口令；确认口令无误时文件可能已损坏，请从备份恢复"
        ) from error
    certificate = _certificate(path.with_suffix(".pem"))
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise AuthorityError(f"密钥 {path} 与证书不是一对：请从同一份备份恢复整个目录")
    return Issuer(certificate, key)


def pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as it is stored and sent."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(
    key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption
) -> bytes:
    """Return a key as it is stored."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise AuthorityError(f"无法读取证书 {path}：{error}。请核对 --dir，或从备份恢复") from error
