"""Passwords: which are fit, and Argon2id in threads of its own, few at once (RFC 9106)."""

import asyncio
import secrets
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from hub.accounts.errors import Crowded, PasswordUnfit

T = TypeVar("T")

LEAST = 10
MOST = 128
"""Characters of a password; the upper bound keeps a request from costing more than a hash."""

AT_ONCE = 2
QUEUE = 32
"""Passwords that are checked at the same time, and those that may be waiting or checked."""

_FRESH = 5
_RUNS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORDS = ("password", "passw0rd", "administrator", "admin", "pingyi", "welcome", "woaini", "mima")
_SYMBOLS = "abcdefghjkmnpqrstuvwxyz23456789"
_GIVEN = (4, 5)


def normal(password: str) -> str:
    """Return one form of all that look and are typed the same (NFKC, as an IME may differ)."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, name: str) -> None:
    """Raise `PasswordUnfit` for one that is short, or made of what guessers try first."""
    text = normal(password)
    if not LEAST <= len(text) <= MOST:
        raise PasswordUnfit(f"口令须为 {LEAST} 至 {MOST} 个字符")
    rest = text.lower()
    if name.lower() in rest:
        raise PasswordUnfit("口令中不能含有账号名，请另换一个")
    for word in _WORDS:
        rest = rest.replace(word, "")
    if _fresh(rest) < _FRESH:
        raise PasswordUnfit("口令太容易被猜到（连续或重复的字符、常见词），请另换一个")


def _fresh(text: str) -> int:
    """Return how many characters are new and do not just go on from the one before."""
    pairs = {run[at : at + 2] for run in _RUNS for at in range(len(run) - 1)}
    pairs |= {pair[::-1] for pair in pairs} | {"90", "09"}
    return len(
        {now for before, now in zip(" " + text, text, strict=False) if before + now not in pairs}
    )


def generate() -> str:
    """Return a password to be given to somebody, about 99 bits, without look-alikes."""
    groups, size = _GIVEN
    return "-".join("".join(secrets.choice(_SYMBOLS) for _ in range(size)) for _ in range(groups))


class Hasher:
    """Argon2id with the second set of parameters of RFC 9106 (64 MiB, 3 passes, 4 lanes).

    For the event loop; the work is done in `AT_ONCE` threads.
    """

    def __init__(self) -> None:
        argon2 = Argon2Hasher(time_cost=3, memory_cost=65_536, parallelism=4)
        self._hashes = PasswordHash((argon2,))
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._decoy_lock = threading.Lock()
        self._decoy: str | None = None
        self._asked = 0

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def hash_now(self, password: str) -> str:
        """Return what is kept of a password (PHC string); takes its time here."""
        return self._hashes.hash(normal(password))

    async def hash(self, password: str) -> str:
        """Return what is kept of a password (PHC string). Raises `Crowded`."""
        return await self._run(lambda: self.hash_now(password))

    async def verify(self, password: str, kept: str | None) -> bool:
        """Whether a password is the one that was kept. Raises `Crowded`.

        None, where there is no such user, takes as long and is never right.
        """
        return await self._run(lambda: self._verify(password, kept))

    def _verify(self, password: str, kept: str | None) -> bool:
        if len(password) > MOST:
            kept, password = None, ""
        with self._decoy_lock:
            if self._decoy is None:
                self._decoy = self.hash_now(secrets.token_urlsafe())
        right = self._hashes.verify(normal(password), kept or self._decoy)
        return right and kept is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._asked >= QUEUE:
            raise Crowded("此刻登录的人太多，请几秒后再试")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._asked -= 1
