"""What the system refused, in the words of those who have to mend it."""

import errno
import sqlite3
from pathlib import Path

_SYSTEM = {
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EROFS: "只读文件系统",
    errno.ENOSPC: "磁盘已满",
    errno.EDQUOT: "超出磁盘配额",
    errno.ENOTDIR: "路径中有文件，不是目录",
    errno.EEXIST: "这是文件，不是目录",
    errno.ENOENT: "不存在，也不能新建",
    errno.EIO: "磁盘读写出错",
}
_SQLITE = {
    "SQLITE_FULL": "磁盘已满",
    "SQLITE_READONLY": "数据文件只能读，不能写",
    "SQLITE_CANTOPEN": "打不开数据文件",
    "SQLITE_IOERR": "磁盘读写出错",
    "SQLITE_BUSY": "数据文件正被另一个程序占用",
}

_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)
_PASSING_SQLITE = ("SQLITE_FULL", "SQLITE_IOERR")


def may_pass(error: OSError | sqlite3.Error) -> bool:
    """Whether it is the disk that is full or fails, and may take it later; no wrong setting."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorname", "").startswith(_PASSING_SQLITE)
    return error.errno in _PASSING


def unusable(state: Path, error: Exception) -> str:
    """Say why the state directory cannot be used, and what to look at, in Chinese."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")  # absent where no file is concerned
        cause = next((words for start, words in _SQLITE.items() if name.startswith(start)), "")
    else:
        cause = _SYSTEM.get(getattr(error, "errno", None) or 0, "")
    cause = cause or str(error)
    place = getattr(error, "filename", None)
    where = f"（{place}）" if place and str(place) not in cause else ""
    return (
        f"本机状态目录 {state} 不能使用：{cause}{where}。"
        "请检查磁盘空间、是否只读，以及运行评价器的用户对该目录有没有写权限"
    )
