"""Bounds on connections: whoever only opens them, and says nothing, keeps nobody else out."""

import asyncio
import ipaddress
import logging
import resource
import time
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

TOTAL = 1_000
EACH = 64
"""Connections at once: of all, and of one address. This machine itself, where a proxy may stand
for many, is bounded by the first alone."""
PATIENCE_S = 10.0
"""How long a connection may stand open without a whole request."""
BODY = 6
"""So much more patience for whoever is still sending what belongs to a request."""
SPARE = 256
"""Descriptors that are left to the database, the broker and the city, whatever HTTP takes."""
TELL_S = 60.0

log = logging.getLogger(__name__)


class Crowd:
    """Who is connected, and for how many there is place."""

    def __init__(
        self, *, total: int = TOTAL, each: int = EACH, patience_s: float = PATIENCE_S
    ) -> None:
        self._total = total
        self._each = each
        self.patience_s = patience_s
        self._by: Counter[str] = Counter()
        self._told = -TELL_S

    def enter(self, address: str) -> bool:
        """Take in one more, if there is place; who was taken in must `leave`."""
        full = self._by.total() >= self._total
        if full or (self._by[address] >= self._each and not _here(address)):
            now = time.monotonic()
            if now - self._told >= TELL_S:
                self._told = now
                log.warning("http=crowded connections=%d", self._by.total())
            return False
        self._by[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Give a place back."""
        self._by[address] -= 1
        if self._by[address] <= 0:
            del self._by[address]

    def protocol(self) -> type[H11Protocol]:
        """Return uvicorn's protocol, with a place in this crowd for each connection."""
        crowd = self

        class Bounded(H11Protocol):
            """Closes at once what there is no place for, and after a while what asks nothing."""

            place: str | None = None
            watch: asyncio.TimerHandle | None = None
            idle_since: float = 0.0

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                address = (transport.get_extra_info("peername") or ("",))[0]
                if not crowd.enter(address):
                    transport.abort()
                    return
                self.place = address
                self.idle_since = time.monotonic()
                self._look_again()

            def connection_lost(self, exc: Exception | None) -> None:
                if self.watch is not None:
                    self.watch.cancel()
                if self.place is not None:
                    crowd.leave(self.place)
                    self.place = None
                super().connection_lost(exc)

            def on_response_complete(self) -> None:
                super().on_response_complete()
                self.idle_since = time.monotonic()

            def _look_again(self) -> None:
                now = time.monotonic()
                cycle = self.cycle
                asked = cycle is not None and not cycle.response_complete
                patience_s = crowd.patience_s * (BODY if asked else 1)
                if asked and not cycle.more_body:
                    self.idle_since = now  # it is our turn
                elif now - self.idle_since >= patience_s:
                    self.transport.abort()
                    return
                self.watch = self.loop.call_later(crowd.patience_s / 4, self._look_again)

        return Bounded


def _here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class _Once(logging.Filter):
    """Lets a complaint of asyncio about missing descriptors through once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._told = -TELL_S

    def filter(self, record: logging.LogRecord) -> bool:
        if "out of system resource" not in str(record.msg):
            return True
        now = time.monotonic()
        if now - self._told < TELL_S:
            return False
        self._told = now
        record.exc_info = None
        return True


def make_room() -> int:
    """Let this process open as many files as it may; return how many connections that allows.

    Where even that is not enough, asyncio complains of every connection it cannot take, at
    megabytes a second: it is let complain once a minute.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard in (resource.RLIM_INFINITY, -1):
        hard = max(soft, 65_536)
    wanted = min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    complaints = logging.getLogger("asyncio")
    if not any(isinstance(each, _Once) for each in complaints.filters):
        complaints.addFilter(_Once())
    return max(16, min(TOTAL, soft - SPARE))
