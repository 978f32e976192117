"""`pingyi-kiosk` where the disk is not as it should be: words, never a traceback."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from device import identity
from device.__main__ import main
from device.outbox import Outbox
from device.ui import fonts

ROOT = Path(__file__).parents[2]


def settings(folder, state="state"):
    file = folder / "kiosk.toml"
    file.write_text(f'hall = "h"\ndevice = "k"\nstate = "{state}"\n', encoding="ascii")
    return file


def run(command, file):
    return CliRunner().invoke(main, [command, "--config", str(file)])


def started(file, *arguments):
    """Run the kiosk itself, in a process of its own, because it opens a window."""
    return subprocess.run(
        [sys.executable, "-m", "device", "run", "--headless", "--config", str(file), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def keep(box, number):
    box.keep(f"{number:032x}", lambda: f"{number:032x}", lambda seq, _: b"%d" % seq, draft=False)


def contents(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_outbox_counts_what_waits(tmp_path):
    """With a kiosk that runs and with one that is off; and nothing waits where nothing is."""
    file = settings(tmp_path)
    assert "待发送：0" in run("outbox", file).output
    (tmp_path / "state").mkdir()
    box = Outbox.open(tmp_path / "state" / "outbox.db")
    keep(box, 1)
    keep(box, 2)
    assert run("outbox", file).output == "待发送：2\n"
    box.close()
    assert run("outbox", file).output == "待发送：2\n"


def test_outbox_changes_nothing(tmp_path):
    """Looking leaves the folder as it was, byte for byte."""
    file = settings(tmp_path)
    (tmp_path / "state").mkdir()
    box = Outbox.open(tmp_path / "state" / "outbox.db")
    keep(box, 1)
    box.close()
    before = contents(tmp_path / "state")
    run("outbox", file)
    assert contents(tmp_path / "state") == before


@pytest.mark.parametrize("damage", [b"no database at all, but long enough " * 40, b""])
def test_a_damaged_outbox_is_told_and_left_alone(tmp_path, damage):
    """The command that looks must not be the one that puts a file aside."""
    file = settings(tmp_path)
    state = tmp_path / "state"
    state.mkdir()
    (state / "outbox.db").write_bytes(damage)
    done = run("outbox", file)
    assert done.exit_code == 1
    assert "文件已损坏" in done.output
    assert contents(state) == {"outbox.db": damage}


def test_pages_that_are_damaged_inside_are_found(tmp_path):
    """A file that opens but does not hold together is not counted."""
    file = settings(tmp_path)
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "outbox.db"
    box = Outbox.open(path)
    for number in range(300):
        keep(box, number)
    box.close()
    data = bytearray(path.read_bytes())
    data[8192:20480] = b"\xa5" * 12288
    path.write_bytes(data)
    assert "文件已损坏" in run("outbox", file).output


def test_an_outbox_that_cannot_be_opened_is_told(tmp_path):
    """Something that is no file stands in its place."""
    file = settings(tmp_path)
    (tmp_path / "state" / "outbox.db").mkdir(parents=True)
    done = run("outbox", file)
    assert done.exit_code == 1
    assert "无法读取" in done.output


def test_enrolling_where_nothing_can_be_written_says_what_to_check(tmp_path):
    """The state directory's place is taken by a file."""
    (tmp_path / "state").write_text("a file", encoding="ascii")
    done = run("enrol", settings(tmp_path))
    assert done.exit_code == 1
    assert "状态目录" in done.output
    assert "请检查磁盘空间" in done.output


def test_a_kiosk_without_a_place_to_write_says_so(tmp_path):
    """A file where the state directory should be; a directory where the outbox should be."""
    (tmp_path / "state").write_text("a file", encoding="ascii")
    done = started(settings(tmp_path))
    assert done.returncode == 1
    assert "这是文件，不是目录" in done.stderr
    assert "Traceback" not in done.stderr
    identity.load_or_create(tmp_path / "other" / "device-key.pem")
    (tmp_path / "other" / "outbox.db").mkdir()
    done = started(settings(tmp_path, "other"))
    assert done.returncode == 1
    assert "状态目录" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kiosk_without_a_typeface_says_what_to_install(tmp_path, monkeypatch):
    """The message names the package, and there is no traceback."""

    def missing(config, base, *, headless):
        fonts.simplified_chinese(tmp_path / "fonts", source=tmp_path / "nowhere")

    monkeypatch.setattr("device.kiosk.run", missing)
    done = run("run", settings(tmp_path))
    assert done.exit_code == 1
    assert "apt install fonts-noto-cjk" in done.output
    assert isinstance(done.exception, SystemExit)


def test_a_full_disk_is_called_by_its_name(tmp_path, monkeypatch):
    """Neither the system's English nor SQLite's stands alone before a clerk."""

    def full(config, base, *, headless):
        with closing(sqlite3.connect(tmp_path / "full.db")) as db:
            db.execute("PRAGMA max_page_count = 1")
            db.execute("CREATE TABLE one (two)")

    monkeypatch.setattr("device.kiosk.run", full)
    done = run("run", settings(tmp_path))
    assert done.exit_code == 1
    assert "磁盘已满" in done.output
