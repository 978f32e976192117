"""The conversation: who is enrolled, and what a cut costs."""

import msgspec
import pytest
from enrolment_world import World

from protocol import signing
from protocol.enrolment import kiosk as kiosks
from protocol.enrolment import messages as say
from protocol.enrolment.chain import check_chain
from protocol.enrolment.frames import Decoder
from protocol.enrolment.texts import REASONS

FRAMES = 60
"""More than a clean enrolment needs."""


def at_frame(count, act):
    """Return one thing that spoils a line: `act` is done in place of the frame of this number."""
    seen, decoder = [0], Decoder()

    def spoil(data):
        before = seen[0]
        seen[0] += len(decoder.feed(data))
        if before <= count < seen[0]:
            act()
            return b""
        return data

    return spoil


def test_a_kiosk_is_enrolled():
    """Both showed the same number, one voucher was used, and the kiosk has what it needs."""
    world = World().run()
    assert world.enrolled()
    assert world.asked == world.shown
    assert len(world.asked) == 1
    (chain, terms), *_ = world.kept
    assert terms == world.authority.terms()
    public = say.public_bytes(world.key.public_key())
    assert check_chain(chain, terms.ca, public, "kiosk-01", "hall-1")
    assert world.desk.desk.passed


def test_numbers_differ_from_time_to_time():
    """The same kiosk at the same desk: another number each time."""
    key = signing.generate_key()
    assert len({World(seed, key=key).run().asked[0] for seed in range(20)}) > 15


def test_an_operator_who_says_no_ends_it():
    """Nothing is issued, no voucher is made, and both sides know why."""
    world = World()
    world.same = False
    world.run()
    assert world.desk.failure == world.kiosk.failure == REASONS["number_differs"]
    assert world.authority.vouchers == world.kept == []


def test_the_wrong_kiosk_is_named_and_goes_on_waiting():
    """A cable in the wrong socket: the desk reads which kiosk is at its end."""
    world = World(device="kiosk-02").run(2_000)
    assert "kiosk-02" in world.desk.failure
    assert "另一台评价器" in world.desk.failure
    assert world.shown == world.authority.vouchers == []
    assert not world.kiosk.over
    assert "kiosk-01" in world.kiosk.give_up()
    right = World(1, device="kiosk-01")
    right.kiosk, right.desk = world.kiosk, right.desk
    world.kiosk.kiosk = msgspec.structs.replace(world.kiosk.kiosk, device="kiosk-01")
    assert right.run().kiosk.failure == ""


@pytest.mark.parametrize("frame", range(FRAMES))
@pytest.mark.parametrize("way", ["pulled", "silent", "kiosk off", "not closed"])
def test_a_cut_at_any_frame_costs_nothing_but_time(frame, way):
    """The cable pulled, dead for ten seconds, or the kiosk off for as long: then it goes on.

    One voucher, one certificate; the operator is asked once, or again before he had answered.
    """
    world = World(frame)
    dead_until = [0]

    def act():
        if way == "pulled":
            world.desk.cut(world.now)
            world.kiosk.cut(world.now)
            world.desk.start(world.now)
        elif way == "silent":
            dead_until[0] = world.now + 10_000
        elif way == "kiosk off":
            if world.kiosk.over:
                return
            world.restart_kiosk()
            dead_until[0] = world.now + 10_000
        else:
            world.desk.cut(world.now)
            world.desk.start(world.now)

    spoil = at_frame(frame, act)
    world.down = world.up = lambda data: b"" if world.now < dead_until[0] else spoil(data)
    world.run()
    assert not world.desk.failure
    if not world.kiosk.over:  # switched off when the desk had all it needed: it has all as well
        assert way == "kiosk off"
        assert world.kept
        return
    assert world.enrolled(), (world.desk.desk.stage, world.kiosk.kiosk.stage)
    assert len(world.asked) <= 2
    assert len({chain for chain, _ in world.kept}) == 1


@pytest.mark.parametrize("moment", [kiosks.Store, kiosks.Try])
def test_a_kiosk_switched_off_at_its_slowest_moment_is_called_again(moment):
    """While it writes, while it tries the connection: the desk is patient, then calls anew."""
    world, off = World(), []
    answer = world.answer

    def hangs(wish):
        if isinstance(wish, moment) and not off:
            off.append(world.now + 100)  # what it heard last is acknowledged: nothing is missed
            return None
        return answer(wish)

    def restarts(data):
        if off and 0 < off[0] < world.now:
            off[0] = 0
            world.restart_kiosk()
        return data

    world.answer, world.up = hangs, restarts
    assert world.run().enrolled(), world.desk.failure
    assert off == [0]


@pytest.mark.parametrize("seed", range(5))
def test_many_cuts_in_a_row_end_well(seed):
    """One frame in thirty pulls the cable, again and again."""
    world = World(seed)

    def spoil(data):
        if data and world.random.random() < 1 / 30:
            world.desk.cut(world.now)
            world.kiosk.cut(world.now)
            world.desk.start(world.now)
            return b""
        return data

    world.down = world.up = spoil
    world.run()
    assert world.enrolled()


def test_a_kiosk_that_missed_only_the_last_word_is_enrolled():
    """All that matters is on its disk and was tried: giving up is no failure then."""
    world = World()
    while world.kiosk.kiosk.stage is not kiosks.Stage.CLOSING:
        world.turn()
    world.kiosk.cut(world.now)
    assert world.kiosk.give_up() == world.kiosk.failure == ""
    assert world.kiosk.kiosk.stage is kiosks.Stage.DONE


def test_a_voucher_used_before_is_refused_and_both_sides_read_why():
    """A voucher is burnt when it issues."""
    world = World()
    world.authority.burnt.append("voucher-0")
    world.run()
    assert "凭证已用" in world.desk.failure
    assert "凭证已用" in world.kiosk.failure
    assert world.kept == []
