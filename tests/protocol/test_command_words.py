"""Who types a command reads in Chinese what is wrong with it, whichever program it is."""

import errno
import sqlite3

import click
import pytest
from click.testing import CliRunner

from device.__main__ import main as kiosk
from hub.__main__ import main as hub
from protocol import wording
from provisioning.__main__ import main as provision


def said(command, *words):
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2, done.output
    assert "Error" not in done.output
    assert "Usage" not in done.output
    return done.output


@pytest.mark.parametrize(
    ("command", "words", "first"),
    [
        (hub, ["status", "--nope"], "没有 --nope 这个选项"),
        (hub, ["status", "--confg", "x"], "没有 --confg 这个选项，是不是 --config？"),
        (hub, ["nope"], "没有“nope”这个命令"),
        (hub, ["statu"], "没有“statu”这个命令，是不是 status？"),
        (hub, ["status", "x", "y"], "多写了 x y"),
        (hub, ["status", "--config"], "--config 后面要写值"),
        (hub, ["restore", "--yes=1"], "--yes 后面不写值"),
        (hub, ["backup"], "缺少 --out"),
        (hub, ["user", "add"], "缺少 账号名"),
        (hub, ["audit", "--limit", "x"], "--limit：应是 1 至 10000 的整数"),
        (hub, ["upstream", "status", "--limit", "x"], "--limit：应是整数"),
        (hub, ["upstream", "backfill", "--day", "x"], "--day：应是日期，写成 2026-01-31"),
        (hub, ["upstream", "diff", "--file", "/nope/x"], "--file：找不到 /nope/x"),
        (hub, ["upstream", "diff", "--file", "/"], "--file：/ 是目录，应是文件"),
        (hub, ["user", "add", "x", "--role", "y"], "--role：只能是 "),
        (kiosk, ["enrol", "--wait", "0"], "--wait：应是 1 至 86400 的整数"),
        (kiosk, ["nope"], "没有“nope”这个命令"),
        (provision, ["init", "--nope"], "没有 --nope 这个选项"),
        (provision, ["init"], "缺少 --dir"),
    ],
)
def test_a_line_that_is_wrong_is_told_with_how_it_is_written(command, words, first):
    output = said(command, *words)
    assert output.startswith(first), output


def test_the_usage_stands_below_it():
    assert "用法：" in said(hub, "user", "add")
    assert "user add [选项] 账号名\n" in said(hub, "user", "add")


def test_a_program_without_a_word_shows_its_help():
    for command in (hub, kiosk, provision):
        assert "--help" in CliRunner().invoke(command, []).output


def test_help_and_success_end_with_nought():
    for command in (hub, kiosk, provision):
        assert CliRunner().invoke(command, ["--help"]).exit_code == 0


def test_a_program_that_calls_a_command_gets_its_error():
    """As `click` promises where it does not stand alone."""
    with pytest.raises(click.NoSuchOption):
        hub.main(["status", "--nope"], standalone_mode=False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "磁盘已满"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "找不到"),
        (OSError(errno.EXDEV, "Invalid cross-device link"), "Invalid cross-device link"),
        (OSError("words alone"), "words alone"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "不是 UTF-8 编码的文字"),
    ],
)
def test_the_system_is_told_in_chinese_where_it_is_known(error, words):
    assert wording.system(error) == words


def test_sqlite_is_told_in_chinese(tmp_path):
    """By its own kinds of errors, as they really come."""
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "no" / "such.db")
    assert wording.system(caught.value) == "打不开"
    (tmp_path / "noise.db").write_bytes(b"noise" * 1000)
    raw = sqlite3.connect(tmp_path / "noise.db")
    with pytest.raises(sqlite3.DatabaseError) as caught:
        raw.execute("SELECT * FROM sqlite_master")
    raw.close()
    assert wording.system(caught.value) == "不是数据文件，或内容已损坏"
