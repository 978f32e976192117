"""Once, after an upgrade: what hubs of before left without a mark is taken for the hub's own.

That it is done stands in the key file, out of reach of who can write the database: nobody has the
hub mark a second time what they have put in since.
"""

import logging
from pathlib import Path

import msgspec
from sqlite_utils import Database

from hub.store import (
    api_keys,
    audit,
    cases,
    database,
    keyring,
    portraits,
    revocations,
    signet,
    users,
)
from hub.store.vault import Vault, VaultError

log = logging.getLogger(__name__)


def begin(db: Database, vault: Vault, path: Path, now: int) -> bool:
    """Mark users, keys, cases, photographs, trail, and enter revocations; False: it was done.

    `path` is the vault's key file. To be called by the only process that uses the hub's state, in
    no transaction. A power cut in between has it done again at the next start. Raises
    `VaultError`, sqlite3.Error.
    """
    if vault.ring.marks_since:
        return False
    signet.hand(db, vault)
    with keyring.changing(path):
        with database.alone(db):
            older = audit.newest(db)
            counts = users.mark_all(db), api_keys.mark_all(db)
            portraits.mark_all(db)
            cases.mark_all(db, vault)
            revocations.enter_all(db, now)
            if older is not None or any(counts):
                audit.begin(db, now, *counts)
        try:
            keyring.write(path, msgspec.structs.replace(keyring.read(path), marks_since=now))
        except OSError as error:
            raise VaultError(
                f"{path}：密钥文件无法写入：{error.strerror}。请检查目录权限和磁盘空间"
            ) from error
    log.info("marks=begun users=%d keys=%d", *counts)
    return True
