"""Pads on real ports: pressed, pulled out, put back, noisy, deaf, dead, two at once."""

import logging
import os
import random
import socket
import threading
import time
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest
import serial
from cables import wait_for
from keypad_world import Plug, kiosk

from device.assembly import monotonic_ms
from device.events import Keep, Offer, Tap
from device.keypad import model, openframe
from device.keypad import pad as pads_of_one_line
from device.keypad.lamp import Lamp
from device.keypad.openframe import Kind
from device.keypad.presses import tap
from device.session import ARM_MS, Refused, Session, step
from protocol.messages import Invitation, Staff, Window

OPEN = model.load("open", Path())
A = model.load("example-a", Path())
KEYS = {level: A.pattern.frame(code) for code, level in A.keys.items()}


@pytest.fixture
def plug(tmp_path):
    """A function that plugs a pad in; all are pulled out at the end."""
    plugs = []

    def make(number=1):
        plugs.append(Plug(tmp_path / f"pad-{number}").plug())
        return plugs[-1]

    yield make
    for each in plugs:
        each.unplug()


def told(caplog, word):
    return [line for line in caplog.messages if line.startswith(f"keypad={word} ")]


def test_a_press_comes_in_with_its_moment_and_is_answered(tmp_path, plug):
    """The level that was pressed, a moment that is not later than it was, and the answer."""
    pad = plug()
    with kiosk(tmp_path / "pad-1", OPEN) as desk:
        wait_for(pad.words)  # its lamps are set: the line is served
        before = monotonic_ms()
        pad.say(openframe.press(7, 4))
        press = desk.next()
        assert press.level == 4
        assert before - 200 <= press.at_ms <= monotonic_ms()
        assert press.pad == str(tmp_path / "pad-1")
        wait_for(lambda: openframe.ack(7) in pad.heard())
        assert desk.present() == ["pad-1"]


def test_a_pad_may_be_pulled_out_and_put_back(tmp_path, plug, caplog):
    """Three times over; each going and coming is told once, and every press after it counts."""
    caplog.set_level(logging.INFO, "device.keypad")
    with kiosk(tmp_path / "pad-*", A) as desk:
        for round_ in range(1, 4):
            pad = plug()
            desk.wait_for("pad-1")
            pad.say(KEYS[5])
            assert desk.next().level == 5
            pad.say(KEYS[2][:3])  # pulled out in the middle of a frame
            pad.unplug()
            desk.wait_for()
            assert len(told(caplog, "gone")) == round_
        pad = plug()
        desk.wait_for("pad-1")
        pad.say(KEYS[2][3:] + KEYS[3])
        assert desk.next().level == 3
    assert len(told(caplog, "here")) == 4
    assert len(told(caplog, "gone")) == 3
    assert all("cause=unplugged" in line for line in told(caplog, "gone"))


def test_a_port_that_is_not_there_yet_is_told_once(tmp_path, plug, caplog):
    """By its name or by a pattern; the pad is served as soon as it comes."""
    caplog.set_level(logging.INFO, "device.keypad")
    with kiosk(tmp_path / "pad-1", A) as named, kiosk(tmp_path / "other-*", A):
        wait_for(lambda: told(caplog, "none") and told(caplog, "gone"))
        plug()
        named.wait_for("pad-1")
    assert len(told(caplog, "none")) == 1
    assert len(told(caplog, "gone")) == 1
    assert "cause=no-such-port" in told(caplog, "gone")[0]


def test_what_was_waiting_when_the_port_was_opened_is_dropped(tmp_path, plug):
    """What lay in the system's buffer may be of another citizen: it is counted, no press."""
    pad = plug()
    pad.say(KEYS[2])
    wait_for(lambda: pad.waiting() == len(KEYS[2]))
    with kiosk(tmp_path / "pad-1", A) as desk:
        desk.wait_for("pad-1")
        pad.say(KEYS[5])
        assert desk.next().level == 5
        assert desk.counted("stale_bytes") == 5
        assert desk.presses.empty()


