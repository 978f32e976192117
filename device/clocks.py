"""The machine's two clocks, in milliseconds."""

import time


def monotonic_ms() -> int:
    """Milliseconds of the clock that never jumps."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """Milliseconds since 1970, as this machine believes; good only for ordering names."""
    return time.time_ns() // 1_000_000
