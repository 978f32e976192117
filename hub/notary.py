"""Makes signed checkpoints of the ledger at a steady rhythm, beside the live traffic.

The work is done in small jobs of the writer, so that no rating waits for it.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from hub.rules import tree as rules
from hub.rules.checkpoint import Checkpoint, Verifier, sign
from hub.store import ledger, tree
from hub.store.writer import Busy, Stopped, Writer

log = logging.getLogger(__name__)

PER_JOB = 8 * tree.WIDTH
"""Entries that one job hashes: some ten milliseconds."""


def origin(hall: str) -> str:
    """Return the name of a hall's ledger in its checkpoints."""
    return f"pingyi/{hall}"


class LedgerKeyError(Exception):
    """The key of the ledger is missing or unusable; the text says what to do, in Chinese."""


def load_or_create(path: Path, *, needed: bool) -> Ed25519PrivateKey:
    """Read the key that signs checkpoints, or make it where none was `needed` before.

    Raises `LedgerKeyError`: a new key in the place of a lost one would look like a forgery.
    """
    if not path.exists():
        if needed:
            raise LedgerKeyError(
                f"台账的签名密钥 {path} 不见了，而台账已有用它签过的检查点。"
                "请从备份恢复这个文件；确实无法恢复时，请联系维护人员另立台账"
            )
        fresh = path.with_suffix(".new")
        data = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or a power cut leaves checkpoints by a key that never was
        finally:
            os.close(folder)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LedgerKeyError(f"台账的签名密钥 {path} 无法使用：{error}。请从备份恢复") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LedgerKeyError(f"台账的签名密钥 {path} 不是 Ed25519 密钥。请从备份恢复")
    return key


class Notary:
    """Looks every `each_s` seconds; signs where the ledger has grown.

    `origin` names the ledger in its checkpoints. `now`: milliseconds since 1970.
    """

    def __init__(
        self,
        writer: Writer,
        key: Ed25519PrivateKey,
        origin: str,
        *,
        each_s: float,
        now: Callable[[], int],
    ) -> None:
        self._writer = writer
        self._key = key
        self._origin = origin
        self._each_s = each_s
        self._now = now
        self._failing = False

    @property
    def verifier(self) -> Verifier:
        """By what the checkpoints are believed."""
        return Verifier(self._origin, self._key.public_key().public_bytes_raw())

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.look()
            except (Busy, Stopped):
                pass  # live traffic comes first
            except Exception:  # the next look may succeed
                if not self._failing:
                    log.exception("checkpoint=failed")
                self._failing = True
            else:
                if self._failing:
                    log.warning("checkpoint=works-again")
                self._failing = False
            await asyncio.sleep(self._each_s)

    async def look(self) -> None:
        """Hash what is new, and sign once all of it is hashed."""
        more = True
        while more:
            more = await self._writer.run(lambda db: tree.grow(db, PER_JOB))
        await self._writer.run(self._sign)

    def _sign(self, db: Database) -> None:
        size, newest = ledger.size(db), tree.newest(db)
        if size == 0 or (newest is not None and size <= newest.size):
            return
        checkpoint = Checkpoint(self._origin, size, rules.root(size, tree.Nodes(db)))
        tree.publish(db, checkpoint, sign(checkpoint, self._key), self._now())
