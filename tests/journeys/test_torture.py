"""Sixty faults in a row, two at a time, befall a whole hall: nothing is lost on the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = 60
SEED = 6


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    out = tmp_path_factory.mktemp("torture") / "out"
    command = [sys.executable, "-m", "bench.torture", "--faults", str(FAULTS)]
    command += ["--seed", str(SEED), "--kiosks", "3", "--scale", "0.4", "--out", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    report = json.loads((out / "torture.json").read_text(encoding="utf-8"))
    return done, report


@pytest.mark.timeout(280)
def test_device_ledger_and_city_agree_after_sixty_faults(ran):
    """What citizens noted, what the ledger holds and what the city has are the same."""
    done, report = ran
    verdict = report["verdict"]
    assert report["problems"] == [], done.stderr[-2000:]
    assert done.returncode == 0
    counted = [verdict[name] for name in ("lost", "duplicated", "altered", "invented")]
    assert counted == [0, 0, 0, 0]
    ended = verdict["rated"] + verdict["expired"] + verdict["withdrawn"]
    assert verdict["invited"] == ended + verdict["open"]
    assert verdict["open"] == verdict["open_after_restore"]


@pytest.mark.timeout(280)
def test_the_faults_really_struck_while_people_rated(ran):
    """Every family of faults came, and citizens were thanked in between."""
    _, report = ran
    assert report["faults"] == FAULTS
    kinds = report["kinds"]
    for family in ("kill-", "freeze-", "power-cut", "wire-", "city-", "truncated-"):
        assert any(kind.startswith(family) for kind in kinds), family
    assert report["verdict"]["thanked"] >= 5
    assert report["verdict"]["city_ratings"] >= 3