def test_what_comes_in_just_after_opening_is_dropped(tmp_path, plug):
    """A pad that kept presses to itself hands them out as soon as the port is open."""
    pad = plug()
    stop = threading.Event()

    def chatter():
        while not stop.wait(0.01):
            pad.say(KEYS[2])

    with kiosk(tmp_path / "pad-1", A) as desk:
        chatting = threading.Thread(target=chatter)
        chatting.start()
        desk.wait_for("pad-1")
        stop.set()
        chatting.join()
        assert desk.counted("stale_bytes") > 0
        assert desk.presses.qsize() <= 1  # what was still being said afterwards is one held key


def test_half_frames_are_counted_and_hide_nothing(tmp_path, plug):
    """Halves with pauses between them, then a whole one in two pieces."""
    pad = plug()
    with kiosk(tmp_path / "pad-1", A) as desk:
        desk.wait_for("pad-1")
        for number in range(1, 4):
            pad.say(KEYS[2][:4])
            wait_for(lambda number=number: desk.counted("half_frame") == number)
        pad.say(KEYS[5][:2])
        pad.say(KEYS[5][2:])
        assert desk.next().level == 5
        assert desk.counted("noise_bytes") == 12
        assert desk.presses.empty()


def test_after_a_mebibyte_of_noise_a_press_is_a_press(tmp_path, plug):
    """As fast as the line takes it; no press comes of it, and the next real one counts."""
    noise = random.Random(20260102).randbytes(1 << 20)
    pad = plug()
    with kiosk(tmp_path / "pad-1", A) as desk:
        desk.wait_for("pad-1")
        pad.say(noise)
        pad.say(KEYS[3])
        assert desk.next().level == 3
        assert desk.presses.empty()
        wait_for(lambda: desk.counted("noise_bytes") == len(noise))


def test_a_babbling_line_does_not_take_the_processor(tmp_path, plug):
    """As fast as USB can, each four bytes like a frame's start: it is read at a measured pace."""
    pad = plug()
    babble = openframe.SYNC + b"\x01\x20"
    with kiosk(tmp_path / "pad-1", OPEN) as desk:
        wait_for(pad.words)
        began, busy = time.monotonic(), time.process_time()
        pad.say(babble * (1 << 16))
        took, busy = time.monotonic() - began, time.process_time() - busy
        assert took > 0.6  # 256 KiB
        assert busy < took * 0.8
        pad.say(openframe.press(3, 2))
        assert desk.next().level == 2


def test_two_pads_at_once_are_told_apart(tmp_path, plug):
    """Fifty presses on each at the same time: all come in, each with its pad's name."""
    left, right = plug(1), plug(2)
    with kiosk(tmp_path / "pad-*", OPEN) as desk:
        for pad in (left, right):
            wait_for(pad.words)  # its lamps are set: the line is served
            pad.say(openframe.alive(0))
        desk.wait_for("pad-1", "pad-2")
        for number in range(50):
            level = number % 5 + 1
            left.say(openframe.press(number, level))
            right.say(openframe.press(number, 6 - level))
        heard = [desk.next() for _ in range(10)]
        assert {press.pad[-5:] for press in heard} == {"pad-1", "pad-2"}
        for pad in (left, right):
            wait_for(lambda pad=pad: sum(word.kind == Kind.ACK for word in pad.words()) == 50)
        assert desk.counted("noise_bytes") == 0


