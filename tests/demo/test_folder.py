"""The output folder: only what a demonstration wrote is removed, and one writes at a time."""

import pytest
from click.testing import CliRunner

from demo.__main__ import main
from demo.folder import MARKER, FolderError, claim

OURS = ("summary.json", "city.jsonl", "01-idle.png", "12-thanks-reasons.png")


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("name", [*OURS, "hall"])
def test_files_of_somebody_else_are_not_removed(tmp_path, name):
    """Without the marker a name that we would write is another's: refused, nothing touched."""
    if name == "hall":
        (tmp_path / name).mkdir()
        (tmp_path / name / "hub.toml").write_text("theirs", encoding="ascii")
    else:
        (tmp_path / name).write_text("theirs", encoding="ascii")
    with pytest.raises(FolderError, match=name):
        claim(tmp_path)
    assert names(tmp_path) == [name]


def test_what_is_not_in_our_way_stays(tmp_path):
    """Other files do no harm, and get none, in the first run and in the next."""
    for name in ("notes.txt", "01-holiday.png", "summary.json.bak"):
        (tmp_path / name).write_text("theirs", encoding="ascii")
    for _ in range(2):
        claim(tmp_path).close()
        assert names(tmp_path) == sorted(
            [MARKER, "notes.txt", "01-holiday.png", "summary.json.bak"]
        )


def test_what_an_earlier_run_left_is_removed(tmp_path):
    """The marker says that it is ours."""
    claim(tmp_path / "out").close()
    for name in OURS:
        (tmp_path / "out" / name).write_text("ours", encoding="ascii")
    (tmp_path / "out" / "hall" / "hub").mkdir(parents=True)
    claim(tmp_path / "out").close()
    assert names(tmp_path / "out") == [MARKER]


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    """A hall that is kept elsewhere is not ours to empty."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("theirs", encoding="ascii")
    claim(tmp_path / "out").close()
    (tmp_path / "out" / "hall").symlink_to(tmp_path / "elsewhere")
    claim(tmp_path / "out").close()
    assert names(tmp_path / "out") == [MARKER]
    assert names(tmp_path / "elsewhere") == ["file"]


def test_two_demonstrations_do_not_share_a_folder(tmp_path):
    """The second one is told, and removes nothing of the first."""
    first = claim(tmp_path)
    (tmp_path / "city.jsonl").write_text("first", encoding="ascii")
    with pytest.raises(FolderError, match="另一个演示正在使用"):
        claim(tmp_path)
    assert names(tmp_path) == [MARKER, "city.jsonl"]
    first.close()
    claim(tmp_path).close()
    assert names(tmp_path) == [MARKER]


@pytest.mark.parametrize(
    "place", ["/dev/null", "/dev/null/x", "/proc/none", "/sys/none", "x" * 300]
)
def test_a_place_that_cannot_be_written_is_told_in_words(tmp_path, monkeypatch, place):
    """The command ends with 2 and one sentence; nothing is started."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["--once", "--headless", "--out", place])
    assert done.exit_code == 2
    assert done.output.startswith("无法使用输出目录")
    assert "--out" in done.output
    assert done.output.count("\n") == 1
