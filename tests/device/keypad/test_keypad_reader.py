"""From frames to presses: the table, held keys, the open frame's numbers and ages."""

import re
from pathlib import Path

import pytest

from device.keypad import model, openframe
from device.keypad.lamp import Lamp
from device.keypad.openframe import Kind
from device.keypad.reader import Press, Reader

DOCS = Path(__file__).parents[3] / "docs" / "keypads.md"
MODELS = {name: model.load(name, Path()) for name in model.shipped()}
PATTERNED = [name for name, each in MODELS.items() if each.pattern]


@pytest.fixture
def pad():
    return Reader(MODELS["open"], "pad", 0)


def levels(presses):
    return [press.level for press in presses]


def read(reader, data, at=1000):
    """One burst at a moment, with silence after it."""
    return reader.feed(data, at, at) + reader.silence(at + 500)


@pytest.mark.parametrize("name", PATTERNED)
def test_each_code_of_a_model_is_its_level_and_every_other_is_none(name):
    """All codes of one byte, or of two digits: the table's, the ignored ones, and the rest."""
    each = MODELS[name]
    width = each.pattern.key.stop - each.pattern.key.start
    codes = [bytes((code,)) if width == 1 else f"{code:02d}".encode() for code in range(128)]
    for at, code in enumerate(code for code in codes if len(code) == width):
        reader = Reader(each, "pad", 0)
        found = levels(read(reader, each.pattern.frame(code), 1000 * (at + 1)))
        counts = reader.take_counts()
        if code in each.keys:
            assert found == [each.keys[code]]
            assert not counts
        else:
            assert found == []
            assert counts == {"ignored_code" if code in each.ignored else "unknown_code": 1}


def test_a_held_key_is_one_press_however_long():
    """What repeats within the model's time is the same press, a later one a new one."""
    each = MODELS["example-a"]
    reader = Reader(each, "pad", 0)
    frame = each.pattern.frame(b"\x04")
    found = [press for at in range(1000, 5000, 100) for press in reader.feed(frame, at, at)]
    assert found == [Press(2, 1000, "pad")]
    assert reader.take_counts() == {"repeated_key": 39}
    assert levels(reader.feed(frame, 5049, 5049)) == []
    assert reader.feed(frame, 5199, 5199) == [Press(2, 5199, "pad")]


def test_a_stuck_key_does_not_silence_the_others():
    """While one key repeats, another one counts."""
    each = MODELS["example-a"]
    reader = Reader(each, "pad", 0)
    stuck, good = each.pattern.frame(b"\x04"), each.pattern.frame(b"\x01")
    found = [press for at in range(0, 2000, 100) for press in reader.feed(stuck, at, at)]
    found += reader.feed(good, 2010, 2010) + reader.feed(stuck, 2040, 2040)
    assert levels(found) == [2, 5]


def test_a_storm_over_all_keys_is_one_press_of_each():
    """200 taps a second, over every key in turn, for five seconds."""
    each = MODELS["example-b"]
    reader = Reader(each, "pad", 0)
    frames = [each.pattern.frame(code) for code in each.keys]
    found = [press for n in range(1000) for press in reader.feed(frames[n % 5], n * 5, n * 5)]
    assert levels(found) == [5, 4, 3, 2, 1]
    assert reader.take_counts() == {"repeated_key": 995}


def test_a_press_is_dated_by_the_earliest_moment_it_can_have_been():
    """By its first byte, not by the last, and not by when a busy program came to read it."""
    each = MODELS["example-a"]
    frame = each.pattern.frame(b"\x01")
    reader = Reader(each, "pad", 0)
    assert reader.feed(frame[:2], 1000, 1040) == []
    assert reader.feed(frame[2:], 1040, 1080) == [Press(5, 1000, "pad")]


# ------------------------------------------------ the open frame


def test_every_press_is_answered_with_the_same_word(pad):
    """Taken, repeated, unknown or too old: the answer holds the number and nothing else."""
    said = []
    for level, age in ((5, 0), (1, 0), (1, 0), (9, 0), (3, openframe.TOO_OLD)):
        pad.feed(openframe.press(8, level, age), 1000, 1000)
        said.append(pad.take_answers())
    assert said == [openframe.ack(8)] * 5


def test_a_repeated_number_is_the_same_press(pad):
    """A pad that did not hear the answer says it again; it counts once, and is answered."""
    for at in range(1000, 1600, 100):
        pad.feed(openframe.press(8, 5, at - 1000), at, at)
    assert pad.take_answers() == openframe.ack(8) * 6
    assert pad.take_counts() == {"repeated_sequence": 5}


