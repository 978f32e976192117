"""Reads and checks what the broker needs, and writes its folder: whole files or none."""

import os
import secrets
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.link import mosquitto
from hub.link.mosquitto import Plan
from protocol import wording

_PUBLIC = 0o644
_GROUP = 0o640
_PRIVATE = 0o600


class FilesError(Exception):
    """A file that would lock everybody out, or let somebody in; the text says which, in Chinese."""


def certificate(path: Path) -> x509.Certificate:
    """Read the first certificate of a file; raises `FilesError`."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise FilesError(f"无法读取证书 {path}：{wording.system(error)}") from error
    except ValueError as error:
        raise FilesError(f"{path} 不是证书（PEM）：{error}") from error


def revocation_list(path: Path, issuer: x509.Certificate) -> x509.CertificateRevocationList:
    """Read a revocation list and check who signed it; raises `FilesError`.

    A list of another issuer would make mosquitto refuse every kiosk.
    """
    try:
        crl = x509.load_pem_x509_crl(path.read_bytes())
    except OSError as error:
        raise FilesError(f"无法读取吊销名单 {path}：{wording.system(error)}") from error
    except ValueError as error:
        raise FilesError(f"{path} 不是吊销名单（PEM）：{error}") from error
    key = issuer.public_key()
    try:
        if not isinstance(key, ec.EllipticCurvePublicKey) or not crl.is_signature_valid(key):
            raise FilesError(f"吊销名单 {path} 不是评价器签发 CA 签的：请核对是否拿错了文件")
    except (InvalidSignature, UnsupportedAlgorithm, TypeError) as error:
        raise FilesError(f"吊销名单 {path} 的签名无法核对：{error}") from error
    return crl


def check_newer(
    new: x509.CertificateRevocationList, old: x509.CertificateRevocationList | None, now: datetime
) -> None:
    """Raise `FilesError` for a list that is over, not yet valid, or older than the present one."""
    if new.next_update_utc is None or new.next_update_utc <= now:
        raise FilesError("这份吊销名单已经过期，装上后所有评价器都连不上：请重新签发")
    if new.last_update_utc > now:
        raise FilesError("这份吊销名单还没有生效，请先校准本机时间")
    if old is not None and _number(new) < _number(old):
        raise FilesError("这份吊销名单比正在使用的旧：请用最近签发的一份")


def server_pair(certificate_path: Path, key_path: Path) -> None:
    """Raise `FilesError` unless this certificate belongs to this key, without passphrase."""
    leaf = certificate(certificate_path)
    try:
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    except OSError as error:
        raise FilesError(f"无法读取密钥 {key_path}：{wording.system(error)}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise FilesError(f"{key_path} 不是没有口令的密钥（PEM）：{error}") from error
    if key.public_key() != leaf.public_key():
        raise FilesError(f"证书 {certificate_path} 与密钥 {key_path} 不是一对")


def kick_password(path: Path) -> str:
    """Read the password of the kick listener, or make it; raises `FilesError`."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, secrets.token_urlsafe(24).encode() + b"\n", _PRIVATE)
    except OSError as error:
        raise FilesError(
            f"无法写入 {path}：{wording.system(error)}。请让目录 {path.parent} 归运行本命令的用户，"
            f"例如 sudo chown pingyi:pingyi {path.parent}，并检查磁盘空间，再执行一次"
        ) from error
    return read_password(path)


def read_password(path: Path) -> str:
    """Read the password of the kick listener; raises `FilesError`."""
    try:
        password = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise FilesError(f"无法读取 {path}：{error}") from error
    if not 16 <= len(password) <= 64:
        raise FilesError(
            f"{path} 里应有 16 至 64 个字符：请删除它，再执行 pingyi-hub broker-config"
        )
    return password


def write(plan: Plan, out: Path, sources: dict[str, bytes], password: str) -> list[Path]:
    """Write the broker's folder; `sources`: what is copied into it, by name."""
    folder = {
        "mosquitto.conf": mosquitto.configuration(plan).encode(),
        "pingyi.acl": mosquitto.rights(plan.hall).encode(),
        "kick.acl": mosquitto.KICK_ACL.encode(),
        "kick.users": mosquitto.password_line(
            password, secrets.token_bytes(mosquitto.SALT_BYTES)
        ).encode(),
        **sources,
    }
    secret = {"kick.users", "server.key"}
    out.mkdir(parents=True, exist_ok=True)
    for name, data in folder.items():
        replace(out / name, data, _GROUP if name in secret else _PUBLIC)
    return [out / name for name in folder]


def replace(path: Path, data: bytes, mode: int = _PUBLIC) -> None:
    """Write a file whole, in place of an older one, which keeps its owner; raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if path.exists():
                old = path.stat()
                new = os.fstat(file.fileno())
                if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
