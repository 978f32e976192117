"""Messages arrive whole, in order and once, or the link says that it is lost."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.enrolment.frames import Frame, Kind, encode
from protocol.enrolment.link import LOST_MS, MESSAGE_LIMIT, Link, Role


class Pair:
    """Two ends and a clock; `spoil` changes whatever passes."""

    def __init__(self, seed=0, spoil=lambda data: data):
        self.random = random.Random(seed)
        self.desk = Link(Role.DESK, self.random.randbytes)
        self.kiosk = Link(Role.KIOSK, self.random.randbytes)
        self.spoil = spoil
        self.now = 0
        self.at_desk, self.at_kiosk = [], []
        self.desk.open(self.now)

    def turn(self, times=1):
        for _ in range(times):
            self.now += 5
            for end, other, box in (
                (self.desk, self.kiosk, self.at_kiosk),
                (self.kiosk, self.desk, self.at_desk),
            ):
                end.tick(self.now)
                box.extend(other.feed(self.spoil(end.take()), self.now))

    def until(self, condition, limit_ms=120_000):
        end = self.now + limit_ms
        while not condition():
            assert self.now < end, "waited in vain"
            self.turn()


def spoiler(rng, *, drop=0.0, double=0.0, flip=0.0, noise=0.0):
    def spoil(data):
        out = bytearray()
        for byte in data:
            if rng.random() < drop:
                continue
            changed = byte ^ (1 << rng.randrange(8)) if rng.random() < flip else byte
            out += bytes([changed]) * (2 if rng.random() < double else 1)
        return bytes(out) + (rng.randbytes(50) if rng.random() < noise else b"")

    return spoil


FAULTS = {
    "clean": {},
    "drops": {"drop": 0.05},
    "doubles": {"double": 0.05},
    "flips": {"flip": 0.03},
    "babbles": {"noise": 0.8},
    "all": {"drop": 0.01, "double": 0.01, "flip": 0.01, "noise": 0.1},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_line_changes_nothing_of_what_is_said(fault):
    """Both ways at once: whole, in order, once."""
    rng = random.Random(5)
    pair = Pair(5, spoiler(rng, **FAULTS[fault]))
    down = [rng.randbytes(rng.randrange(1, 900)) for _ in range(4)]
    up = [rng.randbytes(rng.randrange(1, 900)) for _ in range(4)]
    pair.until(lambda: pair.desk.connected)
    for each in down:
        pair.desk.send(each, pair.now)
    for each in up:
        pair.kiosk.send(each, pair.now)
    pair.until(lambda: pair.desk.idle and pair.kiosk.idle)
    assert (pair.at_kiosk, pair.at_desk) == (down, up)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.lists(st.binary(max_size=600), max_size=5))
def test_whatever_the_line_does_nothing_false_arrives(seed, messages):
    """What arrives is a beginning of what was sent, even where the line is past hope."""
    rng = random.Random(seed)
    faults = {name: rng.random() * 0.1 for name in ("drop", "double", "flip", "noise")}
    pair = Pair(seed, spoiler(rng, **faults))
    pair.turn(200)
    for each in messages:
        pair.desk.send(each, pair.now)
    pair.turn(300)
    assert pair.at_kiosk == messages[: len(pair.at_kiosk)]


@given(st.lists(st.binary(max_size=400), max_size=10))
def test_arbitrary_bytes_break_neither_end(noise):
    """They are no messages, and the ends find each other afterwards."""
    pair = Pair()
    for each in noise:
        assert pair.desk.feed(each, pair.now) == pair.kiosk.feed(each, pair.now) == []
    pair.until(lambda: pair.desk.connected and pair.kiosk.connected)


def test_the_longest_message_passes_and_a_longer_one_is_refused_at_once():
    """The limit is the sender's to keep, too."""
    pair = Pair()
    pair.until(lambda: pair.desk.connected)
    pair.desk.send(b"x" * MESSAGE_LIMIT, pair.now)
    pair.until(lambda: pair.desk.idle)
    assert pair.at_kiosk == [b"x" * MESSAGE_LIMIT]
    with pytest.raises(ValueError, match="8192"):
        pair.desk.send(b"x" * (MESSAGE_LIMIT + 1), pair.now)


def test_a_length_that_cannot_be_is_the_end_of_the_connection():
    """Whoever claims more than the limit does not make us wait for it."""
    pair = Pair()
    pair.until(lambda: pair.desk.connected)
    frame = Frame(Kind.DATA_DOWN, pair.kiosk._tag, 0, b"\xff\xff")
    assert pair.kiosk.feed(encode(frame), pair.now) == []
    assert pair.kiosk.lost


def test_a_dead_line_is_lost_after_a_bounded_time():
    """Nothing is sent for ever; a new `open` mends it."""
    pair = Pair()
    pair.until(lambda: pair.desk.connected)
    pair.spoil = lambda _: b""
    pair.desk.send(b"anybody?", pair.now)
    started = pair.now
    pair.until(lambda: pair.desk.lost)
    assert pair.now - started <= LOST_MS + 1_000
    pair.spoil = lambda data: data
    pair.desk.open(pair.now)
    pair.until(lambda: pair.desk.connected)
    pair.desk.send(b"again", pair.now)
    pair.until(lambda: pair.desk.idle)
    assert pair.at_kiosk == [b"again"]


def test_what_is_left_of_an_older_connection_is_not_heard():
    """Frames that were under way when the desk opened anew have another tag."""
    pair = Pair()
    pair.until(lambda: pair.desk.connected)
    pair.desk.send(b"old", pair.now)
    late = pair.desk.take()
    pair.desk.open(pair.now)
    pair.until(lambda: pair.desk.connected)
    assert pair.kiosk.feed(late, pair.now) == []
    assert pair.kiosk.foreign == 1


def test_a_second_kiosk_on_the_line_is_not_heard():
    """Both answer the call; the desk keeps to the first, and the other gets no word in."""
    pair = Pair()
    other = Link(Role.KIOSK, random.Random(9).randbytes)
    call = pair.desk.take()
    pair.kiosk.feed(call, 0)
    other.feed(call, 0)
    pair.desk.feed(pair.kiosk.take() + other.take(), 0)
    other.send(b"me too", 0)
    assert pair.desk.feed(other.take(), 0) == []
    pair.kiosk.send(b"me", 0)
    assert pair.desk.feed(pair.kiosk.take(), 0) == [b"me"]
    pair.desk.send(b"you", 0)
    said = pair.desk.take()
    assert other.feed(said, 0) == []
    assert pair.kiosk.feed(said, 0) == [b"you"]


def test_an_echo_is_known_as_one():
    """A line that returns what it is told is no kiosk."""
    desk = Link(Role.DESK, random.Random(1).randbytes)
    desk.open(0)
    assert desk.feed(desk.take(), 1) == []
    assert desk.echoes == 1
    assert not desk.connected
