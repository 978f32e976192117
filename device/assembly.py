"""Everything of the kiosk but its picture, wired: key, outbox, link, keeper and session."""

import fcntl
import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from device import identity, tls
from device.config import KioskConfig
from device.driver import Driver
from device.events import Event
from device.keeper import Keeper
from device.link import DeviceLink
from device.outbox import Outbox
from device.view import View
from protocol.messages import Settings

log = logging.getLogger(__name__)

VERSION = "0.1.0"


def monotonic_ms() -> int:
    """Milliseconds of the clock that never jumps."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """Milliseconds since 1970, as this machine believes; good only for ordering names."""
    return time.time_ns() // 1_000_000


class InUse(Exception):
    """Another kiosk runs on the same state; two would sign under the same numbers."""


def _only_one(state: Path) -> TextIO:
    """Hold the state directory for this process; the lock goes with the process."""
    lock = (state / "lock").open("w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InUse(f"另一个评价器程序正在使用 {state}，请先停止它") from None
    return lock


class Kiosk:
    """Everything but the picture. `draw` gets a view whenever there is something new.

    The owner of the screen's thread calls `start`, then `tick` some times a second and
    `frame_drawn` after each frame; `wake` is called from other threads when `drain` has
    something to do on the screen's thread.
    """

    def __init__(self, config: KioskConfig, base: Path) -> None:
        state = base / config.state
        state.mkdir(parents=True, exist_ok=True)
        self._lock = _only_one(state)
        key = identity.load(state / "device-key.pem")
        boot = secrets.token_hex(16)
        rng = random.Random()  # noqa: S311 - jitter and names; the key is not made here
        self._inbox: deque[Callable[[], None]] = deque()
        self._link = DeviceLink(
            config.hall,
            config.device,
            config.hub.host,
            config.hub.port,
            boot=boot,
            rng=rng,
            tls=tls.of_state(state) if config.hub.tls else None,
        )
        self.keeper = Keeper(
            config.device,
            boot,
            Outbox.open(state / "outbox.db"),
            key,
            self._link,
            now=monotonic_ms,
            wall=wall_ms,
            rng=random.SystemRandom(),
            software=VERSION,
        )
        self._text_input = config.screen.text_input
        self._driver: Driver | None = None
        self._wake: Callable[[], None] = lambda: None

    def start(self, draw: Callable[[View], None], wake: Callable[[], None]) -> Driver:
        """Start keeper and link; return the driver, which belongs to the screen's thread."""
        self._wake = wake
        driver = self._driver = Driver(
            self.keeper, now=monotonic_ms, draw=draw, text_input=self._text_input
        )

        def post(event: Event) -> None:
            self._inbox.append(lambda: driver.handle(event))
            wake()

        def settings(new: Settings) -> None:
            self._inbox.append(lambda: driver.settings(new))
            wake()

        self.keeper.start(post=post, settings=settings)
        self._link.start(
            connected=self.keeper.connected,
            lost=self.keeper.lost,
            receive=self.keeper.receive,
        )
        driver.redraw()
        return driver

    def drain(self) -> None:
        """Do, on the screen's thread and in order, what other threads have handed in."""
        while self._inbox:
            self._inbox.popleft()()

    def stop(self) -> None:
        """Disconnect, finish what was handed in, close the outbox."""
        self._link.stop()
        self.keeper.stop()
        self._lock.close()