def test_a_storm_of_taps_is_one_rating(tmp_path, plug):
    """200 a second, on all keys in turn, while a citizen is invited: one order to keep."""
    invitation = Invitation(
        id="1" * 32,
        serial="示例0001",
        service_number=1,
        matter="示例事项",
        window=Window(name="1号窗口", label="综合受理"),
        staff=Staff(name="示例甲", number="001"),
        issued_at=1,
        ttl_ms=60_000,
    )
    pad = plug()
    with kiosk(tmp_path / "pad-1", A) as desk:
        desk.wait_for("pad-1")
        shown = monotonic_ms()
        session, _ = step(Session(), Offer(shown, invitation, 60_000))
        wait_for(lambda: monotonic_ms() >= shown + ARM_MS + 200)
        storm = [KEYS[number % 4 + 2] for number in range(200)]
        pace = threading.Event()
        for frame in storm:
            pad.say(frame)
            pace.wait(0.005)
        wait_for(lambda: desk.presses.qsize() + desk.counted("repeated_key") == 200)
        orders, refused = [], []
        while not desk.presses.empty():
            try:
                session, effects = step(session, tap(session, desk.next(), shown))
            except Refused as error:
                refused.append(error.cause)
                continue
            orders += [each for each in effects if isinstance(each, Keep)]
        assert len(orders) == 1
        assert set(refused) <= {"pad_press_after_answer"}
        with pytest.raises(Refused):  # and the screen beside it takes no second one
            step(session, Tap(monotonic_ms(), invitation.id, 5))


def test_everything_may_be_pulled_out(tmp_path, plug):
    """Both pads gone in the middle of their words; nothing waits for them, and they come back."""
    pads = [plug(1), plug(2)]
    with kiosk(tmp_path / "pad-*", A) as desk:
        desk.wait_for("pad-1", "pad-2")
        for pad in pads:
            pad.say(KEYS[5] + KEYS[2][:3])
            assert desk.next().level == 5
            pad.unplug()
        desk.wait_for()
        assert desk.counted("noise_bytes") == 6
        began = time.monotonic()
        for lamp in list(Lamp) * 100:
            desk.pads.indicate(lamp)
        assert time.monotonic() - began < 1
        plug(1)
        desk.wait_for("pad-1")
    assert not [each.name for each in threading.enumerate() if each.name.startswith("pad")]


def test_a_pad_that_does_not_read_blocks_nothing(tmp_path, plug, monkeypatch):
    """Its buffer is full: it is left alone, its presses still come in, stopping is quick."""
    monkeypatch.setattr(pads_of_one_line, "MUTE_MS", 60_000)
    pad = plug()
    with kiosk(tmp_path / "pad-1", A) as desk:
        desk.wait_for("pad-1")
        lamps = cycle((Lamp.INVITED, Lamp.IDLE))
        os.set_blocking(pad.slave, False)

        def given_up():
            with suppress(BlockingIOError):  # what the kiosk said before, and nobody read
                while True:
                    os.write(pad.slave, bytes(4096))
            desk.pads.indicate(next(lamps))
            return desk.counted("not_taken") > 0

        wait_for(given_up)
        for level, frame in KEYS.items():
            given_up()
            pad.say(frame)
            assert desk.next().level == level
        assert desk.counted("not_taken") == 1
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_a_pad_that_says_nothing_any_more_is_noticed(tmp_path, plug, caplog):
    """A model with signs of life is gone when silent, though its port is open, and comes back."""
    caplog.set_level(logging.INFO, "device.keypad")
    quick = model.parse(SHORT_LIVED, "x.toml")
    pad = plug()
    with kiosk(tmp_path / "pad-1", quick) as desk:
        wait_for(pad.words)
        assert desk.present() == []
        for _ in range(2):
            pad.say(openframe.alive(1))
            desk.wait_for("pad-1")
            desk.wait_for()
    assert len(told(caplog, "here")) == 2
    assert [line.split("cause=")[1] for line in told(caplog, "gone")] == ["silent", "silent"]


SHORT_LIVED = """
name = "示例"
protocol = "open"
levels = [5, 1]
alive_ms = 300

[line]
baud = 9600
bits = 8
parity = "none"
stop = 1

[keys]
"05" = 5
"01" = 1
"""


