"""A pad beside the screen of a whole kiosk: key, outbox, keeper and a real serial port."""

import base64
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cables import wait_for
from keypad_world import Plug

from device import identity
from device.assembly import Kiosk
from device.clocks import monotonic_ms
from device.config import ConfigError, KioskConfig, load
from device.events import Offer, Tap
from device.keypad import model
from device.keypad.lamp import Lamp
from device.keypad.settings import KeypadConfig
from device.session import ARM_MS, Screen
from protocol.messages import Invitation, Signals, Staff, Window

A = model.load("example-a", Path())
KEYS = {level: A.pattern.frame(code) for code, level in A.keys.items()}


def invitation(number):
    return Invitation(
        id=f"{number:032x}",
        serial=f"示例{number:04d}",
        service_number=1,
        matter="示例事项",
        window=Window(name="1号窗口"),
        staff=Staff(name="示例甲"),
        issued_at=1,
        ttl_ms=60_000,
    )


class Counter:
    """A whole kiosk whose screen's thread is this one; `driver.session` is what it shows."""

    def __init__(self, folder):
        self.folder = folder
        identity.load_or_create(folder / "kiosk" / "device-key.pem")
        self.plug = Plug(folder / "pad-1").plug()
        pads = KeypadConfig(model="example-a", port=str(folder / "pad-*"))
        config = KioskConfig(hall="demo", device="kiosk-01", state="kiosk", keypad=pads)
        self.kiosk = Kiosk(config, folder)
        self.driver = self.kiosk.start(lambda _: None, lambda: None)
        self.until(lambda: any(each.present for each in self.kiosk.pads.status()))

    def until(self, condition):
        """Do what the screen's thread does, until it holds."""

        def turn():
            self.kiosk.drain()
            self.driver.tick()
            return condition()

        wait_for(turn)

    def invite(self, number):
        self.driver.handle(Offer(monotonic_ms(), invitation(number), 60_000))
        self.driver.frame_drawn()
        shown = monotonic_ms()
        self.until(lambda: monotonic_ms() > shown + ARM_MS + 100)

    def refused(self, cause):
        return self.kiosk.keeper.refused[cause]


@pytest.fixture
def counter(tmp_path):
    each = Counter(tmp_path)
    yield each
    each.kiosk.stop()
    each.plug.unplug()


def test_a_press_is_on_disk_and_then_the_pad_says_so(counter):
    """From the serial line to the outbox; the lamp follows the disk."""
    counter.invite(1)
    counter.until(lambda: counter.plug.heard().endswith(A.commands[Lamp.INVITED]))
    counter.plug.say(KEYS[4])
    counter.until(lambda: counter.driver.session.screen is Screen.THANKS)
    assert counter.driver.session.draft.level == 4
    counter.until(lambda: counter.plug.heard().endswith(A.commands[Lamp.ACCEPTED]))
    counter.kiosk.stop()
    with closing(sqlite3.connect(counter.folder / "kiosk" / "outbox.db")) as db:
        ((jws,),) = db.execute("SELECT jws FROM outcomes").fetchall()
    text = jws if isinstance(jws, str) else bytes(jws).decode()
    payload = text.split(".")[1]
    said = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (said["level"], said["invitation"]) == (4, invitation(1).id)
    assert said["signals"]["input"] == "pad"


def test_pad_and_screen_serve_side_by_side(counter):
    """The pad was first: the finger on the screen makes no second rating."""
    counter.invite(1)
    counter.plug.say(KEYS[5])
    counter.until(lambda: counter.driver.session.kept)
    counter.driver.handle(Tap(monotonic_ms(), invitation(1).id, 2))
    counter.until(lambda: counter.refused("tap_in_thanks") == 1)
    assert counter.driver.session.draft.level == 5


def test_the_screen_first_and_then_the_pad(counter):
    """The other way round: the pad's press is counted and changes nothing."""
    counter.invite(1)
    counter.driver.handle(Tap(monotonic_ms(), invitation(1).id, 3))
    counter.plug.say(KEYS[5])
    counter.until(lambda: counter.refused("pad_press_after_answer") == 1)
    assert counter.driver.session.draft.level == 3


def test_without_an_invitation_a_press_is_counted(counter):
    """At rest a press makes nothing."""
    counter.plug.say(KEYS[5])
    counter.until(lambda: counter.refused("pad_press_without_invitation") == 1)
    assert counter.driver.session.screen is Screen.IDLE


def test_a_press_before_the_first_frame_of_an_invitation_is_counted(counter):
    """The session shows it, no frame has: nobody can have seen what they rate."""
    counter.driver.handle(Offer(monotonic_ms(), invitation(1), 60_000))
    shown = monotonic_ms()
    counter.until(lambda: monotonic_ms() > shown + ARM_MS + 100)
    counter.plug.say(KEYS[5])
    counter.until(lambda: counter.refused("pad_press_before_invitation") == 1)
    assert counter.driver.session.screen is Screen.INVITED


def test_what_a_pad_s_line_refuses_is_counted_for_the_hub(counter):
    """It is in the number that the hub gets with each heartbeat."""
    counter.plug.say(A.pattern.frame(b"\x09"))
    counter.until(lambda: counter.kiosk.keeper.refused["pad_unknown_code"] == 1)


def test_keys_that_rate_nothing_are_touches_of_the_one_who_is_asked(counter):
    """A key of no level, and one pressed too early; the noise of a line is nobody's touch."""
    counter.invite(1)
    counter.plug.say(A.pattern.frame(b"\x09") + b"\xff" * 40)
    counter.until(lambda: counter.driver.session.touches == 1)
    counter.plug.say(KEYS[4])
    counter.until(lambda: counter.driver.session.draft is not None)
    assert counter.driver.session.draft.signals == Signals(input="pad", touches=1)


def test_a_kiosk_without_pads_has_no_thread_for_them(tmp_path):
    """No port, no thread; nor does it matter that the model's file is not there."""
    identity.load_or_create(tmp_path / "kiosk" / "device-key.pem")
    unused = KeypadConfig(model="gone.toml")
    config = KioskConfig(hall="demo", device="kiosk-01", state="kiosk", keypad=unused)
    kiosk = Kiosk(config, tmp_path)
    kiosk.start(lambda _: None, lambda: None)
    assert "pads" not in {each.name for each in threading.enumerate()}
    assert kiosk.pads.status() == []
    kiosk.stop()


def test_a_bad_model_is_told_with_the_configuration(tmp_path):
    """At start, with file and key, together with what else is wrong."""
    (tmp_path / "ours.toml").write_text('name = "示例"', encoding="utf-8")
    (tmp_path / "kiosk.toml").write_text(
        'hall = "demo"\ndevice = "Bad"\nstate = "kiosk"\n'
        '[keypad]\nmodel = "ours.toml"\nport = "/dev/pingyi/pad-*"\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "kiosk.toml")
    assert "keypad.model：" in str(caught.value)
    assert "ours.toml：keys：缺少此项" in str(caught.value)
    assert "device：" in str(caught.value)
