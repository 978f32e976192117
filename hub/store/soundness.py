"""Whether the hub's file is whole: looked at before it is opened, and each night.

Nothing is written meanwhile, not even the log merged: what is found spoiled stays as it was found.
"""

import sqlite3
import struct
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_MAGIC = (0x377F0682, 0x377F0683)
_LOG_HEADER = struct.Struct(">8I")

_ADVICE = (
    "请不要删除任何文件：停止服务，把整个目录复制一份留存，再用 pingyi-hub restore 从备份恢复"
    "（恢复后评价器自动补报备份之后的评价）；没有备份时请联系维护人员"
)


class Spoiled(sqlite3.DatabaseError):
    """The file is not what SQLite left; the text says what to do, in Chinese."""


def check_log(path: Path) -> bool:
    """Raise `Spoiled` where the write-ahead log of a database does not begin as SQLite begins one.

    SQLite takes such a log for an empty one and so forgets what was committed last. A power cut
    leaves none like that: the header is on disk before anything follows it. False if there is
    nothing in the log. Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
    """
    log = path.with_name(path.name + "-wal")
    if not log.exists() or log.stat().st_size <= _LOG_HEADER.size:
        return False
    # Three times: whoever writes to it may begin it anew just as it is read.
    if not any(_log_sound(log) for _ in range(3)):
        raise Spoiled(
            f"{log}：日志文件已损坏，或不是这个数据库的：最近入账的评价可能在里面。{_ADVICE}"
        )
    return True


def glance(path: Path) -> None:
    """Raise `Spoiled` for what can be seen at no cost: the first part of `check`."""
    enough = threading.Event()
    enough.set()
    check(path, enough=enough)


def check(
    path: Path, *, within_s: float | None = None, enough: threading.Event | None = None
) -> bool:
    """Raise `Spoiled` unless the file is whole; False if there was no time to see all of it.

    It ends after `within_s` seconds, or as soon as somebody sets `enough` (it is set at the
    end in any case).

    First what costs nothing: the log's header, and the file's size against its own count of
    pages, by which a file that was cut off is found however large it is. Then SQLite's
    `quick_check`, which reads every page: about 1 s per GB where the system still has the file
    in memory, 22 s per GB from a slow virtual disk (measured with 0.4 GB). A file that does not
    exist, or is empty, is whole.

    Call it from a process that has the file open only through SQLite. Raises
    sqlite3.OperationalError where the file cannot be opened.
    """
    if not path.exists() or not path.stat().st_size:
        return True
    check_log(path)
    enough = enough or threading.Event()
    try:
        with closing(_reading(path)) as db:
            _check_size(db, path)
            return not enough.is_set() and _check_pages(db, path, within_s, enough)
    except (Spoiled, sqlite3.OperationalError):
        raise
    except sqlite3.DatabaseError as error:
        raise Spoiled(f"{path}：数据文件已损坏（{error}）。{_ADVICE}") from error


def _reading(path: Path) -> sqlite3.Connection:
    # Read-only: an ordinary connection merges the log when it is the last to be closed.
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=10)


def _check_size(db: sqlite3.Connection, path: Path) -> None:
    [[pages], [size]] = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
    )
    found = path.stat().st_size
    # Pages that are in the log need not be in the file yet. Looked at last: what was committed
    # since the count was read cannot be in the count.
    if found < pages * size and not check_log(path):
        raise Spoiled(
            f"{path}：数据文件不完整：应有 {pages * size} 字节，只有 {found} 字节。{_ADVICE}"
        )


def _check_pages(
    db: sqlite3.Connection, path: Path, within_s: float | None, enough: threading.Event
) -> bool:
    done = threading.Event()

    def watch() -> None:
        enough.wait(within_s)
        while not done.wait(0.01):  # again: an interrupt before the look begins is lost
            db.interrupt()

    # A thread, not a progress handler: SQLite before 3.41 calls none while it looks at pages.
    watcher = threading.Thread(target=watch, name="soundness")
    watcher.start()
    try:
        [verdict] = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return False
        raise
    finally:
        done.set()
        enough.set()
        watcher.join()  # the connection is closed next
    if verdict != "ok":
        fault = " ".join(str(verdict).split())
        raise Spoiled(f"{path}：数据文件已损坏（{fault}）。{_ADVICE}")
    return True


def _log_sound(log: Path) -> bool:
    with log.open("rb") as file:
        header = file.read(_LOG_HEADER.size)
    if len(header) < _LOG_HEADER.size:  # emptied meanwhile
        return True
    magic, *_, first, second = _LOG_HEADER.unpack(header)
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    one = two = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return magic in _MAGIC and (one, two) == (first, second)
