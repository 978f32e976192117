"""The clocks of the hub, as they are handed to whoever needs one."""

import time


def epoch_ms() -> int:
    """The hub's time: milliseconds since 1970, kept right by the hall's time service."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of the clock that never jumps."""
    return time.monotonic_ns() // 1_000_000
