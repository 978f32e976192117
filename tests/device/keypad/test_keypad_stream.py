"""From bytes to frames: any bytes in any pieces, noise before and between, half frames."""

import random
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from device.keypad import model, openframe, pattern
from device.keypad.openframe import OpenShape
from device.keypad.reader import Reader
from device.keypad.scanner import Alone, Scanner

MODELS = {name: model.load(name, Path()) for name in model.shipped()}
BY_LOOK = {name: each for name, each in MODELS.items() if not each.quiet_ms}
LATER = 10_000_000

all_models = pytest.mark.parametrize("name", MODELS)
models_by_look = pytest.mark.parametrize("name", BY_LOOK)


def frames_of(name):
    """One whole frame of every key, and of every code that is known to be no rating."""
    each = MODELS[name]
    if each.pattern is None:
        presses = [openframe.press(7, code[0]) for code in each.keys]
        return [*presses, openframe.alive(9)]
    return [each.pattern.frame(code) for code in (*each.keys, *each.ignored)]


def shape_of(name):
    return MODELS[name].pattern or OpenShape()


def streams(name):
    """Noise, whole frames and pieces of frames, in any order."""
    frame = st.sampled_from(frames_of(name))
    piece = st.builds(lambda f, a, b: f[a % len(f) :][: b % len(f)], frame, st.integers(0, 64),
                      st.integers(0, 64))  # fmt: skip
    start = st.just(getattr(shape_of(name), "start", b""))
    part = st.one_of(st.binary(max_size=12), frame, piece, start)
    return st.lists(part, max_size=12).map(b"".join)


def sound(shape, data, at):
    """The sound frame that begins at a place, or nothing; by the simplest means."""
    size = shape.size(data, at) if data.startswith(shape.start, at) else 0
    frame = data[at : at + size] if size else b""
    return frame if size and len(frame) == size and not shape.fault(frame) else b""


def plain(shape, data):
    """The same from left to right, the first sound frame counts."""
    found, at = [], 0
    while at < len(data):
        frame = sound(shape, data, at)
        found += [frame] if frame else []
        at += len(frame) or 1
    return found


def read(reader, data, at_ms=1000):
    """Feed it at once, then let the line be silent."""
    return reader.feed(data, at_ms, at_ms) + reader.silence(LATER)


@all_models
@given(data=st.data())
def test_any_bytes_in_any_pieces_are_accounted_for(name, data):
    """Nothing raises, whatever comes and whenever; fed = framed + noise + pending, always."""
    reader = Reader(MODELS[name], "pad", 0)
    fed = noise = now = 0
    for part in data.draw(st.lists(streams(name), max_size=6)):
        came = now + data.draw(st.integers(0, 200))
        now = came + data.draw(st.integers(0, 60))
        reader.feed(part, came, now)
        if data.draw(st.booleans()):
            now += data.draw(st.integers(0, 300))
            reader.silence(now)
        fed += len(part)
        noise += reader.take_counts()["noise_bytes"]
        assert fed == reader.framed + noise + reader.pending
        assert reader.pending <= 40 or MODELS[name].quiet_ms
    reader.silence(LATER)
    assert reader.pending == 0
    assert fed == reader.framed + noise + reader.take_counts()["noise_bytes"]


@models_by_look
@given(data=st.data())
def test_the_pieces_in_which_bytes_come_do_not_matter(name, data):
    """Cut anywhere, the same frames are found as by reading it all from left to right."""
    stream = data.draw(streams(name))
    scanner = Scanner(shape_of(name), 50)
    found, at = [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 9))
        found += scanner.feed(stream[at : at + size], 5, 5)
        at += size
    found += scanner.silence(LATER)
    assert [each.data for each in found] == plain(shape_of(name), stream)


@models_by_look
@given(data=st.data())
def test_a_frame_is_found_after_any_noise(name, data):
    """Unless the noise, with the frame's first bytes, is itself a whole sound frame."""
    noise, frame = data.draw(streams(name)), data.draw(st.sampled_from(frames_of(name)))
    shape, whole = shape_of(name), noise + frame
    ends = [at + len(sound(shape, whole, at)) for at in range(len(noise))]
    assume(max(ends, default=0) <= len(noise))
    scanner = Scanner(shape, 50)
    found = scanner.feed(whole, 5, 5) + scanner.silence(LATER)
    assert found[-1].data == frame


@models_by_look
@given(data=st.data())
def test_after_a_pause_noise_cannot_hide_a_frame(name, data):
    """However much the noise looks like a frame's beginning, a pause ends it."""
    noise, frame = data.draw(streams(name)), data.draw(st.sampled_from(frames_of(name)))
    scanner = Scanner(shape_of(name), 50)
    scanner.feed(noise, 5, 5)
    found = scanner.feed(frame, 56, 56)
    assert (found + scanner.silence(LATER))[-1] == type(found[-1])(frame, 56, 56)


