"""Signed checkpoints of the ledger, as C2SP tlog-checkpoint and signed-note say.

    pingyi/demo              origin: which ledger
    4711                     how many entries
    mwKmL9…=                 the root over them, base64

    — pingyi/demo Az3grl…=   signature: 4 bytes of key hash, then Ed25519 over the lines above

Anyone who kept an old one can ask for the proof that today's ledger begins with it.
"""

import base64
import binascii
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from msgspec import Struct

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MARK = "— "
LIMIT = 16 * 1024
"""Bytes of a note that are looked at."""


class CheckpointInvalid(Exception):
    """A note that is no checkpoint of this ledger, or not signed by its key."""


class NoCheckpoint(CheckpointInvalid):
    """Something else altogether, or a part of one: not even the form of a signed note."""


class Checkpoint(Struct, frozen=True):
    """What a checkpoint says: the first `size` entries of ledger `origin` have this root."""

    origin: str
    size: int
    root: bytes


class Verifier(Struct, frozen=True):
    """The public half: the name and key by which checkpoints are believed."""

    name: str
    key: bytes

    def __str__(self) -> str:
        """The key as people hand it on: `name+hash+key`, the form of signed-note."""
        body = base64.b64encode(_ED25519 + self.key).decode()
        return f"{self.name}+{_key_hash(self.name, self.key).hex()}+{body}"


def verifier(text: str) -> Verifier:
    """Read what `str(Verifier)` wrote; raises `CheckpointInvalid`."""
    try:
        name, mark, body = text.strip().split("+", 2)
        data = base64.b64decode(body, validate=True)
        found = Verifier(name, data[1:])
        if data[:1] != _ED25519 or len(found.key) != 32 or not _NAME.fullmatch(name):
            raise CheckpointInvalid("不是台账的公钥：请核对是否完整复制")
        if mark != _key_hash(name, found.key).hex():
            raise CheckpointInvalid("台账的公钥与其校验码不符：请核对是否完整复制")
    except (ValueError, binascii.Error) as error:
        raise CheckpointInvalid("不是台账的公钥：形如“名称+校验码+公钥”") from error
    return found


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Return the signed note."""
    text = _body(checkpoint)
    public = key.public_key().public_bytes_raw()
    signature = _key_hash(checkpoint.origin, public) + key.sign(text.encode())
    return f"{text}\n{_MARK}{checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def opened(note: str, by: Verifier) -> Checkpoint:
    """Return what a note says if `by` has signed it; raises `CheckpointInvalid`.

    Signatures of others (witnesses) may stand beside it and are not looked at.
    """
    text, signatures = _halves(note)
    mark = _key_hash(by.name, by.key)
    for line in signatures:
        name, _, body = line.removeprefix(_MARK).partition(" ")
        if not line.startswith(_MARK) or name != by.name:
            continue
        try:
            data = base64.b64decode(body, validate=True)
            if data[:4] != mark:
                continue
            Ed25519PublicKey.from_public_bytes(by.key).verify(data[4:], text.encode())
        except (ValueError, InvalidSignature) as error:
            raise CheckpointInvalid("检查点的签名不对：内容被改动，或不是这把密钥签的") from error
        return _parsed(text, by.name)
    raise CheckpointInvalid(f"检查点没有“{by.name}”这把密钥的签名：台账的密钥可能被换过")


def check_form(note: str) -> None:
    """Raise `NoCheckpoint` for what is no signed note with the lines of a checkpoint.

    So somebody who names the wrong file hears that, and not that the ledger was altered.
    """
    text, signatures = _halves(note)
    lines = text.split("\n")
    if not signatures[0].startswith(_MARK):
        raise NoCheckpoint("检查点没有签名，或不完整")
    if len(lines) < 4 or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
        raise NoCheckpoint("不是检查点：开头应是台账名称和条数")


def _halves(note: str) -> tuple[str, list[str]]:
    """Return the text that is signed, and the lines of signatures; raises `NoCheckpoint`."""
    if len(note.encode()) > LIMIT:
        raise NoCheckpoint("检查点过长")
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise NoCheckpoint("检查点没有签名，或不完整")
    return f"{text}\n", signatures.splitlines()


def _parsed(text: str, name: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, body = lines[:3]
        root = base64.b64decode(body, validate=True)
        if origin != name:
            raise CheckpointInvalid(f"是另一本台账“{origin[:40]}”的检查点")
        if not _SIZE.fullmatch(size) or len(root) != 32:
            raise CheckpointInvalid("检查点的格式不对")
    except (ValueError, binascii.Error) as error:
        raise CheckpointInvalid("检查点的格式不对") from error
    return Checkpoint(origin, int(size), root)


def _body(checkpoint: Checkpoint) -> str:
    root = base64.b64encode(checkpoint.root).decode()
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n"


def _key_hash(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:4]
