"""Seals citizens' data before they reach the database (AES-256-GCM, the key outside of it)."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class VaultError(Exception):
    """The key is missing or of the wrong kind, or what it should open was altered."""


class Vault:
    """One key; `context` binds what is sealed to its place, so that it cannot be moved."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise VaultError(f"密钥应为 32 字节，实为 {len(key)} 字节")
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Return nonce and ciphertext."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what was sealed; raises `VaultError` for another key, context or content."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise VaultError("办件人信息无法解密：密钥不对，或数据被改动") from error


def load_or_create(path: Path, *, needed: bool = False) -> Vault:
    """Open the vault whose key is in `path`; a first start makes the key, readable by us alone.

    `needed`: something is sealed already, so that a new key would be of no use. Raises
    `VaultError`.
    """
    if not path.exists() and needed:
        raise VaultError(
            f"找不到密钥文件 {path}，已有的办件人信息无法解密。请从备份恢复这个文件，不要新建"
        )
    if not path.exists():
        temporary = path.with_suffix(".new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise VaultError(f"{path}：密钥文件可被他人读取，请执行 chmod 600 {path}")
    return Vault(path.read_bytes())
