"""The panel as it hangs at the window: how large it is, and when its evening begins."""

import re
from pathlib import Path

from msgspec import Struct

MM = 25.4
DAY_MINUTES = 24 * 60
CHINA_MS = 8 * 3_600_000
USUAL = 10.1
SMALL = 7.0


class Hours(Struct, frozen=True):
    """A time of day that may reach over midnight; both ends in minutes since midnight."""

    start: int
    end: int

    def __contains__(self, minute: int) -> bool:
        """Whether it is that time; the end is not part of it."""
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def hours(text: str) -> Hours | None:
    """Read "18:30-07:00"; "" is never. Raises ValueError, in Chinese."""
    if not text:
        return None
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
    if not found:
        raise ValueError("应写成“18:30-07:00”的样子（24 小时制）；不要夜间配色请写空字符串")
    first, second, third, fourth = (int(part) for part in found.groups())
    return Hours(first * 60 + second, third * 60 + fourth)


EVENING = Hours(18 * 60 + 30, 7 * 60)


def usual_inches(width: int, height: int) -> float:
    """Return the diagonal that panels of so many pixels are sold with (domain page, 6)."""
    return SMALL if max(width, height) <= 1024 else USUAL


class Panel(Struct, frozen=True):
    """`inches` None: as such panels are usually sold. `pictures` is a folder of the hall's."""

    inches: float | None = None
    evening: Hours | None = EVENING
    pictures: Path | None = None

    def millimetre(self, width: int, height: int) -> float:
        """Return how many pixels of a screen of `width` x `height` a millimetre has."""
        inches = self.inches or usual_inches(width, height)
        return float((width**2 + height**2) ** 0.5 / (inches * MM))

    def is_evening(self, hub_ms: int | None) -> bool:
        """Whether it is evening in China by the hub's time; while that is unknown, it is day."""
        if self.evening is None or hub_ms is None:
            return False
        return (hub_ms + CHINA_MS) // 60_000 % DAY_MINUTES in self.evening
