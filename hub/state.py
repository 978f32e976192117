"""What the hub keeps between two starts, opened as one: its file, its keys, the kiosks it knows.

All of it is looked at, brought up to date and made under the hub's lock: a second hub that is
started beside the first changes nothing, and makes no key.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from sqlite_utils import Database

from hub import notary, soundness
from hub.clock import epoch_ms
from hub.config import HubConfig
from hub.gate import device_ca
from hub.kiosks.keys import public_keys, remembered
from hub.kiosks.roster import Roster
from hub.store import certificates, database, lock, marking, reckoning, signet, tree, vault
from hub.store.vault import Vault


class State(Struct, frozen=True, kw_only=True):
    """What a hub stands on; `path` is its database, `db` the one connection that writes.

    `whole`: whether all of its file was looked at. `past_keys`: every key that a kiosk has or
    had, the newest first.
    """

    path: Path
    whole: bool
    db: Database
    vault: Vault
    ledger_key: Ed25519PrivateKey
    roster: Roster
    past_keys: dict[str, list[EllipticCurvePublicKey]]


@contextlib.contextmanager
def opened(config: HubConfig, base: Path) -> Iterator[State]:
    """Hold the state of a hub for as long as it runs; paths are relative to `base`.

    Raises `ConfigError`, `InUse`, `LedgerLost`, `GuardsMissing`, `VaultError`,
    `LedgerKeyError`, `Spoiled`, sqlite3.Error, OSError.
    """
    configured, ca = public_keys(config, base), device_ca(config, base)
    folder = base / config.state
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "hub.db"
    with lock.alone(folder):
        whole = soundness.at_start(path)
        database.check_not_lost(folder)
        with contextlib.closing(database.connect(path)) as db:
            database.migrate(db)
            database.check_guards(db)
            database.mark_begun(folder)
            key_file = folder / signet.KEY_FILE
            sealed_with = vault.load_or_create(
                key_file, needed=signet.needed(db), cipher=config.citizens.cipher
            )
            marking.begin(db, sealed_with, key_file, epoch_ms())
            signet.hand(db, sealed_with)
            reckoning.recount(db)
            roster = Roster(config.hall, configured, certificates.of_all(db), ca)
            yield State(
                path=path,
                whole=whole,
                db=db,
                roster=roster,
                past_keys=remembered(db, roster, epoch_ms()),
                vault=sealed_with,
                ledger_key=notary.load_or_create(
                    folder / "ledger.key", needed=tree.newest(db) is not None
                ),
            )
