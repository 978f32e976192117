"""The folder that a demonstration writes to: ours by a marker, one at a time by a lock.

Only what a demonstration itself has written there is ever removed; whatever else lies in the
folder stays as it is.
"""

import errno
import fcntl
import os
import re
import shutil
from pathlib import Path

from demo.pictures import NAMES

MARKER = ".pingyi-demo"
_FILES = ("summary.json", "city.jsonl")
_PICTURE = re.compile(rf"[0-9]{{2}}-({'|'.join(NAMES)})\.png")
_WORDS = {
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.ENOENT: "不存在，也不能新建",
    errno.ENOTDIR: "路径中有文件，不是目录",
    errno.EEXIST: "这是文件，不是目录",
    errno.EISDIR: "这是目录，不是文件",
    errno.ELOOP: "标记文件是链接，或链接绕成了圈",
    errno.ENOSPC: "磁盘已满",
    errno.EDQUOT: "超出磁盘配额",
    errno.EROFS: "只读文件系统",
    errno.ENAMETOOLONG: "名称太长",
}
_NOTE = "评议演示的输出目录。删掉本文件，演示就不再往这里写。\n"


class FolderError(Exception):
    """The folder cannot be used; the text says why and what to do, in Chinese."""


class Claim:
    """A folder that is ours until `close`, or until this process ends however it ends."""

    def __init__(self, folder: Path, marker: int) -> None:
        self.folder = folder
        self._marker = marker

    def close(self) -> None:
        """Let another demonstration have the folder."""
        os.close(self._marker)


def claim(folder: Path) -> Claim:
    """Make the folder if need be, lock it, and remove what an earlier demonstration left.

    Raises `FolderError`, with nothing touched, if it cannot be written to, if another
    demonstration is using it, or if files of another origin stand where ours would go.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(folder / MARKER):
            foreign = sorted(each.name for each in _targets(folder))
            if foreign:
                names = "、".join(foreign[:3]) + (" 等" if len(foreign) > 3 else "")
                raise FolderError(
                    f"{folder} 里的 {names} 不是演示写的，为免覆盖没有启动，"
                    "请用 --out 另选一个空目录"
                )
        marker = _lock(folder)
        try:
            for each in _targets(folder):
                if each.is_dir() and not each.is_symlink():
                    shutil.rmtree(each)
                else:
                    each.unlink()
        except BaseException:
            os.close(marker)
            raise
    except OSError as error:
        raise FolderError(
            f"无法使用输出目录 {folder}（{reason(error)}），请用 --out 另选一个可以写入的目录"
        ) from error
    return Claim(folder, marker)


def _targets(folder: Path) -> list[Path]:
    """Return what stands where a demonstration would write."""
    return [
        each
        for each in folder.iterdir()
        if each.name in (*_FILES, "hall") or _PICTURE.fullmatch(each.name)
    ]


def _lock(folder: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    marker = os.open(folder / MARKER, flags, 0o644)
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(marker).st_size == 0:
            os.write(marker, _NOTE.encode())
    except BlockingIOError:
        os.close(marker)
        raise FolderError(
            f"另一个演示正在使用 {folder}，请等它结束，或用 --out 另选一个目录"
        ) from None
    except OSError:
        os.close(marker)
        raise
    return marker


def reason(error: OSError) -> str:
    """Say in Chinese what the system refused."""
    return _WORDS.get(error.errno or 0) or str(error)
