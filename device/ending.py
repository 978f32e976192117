"""SIGTERM ends the kiosk at once, also where its window's loop does not turn.

SDL takes the signal for itself, unless somebody has it already, and tells of it only when it is
asked for input: a kiosk that still starts, or waits for its disk, would never hear of it.
"""

import signal
import threading

_told = threading.Event()


def listen() -> None:
    """Take SIGTERM, from the main thread and before the window is opened."""
    signal.signal(signal.SIGTERM, _end)


def told() -> bool:
    """Whether the process has been told to end."""
    return _told.is_set()


def _end(*_: object) -> None:
    from kivy.base import EventLoop  # noqa: PLC0415 - Kivy is imported with the window

    _told.set()
    if EventLoop.status != "started":
        raise SystemExit(0)
    EventLoop.quit = True  # the loop ends with this turn
