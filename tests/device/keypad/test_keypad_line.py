"""What comes down a pad's line: noise, halves, storms, silence; and what of it is a press."""

import logging
import os
import random
import threading
import time
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest
from cables import wait_for
from keypad_world import kiosk, told

from device.clocks import monotonic_ms
from device.events import Keep, Offer, Tap
from device.keypad import model, openframe
from device.keypad import pad as pads_of_one_line
from device.keypad.lamp import Lamp
from device.keypad.presses import tap
from device.session import ARM_MS, Refused, Session, step
from protocol.messages import Invitation, Staff, Window

OPEN = model.load("open", Path())
A = model.load("example-a", Path())
KEYS = {level: A.pattern.frame(code) for code, level in A.keys.items()}
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
        (reader,) = [each for each in threading.enumerate() if each.name.startswith("pad ")]
        clock = time.pthread_getcpuclockid(reader.ident)
        began, busy = time.monotonic(), time.clock_gettime(clock)
        pad.say(babble * (1 << 16))
        took, busy = time.monotonic() - began, time.clock_gettime(clock) - busy
        assert took > 0.6  # 256 KiB
        assert busy < took * 0.8
        pad.say(openframe.press(3, 2))
        assert desk.next().level == 2


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
