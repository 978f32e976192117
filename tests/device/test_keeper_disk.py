"""The keeper on a disk that fails: what cannot be kept is told, and kept when it can be."""

import pytest
from keeper_world import kiosk, live, offered, rating
from session_world import name

from device.events import Close, Discard, Recovered, Release, Saved, SaveFailed
from device.keeper import HEARTBEAT_MS
from device.orders import RETRY_DISK_MS
from protocol import signing


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


def test_a_tap_that_the_disk_does_not_take_is_told(world):
    """`SaveFailed` instead of `Saved`; when the disk is well again, `Recovered`."""
    world.breaks()
    world.orders(rating(name(1)))
    assert world.happened(Saved) == []
    assert len(world.happened(SaveFailed)) == 1
    world.passes(10_000)
    assert world.happened(Recovered) == []
    world.breaks(broken=False)
    world.passes(10_000)
    assert len(world.happened(Recovered)) == 1
    world.orders(Close(name(1), kind="withdrawn", reason="kiosk_failed"))
    world.connect()
    assert [sent.reason for sent in world.outcomes()] == ["kiosk_failed"]


def test_what_could_not_be_kept_is_kept_after_recovery(world):
    """Closes, releases and discards wait in order for the disk; none is lost."""
    world.connect()
    world.orders(rating(name(1)), rating(name(2)))
    world.breaks()
    world.orders(
        Close(name(3), kind="expired", elapsed_ms=9),
        Release(name(1)),
        Discard(name(2)),
        Close(name(4), kind="withdrawn"),
    )
    assert world.outcomes() == []
    world.breaks(broken=False)
    world.passes(RETRY_DISK_MS)
    assert [sent.invitation for sent in world.outcomes()] == [name(3), name(1), name(4)]
    assert world.outbox.depth() == 3


def test_nothing_new_is_shown_on_a_broken_disk(world):
    """An answer could not be kept, so nobody is asked; after recovery they are."""
    world.connect()
    world.breaks()
    world.orders(Close(name(9), kind="expired", elapsed_ms=9))
    world.slot(1, live(world, 1))
    assert offered(world) == []
    world.breaks(broken=False)
    world.passes(10_000)
    assert offered(world) == [name(1)]


def test_a_kiosk_with_a_broken_disk_is_still_online(world):
    """The hub sees that it is out of service, not that it is gone."""
    world.connect()
    world.breaks()
    world.orders(rating(name(1)))
    world.keeper.screen("out_of_service")
    world.passes(HEARTBEAT_MS)
    assert world.states()[-1].screen == "out_of_service"


def test_a_receipt_that_cannot_be_noted_breaks_nothing(world):
    """The outcome stays, is said again, and the failure is told like any other."""
    world.connect()
    world.orders(Close(name(1), kind="expired", elapsed_ms=9))
    world.breaks()
    world.receipt(world.outcomes()[0].id)
    assert len(world.happened(SaveFailed)) == 1
    world.breaks(broken=False)
    world.passes(10_000)
    assert len(world.outcomes()) >= 2
    world.receipt(world.outcomes()[0].id)
    assert world.outbox.depth() == 0


def test_drafts_left_by_a_power_cut_wait_for_a_disk_that_is_broken_at_the_start(path, key):
    """They are released as soon as the disk takes it, not only after another start."""
    with kiosk(path, key) as world:
        world.orders(rating(name(1)))
    broken = type(world)(path, key)
    broken.breaks()
    broken.start()
    try:
        broken.connect()
        assert len(broken.happened(SaveFailed)) >= 1
        assert broken.outcomes() == []
        broken.breaks(broken=False)
        broken.passes(RETRY_DISK_MS)
        assert [sent.invitation for sent in broken.outcomes()] == [name(1)]
    finally:
        broken.keeper.stop()


# ---------------------------------------------------------------- faults of other kinds


def test_an_order_that_fails_in_any_other_way_leaves_nobody_waiting(world):
    """A draft that cannot even be made up is told like one that the disk refuses."""
    world.connect()
    world.slot(1, live(world, 1))
    world.orders(rating(name(1), level=5, reasons=("108",)))  # no outcome may say that
    assert world.happened(Saved) == []
    assert len(world.happened(SaveFailed)) == 1
    world.passes(2 * RETRY_DISK_MS)
    assert len(world.happened(Recovered)) == 1
    world.orders(rating(name(1), level=5), Release(name(1)))
    assert [sent.level for sent in world.outcomes()] == [5]


def test_a_tap_on_what_has_ended_leaves_nobody_waiting(world):
    """The invitation has its outcome already; the screen goes out of saving all the same."""
    world.orders(Close(name(1), kind="expired", elapsed_ms=9), rating(name(1)))
    assert len(world.happened(SaveFailed)) == 1
    world.passes(2 * RETRY_DISK_MS)
    assert len(world.happened(Recovered)) == 1


def unreadable(world):
    """From now on no table can be read; the function that is returned mends it."""
    world.outbox._db.execute("ALTER TABLE settled RENAME TO gone")
    return lambda: world.outbox._db.execute("ALTER TABLE gone RENAME TO settled")


def test_what_cannot_be_read_is_a_broken_disk_too(world, caplog):
    """The invitation is not lost: it is shown when the disk is well. The log is not flooded."""
    world.connect()
    mend = unreadable(world)
    world.slot(1, live(world, 1))
    assert offered(world) == []
    assert len(world.happened(SaveFailed)) == 1
    mend()
    world.passes(2 * RETRY_DISK_MS)
    assert offered(world) == [name(1)]
    assert "Traceback" not in caplog.text
    assert len([line for line in caplog.messages if "cannot-write" in line]) == 1


def test_a_disk_that_is_never_readable_is_told_once_for_each_try(world, caplog):
    """Each quarter of a second something is read: the retries keep their pace all the same."""
    world.connect()
    world.outbox._db.execute("ALTER TABLE outcomes RENAME TO gone")
    tries = 4
    for _ in range(tries * RETRY_DISK_MS // 250):
        world.clock += 250
        world.settle()
    told = [line for line in caplog.messages if "cannot-write" in line]
    assert 1 <= len(told) <= tries + 1
    world.outbox._db.execute("ALTER TABLE gone RENAME TO outcomes")
    world.passes(2 * RETRY_DISK_MS)
    assert isinstance(world.events[-1], Recovered)


def test_what_a_citizen_took_back_stays_back_over_a_second_failure(world):
    """The disk had reasons, the citizen skipped them, and it failed again at the recovery."""
    world.connect()
    reasoned = rating(name(1), level=1, revision=1, reasons=("108",))
    bare = rating(name(1), level=1, revision=2).draft
    world.orders(reasoned)
    world.breaks()
    world.orders(Release(name(1), bare))
    world.breaks(broken=False)
    world.passes(RETRY_DISK_MS)
    assert [(sent.level, sent.reasons) for sent in world.outcomes()] == [(1, ())]
