"""An enrolled kiosk shows its certificate, asks for the next one in time, and takes that up."""

import base64
import resource

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from keeper_world import kiosk
from renewal_world import (
    AUTHORITY,
    DAY,
    DAY_MS,
    NOW,
    Authority,
    Enrolled,
    asked,
    give,
    leaf_of,
    pem,
    turn,
)
from session_world import invitation, name

from device import identity
from device.events import Close
from device.keeper import ANSWER_MS, HEARTBEAT_MS
from device.orders import RETRY_DISK_MS
from device.renewal import ASK_MS
from device.renewal import RETRY_DISK_MS as STORE_AGAIN_MS
from protocol import certificates, signing, wire
from protocol.messages import Receipt
from protocol.topics import Leaf

OTHERS = Authority()


@pytest.fixture
def due(tmp_path):
    """A kiosk whose certificate is 70 of its 90 days old."""
    return Enrolled(tmp_path, 70)


@pytest.fixture
def world(due):
    with due.started() as world:
        yield world


def shown(world):
    """The certificate in each state that was sent, in order."""
    return [state.certificate for state in world.states()]


# ---------------------------------------------------------------- what the hub is shown


def test_each_birth_shows_the_certificate_and_no_heartbeat_does(due, world):
    """The own certificate alone, without the CA's: that is all the hub needs."""
    world.connect()
    world.passes(HEARTBEAT_MS)
    world.keeper.lost()
    world.connect()
    assert shown(world) == [leaf_of(due.first), None, leaf_of(due.first)]


def test_a_hub_that_was_away_at_birth_is_shown_it_later(due, world):
    """Heartbeats carry it until the hub answers: it would never learn a new kiosk otherwise."""
    world.connect(hub=False)
    world.passes(HEARTBEAT_MS)
    world.receipt()
    world.passes(HEARTBEAT_MS)
    world.passes(ANSWER_MS)
    assert shown(world)[:3] == [leaf_of(due.first), leaf_of(due.first), None]
    assert shown(world)[-1] == leaf_of(due.first)


def test_a_kiosk_that_is_not_enrolled_shows_nothing_and_takes_nothing(tmp_path):
    """A trial without certificates: a chain that comes down the line is refused."""
    key = signing.generate_key()
    with kiosk(tmp_path / "outbox.db", key) as world:
        world.connect()
        give(world, AUTHORITY.chain(key))
        assert shown(world) == [None]
        assert world.keeper.refused["topic"] == 1
        assert asked(world) == []
        assert not (tmp_path / "identity").exists()


def test_a_kiosk_that_was_enrolled_anew_shows_that_at_its_next_birth(due, world):
    """The command beside it has changed what is on the disk."""
    world.connect()
    again = due.next()
    identity.store(due.state, again, AUTHORITY.terms())
    world.keeper.lost()
    world.connect()
    assert shown(world) == [leaf_of(due.first), leaf_of(again)]


# ---------------------------------------------------------------- when it asks


def test_it_asks_at_two_thirds_of_the_life_by_the_hubs_time(tmp_path):
    """91 days with the day before: not a minute before 60 2/3 days are over, then at once."""
    minute = 60_000
    young = Enrolled(tmp_path, 91 * 2 / 3 - 1 - 10 / 1440)
    with young.started() as world:
        world.connect()
        world.passes(minute * 9)
        assert asked(world) == []
        world.passes(minute * 2)
        (request,) = asked(world)
    assert certificates.check_request(request.encode(), "k1") == young.key.public_key()


def test_without_the_hubs_time_nothing_is_asked(world):
    """A kiosk has no clock battery; its own idea of the date counts for nothing."""
    world.connect(hub=False)
    world.passes(2 * ASK_MS)
    assert asked(world) == []
    world.receipt()
    turn(world)
    assert len(asked(world)) == 1


@pytest.mark.parametrize("hub_at", [0, 1, 1 << 53], ids=["epoch", "a-moment", "beyond-9999"])
def test_a_hub_of_another_age_does_not_end_the_kiosk(world, hub_at):
    """Too early: nothing is due. Too late: it asks, and goes on living."""
    world.connect(hub=False)
    told = Receipt(hub_at=hub_at, boot="b" * 32, echo_ms=world.clock)
    world.tell(Leaf.RECEIPT, wire.encode(told))
    turn(world)
    assert len(asked(world)) == (hub_at == 1 << 53)
    world.passes(HEARTBEAT_MS)
    assert len(world.states()) >= 2


