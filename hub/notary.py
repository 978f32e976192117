"""Makes signed checkpoints of the ledger at a steady rhythm, beside the live traffic.

Nothing is signed over a ledger that no longer begins as it was signed before: the newest
checkpoint is looked at each time, in the database and in the file beside it, and the entries
themselves are hashed again, all of them at the start, then a part at each look. The work is done
in small jobs of the writer, so that no rating waits for it.
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
from hub.store import lastsigned, ledger, traces, tree
from hub.store.prefix import Doubt, Reading, doubt
from hub.store.writer import Busy, Stopped, Writer

log = logging.getLogger(__name__)

PER_JOB = 8 * tree.WIDTH
"""Entries that one job hashes: some twenty milliseconds."""

FIRST_S = 60.0
"""A new ledger gets its first checkpoint within this time, however rare they are to be."""


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


class _Refused(Exception):
    """Nothing is signed; `doubt` says why."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt.text)
        self.doubt = doubt


class Notary:
    """Looks every `each_s` seconds; signs where the ledger has grown.

    `origin` names the ledger in its checkpoints. `now`: milliseconds since 1970. `alarm` says in
    Chinese why nothing is signed, or that the file beside the database cannot be written.
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
        self._reading = Reading(self.verifier)
        self._begun = False
        self._failing = False
        self.alarm: str | None = None

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
            await asyncio.sleep(self._each_s if self._begun else min(self._each_s, FIRST_S))

    async def look(self) -> None:
        """Hash what is new, and sign once all of it is hashed, if it may be signed."""
        try:
            folder, note = await self._signed()
        except _Refused as error:
            self._tell(error.doubt)
            return
        self._tell(None if note is None else await asyncio.to_thread(_keep, folder, note))
        self._begun = note is not None

    async def _signed(self) -> tuple[Path, str | None]:
        """Return where the newest checkpoint belongs, and it; raises `_Refused`."""
        more = await self._writer.run(self._read)
        while more and self._reading.fits is None:  # before the first is signed, all is read
            more = await self._writer.run(self._read)
        await self._writer.run(self._check)  # first: what was altered is not to enter the tiles
        more = True
        while more:
            more = await self._writer.run(lambda db: tree.grow(db, PER_JOB))
        return await self._writer.run(self._sign)

    def _tell(self, found: Doubt | None) -> None:
        before, self.alarm = self.alarm, None if found is None else found.text
        if found is not None and self.alarm != before:
            log.critical("checkpoint=%s", found.word)
        elif found is None and before is not None:
            log.warning("checkpoint=works-again")

    def _read(self, db: Database) -> bool:
        return self._reading.go_on(db, PER_JOB)

    def _check(self, db: Database) -> None:
        found = doubt(db, self.verifier) or self._reading.doubt
        if found is not None:
            raise _Refused(found)

    def _sign(self, db: Database) -> tuple[Path, str | None]:
        self._check(db)
        folder = traces.file_of(db).parent
        size, newest = ledger.size(db), tree.newest(db)
        if size == 0 or (newest is not None and size <= newest.size):
            return folder, newest.note if newest else None
        checkpoint = Checkpoint(self._origin, size, rules.root(size, tree.Nodes(db)))
        note = sign(checkpoint, self._key)
        tree.publish(db, checkpoint, note, self._now())
        return folder, note


def _keep(folder: Path, note: str) -> Doubt | None:
    """Keep what is committed outside the database too; say so where that fails."""
    try:
        if lastsigned.read(folder) != note:
            lastsigned.write(folder, note)
    except OSError as error:
        return Doubt(
            "not-kept",
            f"{folder / lastsigned.NAME} 写不进去（{error.strerror}）：请检查磁盘和目录的权限。"
            "台账照常入账和签名，只是数据文件之外没有留存最新的检查点",
        )
    return None
