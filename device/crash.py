"""What happens after a fault that nobody foresaw: a calm picture, and another start, bounded.

Under systemd the process ends and the unit starts it again. Without it, the process becomes a
new one by itself; when that does not help, it rests, so that a broken kiosk does not flicker.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from typing import NoReturn

log = logging.getLogger(__name__)

SOFTWARE = 70
"""How the process ends after such a fault (sysexits.h: EX_SOFTWARE)."""

MOST = 3
WITHIN_S = 300.0
_MEMORY = "PINGYI_CRASHES"


class Crashed(Exception):
    """The screen's thread failed; `__cause__` is the fault. The picture is off the screen."""


def under_systemd(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether systemd watches over the process and starts it again: its unit says so."""
    return "NOTIFY_SOCKET" in environment


def recent(environment: Mapping[str, str], now: float) -> list[float]:
    """Return when this kiosk crashed lately, in monotonic seconds; nonsense counts as never."""
    found = []
    for word in environment.get(_MEMORY, "").split(",")[-MOST:]:
        try:
            at = float(word)
        except ValueError:
            continue
        if 0 <= at <= now <= at + WITHIN_S:
            found.append(at)
    return found


def exhausted(environment: Mapping[str, str] = os.environ, now: float | None = None) -> bool:
    """Whether it crashed so often, so lately, that another start is of no use."""
    return len(recent(environment, time.monotonic() if now is None else now)) >= MOST


def remember(environment: MutableMapping[str, str], now: float) -> None:
    """Note a crash for the process that comes after this one."""
    crashes = [*recent(environment, now), now]
    environment[_MEMORY] = ",".join(f"{at:.1f}" for at in crashes[-MOST:])


def restart() -> NoReturn:
    """End this process for another one: by systemd, or by becoming it."""
    logging.shutdown()
    if under_systemd():
        os._exit(SOFTWARE)  # a thread that hangs shall not keep it
    remember(os.environ, time.monotonic())
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this very command
