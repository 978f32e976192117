"""The keeper keeps what it is told, says it until it is answered, and survives its disk."""

import hashlib
import logging

import pytest
from keeper_world import BOOT, HUB_AHEAD_MS, kiosk, live, offered, rating
from session_world import name

from device.events import Close, Discard, Offer, Release, Saved
from device.keeper import ANSWER_MS, HEARTBEAT_MS
from device.sender import IN_FLIGHT, RESEND_CAP_MS, RESEND_MS
from protocol import signing, wire
from protocol.messages import (
    PICTURE_LIMIT,
    Expired,
    Portrait,
    Rated,
    Refusal,
    Settings,
    Shown,
    Window,
    Withdrawn,
)
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


# ---------------------------------------------------------------- from tap to receipt


def test_a_tap_is_saved_and_sent_when_it_is_final(world):
    """`Saved` follows the disk; the hub gets what was pressed, signed, only after release."""
    world.connect()
    world.orders(rating(name(1), level=1, reasons=("108",), comment="慢"))
    assert len(world.happened(Saved)) == 1
    assert world.outcomes() == []
    world.orders(Release(name(1)))
    (sent,) = world.outcomes()
    assert isinstance(sent, Rated)
    assert (sent.level, sent.reasons, sent.comment) == (1, ("108",), "慢")
    assert (sent.seq, sent.device, sent.invitation) == (1, "k1", name(1))
    assert (sent.stamp.boot, sent.stamp.mono_ms) == (BOOT, 5_000)
    assert sent.stamp.offset_ms == HUB_AHEAD_MS


def test_every_draft_is_answered_with_its_revision(world):
    """In order, an undone one too: the session waits for the word on just what was pressed."""
    reasoned = rating(name(1), level=1, revision=2, reasons=("108",))
    world.orders(rating(name(1), level=1, revision=1), reasoned, Discard(name(1)))
    world.orders(rating(name(1), revision=3))
    assert [word.revision for word in world.happened(Saved)] == [1, 2, 3]


def test_an_undone_tap_is_never_sent(world):
    """Its number goes to the next outcome."""
    world.connect()
    world.orders(rating(name(1)), Discard(name(1)), rating(name(1), level=2), Release(name(1)))
    assert [(sent.seq, sent.level) for sent in world.outcomes()] == [(1, 2)]


def test_without_a_receipt_it_is_sent_again_and_again_more_slowly(world):
    """The waits double from `RESEND_MS` to `RESEND_CAP_MS`; a PUBACK alone means nothing."""
    world.connect()
    world.orders(Close(name(1), kind="expired", elapsed_ms=9))
    waits = []
    for _ in range(6):
        before, start = len(world.outcomes()), world.clock
        while len(world.outcomes()) == before:
            world.clock += 250
            world.settle()
        waits.append(world.clock - start)
    assert waits == [min(RESEND_MS * 2**n, RESEND_CAP_MS) for n in range(6)]
    assert len({sent.id for sent in world.outcomes()}) == 1


def test_a_receipt_ends_it(world):
    """What the hub has committed leaves the outbox and is not said again."""
    world.connect()
    world.orders(Close(name(1), kind="expired", elapsed_ms=9))
    world.receipt(world.outcomes()[0].id)
    assert world.outbox.depth() == 0
    world.passes(2 * RESEND_CAP_MS)
    assert len(world.outcomes()) == 1


def test_a_refused_outcome_is_forgotten_and_counted(world):
    """The hub has kept it as evidence; saying it again would not change its word."""
    world.connect()
    world.orders(Close(name(1), kind="expired", elapsed_ms=9))
    world.receipt(refused=(Refusal(id=world.outcomes()[0].id, reason="late"),))
    assert world.outbox.depth() == 0
    assert world.keeper.refused["hub_late"] == 1


def test_a_draft_that_becomes_final_later_is_sent_at_once(world):
    """Outcomes with higher numbers may have been sent, and even answered, before it."""
    world.connect()
    world.orders(rating(name(1)), Close(name(2), kind="withdrawn", reason="never_shown"))
    world.receipt(world.outcomes()[0].id)
    world.orders(Release(name(1)))
    assert [sent.seq for sent in world.outcomes()] == [2, 1]


def test_what_was_kept_offline_is_sent_on_connection(world):
    """In the order of its numbers, and again after each new connection until answered."""
    world.line.up = False
    for number in range(1, 4):
        world.orders(Close(name(number), kind="expired", elapsed_ms=9))
    assert world.outcomes() == []
    world.line.up = True
    world.connect()
    assert [sent.seq for sent in world.outcomes()] == [1, 2, 3]
    world.keeper.lost()
    world.connect()
    assert [sent.seq for sent in world.outcomes()] == [1, 2, 3] * 2


