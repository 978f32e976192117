"""The hub's one SQLite file: how it is opened, and what keeps its ledger from being altered."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlite_utils import Database

from hub.store.schema import guards, migrations


class GuardsMissing(Exception):
    """Somebody took away what keeps ledger and audit trail from being altered."""


class Swallowed(Exception):
    """A row was put in, and the file has not taken it: somebody has altered what acts in it."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where}没有记下刚写入的内容：数据文件可能被改动过，请用 pingyi-hub verify 核查"
        )


class LedgerLost(Exception):
    """A hub had data here and they are gone; the text says what to do, in Chinese."""


def check_not_lost(state: Path) -> None:
    """Raise `LedgerLost` where a file that is made anew would begin a second ledger.

    A ledger's key without a ledger is what is left of one; so is what a restore leaves that was
    cut off between setting the old data aside and putting the backup in their place.
    """
    path = state / "hub.db"
    if _begun(path):
        return
    check_restored(state)
    if any(state.parent.glob(f"{state.name}.part-*")):
        raise LedgerLost(
            "恢复没有做完：复制备份时中断了。请重新运行 pingyi-hub restore，完成后再启动服务器"
        )
    if _mark(state).exists() and not (state / "ledger.key").exists():
        raise LedgerLost(
            f"{state} 里没有数据，而服务器在这里运行过：磁盘可能没有挂上，或数据已丢失。"
            "请先检查挂载，或用 pingyi-hub restore 从备份恢复；"
            f"确实要从头开始，请删去 {_mark(state)}"
        )
    if (state / "ledger.key").exists():
        raise LedgerLost(
            f"{path} 不见了或是空的，而台账的签名密钥还在：数据可能已丢失。"
            "请保留现场，用 pingyi-hub restore 从备份恢复；确实要另立台账，请把密钥移走"
        )


def mark_begun(state: Path) -> None:
    """Leave a mark beside the data, which stays where they do not: on a disk not mounted, say.

    Where it cannot be left, only this warning is missing.
    """
    with suppress(OSError):
        _mark(state).touch(mode=0o600)


def _mark(state: Path) -> Path:
    return state.with_name(f".{state.name}.begun")


def check_restored(state: Path) -> None:
    """Raise `LedgerLost` where a restored state lies ready and was not put in its place."""
    ready = sorted(state.parent.glob(f"{state.name}.restored-*"))
    if ready:
        raise LedgerLost(
            f"恢复没有做完：备份还没有换上。请把 {ready[-1]} 改名为 {state}"
            f"（如已有 {state} 这个目录，先把它移到别处），再启动服务器"
        )


def _begun(path: Path) -> bool:
    """Say whether a file holds a ledger, without making one; raises sqlite3.Error."""
    if not path.exists() or not path.stat().st_size:
        return False
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=10)) as raw:
        found = raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchone()
    return found is not None


def probe(db: Database) -> None:
    """Write what changes nothing, to see whether the disk takes anything; raises sqlite3.Error."""
    db.conn.execute("UPDATE delivery_counts SET n = n WHERE kind = 'service'")


def check_guards(db: Database) -> None:
    """Raise `GuardsMissing` unless triggers and views are those that the migrations made.

    One more is as bad as one less: it could swallow an entry before it is in the ledger.
    """
    names = guards.doubts(db)
    if names:
        raise GuardsMissing(
            "台账或操作记录的防改保护被移除或改动，或者有系统之外添加的触发器、视图"
            f"（{'、'.join(names)}），数据可能已被篡改。"
            "请保留现场，不要继续使用这个数据文件，并联系维护人员核查"
        )


def connect(path: Path) -> Database:
    """Open the file for one thread at a time; every commit is on disk when it returns.

    WAL with synchronous=FULL: WAL with NORMAL may lose the last commits at a power loss.
    """
    if not path.exists():
        path.touch(mode=0o600)  # its log and index take over the mode
    connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
    db = Database(connection, execute_plugins=False)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is erased is to be gone
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return db


@contextmanager
def alone(db: Database) -> Iterator[None]:
    """Be the only one who writes, from the first look on; commits at the end.

    For commands beside a running hub: there a transaction that reads first and then writes
    fails where the hub has written in between.
    """
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.conn.rollback()
        raise
    db.conn.commit()


def migrate(db: Database) -> None:
    """Bring the schema up to date; each step and its record commit together."""
    migrations.apply(db)


def up_to_date(db: Database) -> bool:
    """Say whether a file has taken every step of the schema."""
    return not any(True for _ in migrations.pending(db))
