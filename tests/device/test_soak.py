"""Hundreds of citizens at the real kiosk, offscreen: nothing of them stays behind."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SESSIONS = 150
BOUND_KB = 80.0
"""So much a session may leave in the process, 7 MB in all: over so few sessions the allocator's
steps, and a size of type that comes late (4 MB, once), are what is seen. `bench.kiosk_soak`
measures the slope, over 10,000."""


@cache
def _month(*options):
    """Let a short month pass in a process of its own, as the benchmark does; return its account."""
    command = [sys.executable, "-m", "bench.kiosk_soak", "--alone", "--sessions", str(SESSIONS)]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=240, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(params=[(), ("--text-input",)], ids=["touch", "keyboard"])
def account(request):
    """The account of a kiosk without and with a field for the citizen's own words."""
    return _month(*request.param)


def test_every_citizen_of_the_month_is_answered_for(account):
    """Each invitation has its outcome, verified by the hub, also of the days that it was away."""
    endings, outcomes = account["endings"], account["outcomes"]
    assert sum(outcomes.values()) == SESSIONS
    assert outcomes["Rated"] == endings["rated"] > SESSIONS / 2
    assert outcomes["Withdrawn"] == endings["withdrawn"] > 0
    assert outcomes["Expired"] == endings["expired"] > 0
    assert endings["undone"] > 0
    assert account["deepest"] >= 9
    assert account["left"] == 0


def test_memory_does_not_grow_with_the_citizens(account):
    """Once all sizes of type are there, the process stays as large as it is."""
    assert account["frames"] > 4 * SESSIONS
    assert account["growth_kb"] < BOUND_KB


def test_the_renderer_keeps_no_frames(account):
    """The process stays less than twice as large as an empty window that shows as many labels.

    A renderer that is never waited for keeps what each frame was drawn with.
    """
    command = [sys.executable, "-m", "bench.empty", "0", "640", "400", "100", "finish"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    assert account["most"] < 1.9 * json.loads(done.stdout)["memory"]["100"]


def test_nothing_piles_up_at_rest():
    """At rest there are as many widgets, textures, buffers, events and files as long before."""
    early, late = (_month()["census"][mark] for mark in ("50", str(SESSIONS)))
    assert early["widgets"] > 5
    assert early["textures"] > 5
    assert late == early


def test_no_field_piles_up_at_rest():
    """Of all fields only Kivy's hold on the last one remains, with no word in it."""
    early, late = (_month("--text-input")["census"][mark] for mark in ("50", str(SESSIONS)))
    for name, count in late.items():
        assert abs(count - early[name]) <= 3, name