def test_only_so_many_are_under_way(world):
    """A full outbox is sent in portions; each receipt lets the next ones go."""
    world.orders(*(Close(name(n), kind="expired", elapsed_ms=9) for n in range(1, IN_FLIGHT + 11)))
    world.connect()
    assert len(world.outcomes()) == IN_FLIGHT
    world.receipt(*(sent.id for sent in world.outcomes()[:5]))
    assert len(world.outcomes()) == IN_FLIGHT + 5
    world.receipt(*(sent.id for sent in world.outcomes()))
    assert [sent.seq for sent in world.outcomes()] == list(range(1, IN_FLIGHT + 11))


def test_a_power_cut_sends_what_was_pressed(path, key):
    """A draft that was never released goes out after the next start."""
    with kiosk(path, key) as world:
        world.orders(rating(name(1), level=2))
    with kiosk(path, key) as world:
        world.connect()
        assert [(sent.level, sent.reasons) for sent in world.outcomes()] == [(2, ())]


# ---------------------------------------------------------------- what the hub wants shown


def test_an_invitation_is_offered_for_the_time_that_is_left(world):
    """Its life is reckoned on the hub's clock."""
    world.connect()
    asked = live(world, 1, ttl_ms=20_000)
    world.clock += 5_000
    world.slot(1, asked)
    assert world.happened(Offer)[-1] == Offer(world.clock, asked, 15_000)
    world.slot(1, asked)
    world.slot(2, asked)
    assert offered(world).count(name(1)) == 1


def test_an_old_slot_is_ignored(world):
    """A late message with a lower version does not bring back an earlier citizen."""
    world.connect()
    world.slot(7, live(world, 2))
    world.slot(6, live(world, 1))
    assert offered(world) == [name(2)]
    assert world.keeper.refused["old_slot"] == 1


def test_an_empty_slot_takes_the_invitation_back(world):
    """The session is told that nothing is to be shown."""
    world.connect()
    world.slot(1, live(world, 1))
    world.slot(2)
    assert offered(world) == [name(1), None]


def test_nothing_is_shown_before_the_hubs_time_is_known(world):
    """A retained message may be of yesterday; the first receipt decides."""
    world.connect(hub=False)
    world.slot(1, live(world, 1))
    assert offered(world) == []
    world.receipt()
    assert offered(world) == [name(1)]


def test_a_retained_invitation_whose_time_is_over_is_answered_not_shown(world):
    """It ends as never shown; the citizen at the counter now never sees it."""
    world.connect()
    old = live(world, 1, ttl_ms=20_000)
    world.clock += 20_000
    world.slot(1, old)
    assert offered(world) == [None]
    (sent,) = world.outcomes()
    assert isinstance(sent, Withdrawn)
    assert sent.reason == "never_shown"


def test_the_kiosk_answers_for_what_it_never_showed(world):
    """Each unsettled invitation gets one outcome; those shown or ended here get none more."""
    world.connect()
    world.slot(1, live(world, 1))
    world.orders(Close(name(2), kind="expired", elapsed_ms=9))
    world.slot(2, live(world, 4), unsettled=(name(1), name(2), name(3)))
    world.slot(3, live(world, 4), unsettled=(name(1), name(2), name(3)))
    assert [(sent.invitation, type(sent)) for sent in world.outcomes()] == [
        (name(2), Expired),
        (name(3), Withdrawn),
    ]


@pytest.mark.parametrize("answered", [False, True])
def test_what_has_ended_here_is_never_shown_again(path, key, answered):
    """Not even after a restart, with or without the hub's receipt."""
    with kiosk(path, key) as world:
        world.connect()
        asked = live(world, 1)
        world.slot(1, asked)
        world.orders(rating(name(1)), Release(name(1)))
        if answered:
            world.receipt(world.outcomes()[0].id)
    with kiosk(path, key) as world:
        world.connect()
        world.slot(1, asked, unsettled=(name(1),))
        assert offered(world) == [None]
        assert all(isinstance(sent, Rated) for sent in world.outcomes())


def test_an_ended_invitation_takes_no_second_outcome(world):
    """It is counted and nothing is overwritten."""
    world.orders(Close(name(1), kind="expired", elapsed_ms=9), rating(name(1)))
    assert world.keeper.refused["already_ended"] == 1
    world.connect()
    assert [type(sent) for sent in world.outcomes()] == [Expired]


def test_settings_reach_the_screen_in_their_order(world):
    """A lower version is ignored, the same one is taken again."""
    new = Settings(version=2, hall_name="示例大厅", window=Window(name="1号"), catalogue="2021.1")
    old = Settings(version=1, hall_name="旧", window=Window(name="1号"), catalogue="2021.1")
    for settings in (new, old, new):
        world.tell(Leaf.SETTINGS, wire.encode(settings))
    assert world.settings == [new, new]


