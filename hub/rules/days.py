"""Days as the halls count them: China's, which keeps one time all year (UTC+8)."""

from datetime import timedelta, timezone

CHINA = timezone(timedelta(hours=8))
CHINA_MS = 8 * 3_600_000
DAY_MS = 24 * 3_600_000


def day_start(now: int) -> int:
    """Return when the day of `now` began; both in milliseconds since 1970."""
    return (now + CHINA_MS) // DAY_MS * DAY_MS - CHINA_MS
