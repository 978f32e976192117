"""Frames are found after any noise, taken only unharmed, and never more than once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.enrolment import frames
from protocol.enrolment.frames import MAGIC, OVERHEAD, PAYLOAD_LIMIT, Decoder, Frame, Kind, encode

ANY_FRAME = st.builds(
    Frame,
    st.sampled_from(Kind),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.text(max_size=60).map(str.encode),
)
HELLO = Frame(Kind.DATA_DOWN, 7, 3, "评价器".encode())


@given(st.lists(ANY_FRAME, max_size=8), st.data())
def test_frames_survive_any_way_of_being_cut_up(sent, data):
    """However the line portions the bytes, the same frames come out, in order."""
    line = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=12)))
    decoder, got = Decoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True):
        got += decoder.feed(line[start:end])
    assert got == sent


@given(st.binary(max_size=2_000))
def test_arbitrary_bytes_are_no_frames(noise):
    """Noise yields nothing, and what follows it is found at the latest when sent again."""
    decoder = Decoder()
    assert decoder.feed(noise) == []
    again = decoder.feed(encode(HELLO) * (2 + PAYLOAD_LIMIT // OVERHEAD))
    assert HELLO in again


def test_a_mebibyte_of_noise_costs_little():
    """Random bytes, and the worst there are: nothing but beginnings of long frames."""
    beginning = encode(Frame(Kind.DATA_DOWN, 1, 0, b"x" * PAYLOAD_LIMIT))[:11]
    for noise in (random.Random(1).randbytes(1 << 20), beginning * ((1 << 20) // 11)):
        decoder = Decoder()
        for at in range(0, len(noise), 4096):
            assert decoder.feed(noise[at : at + 4096]) == []
        assert len(decoder._buffer) <= OVERHEAD + PAYLOAD_LIMIT
        assert HELLO in decoder.feed(encode(HELLO) * 20)


def test_no_harmed_frame_is_taken():
    """Every single bit turned, every byte lost, every byte doubled: refused."""
    whole = encode(HELLO)
    harmed = [
        bytes([*whole[:at], whole[at] ^ (1 << bit), *whole[at + 1 :]])
        for at in range(len(whole))
        for bit in range(8)
    ]
    harmed += [whole[:at] + whole[at + 1 :] for at in range(len(whole))]
    # (Doubling the first byte of the magic leaves a whole frame behind it.)
    harmed += [whole[:at] + whole[at - 1 : at] + whole[at:] for at in range(2, len(whole))]
    for each in harmed:
        assert Decoder().feed(each) == [], each


def test_a_frame_cut_short_does_not_hide_the_next():
    """The next frame comes out at once, not when the missing bytes are made up for."""
    long = encode(Frame(Kind.DATA_UP, 1, 0, b"x" * 200))
    for length in range(len(long)):
        assert Decoder().feed(long[:length] + encode(HELLO)) == [HELLO]


def test_the_magic_cannot_stand_in_text():
    """No UTF-8 text holds either byte of it."""
    for byte in MAGIC:
        assert all(byte not in chr(code).encode() for code in (*range(0xD800), 0xFFFF, 0x10FFFF))


def test_another_version_is_counted_and_not_read(monkeypatch):
    """So that a person can be told which versions met."""
    monkeypatch.setattr(frames, "VERSION", 9)
    foreign = encode(HELLO)
    monkeypatch.undo()
    decoder = Decoder()
    assert decoder.feed(foreign + encode(HELLO)) == [HELLO]
    assert decoder.versions == {9: 1}


def test_an_unknown_kind_is_passed_over():
    """A later program may say more; this one does not fall over it."""
    decoder = Decoder()
    odd = Frame(0x55, 1)
    assert decoder.feed(encode(odd) + encode(HELLO)) == [HELLO]


@pytest.mark.parametrize("size", [0, 1, PAYLOAD_LIMIT])
def test_a_frame_is_as_long_as_it_says(size):
    """Fifteen bytes around its payload."""
    assert len(encode(Frame(Kind.DATA_UP, 1, 0, b"x" * size))) == OVERHEAD + size == 15 + size