def test_the_citizens_own_page_goes_with_the_invitation(world):
    """The address stands in the slot, for this screen alone; it is not signed with the answer."""
    world.connect()
    asked = live(world, 1)
    world.slot(1, asked, link="https://hub.example/p/1")
    assert world.happened(Offer)[-1].link == "https://hub.example/p/1"
    world.orders(rating(name(1)), Release(name(1)))
    assert world.outcomes()[0].asked == asked


def portrait(picture, of=None):
    """The message with this photograph, under the digest of `of`."""
    digest = hashlib.sha256(picture if of is None else of).hexdigest()
    return Portrait(digest=digest, picture=picture)


def test_the_photograph_of_the_clerk_reaches_the_screen(world):
    """The last one that came; an empty payload takes it away."""
    first, last = portrait(b"one"), portrait(bytes(PICTURE_LIMIT))
    for payload in (wire.encode(first), wire.encode(last), b"", wire.encode(first)):
        world.tell(Leaf.PORTRAIT, payload)
    assert world.portraits == [first, last, None, first]


def test_a_photograph_that_is_not_what_it_says_is_refused(world):
    """Another picture under a digest that the settings name would be another face."""
    bad = wire.encode(portrait(b"another", of=b"one"))
    huge = b'{"v":1,"digest":"%b","picture":"%b"}' % (b"a" * 64, b"A" * 60_004)
    garbage = [bad, huge, b"\xff", b"{}", b'{"v":1,"digest":"x","picture":"AA=="}', b"x" * 70_000]
    for payload in garbage:
        world.tell(Leaf.PORTRAIT, payload)
    assert world.portraits == []
    assert sum(world.keeper.refused.values()) == len(garbage)


@pytest.mark.parametrize("leaf", [Leaf.INVITATION, Leaf.RECEIPT, Leaf.SETTINGS, Leaf.COMMAND])
def test_garbage_is_counted_and_harmless(world, leaf):
    """Whatever comes down the line, the keeper lives, shows nothing and forgets nothing."""
    world.connect()
    world.orders(Close(name(1), kind="expired", elapsed_ms=9))
    garbage = [b"", b"\xff" * 9, b"{}", b'{"v":2}', b"[" * 9_000, b"x" * 70_000, b'{"v":1}']
    for payload in garbage:
        world.tell(leaf, payload)
    assert sum(world.keeper.refused.values()) == len(garbage)
    assert world.outbox.depth() == 1
    assert offered(world) == world.settings == []
    world.orders(rating(name(2)))
    assert len(world.happened(Saved)) == 1


# ---------------------------------------------------------------- presence


def test_a_heartbeat_says_how_it_stands(world):
    """Birth on connection, then every `HEARTBEAT_MS`, with depth and refusals."""
    world.keeper.screen("idle")
    world.connect()
    world.orders(rating(name(1)))
    world.passes(HEARTBEAT_MS)
    birth, beat = world.states()
    assert (birth.online, birth.connection, birth.boot) == (True, 1, BOOT)
    assert (beat.screen, beat.outbox) == ("idle", 1)


def test_a_flood_of_messages_does_not_silence_the_heartbeat(world):
    """Time is looked at between messages too, not only when there are none."""
    world.connect()
    flood = 200
    for _ in range(flood):
        world.clock += HEARTBEAT_MS // 10
        world.keeper.receive(Leaf.COMMAND, b"", False)
        world.keeper._inbox.put(lambda: None)
    world.settle()
    world.clock += HEARTBEAT_MS
    world.keeper.receive(Leaf.COMMAND, b"", False)
    world.settle()
    assert len(world.states()) >= 3


def test_the_hub_is_there_only_when_it_answers(world):
    """A broker alone is not the hub, and an answer counts for `ANSWER_MS`."""
    assert not world.keeper.hub_is_there
    world.connect(hub=False)
    assert not world.keeper.hub_is_there
    world.receipt()
    assert world.keeper.hub_is_there
    world.clock += ANSWER_MS
    assert not world.keeper.hub_is_there


def test_the_showing_is_reported_with_its_stamp(world):
    """The hub learns since when the screen really shows the invitation."""
    world.connect()
    world.keeper.shown(name(1), 9_000)
    world.settle()
    (shown,) = (wire.decode(Shown, said) for leaf, said in world.line.said if leaf is Leaf.SHOWN)
    assert (shown.invitation, shown.stamp.mono_ms) == (name(1), 9_000)


def test_the_log_names_no_citizen(world, caplog):
    """No serial, matter or word of a citizen stands in a log line."""
    with caplog.at_level(logging.DEBUG):
        world.connect()
        world.slot(1, live(world, 1))
        world.orders(rating(name(1), level=1, comment="示例的话"), Release(name(1)))
        world.tell(Leaf.SETTINGS, "示例的话".encode())
        world.breaks()
        world.orders(rating(name(2), comment="示例的话"))
        world.breaks(broken=False)
    assert "refused=malformed" in caplog.text
    assert "示例" not in caplog.text
