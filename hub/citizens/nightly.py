"""When the hub erases what has been kept long enough: at night, or as soon as it can."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hub.citizens import retention
from hub.citizens.retention import SMALL, Result
from hub.rules.days import CHINA_MS, DAY_MS
from hub.rules.retention import Retention
from hub.store import database, erasure
from hub.store.vault import Vault, VaultError

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
LOOK_S = 60.0


class Nightly:
    """The job: looks every minute whether it is time, runs in a thread, keeps an alarm.

    It runs between 3 and 5 o'clock (China), or when a hub that is off at night has missed that.
    """

    def __init__(
        self, state: Path, vault: Vault, terms: Retention, *, now: Callable[[], int]
    ) -> None:
        self._state = state
        self._vault = vault
        self._terms = terms
        self._now = now
        self._refused_at: int | None = None
        self.alarm: str | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_S)

    def look(self) -> Result | None:
        """Run if it is time; raises nothing: what goes wrong is the alarm."""
        now = self._now()
        try:
            if not self._time(now):
                return None
            hour = (now + CHINA_MS) % DAY_MS // HOUR_MS
            quiet = hour < 6 or (self._state / "hub.db").stat().st_size < SMALL
            result = retention.run(self._state, self._vault, self._terms, now, rebuild=quiet)
        except (VaultError, sqlite3.Error, OSError) as error:
            self._refused_at = now
            self.alarm = f"到期数据没有清理：{error}"
            log.warning("retention=failed error=%s", type(error).__name__)
            return None
        self.alarm = result.alarm or None
        self._refused_at = now if result.alarm else None
        return result

    def _time(self, now: int) -> bool:
        terms = self._terms
        if not (terms.citizens_days or terms.comments_days or terms.evidence_days):
            return False
        if self._refused_at is not None and 0 <= now - self._refused_at < HOUR_MS:
            return False
        with closing(database.connect(self._state / "hub.db")) as db:
            ran_at = erasure.mark(db, "ran_at")
        hour = (now + CHINA_MS) % DAY_MS // HOUR_MS
        since = DAY_MS * 2 if ran_at is None else abs(now - ran_at)
        return since > 20 * HOUR_MS if 3 <= hour < 5 else since > 30 * HOUR_MS
