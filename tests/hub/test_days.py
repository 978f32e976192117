"""Days as the halls count them."""

from datetime import datetime

import pytest

from hub.rules.days import CHINA, DAY_MS, day_start


def at(text):
    """Milliseconds since 1970 of a moment in China."""
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-23T23:59:59.999", "2026-11-23"),
        ("2026-11-24T00:00", "2026-11-24"),
        ("2026-07-01T08:00", "2026-07-01"),  # midnight in UTC
        ("1989-07-01T12:00", "1989-07-01"),  # a summer in which China's clocks were put forward
    ],
)
def test_the_day_of_the_halls_begins_at_midnight_in_china(moment, day):
    """UTC+8 all year."""
    assert day_start(at(moment)) == at(day)


def test_a_day_in_china_is_not_one_in_utc():
    assert day_start(0) == -8 * 3_600_000
    assert day_start(day_start(0) - 1) == day_start(0) - DAY_MS
