"""Whether the hub's clock can be right: it cannot be earlier than what the ledger has recorded."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hub.rules.days import DAY_MS
from hub.store import database, ledger

BACK_MS = 600_000
ENTRIES = 1_000
"""So many of the last entries are looked at: a clock that once was ahead is forgotten in time."""


class ClockWatch:
    """`alarm` says, in Chinese, that the clock stands before what was recorded; else None."""

    def __init__(self, path: Path, *, now: Callable[[], int]) -> None:
        self._path = path
        self._now = now
        self.alarm: str | None = None

    def look(self) -> None:
        """Look again; what cannot be read now is read the next time."""
        try:
            with closing(database.connect(self._path)) as db:
                latest = ledger.latest(db, ENTRIES)
        except sqlite3.Error:
            return
        behind = 0 if latest is None else latest - self._now()
        self.alarm = None
        if behind > BACK_MS:
            about = f"{behind // DAY_MS} 天" if behind >= DAY_MS else f"{behind // 60_000} 分钟"
            self.alarm = (
                f"服务器时钟比台账里最近的记录早了 {about}：现在的评价会记成错误的时间，"
                "请立即核对服务器的时间和时间服务"
            )
