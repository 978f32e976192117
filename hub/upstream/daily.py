"""Once a day the account and the newest checkpoint go to somebody else, who keeps them.

Against one who rewrites a whole ledger only a checkpoint helps that lies elsewhere; here it gets
there without anybody having to think of it. Whoever takes it answers with any HTTP 2xx.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from hub.rules.days import CHINA_MS, DAY_MS
from hub.store import backlog, database, invitations, tree
from hub.upstream.contents import INCOMPLETE
from hub.upstream.dialects.base import Unavailable
from hub.upstream.dialects.transport import Parcel, Transport

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
OVERDUE_MS = 2 * DAY_MS
AGAIN_S = 600.0
LOOK_S = 60.0


class Report(Struct, frozen=True, kw_only=True):
    """What is sent, as JSON. `at`: ms since 1970; counts over the whole ledger.

    `incomplete`: how many of the rated are kept from the city now, as bad ones without a reason.
    `checkpoint`: the newest one, signed (C2SP tlog-checkpoint), as at `/ledger/checkpoint`.
    """

    v: int = 1
    hall: str
    at: int
    invited: int
    rated: int
    expired: int
    withdrawn: int
    open: int
    ruled: int
    repeated: int
    incomplete: int
    checkpoint: str


def read(path: Path, hall: str, now: int) -> Report | None:
    """Return today's report, or None while there is no checkpoint; raises sqlite3.Error."""
    with closing(database.connect(path)) as db:
        newest = tree.newest(db)
        if newest is None:
            return None
        count = invitations.account(db)
        return Report(
            hall=hall,
            at=now,
            invited=count.invited,
            rated=count.rated,
            expired=count.expired,
            withdrawn=count.withdrawn,
            open=count.open,
            ruled=count.ruled,
            repeated=count.repeated,
            incomplete=backlog.set_aside_for(db, INCOMPLETE),
            checkpoint=newest.note,
        )


class Daily:
    """Sends at the start, then each day after one o'clock (China), again until it is taken.

    `alarm` says so when nobody has taken one for two days.
    """

    def __init__(
        self, path: Path, hall: str, address: str, transport: Transport, *, now: Callable[[], int]
    ) -> None:
        self._path = path
        self._hall = hall
        self._address = address
        self._transport = transport
        self._now = now
        self._taken_at: int | None = None
        self._since = now()
        self.alarm: str | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                taken = await self.look()
                await asyncio.sleep(LOOK_S if taken else AGAIN_S)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def look(self) -> bool:
        """Send if it is time; False if it has to be tried again."""
        return not self._due() or await self._send()

    async def _send(self) -> bool:
        now = self._now()
        try:
            report = await asyncio.to_thread(read, self._path, self._hall, now)
        except sqlite3.Error as error:
            return self._failed(f"台账无法读取：{error}")
        if report is None:
            return True
        parcel = Parcel(
            address=self._address,
            body=msgspec.json.encode(report),
            content_type="application/json; charset=utf-8",
        )
        answer = await self._transport.post(parcel)
        if isinstance(answer, Unavailable):
            return self._failed(answer.reason)
        if not 200 <= answer.status < 300:
            return self._failed(f"对方返回 HTTP {answer.status}")
        if self.alarm is not None:
            log.info("daily-report=taken-again")
        self._taken_at, self.alarm = now, None
        return True

    def _due(self) -> bool:
        if self._taken_at is None:
            return True
        day = (self._now() + CHINA_MS - HOUR_MS) // DAY_MS
        return day != (self._taken_at + CHINA_MS - HOUR_MS) // DAY_MS

    def _failed(self, reason: str) -> bool:
        last = self._since if self._taken_at is None else self._taken_at
        if abs(self._now() - last) > OVERDUE_MS:
            if self.alarm is None:
                log.warning("daily-report=overdue reason=%s", reason)
            self.alarm = f"台账的检查点两天没有报出去：{reason}。请检查 ledger.report_url"
        return False
