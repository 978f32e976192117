"""How much may wait on a kiosk: stated, told in time, and never a silent drop."""

import shutil

import pytest
from keeper_world import kiosk, live, offered, rating
from session_world import name

from device.events import Close, Recovered, Release, Saved, SaveFailed
from device.keeper import HEARTBEAT_MS, STORAGE_MS
from device.orders import RETRY_DISK_MS
from device.outbox import LOW, MOST, RESERVE, Full, Outbox
from protocol import signing
from protocol.messages import Rated

THIRTY_DAYS = 100_000


@pytest.fixture
def key():
    return signing.generate_key()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.db"


def keep(outbox, number, *, draft=False):
    outbox.keep(
        name(number),
        lambda: f"o{number}",
        lambda seq, key: f"{seq}:{key}".encode(),
        draft=draft,
    )


def test_a_hundred_thousand_wait_over_a_restart_and_go_out_in_order(path):
    """Thirty days without a hub are well within the limit; nothing is slow or lost by it."""
    outbox = Outbox.open(path)
    with outbox._db.atomic():  # one commit instead of a hundred thousand
        for number in range(1, THIRTY_DAYS + 1):
            keep(outbox, number)
    assert outbox.depth() == THIRTY_DAYS < MOST * LOW
    outbox.close()
    again = Outbox.open(path)
    assert again.depth() == THIRTY_DAYS
    said = 0
    for _ in range(3):
        portion = again.waiting(limit=64)
        assert [kept.seq for kept in portion] == list(range(said + 1, said + 65))
        said += again.receipt(tuple(kept.id for kept in portion), 0)
    assert again.depth() == THIRTY_DAYS - said
    again.close()


def test_what_is_stated_grows_from_well_to_low_to_full(path):
    """And who has been asked already can still answer, and amend, when it is full."""
    outbox = Outbox.open(path, most=10, least_free=0)
    found = []
    for number in range(1, 11):
        found.append(outbox.storage())
        keep(outbox, number)
    assert found == ["ok"] * 8 + ["low"] * 2
    assert outbox.storage() == "full"
    for number in range(11, 11 + RESERVE):
        keep(outbox, number, draft=True)
    with pytest.raises(Full):
        keep(outbox, 999, draft=True)
    keep(outbox, 11, draft=True)
    outbox.release(name(11))
    assert outbox.depth() == len(outbox.waiting(limit=1_000)) + RESERVE - 1 == 10 + RESERVE
    outbox.close()


def test_a_disk_with_little_room_is_low_and_then_full(path):
    """By the bytes that are free where the file lies."""
    free = shutil.disk_usage(path.parent).free
    for least, said in ((free * 2, "full"), (free // 2, "low"), (free // 9, "ok")):
        outbox = Outbox.open(path, least_free=least)
        assert outbox.storage() == said
        outbox.close()
    outbox = Outbox.open(path, least_free=free * 4)
    with pytest.raises(Full):
        keep(outbox, 1)
    outbox.close()


def test_a_kiosk_without_place_asks_nobody_and_says_so(path, key):
    """Out of service before anything would be dropped; well again once the hub has taken some."""
    with kiosk(path, key, most=5, least_free=0) as world:
        world.keeper.screen("idle")
        world.connect()
        world.line.up = False
        world.orders(*(Close(name(n), kind="expired", elapsed_ms=9) for n in range(1, 6)))
        assert world.happened(SaveFailed) == []
        world.line.up = True
        world.passes(STORAGE_MS)
        assert len(world.happened(SaveFailed)) >= 1
        world.slot(1, live(world, 9))
        assert offered(world) == []
        world.passes(HEARTBEAT_MS)
        assert world.states()[-1].storage == "full"
        assert world.states()[-1].outbox == 5
        sent = {outcome.id: outcome for outcome in world.outcomes()}
        world.receipt(*list(sent)[:3])
        world.passes(2 * RETRY_DISK_MS)
        assert len(world.happened(Recovered)) == 1
        assert offered(world) == [name(9)]
        world.passes(HEARTBEAT_MS)
        assert world.states()[-1].storage == "ok"
        assert sorted(outcome.seq for outcome in sent.values()) == [1, 2, 3, 4, 5]


def test_who_has_been_asked_is_not_cut_off(path, key):
    """The place runs out while a citizen reads: the tap is kept and thanked for truly."""
    with kiosk(path, key, most=1, least_free=0) as world:
        world.connect()
        world.slot(1, live(world, 2))
        world.keeper.screen("invited")
        world.orders(Close(name(1), kind="expired", elapsed_ms=9))
        world.passes(STORAGE_MS * 2)
        assert world.happened(SaveFailed) == []
        world.orders(rating(name(2)), Release(name(2)))
        assert len(world.happened(Saved)) == 1
        assert isinstance(world.outcomes()[-1], Rated)
