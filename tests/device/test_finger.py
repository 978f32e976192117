"""A finger on the real window, before a real driver: when it rates, and when it is counted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the child saw, story by story."""
    folder = tmp_path_factory.mktemp("finger")
    path = f"{ROOT}:{ROOT / 'tests' / 'device'}"
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("finger_child.py"), folder],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_finger_that_came_down_too_early_rates_nothing_however_long_it_stays(told):
    """It was meant for the picture before; that it was there is counted."""
    assert told[0] == {"early": "invited", "touches": 1}


def test_a_finger_that_slides_off_is_a_touch(told):
    """It takes its rating back."""
    assert told[1] == {"slid": "invited", "touches": 2}


def test_a_storm_of_touches_is_counted_one_by_one_and_holds_nothing_up(told):
    """200 of them, where nothing can be pressed; a second of storm takes less than a second."""
    assert told[2]["storm"] == 202
    assert told[2]["busy"] < 1  # seconds of the processor


def test_a_tap_is_of_the_moment_at_which_the_finger_came_down(told):
    """Lifted 700 ms later; its own finger is no touch."""
    assert told[3] == {"level": 5, "elapsed": 1_000, "touches": 202}


def test_after_an_undo_the_first_answer_is_counted_as_undone(told):
    """Its finger is no touch, and the question was seen anew before the second one."""
    assert told[4] == {"undone": "invited", "seen": True}
    assert told[5] == {"level": 2, "undone": 1, "touches": 202}