def test_the_lamps_are_set_on_every_pad_and_put_out_at_the_end(tmp_path, plug):
    """Each change once, on a pad that comes later as well; stopping leaves none lit."""
    pads = [plug(1), plug(2)]
    said = {lamp: A.commands[lamp] for lamp in Lamp}
    with kiosk(tmp_path / "pad-*", A) as desk:
        desk.wait_for("pad-1", "pad-2")
        for lamp in (Lamp.INVITED, Lamp.ACCEPTED):
            desk.pads.indicate(lamp)
            desk.pads.indicate(lamp)
            for pad in pads:
                wait_for(lambda pad=pad, lamp=lamp: pad.heard().endswith(said[lamp]))
        late = plug(3)
        wait_for(lambda: late.heard() == said[Lamp.ACCEPTED])
    whole = said[Lamp.IDLE] + said[Lamp.INVITED] + said[Lamp.ACCEPTED] + said[Lamp.IDLE]
    assert [pad.heard() for pad in pads] == [whole, whole]


def test_the_open_pad_hears_again_what_its_lamps_show(tmp_path, plug, monkeypatch):
    """Repeated, so that a pad which missed it, or whose kiosk died, can know."""
    monkeypatch.setattr(openframe, "ALIVE_MS", 100)
    pad = plug()
    with kiosk(tmp_path / "pad-1", OPEN) as desk:
        desk.pads.indicate(Lamp.INVITED)
        wait_for(lambda: len(pad.words()) >= 3)
    lamps = [word.payload for word in pad.words() if word.kind == Kind.INDICATE]
    assert lamps[:3] == [b"\x01"] * 3
    assert [word.sequence for word in pad.words()][:3] == [1, 2, 3]


def test_a_port_in_use_is_told_once_and_taken_when_free(tmp_path, plug, caplog):
    """Two programs on one line would each get half of the presses."""
    caplog.set_level(logging.INFO, "device.keypad")
    plug()
    other = serial.Serial(str(tmp_path / "pad-1"), exclusive=True)
    with kiosk(tmp_path / "pad-1", A) as desk:
        wait_for(lambda: told(caplog, "gone"))
        assert "cause=in-use" in told(caplog, "gone")[0]
        other.close()
        desk.wait_for("pad-1")
    assert len(told(caplog, "gone")) == 1


def test_a_pad_behind_a_serial_server_is_read_by_url():
    """As pyserial opens it; when the server hangs up, it is called again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        with kiosk(f"socket://127.0.0.1:{server.getsockname()[1]}", A) as desk:
            for level in (5, 2):
                line, _ = server.accept()
                with line:
                    wait_for(lambda: any(each.present for each in desk.pads.status()))
                    line.sendall(KEYS[level])
                    assert desk.next().level == level
                wait_for(lambda: not any(each.present for each in desk.pads.status()))


def test_no_log_line_says_which_key_was_pressed(tmp_path, plug, caplog):
    """Whoever reads the log learns causes and counts, and no level."""
    caplog.set_level(logging.DEBUG)
    said = []
    for key in KEYS.values():
        pad = plug()
        caplog.clear()
        with kiosk(tmp_path / "pad-1", A) as desk:
            desk.wait_for("pad-1")
            pad.say(key)
            desk.next()
            pad.say(key)
            wait_for(lambda desk=desk: desk.counted("repeated_key") == 1)
        pad.unplug()
        said.append(sorted(caplog.messages))
    assert all(each == said[0] for each in said)


def test_without_a_port_nothing_is_started():
    """A kiosk that has no pads has no thread for them, and can be stopped all the same."""
    before = threading.active_count()
    with kiosk("", A) as desk:
        assert threading.active_count() == before
        assert desk.pads.status() == []


def test_counts_are_handed_over_once(tmp_path, plug):
    """Whoever adds them up elsewhere gets each of them once."""
    pad = plug()
    with kiosk(tmp_path / "pad-1", A) as desk:
        desk.wait_for("pad-1")
        pad.say(A.pattern.frame(b"\x09"))
        wait_for(lambda: desk.counted("unknown_code") == 1)
        assert desk.pads.take_counts() == {"unknown_code": 1}
        assert desk.pads.take_counts() == {}
        assert desk.counted("unknown_code") == 1
