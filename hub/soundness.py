"""Looks each night whether the hub's file is whole, and says so where it is not."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from hub.rules.days import CHINA_MS, DAY_MS
from hub.store import soundness
from hub.store.soundness import Spoiled

log = logging.getLogger(__name__)

AT_START_S = 10.0
"""So long a start waits for the whole file to be looked at; the rest is done beside the work."""

HOUR_MS = 3_600_000
LOOK_S = 60.0


def at_start(path: Path) -> bool:
    """Look at a file that is to be opened; False if it is too large to wait for.

    Raises `Spoiled`, sqlite3.OperationalError.
    """
    whole = soundness.check(path, within_s=AT_START_S)
    if not whole:
        log.warning("database=unchecked bytes=%d note=goes-on-beside-work", path.stat().st_size)
    return whole


class Soundness:
    """The job: looks every minute whether it is time.

    That is between 2 and 3 o'clock (China), before the erasing of `hub.citizens.nightly`.
    `whole`: whether the file was looked at before the start; else it is done at once. `now`:
    milliseconds since 1970. `alarm` is what is wrong, in Chinese, until a later look finds
    nothing.
    """

    def __init__(self, path: Path, *, whole: bool, now: Callable[[], int]) -> None:
        self._path = path
        self._now = now
        self._looked_at = now() if whole else None
        self._enough = threading.Event()
        self.alarm: str | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                await asyncio.to_thread(self.look)
                await asyncio.sleep(LOOK_S)
        finally:
            self._enough.set()  # the process does not wait for a look that has just begun

    def look(self) -> bool:
        """Look if it is time, and return whether it was; what goes wrong is the alarm."""
        now = self._now()
        if not self._time(now):
            return False
        self._looked_at = now
        self._enough = threading.Event()
        try:
            if not soundness.check(self._path, enough=self._enough):
                return True
        except Spoiled as error:
            self.alarm = str(error)
            log.critical("database=spoiled")
        except (sqlite3.Error, OSError) as error:
            self.alarm = f"{self._path}：数据文件无法检查：{error}"
            log.warning("database=unchecked error=%s", type(error).__name__)
        else:
            self.alarm = None
            log.info("database=sound")
        return True

    def _time(self, now: int) -> bool:
        if self._looked_at is None:
            return True
        hour = (now + CHINA_MS) % DAY_MS // HOUR_MS
        return hour == 2 and abs(now - self._looked_at) > HOUR_MS
