"""New keys for citizens' data beside a running hub: no moment at which a kill loses anything.

First the file holds the new key, then values are sealed anew in small steps, and only when none
needs an old key any more may that one be dropped: the database refuses it from then on.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from sqlite_utils import Database

from hub.rules.access import CONSOLE
from hub.store import audit, cases, documents, erasure, keyring, resealing, traces
from hub.store.keyring import Cipher
from hub.store.turns import turn
from hub.store.vault import Vault

PER_STEP = 50
"""Cases in one transaction: some ten milliseconds."""


class Resealed(Struct, frozen=True, kw_only=True):
    """How many cases were sealed anew, and which could not be opened (serial and number)."""

    cases: int
    unopened: tuple[tuple[str, int], ...]


def renew(db: Database, path: Path, cipher: Cipher, now: int) -> tuple[Vault, bool]:
    """Return a vault that seals by a new key, and True; or False: one change is not done yet.

    A change that was interrupted is gone on with, unless another cipher is wanted. Raises
    `VaultError`, OSError.
    """
    with keyring.changing(path):
        ring = keyring.read(path)
        vault = Vault(ring, path)
        if ring.now().cipher == cipher and len(ring.keys) > 1 and resealing.left(db, vault):
            return vault, False
        fresh = keyring.with_new(ring, cipher, now)
        with db.atomic():
            audit.note(db, now, CONSOLE.name, "rotate_keys", str(fresh.current), detail={})
        keyring.write(path, fresh)
        return vault, True


def adopt(db: Database, vault: Vault) -> Resealed:
    """Seal field by field what an older hub kept in one piece; raises `VaultError`.

    Such a piece may lie about in free space too: the file is written anew, this once.
    """
    _ = vault.ring  # a lost key file is told as such, not as so many cases that do not open
    traces.shred(db)
    count, place = 0, ("", 0)
    unopened: list[tuple[str, int]] = []
    while True:
        with turn(db):
            done, failed = cases.adopt(db, vault, place, PER_STEP)
            if done:
                erasure.set_mark(db, erasure.UNSEARCHED, 1)
        if not done and not failed:
            break
        place = max(done + failed)
        count += len(done)
        unopened += failed
    if count:
        _search(db)
    return Resealed(cases=count, unopened=tuple(unopened))


def reseal(
    db: Database,
    vault: Vault,
    progress: Callable[[int], None] = lambda _: None,
) -> Resealed:
    """Seal all by the key that seals now, telling `progress` of each step.

    May be interrupted and begun anew at any time. Raises `VaultError` (the file of the keys),
    sqlite3.Error.
    """
    traces.shred(db)
    first = adopt(db, vault)
    progress(first.cases + len(first.unopened))
    count, after = first.cases, 0
    unopened = [*first.unopened]
    while True:
        _ = vault.ring
        with turn(db):
            done, failed, after = resealing.step(db, vault, after, PER_STEP)
        if not done and not failed:
            break
        count += len(done)
        unopened += failed
        progress(len(done) + len(failed))
    unopened += _documents(db, vault, progress)
    if erasure.mark(db, erasure.UNSEARCHED) == 1:  # an earlier one was killed before its end
        _search(db)
    traces.flush(db)
    return Resealed(cases=count, unopened=tuple(unopened))


def _documents(
    db: Database, vault: Vault, progress: Callable[[int], None]
) -> list[tuple[str, int]]:
    """Seal evidence documents anew, one in a transaction; return which could not be opened."""
    unopened: list[tuple[str, int]] = []
    after = ""
    while True:
        _ = vault.ring
        with turn(db):
            done = documents.reseal(db, vault, after)
        if done is None:
            return unopened
        after, opened = done
        if not opened:
            unopened.append((f"证据文件 {after[:16]}", 1))
        progress(1)


def prune(db: Database, path: Path, now: int) -> list[int]:
    """Drop the keys by which nothing is sealed any more; return their ids.

    In this order: the database refuses them, then the file forgets them. Raises `VaultError`,
    OSError, sqlite3.Error.
    """
    with keyring.changing(path):
        ring = keyring.read(path)
        with turn(db):
            used = resealing.in_use(db)
            gone = {each.id for each in ring.keys} - set(used) - {ring.current}
            if not gone:
                return []
            resealing.drop(db, gone, now)
            audit.note(
                db,
                now,
                CONSOLE.name,
                "drop_keys",
                " ".join(map(str, sorted(gone))),
                detail={"times": len(gone)},
            )
        keyring.write(path, keyring.without(ring, gone))
    return sorted(gone)


def _search(db: Database) -> None:
    """Write the file anew where nobody knows any more what to search for."""
    if not traces.wipe(db, traces.file_of(db), (), rebuild=True, unknown=True):
        with db.atomic():
            erasure.set_mark(db, erasure.UNSEARCHED, 0)
