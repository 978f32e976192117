"""A new key for a kiosk whose old one was revoked or copied; the old identity is put aside."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from device import identity

KEY = "device-key.pem"
OUTBOX = "outbox.db"


class OutcomesWait(Exception):
    """Outcomes signed with the old key have no receipt yet; the text says what to do."""


def depth(path: Path) -> int:
    """Count what waits in an outbox, changing nothing; raises `sqlite3.DatabaseError` if damaged.

    A kiosk may be running on it.
    """
    # A running kiosk has a write-ahead log beside the file. Without one nobody is writing,
    # and SQLite is told so, or it would make one even for a reader.
    running = path.with_name(path.name + "-wal").exists()
    mode = "mode=ro" if running else "mode=ro&immutable=1"
    address = f"{path.absolute().as_uri()}?{mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=5)) as db:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        known = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outcomes'").fetchone()
        if known is None:
            raise sqlite3.DatabaseError("没有评价结果的表")
        return int(db.execute("SELECT count(*) FROM outcomes").fetchone()[0])


def spare_outcomes(state: Path, *, discard: bool) -> Path | None:
    """Make sure that no outcome waits; return where a copy is of those that had to go.

    Nobody may run on the state directory. Raises `OutcomesWait` unless `discard`; OSError or
    sqlite3.Error where the disk does not do it.
    """
    path = state / OUTBOX
    if not path.exists():
        return None
    damaged = False
    try:
        count = depth(path)
    except sqlite3.OperationalError:
        raise  # no access: the content may be well
    except sqlite3.DatabaseError as error:
        damaged = True
        waiting = f"文件 {path} 已损坏（{error}），里面可能还有评价结果，"
    else:
        if not count:
            return None
        waiting = f"还有 {count} 条评价结果"
    if not discard:
        raise OutcomesWait(
            f"{waiting}没有得到大厅回执。它们是用旧密钥签名的，换了密钥就送不出去。"
            "请先连上大厅，等 pingyi-kiosk outbox 显示待发送为 0；"
            "旧密钥已被吊销、确实送不出去时，加上 --discard-outbox：不再发送，原文件改名保留"
        )
    aside = _free(state, f"{OUTBOX}.discarded")
    if damaged:
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    else:
        _empty(path, aside)
    _sync(state)
    return aside


def _empty(path: Path, aside: Path) -> None:
    """Copy an outbox to `aside`, whole on the disk, then take its outcomes out.

    Its numbering goes on, so that the hub sees that some are missing, and how many.
    """
    with closing(sqlite3.connect(path, timeout=5)) as db:
        db.execute("PRAGMA synchronous = FULL")
        draft = aside.with_name(aside.name + ".new")
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(draft)) as copy:
            db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        _sync(draft)
        draft.rename(aside)
        _sync(aside.parent)
        with db:
            db.execute("INSERT OR IGNORE INTO settled SELECT invitation, seq FROM outcomes")
            db.execute("DELETE FROM outcomes")


def renew(state: Path) -> Path | None:
    """Make a new key; return the folder that holds what was there before, if anything was.

    A power cut in between leaves a kiosk that is not enrolled, never one that serves with a new
    key and an old certificate. Raises `identity.IdentityError` or OSError.
    """
    key, place = state / KEY, state / "identity"
    aside = None
    if key.exists() or place.is_symlink():
        aside = _free(state, "previous")  # not identity-*: the next enrolment clears those
        aside.mkdir(mode=0o700)
        if key.exists():
            key.rename(aside / KEY)
        if place.is_symlink():
            target = place.resolve()
            if target.is_dir():
                target.rename(aside / "identity")
            place.unlink()
        _sync(aside)
        _sync(state)
    identity.load_or_create(key)
    return aside


def _free(state: Path, name: str) -> Path:
    number = 1
    while (found := state / f"{name}-{number}").exists():
        number += 1
    return found


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