@models_by_look
@given(data=st.data())
def test_a_spoilt_frame_is_never_a_level(name, data):
    """One bit turned over anywhere: no press, and something is counted."""
    each = MODELS[name]
    frame = bytearray(data.draw(st.sampled_from(frames_of(name))))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    if each.pattern is not None and each.pattern.checksum == "none":
        # Without a checksum a spoilt code may be another key's: the pad's own limit.
        assume(bit // 8 not in range(len(frame))[each.pattern.key])
    frame[bit // 8] ^= 1 << bit % 8
    reader = Reader(each, "pad", 0)
    assert read(reader, bytes(frame)) == []
    assert reader.take_counts()["noise_bytes"] > 0


@given(frame=st.binary(max_size=40), wrong=st.integers(1, 0xFFFF))
def test_an_open_frame_with_another_checksum_is_no_frame(frame, wrong):
    """Any payload, any wrong CRC."""
    whole = openframe.encode(openframe.Kind.PRESS, 3, frame[:32])
    crc = int.from_bytes(whole[-2:], "little") ^ wrong
    spoilt = whole[:-2] + crc.to_bytes(2, "little")
    assume(openframe.SYNC not in spoilt[1:])
    scanner = Scanner(OpenShape(), 50)
    assert scanner.feed(spoilt, 1, 1) + scanner.silence(LATER) == []
    assert scanner.counts["bad_checksum"] == 1


@all_models
def test_a_mebibyte_of_noise_is_no_press(name):
    """Random bytes without a pause, the same in every run; each is counted."""
    noise = random.Random(20260101).randbytes(1 << 20)
    reader = Reader(MODELS[name], "pad", 0)
    presses = []
    for at in range(0, len(noise), 4096):
        presses += reader.feed(noise[at : at + 4096], 1000 + at // 4096, 1000 + at // 4096)
    presses += reader.silence(LATER)
    assert presses == []
    assert reader.take_counts()["noise_bytes"] + reader.framed == len(noise)


def test_a_half_frame_ends_with_a_silence_and_hides_nothing():
    """An open frame that claims to be longer holds the next one back until the line is silent."""
    half, press = b"\xf7\x50\x01\x20\x01", openframe.press(1, 4)
    scanner = Scanner(OpenShape(), 50)
    assert scanner.feed(half + press, 100, 100) == []
    assert scanner.silence(150) == []
    assert [each.data for each in scanner.silence(151)] == [press]
    assert scanner.counts == {"half_frame": 1, "noise_bytes": len(half)}


def test_two_halves_with_a_long_gap_are_not_put_together():
    """The second half after a silence does not complete the first; a short wait does."""
    press = openframe.press(1, 4)
    scanner = Scanner(OpenShape(), 50)
    assert scanner.feed(press[:6], 100, 100) == []
    assert scanner.feed(press[6:], 151, 151) == []
    assert scanner.feed(press[:6], 300, 300) == []
    assert [each.came_ms for each in scanner.feed(press[6:], 350, 360)] == [300]
    assert scanner.counts == {"half_frame": 1, "noise_bytes": len(press)}


# ------------------------------------------------ frames that stand alone

KEY = pattern.parse("key", "none")


def alone(*chunks, quiet_ms=60, opened_ms=0, shape=KEY):
    """What is found in chunks of (moment, bytes), each read as soon as it came."""
    framer = Alone(shape, shape.length, quiet_ms, opened_ms)
    found = []
    for at, data in chunks:
        found += framer.feed(data, at, at)
    found += framer.silence(LATER)
    return [(each.data, each.came_ms) for each in found], dict(framer.counts)


def test_a_byte_between_two_silences_is_a_frame():
    """And the next one, after another silence, as well."""
    assert alone((100, b"5"), (160, b"4")) == ([(b"5", 100), (b"4", 160)], {})


def test_a_byte_within_a_burst_is_noise():
    """However many of its bytes would be keys."""
    found, counts = alone((100, b"1"), (130, b"2"), (150, b"5"))
    assert found == []
    assert counts == {"not_alone": 1, "noise_bytes": 3}


def test_a_bouncing_key_is_one_frame():
    """The same frame several times over is one, since its first byte; a part over is noise."""
    assert alone((100, b"5"), (110, b"55"), (150, b"5")) == ([(b"5", 100)], {})
    two = pattern.parse("AA key", "none")
    assert alone((100, b"\xaa"), (101, b"\x01\xaa\x01"), shape=two) == ([(b"\xaa\x01", 100)], {})
    assert alone((100, b"\xaa\x01\xaa"), shape=two)[0] == []
    assert alone((100, b"\xaa\x01\xaa\x02"), shape=two)[0] == []
    assert alone((100, b"\xaa"), shape=two) == ([], {"half_frame": 1, "noise_bytes": 1})


def test_what_follows_on_the_opening_is_not_alone():
    """Nobody knows whether the line was silent before it was listened to."""
    found, counts = alone((1030, b"5"), opened_ms=1000)
    assert found == []
    assert counts == {"not_alone": 1, "noise_bytes": 1}


def test_silence_that_is_not_certain_does_not_count():
    """Read late, bytes may have come together: what was held up is dropped, not guessed."""
    framer = Alone(KEY, 1, 60, 0)
    framer.feed(b"5", 100, 100)
    found = framer.feed(b"4", 130, 300)  # may have come 30 ms after the first
    assert found + framer.silence(LATER) == []
    assert framer.counts["not_alone"] == 1
