"""Seals citizens' data before they reach the database; the keys lie outside of it.

A sealed value is one byte 1, the id of its key (2 bytes), a nonce (12), the ciphertext with its
tag (16 more than what was sealed). The first three bytes and the place are authenticated too.
"""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Construction
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.clock import epoch_ms
from hub.store import keyring
from hub.store.keyring import Cipher, Ring, RingKey, VaultError

__all__ = ["DIGEST", "HEADER", "SEALED", "Vault", "VaultError", "header", "load_or_create"]

SEALED = b"\x01"
HEADER = 3
DIGEST = 16
"""Bytes of a search digest."""

_NONCE = 12
_TAG = 16
_CLOSED = "办件人信息无法解密：密钥不对，或数据被改动"


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


class _Sm4Gcm:
    """SM4 (GB/T 32907) in Galois/counter mode, called like `AESGCM`."""

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        sealing = Construction(self._key, modes.GCM(nonce)).encryptor()
        sealing.authenticate_additional_data(associated_data)
        return sealing.update(data) + sealing.finalize() + sealing.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        opening = Construction(self._key, modes.GCM(nonce, data[-_TAG:])).decryptor()
        opening.authenticate_additional_data(associated_data)
        return opening.update(data[:-_TAG]) + opening.finalize()


class _Opened:
    """A ring, ready to be used."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.ciphers: dict[bytes, _Aead] = {header(key.id): _aead(key) for key in ring.keys}
        self.current = header(ring.current)


class Vault:
    """Seals and opens; `context` binds what is sealed to its place, so that it cannot be moved.

    With a `path` the file is looked at each time: a hub that runs while keys are changed seals
    by the new one at once, and seals nothing whose key is no longer on disk.
    """

    def __init__(self, key: bytes | Ring, path: Path | None = None) -> None:
        ring = key if isinstance(key, Ring) else keyring.of_first_form(key)
        self._path = path
        self._stamp: tuple[int, ...] | None = None
        self._opened = _Opened(ring)

    @property
    def ring(self) -> Ring:
        """The keys, as they are now."""
        return self._fresh().ring

    def seal(self, plain: bytes, context: str) -> bytes:
        """Return a sealed value; raises `VaultError` where the key file is gone or spoilt."""
        opened = self._fresh()
        nonce = os.urandom(_NONCE)
        place = opened.current + context.encode()
        return opened.current + nonce + opened.ciphers[opened.current].encrypt(nonce, plain, place)

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what was sealed; raises `VaultError` for another key, context or content."""
        front, rest = sealed[:HEADER], sealed[HEADER:]
        cipher = self._fresh().ciphers.get(front)
        if cipher is None:
            if front[:1] == SEALED and len(front) == HEADER:
                number = int.from_bytes(front[1:], "big")
                raise VaultError(f"{_CLOSED}（密钥文件中没有第 {number} 号密钥）")
            raise VaultError(_CLOSED)
        return _open(cipher, rest, front + context.encode())

    def open_first_form(self, sealed: bytes, context: str) -> bytes:
        """Return what an older hub sealed by its one key, without header."""
        cipher = self._fresh().ciphers.get(header(0))
        if cipher is None:
            raise VaultError(f"{_CLOSED}（密钥文件中没有第 0 号密钥）")
        return _open(cipher, sealed, context.encode())

    def digest(self, kind: str, value: str) -> bytes:
        """Return by what a value of some kind can be found again, and not be guessed."""
        data = f"{kind}\0{value}".encode()
        return hmac.digest(self._fresh().ring.index, data, hashlib.sha256)[:DIGEST]

    def _fresh(self) -> _Opened:
        if self._path is not None:
            stamp = _stamp(self._path)  # before reading: what changes in between is seen next
            if stamp != self._stamp:
                self._opened = _Opened(keyring.read(self._path))
                self._stamp = stamp
        return self._opened


def header(key: int) -> bytes:
    """Return how a value begins that this key has sealed."""
    return SEALED + key.to_bytes(2, "big")


def load_or_create(
    path: Path, *, needed: bool = False, cipher: Cipher = "aes-256-gcm", now: int | None = None
) -> Vault:
    """Open the vault whose keys are in `path`; a first start makes one, readable by us alone.

    `needed`: something is sealed already, so that a new key would be of no use. `cipher` is
    that of a key made here. Raises `VaultError`.
    """
    if not path.exists() and not needed:
        made_at = epoch_ms() if now is None else now
        try:
            keyring.write(path, keyring.fresh(cipher, made_at))
        except OSError as error:
            raise VaultError(
                f"{path}：密钥文件无法写入：{error.strerror}。请检查目录权限和磁盘空间"
            ) from error
    return Vault(keyring.read(path), path)


def _aead(key: RingKey) -> _Aead:
    return AESGCM(key.key) if key.cipher == "aes-256-gcm" else _Sm4Gcm(key.key)


def _open(cipher: _Aead, rest: bytes, place: bytes) -> bytes:
    try:
        return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], place)
    except (InvalidTag, ValueError) as error:
        raise VaultError(_CLOSED) from error


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError as error:
        raise VaultError(
            f"密钥文件 {path} 不见了或无法读取（{error.strerror}）。请从备份恢复这个文件，不要新建"
        ) from error
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode
