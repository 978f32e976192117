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
    """Its finger is no touch (three buttons of a mouse were), and the question was seen anew."""
    assert told[7] == {"undone": "invited", "seen": True}
    assert told[9] == {"level": 2, "undone": 1, "touches": 205}


def test_the_second_of_two_taps_chooses_nothing_and_ends_nothing(told):
    """At the place of the level there is a reason now, and elsewhere 直接完成 and the field.

    Pressed 0, 80, 400 and 699 ms after the thanks came, and at last held for a second more.
    """
    assert told[4] == {"twice": "thanks", "chosen": [], "refused": 9, "opened": [False] * 4}


def test_once_it_can_be_read_the_same_finger_chooses_it(told):
    """700 ms after the first frame; the field opens then too."""
    assert told[6] == {"read": True, "opened": True}


def test_the_other_buttons_of_a_mouse_rate_nothing_and_choose_nothing(told):
    """Right, middle and wheel: on a level, on a reason, on 直接完成."""
    assert told[5] == {"buttons": "thanks", "chosen": []}
    assert told[8] == {"buttons": "invited"}