def test_it_asks_again_every_six_hours_or_so_with_the_same_bytes(world):
    """Not all kiosks of a hall at the same minute; hub and desk tell a repetition by its bytes."""
    world.connect()
    turn(world)
    waits = []
    for _ in range(6):
        before, start = len(asked(world)), world.clock
        while len(asked(world)) == before:
            world.clock += ASK_MS // 60
            turn(world)
        waits.append(world.clock - start)
    assert all(ASK_MS * 0.75 <= wait <= ASK_MS * 1.3 for wait in waits)
    assert len(set(waits)) > 1
    assert len(set(asked(world))) == 1


def test_it_asks_once_after_each_new_connection(world):
    """What was said before may have been lost with the broker."""
    for count in (1, 2, 3):
        world.connect()
        world.passes(HEARTBEAT_MS)
        assert len(asked(world)) == count
        world.keeper.lost()
    assert len(set(asked(world))) == 1


def test_what_could_not_be_said_is_said_as_soon_as_it_can(world):
    """A line that does not take it is not an answer."""
    world.connect()
    world.line.up = False
    turn(world)
    world.passes(HEARTBEAT_MS)
    before = len(asked(world))
    world.line.up = True
    world.keeper.lost()
    world.connect()
    turn(world)
    assert len(asked(world)) == before + 1


# ---------------------------------------------------------------- what it is given


def test_a_new_certificate_is_kept_and_taken_up(due, world):
    """On the disk with the same terms; a new connection is made, and its birth shows it."""
    world.connect()
    turn(world)
    new = due.next()
    give(world, new)
    assert due.stored() == new
    assert identity.enrolled(due.state).terms == AUTHORITY.terms()
    assert world.line.renewed == 1
    world.keeper.lost()
    world.connect()
    world.passes(ASK_MS * 2)
    assert shown(world)[0] == leaf_of(due.first)
    assert leaf_of(new) in shown(world)
    assert world.line.renewed == 1
    assert len(asked(world)) == 1
    assert not world.keeper.refused


@pytest.mark.parametrize("screen", ["invited", "saving", "thanks"])
def test_no_new_connection_is_made_before_a_citizen(due, world, screen):
    """The certificate is on the disk at once; the connection waits until they are gone."""
    world.connect()
    world.keeper.screen(screen)
    give(world, due.next())
    world.passes(HEARTBEAT_MS)
    assert due.stored() != due.first
    assert world.line.renewed == 0
    world.keeper.screen("idle")
    turn(world)
    assert world.line.renewed == 1


def test_no_new_connection_is_made_while_anything_is_under_way(due, world):
    """An invitation that is to be shown, and an outcome that the hub has not answered for."""
    world.connect()
    world.slot(1, invitation(1, issued_at=world.hub_at()))
    give(world, due.next())
    assert world.line.renewed == 0
    world.orders(Close(name(1), kind="expired", elapsed_ms=9))
    world.slot(2)
    turn(world)
    assert world.line.renewed == 0
    world.receipt(world.outcomes()[0].id)
    turn(world)
    assert world.line.renewed == 1
    assert world.outbox.depth() == 0


def test_a_broken_disk_holds_back_neither_the_outcomes_nor_the_order(due, world):
    """What waits for the disk is kept before the connection changes."""
    world.connect()
    world.keeper.screen("invited")
    give(world, due.next())
    world.breaks()
    world.orders(Close(name(1), kind="expired", elapsed_ms=9))
    world.keeper.screen("idle")
    world.passes(HEARTBEAT_MS)
    assert world.line.renewed == 0
    world.breaks(broken=False)
    world.passes(RETRY_DISK_MS)
    world.receipt(world.outcomes()[0].id)
    turn(world)
    assert world.line.renewed == 1


