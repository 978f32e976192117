"""Pads on real ports: pressed, pulled out, put back, two at once, in use, behind a URL."""

import logging
import socket
import threading
import time
from pathlib import Path

import serial
from cables import wait_for
from keypad_world import kiosk, told

from device.clocks import monotonic_ms
from device.keypad import model, openframe
from device.keypad.lamp import Lamp
from device.keypad.openframe import Kind

OPEN = model.load("open", Path())
A = model.load("example-a", Path())
KEYS = {level: A.pattern.frame(code) for code, level in A.keys.items()}


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
