"""Model files: what ships, what is refused, and that every fault is told at once."""

from pathlib import Path

import pytest

from device.keypad import checksums, model, pattern
from device.keypad.lamp import Lamp
from device.keypad.model import ModelError
from device.keypad.pattern import PatternError

SHIPPED = model.shipped()
EXAMPLES = [name for name in SHIPPED if name.startswith("example-")]

GOOD = """
name = "示例"
protocol = "pattern"
levels = [5, 1]

[line]
baud = 9600
bits = 8
parity = "none"
stop = 1

[frame]
pattern = "AA [ key ] sum 55"
checksum = "sum8"

[keys]
"01" = 5
"02" = 1
"""


def of(name):
    return model.load(name, Path())


def faults(text):
    with pytest.raises(ModelError) as caught:
        model.parse(text, "x.toml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("crc8", 0xF4),
        ("crc8-maxim", 0xA1),
        ("crc16-modbus", 0x4B37),
        ("crc16-ccitt", 0x29B1),
        ("crc16-xmodem", 0x31C3),
        ("sum8", 0xDD),
        ("lrc8", 0x23),
        ("xor8", 0x31),
    ],
)
def test_a_checksum_gives_its_published_check_value(kind, value):
    """Of "123456789", as catalogues of CRCs publish it; the sums are the digits' own."""
    assert checksums.SUMS[kind](b"123456789") == value


def test_every_checksum_that_a_file_may_name_is_there():
    """The form allows no name that nothing stands behind."""
    assert set(checksums.Kind.__args__) == {"none", *checksums.SUMS}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_model_loads(name):
    """Each says good and bad levels, and in its own name what it is."""
    each = of(name)
    levels = set(each.keys.values())
    assert levels & {5, 4, 3}
    assert levels & {2, 1}
    assert name == "open" or "示例" in each.name


def test_the_examples_contradict_each_other():
    """The same code is the best level on one pad and no rating on another; 1 likewise."""
    assert len(EXAMPLES) >= 3
    first, second, third = (of(name) for name in EXAMPLES[:3])
    assert b"\x05" in first.ignored
    assert second.keys[b"\x05"] == 5
    assert first.keys[b"\x01"] == 5
    assert second.keys[b"\x01"] == 1
    assert third.keys[b"1"] == 1


def test_the_lamps_cannot_tell_which_level_was_pressed():
    """A model has one command for each state of the lamps and nowhere to put one for a level."""
    assert set(of("example-a").commands) == set(Lamp)
    told = faults(GOOD + '\n[indicators]\naccepted_1 = "01"\naccepted_5 = "05"\n')
    assert [line.split("：")[1] for line in told] == [
        "indicators.accepted_1",
        "indicators.accepted_5",
    ]


def test_a_hall_describes_its_own_model_in_a_file(tmp_path):
    """A file beside the configuration is loaded by its name."""
    (tmp_path / "ours.toml").write_text(GOOD, encoding="utf-8")
    assert model.load("ours.toml", tmp_path).keys == {b"\x01": 5, b"\x02": 1}


@pytest.mark.parametrize(
    ("name", "words"),
    [("nosuch", "example-a、"), ("nosuch.toml", "找不到"), (".", "没有按键盒型号")],
)
def test_a_model_that_is_not_there_is_told(tmp_path, name, words):
    """With the names of those that are."""
    with pytest.raises(ModelError, match=words):
        model.load(name, tmp_path)


def test_a_file_that_is_no_text_is_told(tmp_path):
    """Neither bytes that are no UTF-8 nor a folder end the kiosk with a traceback."""
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "b.toml").mkdir()
    for name in ("a.toml", "b.toml"):
        with pytest.raises(ModelError, match="无法读取"):
            model.load(name, tmp_path)


