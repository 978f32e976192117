"""The hub's mark on rows that give rights or tell what was done: users, keys, sessions, the trail.

A mark is a keyed hash by the vault's index key, which stays when other keys are changed and lies
beside the database, not in it: who can only write the database cannot make one.
"""

import hmac
import threading
from collections.abc import Sequence
from typing import Literal
from weakref import WeakKeyDictionary

import msgspec
from sqlite_utils import Database

from hub.store import cases, traces, vault
from hub.store.vault import Vault, VaultError

Of = Literal["user", "key", "session", "portrait", "act"]
Value = str | int | bytes | None

KEY_FILE = "citizens.key"
REMEMBERED = 4096
"""Marks that were found to fit and need not be computed again; they take about 2 MB."""


class Forged(Exception):
    """A row that this hub has not written like this: it opens nothing.

    `of` and `name` say which; `row` tells it from others of the same name, and holds no secret.
    """

    def __init__(self, of: Of, name: str, row: str) -> None:
        super().__init__(f"{of}:{name}")
        self.of = of
        self.name = name
        self.row = row


class Signet:
    """Makes marks and looks at them, for any thread; `vault` marks entries of the ledger."""

    def __init__(self, of: Vault) -> None:
        self.vault = Vault(of.ring)  # its index key never changes: no look at the file each time
        self._fitting: set[tuple[str, tuple[Value, ...], bytes]] = set()

    def mark(self, of: Of, values: Sequence[Value]) -> bytes:
        """Return the mark (16 bytes) of a row of these values, in this order."""
        return self.vault.digest(f"row {of}", msgspec.json.encode(values).decode())

    def fits(self, of: Of, values: Sequence[Value], mark: bytes) -> bool:
        """Whether the hub itself has written these values."""
        known = (of, tuple(values), mark)
        if known in self._fitting:
            return True
        if not hmac.compare_digest(self.mark(of, values), mark):
            return False
        if len(self._fitting) >= REMEMBERED:
            self._fitting.clear()
        self._fitting.add(known)
        return True

    def forged(self, of: Of, name: str, values: Sequence[Value]) -> Forged:
        """Return what tells of a row whose mark does not fit."""
        said = msgspec.json.encode(values).decode()
        return Forged(of, name, self.vault.digest(f"forged {of}", said).hex())


_signets: WeakKeyDictionary[Database, Signet] = WeakKeyDictionary()
_lock = threading.Lock()


def hand(db: Database, of: Vault) -> Signet:
    """Have this connection mark by the keys of a vault."""
    made = Signet(of)
    with _lock:
        _signets[db] = made
    return made


def of(db: Database) -> Signet:
    """Return the signet of a connection: what it was handed, else of the key file beside it.

    Where nothing is sealed or marked yet a key is made. Raises `VaultError`.
    """
    with _lock:
        found = _signets.get(db)
    if found is not None:
        return found
    file = traces.file_of(db)
    if not file.name:
        raise VaultError("没有密钥文件：账号和操作记录无法核对")
    key = file.with_name(KEY_FILE)
    # Not looked for in vain: a transaction that reads first cannot write beside a running hub.
    return hand(db, vault.load_or_create(key, needed=not key.exists() and needed(db)))


def needed(db: Database) -> bool:
    """Whether something is sealed or marked already, so that a new key would be of no use."""
    return cases.any_kept(db) or any(
        db.conn.execute(f"SELECT 1 FROM {table} WHERE mark <> x'' LIMIT 1").fetchone()  # noqa: S608
        for table in ("users", "api_keys", "audit", "portraits")
    )
