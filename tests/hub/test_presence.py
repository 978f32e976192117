"""Online means seen now (promise 9)."""

import pytest
from msgspec.structs import replace

from hub.kiosks.presence import HEARD_MS, Presence
from protocol.messages import State

BOOT, LATER_BOOT = "a" * 32, "b" * 32


class Watch:
    ms = 0

    def __call__(self):
        return self.ms


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def presence(watch):
    return Presence(watch)


def here(connection=1, boot=BOOT):
    return State(boot=boot, connection=connection, online=True)


def gone(connection=1, boot=BOOT):
    return State(boot=boot, connection=connection, online=False)


def test_nobody_is_here_before_a_word(presence):
    """A kiosk that has not spoken is away."""
    assert not presence.online("k1")


def test_a_birth_begins_a_connection_once(presence):
    """Only the first word of a connection counts as its beginning."""
    assert presence.note("k1", here())
    assert not presence.note("k1", here())
    assert presence.note("k1", here(connection=2))
    assert presence.online("k1")
    assert not presence.online("k2")


def test_the_will_of_the_connection_ends_it(presence):
    """After its own will a kiosk is away, and its next word is a new beginning."""
    presence.note("k1", here())
    assert not presence.note("k1", gone())
    assert not presence.online("k1")
    assert presence.note("k1", here())


@pytest.mark.parametrize("late", [gone(1), gone(2, LATER_BOOT), gone(7, LATER_BOOT)])
def test_a_stale_will_unseats_nobody(presence, late):
    """The will of an older connection, or of another boot, changes nothing."""
    presence.note("k1", here(connection=2))
    assert not presence.note("k1", late)
    assert presence.online("k1")


def test_a_word_of_an_older_connection_is_ignored(presence, watch):
    """What an old connection still says neither begins anything nor counts as heard."""
    presence.note("k1", here(connection=2))
    watch.ms = HEARD_MS
    assert not presence.note("k1", here(connection=1))
    assert not presence.online("k1")


def test_a_new_boot_may_count_from_one_again(presence):
    """After a restart of the kiosk a lower number is a new connection."""
    presence.note("k1", here(connection=9))
    assert presence.note("k1", here(connection=1, boot=LATER_BOOT))
    assert not presence.note("k1", gone(9))
    assert presence.online("k1")


def test_silence_is_absence(presence, watch):
    """A kiosk that says nothing for 45 s is away, and here again with its next word."""
    presence.note("k1", here())
    watch.ms = HEARD_MS - 1
    assert presence.online("k1")
    watch.ms = HEARD_MS
    assert not presence.online("k1")
    presence.note("k1", here())
    assert presence.online("k1")


def test_a_will_alone_is_no_presence(presence):
    """A will heard before any birth shows nobody."""
    assert not presence.note("k1", gone())
    assert not presence.online("k1")


def test_a_kiosk_without_place_is_named_while_it_is_here(presence, watch):
    """By its own word; one that is away cannot say how it stands."""
    presence.note("k1", here())
    presence.note("k2", replace(here(), storage="low"))
    presence.note("k3", replace(here(), storage="full"))
    assert presence.short_of_storage() == {"k2": "low", "k3": "full"}
    watch.ms += HEARD_MS
    assert presence.short_of_storage() == {}
