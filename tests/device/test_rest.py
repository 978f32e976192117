"""When a kiosk draws: at rest and after the tap it does little, and wakes at once; how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cables import wait_for

from device import identity
from device.ui.environment import FRAMES_PER_S, RESTING_PER_S

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("rest_child.py")
READY = Path(__file__).with_name("ready_child.py")


@pytest.fixture
def file(tmp_path):
    identity.load_or_create(tmp_path / "kiosk" / "device-key.pem")
    file = tmp_path / "kiosk.toml"
    file.write_text(
        'hall = "h1"\ndevice = "k1"\nstate = "kiosk"\n[hub]\nport = 9\n'
        "[screen]\nfullscreen = false\n[voice]\nenabled = false\n",
        encoding="utf-8",
    )
    return file


def program(*command):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )


def test_at_rest_little_is_done_and_an_invitation_is_drawn_at_once(file):
    """Handed in just after a tick, it does not wait for the next one, half a second away."""
    with program(CHILD, file) as running:
        out, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors[-3000:]
    facts = json.loads(out)
    assert 3 <= facts["rest"] <= 7, facts
    assert facts["turns"] <= 3 * 1.5 * RESTING_PER_S, facts  # Kivy turns oftener than it is told
    assert facts["drawn"]
    assert facts["took"] < 0.35, facts
    assert facts["screen"]
    assert facts["asking"] >= 12, facts
    assert facts["pace"] == FRAMES_PER_S


def test_the_buttons_after_the_tap_rise_by_themselves_when_they_take_a_press(file):
    """Flat until then, all at once, drawn a single time: the kiosk's own ticks are stopped.

    Pressed too early nothing sinks and nothing unfolds; unfolded reasons lie flat as well; and a
    screen whose buttons stand draws nothing any more.
    """
    configured = file.read_text(encoding="utf-8")
    file.write_text(
        configured.replace("fullscreen = false", "fullscreen = false\ntext_input = true"),
        encoding="utf-8",
    )
    with program(READY, file) as running:
        out, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors[-3000:]
    assert json.loads(out) == {
        "flat": [True, True],
        "folded": True,
        "refused": ["early_touch"],
        "raised": [{"early": False, "drawn": 1}] * 2,
        "still": True,
        "chosen": ["214"],
    }


def told_to_end(running):
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=10)
    assert running.returncode == 0, errors[-3000:]
    assert "Traceback" not in errors


@pytest.mark.parametrize("made", ["fonts", "lock", "outbox.db"])
def test_a_kiosk_that_is_told_to_end_in_the_middle_of_its_start_ends(file, made):
    """The window stands by then, its loop does not turn yet: the order is not lost on the way."""
    place = file.parent / "kiosk" / made
    with program("-m", "device", "run", "--headless", "--config", file) as running:
        wait_for(lambda: place.exists() or running.poll() is not None, 40)
        told_to_end(running)


def test_a_kiosk_at_rest_that_is_told_to_end_ends(file):
    """Its loop turns, nothing is on its screen to do."""
    with program("-m", "device", "run", "--headless", "--config", file) as running:
        while "main loop" not in (line := running.stderr.readline()):
            assert line
        told_to_end(running)
