"""Starts a program that runs the real window, in a process of its own, and returns its facts."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SIZES = [(1280, 800), (1024, 600), (800, 1280)]


def run(program, scenario, size, directory, timeout=120):
    """Return what `program` printed, one JSON object a line; whatever it complained of fails."""
    done = subprocess.run(
        [sys.executable, HERE / program, scenario, *map(str, size), directory],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(directory)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def player(program, directory):
    """Return a function that plays a scenario of `program`, each once for each size."""

    @cache
    def play(scenario, width=1280, height=800):
        return run(program, scenario, (width, height), directory)

    return play
