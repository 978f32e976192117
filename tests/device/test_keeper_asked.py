"""What the screen asked is signed with the answer; a hub that lost its disk hears all again."""

import pytest
from keeper_world import kiosk, live, rating
from session_world import name

from device.events import Close, Discard, Release
from device.keeper import TIDY_MS
from device.outbox import ARCHIVED_MS
from protocol import signing
from protocol.messages import Resend
from protocol.topics import Leaf


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


def rated(world, number):
    """Let one be offered, rated and sent; return the invitation."""
    asked = live(world, number)
    world.slot(number, asked)
    world.orders(rating(name(number)), Release(name(number)))
    return asked


# ---------------------------------------------------------------- what was asked


def test_a_rating_holds_the_invitation_as_the_screen_got_it(world):
    """Matter, clerk, window, time and all: whoever altered it on the way is found out."""
    world.connect()
    asked = rated(world, 1)
    assert world.outcomes()[-1].asked == asked


@pytest.mark.parametrize("kind", ["expired", "withdrawn"])
def test_so_does_an_outcome_that_is_no_rating(world, kind):
    world.connect()
    asked = live(world, 1)
    world.slot(1, asked)
    world.orders(Close(name(1), kind=kind))
    assert world.outcomes()[-1].asked == asked


def test_what_was_never_shown_holds_none(world):
    """The kiosk can only say that it asked nobody."""
    world.connect()
    world.slot(1, None, unsettled=(name(1),))
    assert world.outcomes()[-1].asked is None


def test_an_answer_after_an_undone_tap_still_holds_it(world):
    world.connect()
    asked = live(world, 1)
    world.slot(1, asked)
    world.orders(rating(name(1)), Discard(name(1)), rating(name(1), level=3), Release(name(1)))
    assert (world.outcomes()[-1].level, world.outcomes()[-1].asked) == (3, asked)


def test_a_second_wording_of_the_same_invitation_changes_nothing(world):
    """The first to arrive is what the screen shows; a later one is neither shown nor signed."""
    world.connect()
    asked = live(world, 1)
    world.slot(1, asked)
    world.slot(2, live(world, 1, ttl_ms=50_000))
    world.orders(rating(name(1)), Release(name(1)))
    assert world.outcomes()[-1].asked == asked


def test_a_draft_that_a_power_cut_left_holds_it(path, key):
    with kiosk(path, key) as world:
        world.connect()
        asked = live(world, 1)
        world.slot(1, asked)
        world.orders(rating(name(1)))
    with kiosk(path, key) as world:
        world.connect()
        assert world.outcomes()[-1].asked == asked


# ---------------------------------------------------------------- a hub that lost its disk


def said_since(world, count):
    return [outcome.seq for outcome in world.outcomes()[count:]]


def test_a_restored_hub_hears_again_what_it_has_lost(world):
    """From the number that it names on; told once, it is done, and says so."""
    world.connect()
    for number in (1, 2, 3):
        rated(world, number)
    world.receipt(*(outcome.id for outcome in world.outcomes()))
    before = len(world.outcomes())
    since = world.hub_at()
    for version in (10, 11):
        world.settings_of(version, Resend(since=since, after=1))
        world.passes(1_000)
    assert said_since(world, before) == [2, 3]
    assert world.states()[-1].resent is None
    world.receipt(*(outcome.id for outcome in world.outcomes()[before:]))
    world.passes(1_000)
    assert world.states()[-1].resent == since
    world.settings_of(12)
    world.passes(1_000)
    assert world.states()[-1].resent is None


def test_an_invitation_of_the_lost_time_is_waited_for(world):
    """The citizen is still answering what the hub no longer knows: it is not done before that."""
    world.connect()
    world.slot(1, live(world, 1))
    world.clock += 1_000
    since = world.hub_at()
    world.settings_of(2, Resend(since=since, after=0))
    world.passes(1_000)
    assert world.states()[-1].resent is None
    world.orders(rating(name(1)), Release(name(1)))
    world.passes(1_000)
    assert world.states()[-1].resent is None
    world.receipt(world.outcomes()[-1].id)
    world.passes(1_000)
    assert world.states()[-1].resent == since


def test_a_hub_that_never_lost_its_disk_hears_nothing_twice(world):
    world.connect()
    rated(world, 1)
    world.receipt(world.outcomes()[0].id)
    world.settings_of(2)
    world.passes(2_000)
    assert len(world.outcomes()) == 1
    assert all(state.resent is None for state in world.states())


def test_what_is_asked_on_a_broken_disk_is_said_when_it_is_well(world):
    """The order waits like all others; the kiosk stays online meanwhile."""
    world.connect()
    rated(world, 1)
    world.receipt(world.outcomes()[0].id)
    world.breaks()
    world.orders(rating(name(2)))
    world.settings_of(2, Resend(since=world.hub_at(), after=0))
    world.passes(20_000)
    assert len(world.outcomes()) == 1
    world.breaks(broken=False)
    world.passes(10_000)
    assert set(said_since(world, 1)) == {1}


def test_the_archive_is_tidied_by_the_hubs_time(path, key):
    """An hour after the start at the earliest: by then a restored hub has asked."""
    with kiosk(path, key) as world:
        world.connect()
        rated(world, 1)
        world.receipt(world.outcomes()[0].id)
    with kiosk(path, key) as world:
        world.ahead += ARCHIVED_MS + 60_000
        world.connect()
        kept = "SELECT count(*) FROM archive"
        world.passes(5_000)
        assert world.outbox._db.execute(kept).fetchone() == (1,)
        world.clock += TIDY_MS
        world.settle()
        assert world.outbox._db.execute(kept).fetchone() == (0,)


@pytest.mark.parametrize("resend", [b'{"since":-1,"after":0}', b'{"since":1}', b"7"])
def test_a_spoilt_question_is_refused(world, resend):
    """Like any other message that is not one."""
    world.connect()
    text = b'{"v":1,"version":3,"hall_name":"x","catalogue":"2021.1","resend":%b}' % resend
    world.tell(Leaf.SETTINGS, text)
    assert world.keeper.refused["malformed"] == 1
    assert world.settings == []
