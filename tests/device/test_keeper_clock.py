"""Clocks that are wrong, missing or set: order and times of what is pressed come out right."""

import logging

import pytest
from keeper_world import BOOT, HUB_AHEAD_MS, kiosk, live, offered, rating
from session_world import name

from device.events import Close, Release
from protocol import signing
from protocol.messages import Rated

YEAR_MS = 365 * 86_400_000


@pytest.fixture
def key():
    return signing.generate_key()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.db"


@pytest.fixture
def world(path, key):
    with kiosk(path, key) as world:
        yield world


def close(number):
    return Close(name(number), kind="expired", elapsed_ms=9)


def sent_by(world):
    """The outcomes that were sent, each once, in the order of their numbers."""
    return sorted({each.id: each for each in world.outcomes()}.values(), key=lambda each: each.seq)


def pressed_at(outcome):
    """When it was, on the hub's clock, as the hub reckons it."""
    return outcome.stamp.mono_ms + outcome.stamp.offset_ms


def test_a_kiosks_own_clock_that_jumps_changes_nothing(world):
    """Back a year and forward two: numbers, order and times are those of the monotonic clock."""
    world.connect()
    wanted = []
    for number, wall in ((1, YEAR_MS), (2, 0), (3, 3 * YEAR_MS)):
        world.wall = wall
        world.clock += 10_000
        world.orders(close(number))
        wanted.append(world.hub_at())
    sent = sent_by(world)
    assert [outcome.seq for outcome in sent] == [1, 2, 3]
    assert [pressed_at(outcome) for outcome in sent] == wanted
    assert len({outcome.id for outcome in sent}) == 3


@pytest.mark.parametrize("jump", [-YEAR_MS, -5_000, 5_000, YEAR_MS])
def test_a_hub_whose_clock_is_set_while_citizens_rate(world, caplog, jump):
    """What comes after its next answer bears its new time; what came before keeps the old one."""
    world.connect()
    world.orders(close(1))
    world.clock += 1_000
    world.ahead += jump
    with caplog.at_level(logging.WARNING):
        world.receipt()
    assert f"hub-time=jumped by_ms={jump}" in caplog.text
    world.orders(close(2))
    first, second = sent_by(world)
    assert second.stamp.offset_ms - first.stamp.offset_ms == jump
    assert second.stamp.mono_ms - first.stamp.mono_ms == 1_000
    world.slot(1, live(world, 3))
    assert offered(world) == [name(3)]


def test_away_from_the_hub_the_order_stays_and_the_doubt_grows(world):
    """Thirty days: each stamp says how sure it is, and none claims more than it knows."""
    world.connect()
    day = 86_400_000
    for number in range(1, 31):
        world.clock += day
        world.orders(close(number))
    sent = sent_by(world)
    assert [outcome.seq for outcome in sent] == list(range(1, 31))
    sure = [outcome.stamp.uncertainty_ms for outcome in sent]
    assert sure == sorted(sure)
    assert day * 100 // 1_000_000 <= sure[0] < sure[-1] < 5 * 60_000


def test_a_start_without_any_hub_claims_no_time(path, key):
    """What a power cut left goes out with the stamp of its own boot; the new boot has none yet."""
    with kiosk(path, key) as world:
        world.connect()
        world.slot(1, live(world, 1))
        world.orders(rating(name(1)))
    with kiosk(path, key, now=5) as world:
        world.orders(close(2))
        world.connect(hub=False)
        old, new = world.outcomes()
    assert isinstance(old, Rated)
    assert (old.stamp.boot, old.stamp.offset_ms) == (BOOT, HUB_AHEAD_MS)
    assert (new.seq, new.stamp.offset_ms, new.stamp.uncertainty_ms) == (2, None, None)


def test_a_late_answer_of_an_honest_hub_is_no_jump(world, caplog):
    """Seconds on the way make it less sure, not another clock."""
    world.connect()
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            world.clock += 30_000
            world.receipt()
    assert "jumped" not in caplog.text
    world.orders(rating(name(1)), Release(name(1)))
    assert world.outcomes()[0].stamp.offset_ms == HUB_AHEAD_MS
