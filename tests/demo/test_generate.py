"""Invented cases and the sample: valid, human, and hard on the screen."""

from collections import Counter
from pathlib import Path

from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.cases import read
from demo.generate import generate, main, write
from protocol import catalogue

SAMPLE = Path(__file__).parents[2] / "demo" / "sample.csv"


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 150), st.integers())
def test_generated_cases_come_back_exactly(tmp_path_factory, count, seed):
    """What is written is what is read, line numbers included; the seed decides it all."""
    path = tmp_path_factory.getbasetemp() / "round.csv"
    rows = generate(count, seed)
    write(rows, path)
    assert read(path) == rows
    assert len(rows) == count
    assert generate(count, seed) == rows


@settings(deadline=None)  # the machine may be busy
@given(st.integers(60, 120), st.integers())
def test_sixty_generated_cases_hold_everything(count, seed):
    """All levels and reasons, walk-aways, rare characters, the longest texts, second services."""
    rows = generate(count, seed)
    assert {row.level for row in rows} == {None, 1, 2, 3, 4, 5}
    assert sum(row.level is None for row in rows) == count * 12 // 100
    codes = {r.code for entry in catalogue.load().levels for r in entry.reasons}
    assert {code for row in rows for code in row.reasons} == codes
    assert set("𠮷㛃䶮") <= set("".join(row.staff for row in rows))
    assert set("𠮷㛃䶮") <= set("".join(row.comment for row in rows))
    assert max(len(row.matter) for row in rows) == 200
    assert max(len(row.comment) for row in rows) == 150
    assert any(row.service_number > 1 for row in rows)


def test_the_generator_writes_a_file_that_plays(tmp_path):
    """The command says how many cases it wrote, and the reader agrees."""
    path = tmp_path / "cases.csv"
    done = CliRunner().invoke(main, ["100", str(path), "--seed", "7"])
    assert done.exit_code == 0
    assert "已写入 100 件办件（其中 12 件不评价）" in done.output
    assert read(path) == generate(100, 7)


def test_the_generator_says_when_it_cannot_write(tmp_path):
    """A missing folder is told in words."""
    done = CliRunner().invoke(main, ["1", str(tmp_path / "none" / "cases.csv")])
    assert done.exit_code == 1
    assert "无法写入" in done.output


def test_the_sample_is_valid_and_human():
    """All levels, six who walk away, second services, mostly good, texts that try the screen."""
    rows = read(SAMPLE)
    levels = Counter(row.level for row in rows)
    assert set(levels) == {None, 1, 2, 3, 4, 5}
    assert levels[None] == 6
    assert levels[5] + levels[4] + levels[3] > 5 * (levels[2] + levels[1])
    assert any(row.service_number == 2 for row in rows)
    assert all(row.staff.startswith("示例") for row in rows)
    assert set("𠮷㛃䶮") <= set("".join(row.staff for row in rows))
    assert max(len(row.matter) for row in rows) == 200
    assert {len(row.serial) for row in rows} == {24}
    assert any("\n" in row.comment for row in rows)
