"""A copy of a live hub's data, and putting it back: never without having verified it.

The copy is made by SQLite's own backup interface, so that it is one moment of the file.
"""

import contextlib
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgspec
from sqlite_utils import Database

from hub import notary
from hub.rules.checkpoint import CheckpointInvalid, Verifier, opened
from hub.store import database, keyring, lastsigned, ledger, lock, recovery, soundness, tree
from hub.store.soundness import Spoiled
from hub.store.vault import VaultError
from hub.verification import report, sources
from hub.verification.findings import Finding
from protocol import wording

DATABASE = "hub.db"
LEDGER_KEY = "ledger.key"
CITIZENS_KEY = "citizens.key"
MANIFEST = "manifest.json"
PAGES = 500
"""Pages that are copied between two moments for others: 2 MB."""


class BackupError(Exception):
    """A backup that cannot be made or must not be used; the text says what to do, in Chinese."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What lies beside the copied files; `made_at`: milliseconds since 1970."""

    hall: str
    made_at: int
    entries: int
    checkpoint: str | None
    files: dict[str, str]
    """SHA-256 by name."""


def make(
    state: Path,
    out: Path,
    hall: str,
    now: int,
    *,
    keys: bool,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Manifest:
    """Copy a hub's data into the new folder `out`, also while the hub runs.

    `keys`: the keys too; without them a lost disk is a lost vault. What was copied is looked
    at (`soundness.check`): a backup of a spoiled file would come too late. Raises `BackupError`,
    sqlite3.Error, OSError.
    """
    if out.exists():
        raise BackupError(f"{out} 已经存在，不会覆盖：请换一个目录")
    if not (state / DATABASE).exists():
        raise BackupError("还没有数据：服务器尚未运行过")
    place = out.with_name(out.name + ".part")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, mode=0o700)
    try:
        soundness.glance(state / DATABASE)
        # No key is dropped between the copy of what it sealed and its own.
        with keyring.changing(state / CITIZENS_KEY) if keys else contextlib.nullcontext():
            _copy(state / DATABASE, place / DATABASE, progress)
            soundness.check(place / DATABASE)
            for name in (LEDGER_KEY, CITIZENS_KEY) if keys else ():
                if (state / name).exists():
                    _private(place / name, (state / name).read_bytes())
        manifest = _manifest(place, hall, now)
        _private(place / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        place.rename(out)
    except VaultError as error:
        shutil.rmtree(place, ignore_errors=True)
        raise BackupError(str(error)) from error
    except Spoiled as error:
        shutil.rmtree(place, ignore_errors=True)
        raise BackupError(
            f"{state / DATABASE}：数据文件已损坏，没有备份。请不要删除以前的备份：停止服务，"
            "把整个目录复制一份留存，再用 pingyi-hub restore 从以前的备份恢复"
        ) from error
    except (sqlite3.Error, OSError):
        shutil.rmtree(place, ignore_errors=True)
        raise
    return manifest


def read(folder: Path, hall: str) -> Manifest:
    """Return the manifest of a backup of `hall` once all its files are as it says.

    Raises `BackupError`.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(f"{folder} 不是完整的备份：{MANIFEST} 无法读取") from error
    if manifest.hall != hall:
        raise BackupError(f"这是大厅“{manifest.hall}”的备份，配置中是“{hall}”")
    for name, known in manifest.files.items():
        try:
            found = _digest(folder / name)
        except OSError as error:
            raise BackupError(f"备份中的 {name} 无法读取：{wording.system(error)}") from error
        if found != known:
            raise BackupError(f"备份中的 {name} 与清单不符：文件已损坏或被改动，请换一份备份")
    return manifest


def verify(
    folder: Path, state: Path, manifest: Manifest, found: Callable[[Finding], None]
) -> report.Report:
    """Verify a backup's ledger from its first entry, telling `found` of each finding.

    By the key to citizens' data that `put_back` would put there, where there is one: what the
    hub has entered itself is known by it alone. Raises `BackupError` for a broken file, or a
    ledger that was altered.
    """
    by = _verifier(folder, state, manifest.hall)
    place = folder if CITIZENS_KEY in manifest.files else state
    grave = marks = 0

    def tell(finding: Finding) -> None:
        nonlocal grave, marks
        grave += finding.grave
        marks += finding.what == "mark"
        found(finding)

    try:
        with closing(_as_it_is(folder / DATABASE)) as db:
            [verdict] = db.conn.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"备份的数据文件已损坏：{verdict}。请换一份备份")
            vault = sources.vault_at(place / CITIZENS_KEY)
            made = manifest.made_at
            result = report.verify(sources.live(db, by, vault), tell, now=made)
            more = report.around(db, tell, vault, now=made)
            _passed_over(db, state, by, tell)
    except sqlite3.DatabaseError as error:
        raise BackupError(f"备份的数据文件已损坏：{error}。请换一份备份") from error
    if grave:
        doubt = f"；{place / CITIZENS_KEY} 如果不是备份时的那一把，请先换回" if marks else ""
        raise BackupError(f"备份的台账有 {grave} 处问题，没有恢复：请换一份备份{doubt}")
    return msgspec.structs.replace(result, unchecked=(*result.unchecked, *more))


def _passed_over(
    db: Database, state: Path, by: Verifier | None, found: Callable[[Finding], None]
) -> None:
    """Tell of the checkpoint beside the data in place that the backup lacks.

    It goes with them: else the restored hub would hold the backup for a forgery.
    """
    try:
        note = lastsigned.read(state)
        if note is None or by is None:
            return
        size = opened(note, by).size
        told = f"现有的数据签到第 {size} 条，这份备份里没有这个检查点：备份比它旧，或分岔在它之前"
        if tree.gave(db, size, note):
            return
    except (OSError, CheckpointInvalid):
        told = "现有数据旁留存的检查点无法读取"
    text = f"{told}。恢复后以备份为准：{lastsigned.NAME} 按备份改写，原来的随现有数据一起保留"
    found(Finding(what="known", text=text, grave=False))


def _as_it_is(path: Path) -> Database:
    """Open a file that is not to be touched: a backup that is looked at stays the backup it was.

    Opened as the hub opens its own, the file's header would change, and with it the digest by
    which the manifest knows it; and on a medium that takes no writing nothing would open.
    """
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    return Database(sqlite3.connect(address, uri=True), execute_plugins=False)


def put_back(folder: Path, state: Path, manifest: Manifest, now: int) -> Path | None:
    """Put a backup in the place of a hub's data; what is there is set aside, and returned.

    The hub will then ask its kiosks for what came after the backup. Call `read` and `verify`
    first. Cut off anywhere it leaves the old state or the new one, or a hub that refuses to
    start and says what to do. Raises `InUse` while a hub runs, `LedgerLost` where an earlier
    restore was cut off, sqlite3.Error, OSError.
    """
    if not (state / DATABASE).exists():
        database.check_restored(state)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.alone(state):
        return _put_back(folder, state, manifest, now)


def _put_back(folder: Path, state: Path, manifest: Manifest, now: int) -> Path | None:
    for scrap in state.parent.glob(f"{state.name}.part-*"):
        shutil.rmtree(scrap, ignore_errors=True)
    part = state.with_name(f"{state.name}.part-{now}")
    try:
        _prepare(folder, state, part, manifest, now)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    fresh = part.rename(state.with_name(f"{state.name}.restored-{now}"))
    _sync(state.parent)
    aside = state.with_name(f"{state.name}.before-{now}")
    state.rename(aside)
    fresh.rename(state)
    _sync(state.parent)
    if [each.name for each in aside.iterdir()] == [lock.NAME]:  # nothing was there
        shutil.rmtree(aside)
        return None
    return aside


def _prepare(folder: Path, state: Path, part: Path, manifest: Manifest, now: int) -> None:
    """Make the new state in `part`, all of it on disk: what the manifest names, and our keys."""
    part.mkdir(mode=0o700)
    for name in (DATABASE, LEDGER_KEY, CITIZENS_KEY):
        if name in manifest.files:
            shutil.copyfile(folder / name, part / name)
            (part / name).chmod(0o600)
        elif (state / name).exists():
            _private(part / name, (state / name).read_bytes())
    with closing(database.connect(part / DATABASE)) as db:
        database.migrate(db)
        recovery.begin(
            db, since=now, made_at=manifest.made_at, checkpoint=manifest.checkpoint or ""
        )
        newest = tree.newest(db)
    if newest is not None:
        _private(part / lastsigned.NAME, newest.note.encode())
    for each in (*part.iterdir(), part):
        _sync(each)


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    def tell(_status: int, left: int, total: int) -> None:
        progress(total - left, total)

    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        # One picture of the file: without it every commit of the hub would begin the copy anew.
        live.execute("BEGIN")
        live.execute("SELECT 1 FROM sqlite_master").fetchone()
        live.backup(copy, pages=PAGES, progress=tell, sleep=0.001)
        live.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, nothing beside it
    target.chmod(0o600)
    _sync(target)


def _manifest(place: Path, hall: str, now: int) -> Manifest:
    with closing(sqlite3.connect(place / DATABASE)) as raw:
        db = Database(raw, execute_plugins=False)
        newest = tree.newest(db) if db["checkpoints"].exists() else None
        entries = ledger.size(db)
    return Manifest(
        hall=hall,
        made_at=now,
        entries=entries,
        checkpoint=newest.note if newest else None,
        files={path.name: _digest(path) for path in sorted(place.iterdir())},
    )


def _verifier(folder: Path, state: Path, hall: str) -> Verifier | None:
    for path in (state / LEDGER_KEY, folder / LEDGER_KEY):
        if path.exists():
            try:
                key = notary.load_or_create(path, needed=True)
            except notary.LedgerKeyError as error:
                raise BackupError(str(error)) from error
            return Verifier(notary.origin(hall), key.public_key().public_bytes_raw())
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _private(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
