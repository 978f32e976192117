"""One hub for one state: two would enter their ledgers into one another."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

NAME = "hub.lock"


class InUse(Exception):
    """A hub runs on this state; the text says what to do, in Chinese."""


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold a hub's state for this process until the block ends, however it ends.

    Raises `InUse`, OSError.
    """
    with (state / NAME).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(f"{state} 正在使用：服务器已在运行，请先停止它") from error
        yield
