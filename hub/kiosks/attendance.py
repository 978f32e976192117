"""Keeps since when kiosks are away, over the hub's own starts too (离线，从什么时候起)."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from hub.kiosks.presence import HEARD_MS, Presence
from hub.rules.days import CHINA
from hub.store import attendance, bindings, database
from hub.store.attendance import HUB, NEVER, Standing
from hub.store.writer import Busy, Stopped, Writer

LOOK_S = 5.0
BEAT_MS = 60_000
"""So often the hub leaves word that it is there, where nothing has changed."""
GRACE_MS = 120_000
"""A kiosk that is away so long is no restart any more: where a clerk works it is an alarm."""
NAMED = 5
"""Kiosks that one alarm names."""


class Attendance:
    """`known()` names the kiosks that the hub knows and believes; clocks are in milliseconds.

    Reads `path` with a connection of its own, and writes by the hub's writer: only what has
    changed, and once a minute that it was there. For one thread.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer,
        presence: Presence,
        *,
        known: Callable[[], Iterable[str]],
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        with closing(database.connect(path)) as db:
            attendance.migrations.apply(db)
            self._standing = attendance.read(db)
        self._path = path
        self._writer = writer
        self._presence = presence
        self._known = known
        self._now = now
        self._monotonic = monotonic
        self._began = monotonic()
        self._last = self._standing.pop(HUB, Standing(True, now())).since
        self._kept = dict(self._standing)
        self._beat: int | None = None
        self._missing: list[str] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Note who came and who went; what cannot be kept now is kept the next time."""
        now, known = self._now(), set(self._known())
        for device in known:
            self._standing[device] = self._judge(device, now)
        self._standing = {device: self._standing[device] for device in known}
        await asyncio.to_thread(self._look_for_clerks, now)
        changed = {
            device: each
            for device, each in self._standing.items()
            if self._kept.get(device) != each
        }
        gone = self._kept.keys() - known
        beat = self._beat is None or self._monotonic() - self._beat >= BEAT_MS
        if not (changed or gone or beat):
            return
        with contextlib.suppress(Busy, Stopped, sqlite3.Error, OSError):
            await self._writer.run(lambda db: attendance.note(db, changed, gone, now))
            self._kept = dict(self._standing)
            self._beat = self._monotonic()

    def away_since(self, device: str) -> int | None:
        """Return since when a kiosk is away (ms since 1970); `NEVER` heard; None: it is here."""
        found = self._standing.get(device)
        if self._presence.online(device):
            return None
        return found.since if found is not None and not found.online else None

    @property
    def alarm(self) -> str | None:
        """What wants attention, in Chinese: kiosks that are away where a clerk works now."""
        if not self._missing:
            return None
        named = "、".join(self._missing[:NAMED]) + ("等" if len(self._missing) > NAMED else "")
        return f"有人签到的窗口中 {len(self._missing)} 台评价器离线：{named}，请检查电源和网线"

    def _judge(self, device: str, now: int) -> Standing:
        before = self._standing.get(device)
        if self._presence.online(device):
            return before if before is not None and before.online else Standing(True, now)
        silent = self._presence.silent_ms(device)
        if before is None:
            return Standing(False, NEVER if silent is None else now - silent)
        if not before.online:
            return before
        if silent is not None:
            return Standing(False, now - silent)
        # It answered when a hub last looked; this hub has just begun to listen.
        listening = self._monotonic() - self._began >= HEARD_MS
        return Standing(False, self._last) if listening else before

    def _look_for_clerks(self, now: int) -> None:
        try:
            with closing(database.connect(self._path)) as db:
                kiosks, seats = bindings.pairings(db), bindings.seats(db)
        except sqlite3.Error:
            return
        missing = []
        for window, device in sorted(kiosks.items()):
            found = self._standing.get(device)
            if window in seats and found and not found.online and now - found.since >= GRACE_MS:
                missing.append(f"{device}（{window}，{_when(found.since)}）")
        listening = self._monotonic() - self._began >= GRACE_MS
        self._missing = missing if listening else []


def _when(since: int) -> str:
    if since == NEVER:
        return "还没有连上过"
    return f"{datetime.fromtimestamp(since / 1000, CHINA):%m-%d %H:%M} 起"
