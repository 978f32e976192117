"""The figures of the README: their arithmetic, and that they can be measured here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import drain, kiosk, stand
from bench.backlog import Order
from bench.pairs import Alone, Pair, context, percentile, ratios, spread, table

ROOT = Path(__file__).resolve().parents[1]


def test_a_ratio_is_taken_round_by_round():
    """A slow round counts against its own peer, not against the median of all."""
    assert ratios([10, 30], [20, 30]) == [0.5, 1.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([10, 30], [20])


def test_a_spread_reaches_from_the_least_to_the_greatest():
    """The median stands between the ends, whatever the order."""
    found = spread([3.0, 1.0, 2.0])
    assert (found.median, found.low, found.high) == (2.0, 1.0, 3.0)


def test_a_percentile_is_a_figure_that_was_measured():
    """The nearest rank is taken; nothing is interpolated."""
    figures = list(range(1, 101))
    assert percentile(figures, 50) == 50
    assert percentile(figures, 99) == 99
    assert percentile([7.0], 99) == 7.0


def test_a_pair_is_a_line_of_a_table():
    """The README takes the lines as they are printed."""
    pair = Pair(what="a", peer="b", ours=[1_000, 3_000], peers=[2_000, 2_000], unit="/s")
    line = table([pair]).splitlines()[-1]
    assert line == (
        "| a | 2,000 (1,000–3,000) /s | 2,000 (2,000–2,000) /s | b | **1.00** (0.50–1.50) |"
    )
    assert context([Alone("c", [1.0, 2.0], "ms", 1, tail=True)]) == "- c: p50 1.0, p99 2.0 ms"


def test_ingest_can_be_measured():
    """The real hub beside the bare loops, with few ratings: a table with a ratio comes out."""
    command = [sys.executable, "-m", "bench", "--quick", "--only", "ingest", "--ratings", "40"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| hub ingest: 40 signed .*\*\*\d+\.\d\d\*\*", done.stdout, re.MULTILINE)
    assert "cores" in done.stdout


def test_an_outage_can_be_drained():
    """The real hub empties its queue into the stand-in city, and every record is there, once."""
    command = [sys.executable, "-m", "bench", "--quick", "--only", "drain", "--ratings", "60"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| .* 120 records\) drained.*\*\*\d+\.\d\d\*\*", done.stdout, re.MULTILINE)
    assert "published → receipt, p99" in done.stdout


def test_a_drain_that_lost_or_doubled_a_record_is_no_figure(tmp_path):
    """What the city has is compared with what waited, byte for byte."""
    orders = [Order(b'{"a":"1"}', b'{"a":"2"}')]
    city = tmp_path / "city.jsonl"
    city.write_bytes(b'{"a": "1"}\n{"a": "2"}\n')
    drain.whole(city, orders)
    for spoilt in (b'{"a": "1"}\n', b'{"a": "1"}\n{"a": "2"}\n{"a": "1"}\n', b'{"a": "3"}\n' * 2):
        city.write_bytes(spoilt)
        with pytest.raises(stand.BenchError):
            drain.whole(city, orders)


def test_the_first_picture_is_told_apart_from_the_first_frame(tmp_path):
    """请稍候 comes before disk, keys and widgets; the kiosk's own screen comes later."""
    file, _ = kiosk.configure(tmp_path, stand.free_port())
    child = stand.Child(tmp_path / "log", "bench.probe", str(file))
    try:
        splash = child.hear("splash")["splash"]
        frame = child.hear("frame")["frame"]
    finally:
        child.stop()
    assert child.started_ns < splash < frame


def test_a_ledger_can_be_verified_with_little_memory():
    """The process that verifies is looked at by itself; a longer ledger comes after the short."""
    command = [sys.executable, "-m", "bench", "--quick", "--only", "ledger", "--ratings", "30"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    memory = re.search(r"600 entries verified, most memory[^|]*\| (\d+) MB", done.stdout)
    assert memory, done.stdout
    assert int(memory[1]) < 150