def test_all_faults_of_a_file_are_told_at_once():
    """Each with its place, of the form and of single words alike."""
    text = GOOD.replace("9600", "9601").replace('"01" = 5', '"1" = 6').replace("AA", "kk")
    told = faults(text + '\n[indicators]\nidle = "A"\n\n[lamps]\n')
    places = [line.split("：")[1] for line in told]
    assert all(line.startswith("x.toml：") for line in told)
    assert sorted(set(places)) == [
        "frame.pattern",
        "indicators.idle",
        "keys.1",
        "lamps",
        "line.baud",
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ('"02" = 1', '"02" = 1\n"aa" = 1\n"AA" = 5', "keys.AA", "相同"),
        ('"02" = 1', '"02" = 1\n[ignored]\n"01" = "超时"', "ignored.01", "相同"),
        ('"02" = 1', '"02" = 1\n"03 04" = 1', "keys.03 04", "1 个字节"),
        ('"02" = 1', '"02" = 1\n"03" = 4', "keys", "levels 里却没有"),
        ("[5, 1]", "[5, 4, 1]", "levels", "keys 里却没有"),
        ("[5, 1]", "[5, 5, 1]", "levels", "两次"),
        ("[5, 1]", "[5, 4]", "levels", "差评"),
        ("[5, 1]", "[2, 1]", "levels", "好评"),
        ("AA [ key ] sum 55", "[ key ] sum 55", "frame.quiet_ms", "安静"),
        ("AA [ key ] sum 55", "AA [ key ] sum", "frame.quiet_ms", "安静"),
        ("AA [ key ] sum 55", "[ key ] sum 55 0D", "frame.quiet_ms", "开头"),
        ('"pattern"\n', '"open"\n', "frame", "固定"),
        ('"pattern"\n', '"open"\n', "keys.01", '应写 "05"'),
        ("AA [ key ] sum 55", "AA key sum 55", "frame.pattern", "一对"),
        ("AA [ key ] sum 55", "AA [ ] key sum 55", "frame.pattern", "之内"),
        ("AA [ key ] sum 55", "AA [ key sum ] 55", "frame.pattern", "本身"),
        ("AA [ key ] sum 55", "AA [ key ] 55", "frame.pattern", "sum"),
        ("AA [ key ] sum 55", "AA [ 01 ] sum 55", "frame.pattern", "没有 key"),
        ("AA [ key ] sum 55", "AA [ key 01 key ] sum 55", "frame.pattern", "连在一起"),
        ("AA [ key ] sum 55", "AA " * 70 + "[ key ] sum", "frame.pattern", "64"),
        ("AA [ key ] sum 55", "AA [ key ] sum 5", "frame.pattern", "看不懂"),
        ("sum8", "crc16-modbus", "frame.pattern", "sum-low、sum-high"),
        ("sum8", "none", "frame.pattern", "不能写"),
        ("stop = 1", "stop = true", "line.stop", ""),
    ],
)
def test_a_model_that_could_be_misread_is_refused(old, new, place, words):
    """Codes with two meanings, levels without keys, frames that noise could be taken for."""
    assert old in GOOD
    told = faults(GOOD.replace(old, new, 1))
    assert [line for line in told if line.startswith(f"x.toml：{place}：") and words in line], told


def test_a_bare_byte_that_noise_sends_is_no_key():
    """00 and FF are what a loose wire sends; without any proof they cannot be keys."""
    text = GOOD.replace("AA [ key ] sum 55", "key").replace('"sum8"', '"none"\nquiet_ms = 50')
    assert faults(text.replace('"01"', '"FF"')) == [
        "x.toml：keys.FF：00 和 FF 是线路干扰最常见的字节，这样的帧里不能当作按键"
    ]
    model.parse(text, "x.toml")


def test_an_empty_or_broken_file_is_told():
    """Not TOML, or nothing in it."""
    assert "不是 TOML" in faults("name =")[0]
    assert {"name", "levels", "line", "keys"} <= {line.split("：")[1] for line in faults("")}


@pytest.mark.parametrize("kind", sorted(checksums.SUMS))
def test_a_drawn_frame_is_sound_and_any_changed_bit_is_not(kind):
    """Built as the drawing says, read back, and refused with one bit turned over."""
    sums = "sum" if checksums.width(kind) == 1 else "sum-high sum-low"
    drawn = pattern.parse(f"AA 55 [ 03 key key any ] {sums} 0D", kind)
    frame = drawn.frame(b"\x31\x32", filler=0x77)
    assert drawn.fault(frame) == ""
    assert frame[drawn.key] == b"12"
    for bit in range(8 * len(frame)):
        spoilt = bytearray(frame)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert drawn.fault(bytes(spoilt)) in ("bad_form", "bad_checksum")


def test_a_checksum_of_two_bytes_is_read_in_the_order_that_is_drawn():
    """Low byte first and high byte first are two different frames."""
    low = pattern.parse("AA [ key ] sum-low sum-high", "crc16-modbus").frame(b"\x05")
    high = pattern.parse("AA [ key ] sum-high sum-low", "crc16-modbus").frame(b"\x05")
    assert low[2:] == high[:1:-1]
    assert low != high


def test_a_drawing_without_words_is_refused():
    """An empty drawing is no frame."""
    with pytest.raises(PatternError, match="1 至 64"):
        pattern.parse("  ", "none")