def of_version(chain, number):
    """The first certificate, said to be of a version of X.509 that there is not."""
    der = identity.leaf(chain).public_bytes(Encoding.DER)
    field = b"\xa0\x03\x02\x01"
    assert der.count(field) == 1
    changed = der.replace(field + b"\x02", field + bytes((number,)))
    lines = base64.encodebytes(changed).decode()
    return f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n"


def unfit(due):
    """Chains that are not this kiosk's next certificate, by what is wrong with them."""
    stranger = signing.generate_key()
    good = due.next()
    leaf, ca = good.split("-----END CERTIFICATE-----\n")[:2]
    end = "-----END CERTIFICATE-----\n"
    return {
        "another key": AUTHORITY.chain(stranger),
        "another device": due.next(device="k2"),
        "another hall": due.next(hall="h2"),
        "another authority": OTHERS.chain(due.key),
        "older": due.next(at=NOW - 71 * DAY),
        "as old": due.next(at=NOW - 70 * DAY),
        "expired": due.next(at=NOW - 30 * DAY, days=20),
        "not valid yet": due.next(at=NOW + 30 * DAY),
        "no issuer": leaf + end,
        "the wrong way round": ca + end + leaf + end,
        "doubled": good + good,
        "the root": pem(AUTHORITY.root),
        "a request": pem(certificates.request(due.key, "k1")),
        "another version": of_version(good, 5),
        "no PEM": "certificate",
        "cut off": good[: len(good) // 2],
        "spoiled": leaf[:200] + ("A" if leaf[200] != "A" else "B") + leaf[201:] + end + ca + end,
    }


def test_whatever_is_not_the_next_certificate_is_refused_and_changes_nothing(due, world):
    """Each is counted, none is kept, the connection stays."""
    world.connect()
    for count, (what, chain) in enumerate(unfit(due).items(), start=1):
        give(world, chain)
        assert world.keeper.refused["certificate"] == count, what
        assert due.stored() == due.first, what
    assert world.line.renewed == 0
    give(world, due.next())
    assert world.line.renewed == 1


@pytest.mark.parametrize("payload", [b"\xff", b"{}", b'{"v":1,"chain":""}', b"[" * 9_000])
def test_garbage_in_the_place_of_a_certificate_is_counted(due, world, payload):
    """The kiosk keeps what it has."""
    world.connect()
    world.tell(Leaf.CERTIFICATE, payload)
    assert sum(world.keeper.refused.values()) == 1
    assert due.stored() == due.first


def test_what_it_has_already_is_no_news_and_no_fault(due, world):
    """The hub repeats it until the birth has shown it, then takes it back."""
    world.connect()
    give(world, due.first)
    new = due.next()
    give(world, new)
    inode = identity.enrolled(due.state).certificate.resolve()
    give(world, new)
    world.tell(Leaf.CERTIFICATE, b"")
    assert not world.keeper.refused
    assert world.line.renewed == 1
    assert identity.enrolled(due.state).certificate.resolve() == inode


def test_a_certificate_that_comes_before_the_time_waits_for_it(due, world):
    """What is retained comes before the first receipt: whether it is valid is not known yet."""
    world.connect(hub=False)
    give(world, due.next())
    assert due.stored() == due.first
    world.receipt()
    turn(world)
    assert due.stored() != due.first
    assert asked(world) == []


def test_a_full_disk_keeps_the_old_certificate_and_is_tried_again(due, world):
    """Nothing half is left; when there is room again the new one is kept without being sent."""
    world.connect()
    new = due.next()
    before = sorted(path.name for path in due.state.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # no file may grow beyond this
    try:
        give(world, new)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert due.stored() == due.first
    assert sorted(path.name for path in due.state.iterdir()) == before
    assert world.line.renewed == 0
    world.passes(STORE_AGAIN_MS)
    assert due.stored() == new
    assert world.line.renewed == 1


def test_a_kiosk_that_slept_long_is_still_renewed_before_the_end(due):
    """Switched off for days: the first receipt after it tells that it is due."""
    late = 19 * DAY_MS
    with due.started() as world:
        world.clock = late
        world.connect()
        turn(world)
        assert len(asked(world)) == 1
        new = due.next(at=NOW + 19 * DAY)
        give(world, new)
        assert due.stored() == new