def test_a_number_used_again_for_another_level_is_not_taken(pad):
    """A pad that contradicts itself is not believed."""
    assert levels(pad.feed(openframe.press(8, 5), 1000, 1000)) == [5]
    assert pad.feed(openframe.press(8, 1), 1200, 1200) == []
    assert pad.take_counts() == {"reused_sequence": 1}


def test_after_two_seconds_a_number_is_a_new_press(pad):
    """So a pad that starts anew, and counts from 0 again, is heard."""
    assert levels(pad.feed(openframe.press(0, 5), 1000, 1000)) == [5]
    assert levels(pad.feed(openframe.press(0, 5), 3001, 3001)) == [5]


def test_a_press_said_again_keeps_its_true_moment(pad):
    """If only the last of five tries arrives, the age leads back to the key's going down."""
    assert pad.feed(openframe.press(8, 4, 800), 2000, 2000) == [Press(4, 1200, "pad")]


def test_a_press_of_unknown_age_is_not_taken(pad):
    """The pad says that it is older than it can say."""
    assert pad.feed(openframe.press(8, 4, openframe.TOO_OLD), 2000, 2000) == []
    assert pad.take_counts() == {"too_old": 1}


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (openframe.encode(Kind.PRESS, 1, b"\x05\x00\x00", version=2), "unknown_version"),
        (openframe.encode(0x33, 1, b"\x05\x00\x00"), "unknown_type"),
        (openframe.encode(Kind.PRESS, 1, b"\x05"), "unknown_type"),
        (openframe.encode(Kind.PRESS, 1, b"\x05\x00\x00\x00"), "unknown_type"),
        (openframe.ack(1), "unknown_type"),
        (openframe.indicate(1, Lamp.INVITED), "unknown_type"),
        (openframe.press(1, 0), "unknown_code"),
        (openframe.press(1, 6), "unknown_code"),
        (openframe.press(1, 255), "unknown_code"),
    ],
)
def test_what_is_not_known_is_counted_and_skipped(pad, frame, cause):
    """Other versions, types, forms and levels, and an echo of our own words."""
    assert pad.feed(frame, 1000, 1000) == []
    assert pad.take_counts() == {cause: 1}
    assert levels(pad.feed(openframe.press(2, 5), 1010, 1010)) == [5]


def test_a_sign_of_life_is_no_press(pad):
    """It is a frame, is not answered and counts as nothing."""
    assert pad.feed(openframe.alive(3), 1000, 1000) == []
    assert pad.frames == 1
    assert pad.take_answers() == b""
    assert not pad.take_counts()


def test_lamps_of_the_open_frame_are_numbered_words(pad):
    """Each INDICATE has a number of its own."""
    said = [openframe.decode(pad.command(lamp)) for lamp in Lamp]
    assert [(each.kind, each.sequence, each.payload) for each in said] == [
        (Kind.INDICATE, 1, b"\x00"),
        (Kind.INDICATE, 2, b"\x01"),
        (Kind.INDICATE, 3, b"\x02"),
    ]


@pytest.mark.parametrize(
    ("title", "frame"),
    [
        ("PRESS", openframe.press(7, 5)),
        ("PRESS", openframe.press(7, 5, 300)),
        ("PRESS", openframe.press(8, 1)),
        ("ALIVE", openframe.alive(9)),
        ("ACK", openframe.ack(7)),
        ("INDICATE", openframe.indicate(1, Lamp.INVITED)),
        ("INDICATE", openframe.indicate(2, Lamp.ACCEPTED)),
        ("INDICATE", openframe.indicate(3, Lamp.IDLE)),
    ],
)
def test_the_examples_of_the_page_are_true(title, frame):
    """docs/keypads.md shows these bytes beside the frame's name."""
    shown = re.findall(r"^(\w+) .*?((?:[0-9A-F]{2} ){7,}[0-9A-F]{2})$",
                       DOCS.read_text(encoding="utf-8"), re.MULTILINE)  # fmt: skip
    assert (title, frame.hex(" ").upper()) in shown


def test_the_page_computes_the_checksum_as_the_kiosk_does(capsys):
    """Its worked function gives the published check value and the CRC of its first example."""
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[1]
    names = {}
    exec(compile(code, "keypads.md", "exec"), names)  # noqa: S102 - the page's own words
    assert names["crc"](b"123456789") == 0x4B37
    press = openframe.press(7, 5)
    assert names["crc"](press[2:-2]) == int.from_bytes(press[-2:], "little")
    assert names["read"](b"\x00" + openframe.ack(7) + b"\xf7") == [(0x81, 7, b"")]


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_each_level_of_the_open_frame_is_itself(pad, level):
    """1 is 非常不满意 and 5 is 非常满意, as everywhere in the product."""
    assert levels(pad.feed(openframe.press(1, level), 1000, 1000)) == [level]
