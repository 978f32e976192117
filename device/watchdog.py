"""Tells systemd that the kiosk is alive, only while each of its parts shows that it is.

The protocol is sd_notify(3): a datagram to the socket that systemd names in `NOTIFY_SOCKET`.
A process that merely runs proves nothing: a picture can stand still for days over a living
process.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from protocol.messages import Part

log = logging.getLogger(__name__)

ROUNDS = 2.5
"""So often each part is asked within the time that it may be silent: each time costs a frame.

Not a whole number: the time is over between two rounds, and parts that hang together are named
together.
"""


class WatchdogConfig(Part, frozen=True, kw_only=True):
    """The section `[watchdog]`.

    `seconds`: so long one part may be silent before the kiosk is restarted. `touch`: the device
    file of the touch panel; empty = it is not watched.
    """

    seconds: Annotated[int, Meta(ge=5, le=600)] = 15
    touch: Annotated[str, Meta(max_length=255)] = ""


class Notifier:
    """The way to systemd. Without `NOTIFY_SOCKET` all of it does nothing."""

    def __init__(self, address: str | None = None) -> None:
        place = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + place[1:] if place.startswith("@") else place

    @property
    def listens(self) -> bool:
        """Whether there is one who wants to know."""
        return bool(self._address)

    def tell(self, **state: object) -> None:
        """Send assignments such as `WATCHDOG=1`; what cannot be sent is as if never said."""
        if not self._address:
            return
        lines = "\n".join(f"{name}={value}" for name, value in state.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
                way.settimeout(1)
                way.sendto(lines.encode(), self._address)
        except OSError as error:
            log.warning("watchdog=unheard errno=%s", error.errno)


class Sign(Struct):
    """What one part has shown: a count that grows while it lives, and since when it stands."""

    count: int
    since: float


class Watchdog:
    """Asks all parts again and again, from a thread of its own.

    `parts` gives for each name how to ask it: `ask(alive)` returns at once, and the part calls
    `alive` itself, on its own thread, when it got round to it. Each must answer within
    `seconds`. `now` is monotonic, in seconds. `panel` is the touch panel's device file, which has
    to stay what it was at the start: a panel that is pulled, put in or swapped is not always taken
    up by a running window, and a new start does. A panel that is missing from the start is logged
    and waited for, so that a broken panel does not end in a circle of restarts.
    """

    def __init__(
        self,
        parts: Mapping[str, Callable[[Callable[[], None]], None]],
        *,
        seconds: float,
        now: Callable[[], float],
        panel: Path | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self._parts = parts
        self._seconds = seconds
        self._now = now
        self._notifier = notifier or Notifier()
        self._signs = {name: Sign(0, now()) for name in parts}
        self._panel = panel
        self._panel_was = _panel(panel)
        self._panel_since: float | None = None
        self._silent: tuple[str, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to ask and to feed.

        From now on systemd waits no longer than `seconds`; the unit's own time is for the start.
        """
        if self._panel is not None and self._panel_was is None:
            log.error("touch=missing path=%s", self._panel)
        self._notifier.tell(WATCHDOG_USEC=int(self._seconds * 1_000_000), WATCHDOG=1)
        self._thread.start()

    def stop(self) -> None:
        """Cease to ask and to feed."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def silent(self) -> tuple[str, ...]:
        """Name the parts that have been silent for too long, now."""
        now = self._now()
        found = [name for name, sign in self._signs.items() if now - sign.since > self._seconds]
        if self._panel is not None:
            if _panel(self._panel) == self._panel_was:
                self._panel_since = None
            elif self._panel_since is None:
                self._panel_since = now
            elif now - self._panel_since > self._seconds:
                found.append("touch")
        return tuple(found)

    def round(self) -> None:
        """Ask once, and feed if nobody is silent."""
        for name, ask in self._parts.items():
            ask(self._witness(name))
        silent = self.silent()
        if silent != self._silent:
            if silent:
                log.critical("watchdog=starved silent=%s", ",".join(silent))
            else:
                log.warning("watchdog=fed-again")
            self._silent = silent
        if not silent:
            self._notifier.tell(WATCHDOG=1)

    def _witness(self, name: str) -> Callable[[], None]:
        sign = self._signs[name]

        def alive() -> None:
            sign.count += 1
            sign.since = self._now()

        return alive

    def _run(self) -> None:
        while not self._stop.wait(self._seconds / ROUNDS):
            try:
                self.round()
            except Exception:
                log.exception("watchdog=failed")


def _panel(path: Path | None) -> tuple[int, int] | None:
    """Return what tells a device file from one that took its place; None if it is not usable."""
    if path is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
    finally:
        os.close(handle)
    return found.st_rdev, found.st_ino
