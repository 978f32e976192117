"""What no device signs is known in a backup, too, by the key that the restored hub would have."""

import shutil

import pytest
from click.testing import CliRunner
from test_rulings_verification import forge, honest  # noqa: F401 - a fixture

from hub.__main__ import main


@pytest.fixture
def hub(honest, tmp_path):  # noqa: F811
    shutil.copytree(honest, tmp_path / "hub")
    return tmp_path / "hub"


def run(hub, command, *arguments):
    found = CliRunner().invoke(main, [command, "--config", str(hub / "hub.toml"), *arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.output
    return found


def backed_up(hub, out, *more):
    made = run(hub, "backup", "--out", str(out), *more)
    assert made.exit_code == 0, made.output
    return str(out)


@pytest.mark.parametrize("keys", [["--with-keys"], []])
def test_a_forged_ruling_is_found_in_a_backup_before_it_is_put_back(hub, tmp_path, keys):
    """By the key in the backup, or by the one that is there and would stay."""
    before = (hub / "state" / "hub.db").stat().st_ino
    position = forge(hub, evidence=True)
    out = backed_up(hub, tmp_path / "out", *keys)
    refused = run(hub, "restore", "--from", out, "--yes")
    assert refused.exit_code == 1
    assert f"第 {position} 条：标记不对" in refused.output
    assert "没有恢复" in refused.output
    assert (hub / "state" / "hub.db").stat().st_ino == before


def test_with_the_key_of_another_hub_the_restore_says_so(hub, tmp_path):
    """A new hub has made itself a key: the true one has to come back first."""
    out = backed_up(hub, tmp_path / "out")
    key = hub / "state" / "citizens.key"
    kept = key.read_bytes()
    key.write_bytes(b"n" * 32)
    refused = run(hub, "restore", "--from", out, "--yes")
    assert refused.exit_code == 1
    assert f"{key} 如果不是备份时的那一把，请先换回" in refused.output
    key.write_bytes(kept)
    back = run(hub, "restore", "--from", out, "--yes")
    assert back.exit_code == 0, back.output


def test_what_a_restore_could_not_check_is_told(hub, tmp_path):
    """Without any key: marks and evidence; nothing is called sound that nobody has looked at."""
    out = backed_up(hub, tmp_path / "out")
    (hub / "state" / "citizens.key").unlink()
    back = run(hub, "restore", "--from", out, "--yes")
    assert back.exit_code == 0, back.output
    assert "未核对：复核认定是否由服务器登记：没有可用的 citizens.key" in back.output
    assert "未核对：证据文件的内容" in back.output
