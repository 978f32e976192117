"""The file of the keys to citizens' data: read strictly, replaced whole or not at all."""

import contextlib
import fcntl
import hashlib
import hmac
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Cipher = Literal["aes-256-gcm", "sm4-gcm"]

LENGTHS: dict[Cipher, int] = {"aes-256-gcm": 32, "sm4-gcm": 16}
"""Bytes of a key."""

_FIRST_FORM = 32
_INDEX = 32


class VaultError(Exception):
    """The key is missing or of the wrong kind, or what it should open was altered."""


class RingKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key; `made_at`: milliseconds since 1970, 0 where nobody knows."""

    id: Annotated[int, Meta(ge=0, le=65535)]
    cipher: Cipher
    key: bytes
    made_at: int = 0

    def __repr__(self) -> str:
        """Without the key: what is shown may end in a log."""
        return f"RingKey({self.id}, {self.cipher})"


class Ring(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All keys that may still be needed; `current` is the one that seals.

    `index` is the key of the search index; it is never changed, for what it made would have to
    be made anew from what the citizens said. `marks_since`: when the hub began to mark users,
    keys and the audit trail (ms since 1970), 0: not yet. It stands here, out of reach of who can
    write the database, so that rows are marked once and no second time.
    """

    form: Literal["pingyi-citizens/1"] = "pingyi-citizens/1"
    current: int
    index: bytes
    keys: tuple[RingKey, ...]
    marks_since: int = 0

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Ring({self.current} of {[each.id for each in self.keys]})"

    def __post_init__(self) -> None:
        """Refuse what could seal under one key and open under another."""
        if any(len(each.key) != LENGTHS[each.cipher] for each in self.keys):
            raise ValueError("密钥长度不对")
        known = [each.id for each in self.keys]
        if len(set(known)) != len(known):
            raise ValueError("有两个密钥用了同一个编号")
        if self.current not in known:
            raise ValueError("当前密钥不在其中")
        if len(self.index) != _INDEX:
            raise ValueError("索引密钥长度不对")

    def now(self) -> RingKey:
        """Return the key that seals."""
        return next(each for each in self.keys if each.id == self.current)


def fresh(cipher: Cipher, now: int) -> Ring:
    """Return a ring of one new key."""
    key = RingKey(id=1, cipher=cipher, key=os.urandom(LENGTHS[cipher]), made_at=now)
    return Ring(current=1, index=os.urandom(_INDEX), keys=(key,))


def of_first_form(key: bytes) -> Ring:
    """Return the ring that a bare key stands for, as older hubs made it: always the same."""
    if len(key) != _FIRST_FORM:
        raise VaultError(f"密钥应为 32 字节，实为 {len(key)} 字节")
    index = hmac.digest(key, b"pingyi citizens index", hashlib.sha256)
    return Ring(current=0, index=index, keys=(RingKey(id=0, cipher="aes-256-gcm", key=key),))


def with_new(ring: Ring, cipher: Cipher, now: int) -> Ring:
    """Return a ring in which a new key seals; ids are never used twice."""
    name = max(each.id for each in ring.keys) + 1
    if name > 65535:
        raise VaultError("密钥编号已用完，请联系维护人员")
    key = RingKey(id=name, cipher=cipher, key=os.urandom(LENGTHS[cipher]), made_at=now)
    return msgspec.structs.replace(ring, current=name, keys=(*ring.keys, key))


def without(ring: Ring, names: set[int]) -> Ring:
    """Return a ring without these keys."""
    kept = tuple(each for each in ring.keys if each.id not in names)
    return msgspec.structs.replace(ring, keys=kept)


def read(path: Path) -> Ring:
    """Read the file; raises `VaultError` unless it is whole, sound, and ours alone."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except FileNotFoundError:
        raise VaultError(
            f"找不到密钥文件 {path}，已有的办件人信息无法解密。请从备份恢复这个文件，不要新建"
        ) from None
    except OSError as error:
        raise VaultError(
            f"{path}：密钥文件无法读取：{error.strerror}。请检查所有者和权限"
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise VaultError(f"{path}：密钥文件可被他人读取，请执行 chmod 600 {path}")
    if len(data) == _FIRST_FORM:
        return of_first_form(data)
    try:
        return msgspec.json.decode(data, type=Ring)
    except (msgspec.MsgspecError, ValueError) as error:  # not chained: it may quote the file
        why = str(error) if not str(error).isascii() else "内容不完整或有多余"
        raise VaultError(
            f"{path}：密钥文件已损坏（{why}；应为密钥环，或 32 字节的旧密钥，"
            f"实为 {len(data)} 字节）。请从备份恢复这个文件，不要新建"
        ) from None


def write(path: Path, ring: Ring) -> None:
    """Put a ring in the place of what is there, in one step and on disk when this returns.

    Raises OSError; then the file is as it was.
    """
    temporary = path.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                owner = path.stat()
                if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)  # the hub's, not root's
            file.write(msgspec.json.format(msgspec.json.encode(ring)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def changing(path: Path) -> Iterator[None]:
    """Hold the right to change the ring, for one process at a time; raises `VaultError`."""
    with path.with_suffix(".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VaultError("另一个命令正在更换密钥，请等它结束后再试") from None
        yield
