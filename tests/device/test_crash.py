"""A fault that nobody foresaw: the screen is wiped, the kiosk comes again, and not for ever."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from appliance import World

from device import crash
from device.outbox import Outbox

ROOT = Path(__file__).resolve().parents[2]


def test_under_systemd_the_process_ends_and_says_so(tmp_path):
    """With the number for software faults; the unit starts it again."""
    kiosk = World(tmp_path)
    try:
        assert kiosk.fed(40), kiosk.text()
        kiosk.order("fail")
        assert kiosk.process.wait(20) == crash.SOFTWARE
        assert "a fault that nobody foresaw" in kiosk.text()
        assert "crash=screen" in kiosk.text()
    finally:
        kiosk.close()


def test_without_systemd_it_becomes_a_new_one_three_times_and_then_rests(tmp_path):
    """The same process number; then 暂停服务, with what to do in the log, until it is stopped."""
    entry = tmp_path / "failing.py"
    entry.write_text(FAILING, encoding="utf-8")
    kiosk = World(tmp_path, told=False, entry=entry)
    try:
        kiosk.until(lambda: "resting" in kiosk.text(), 60)
        text = kiosk.text()
        assert text.count("crash=screen") == crash.MOST
        assert text.count("crash=given-up") == 1
        assert "请查看上面的错误记录" in text
        assert kiosk.process.poll() is None
    finally:
        kiosk.close()


FAILING = """
import sys
from pathlib import Path
from click.testing import CliRunner
from device import kiosk
from device.__main__ import main

run, rest = kiosk.run, kiosk.rest

def fails(stage):
    from kivy.clock import Clock
    Clock.schedule_once(lambda _: 1 / 0)

kiosk.run = lambda *words, **named: run(*words, **named, extend=fails)
def resting(*words, **named):
    print("resting", flush=True)
    rest(*words, **named)
kiosk.rest = resting
main(["run", "--headless", "--config", sys.argv[1]])
"""


def test_crashes_are_forgotten_after_five_minutes():
    """Three within the time are too many; a kiosk that fails once a day goes on for ever."""
    environment = {}
    for at in (0.0, 200.0, 400.0, 600.0):
        assert not crash.exhausted(environment, at)
        crash.remember(environment, at)
    assert not crash.exhausted(environment, 601.0)
    crash.remember(environment, 602.0)
    assert crash.exhausted(environment, 603.0)
    assert not crash.exhausted(environment, 1_000.0)


@pytest.mark.parametrize("nonsense", ["", ",,,", "x", "nan", "1e999", "5,6,7", "-1,-1,-1"])
def test_a_memory_that_makes_no_sense_is_no_crash(nonsense):
    """Also times that are still to come: the machine has been started anew since."""
    assert not crash.exhausted({"PINGYI_CRASHES": nonsense}, 2.0)


def test_nothing_of_the_citizen_stays_on_the_screen_and_the_tap_is_on_disk(tmp_path):
    """Every pixel is ground or a letter of the words; the rating is in the outbox, as ever."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("crash_child.py"), tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["widgets"] == 0
    assert said["after"] == said["plain"]
    assert said["before"] != said["plain"]
    outbox = Outbox.open(tmp_path / "kiosk" / "outbox.db")
    try:
        assert outbox.depth() == 1
    finally:
        outbox.close()
