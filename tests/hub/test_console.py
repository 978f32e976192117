"""What the commands say where the data are spoiled or not there; changes as the pages make them."""

import os
from contextlib import closing

import pytest
from click.testing import CliRunner

from hub.__main__ import main
from hub.config import HubConfig
from hub.state import opened
from hub.store import audit
from hub.store.database import connect

CONFIG = HubConfig(hall="demo", hall_name="示例大厅", state="state")


@pytest.fixture
def base(tmp_path):
    (tmp_path / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def run(base):
    def run(*words):
        found = CliRunner().invoke(main, [*map(str, words), "--config", str(base / "hub.toml")])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.output
        return found

    return run


def commands(base):
    return [
        ("verify",),
        ("export", "--out", base / "out"),
        ("status",),
        ("audit",),
        ("user", "list"),
        ("key", "add", "示例系统", "--scope", "invite"),
        ("backup", "--out", base / "out"),
    ]


@pytest.mark.parametrize("harm", ["all", "behind", "cut"])
@pytest.mark.parametrize("which", range(7))
def test_spoiled_data_are_told_in_words_by_every_command(base, run, harm, which):
    with opened(CONFIG, base):
        pass
    path = base / "state" / "hub.db"
    data = path.read_bytes()
    kept = {"all": 0, "behind": 100, "cut": len(data) // 2}[harm]
    path.write_bytes(data[:kept] + (b"" if harm == "cut" else os.urandom(len(data) - kept)))
    before = path.read_bytes()
    done = run(*commands(base)[which])
    assert done.exit_code == 1, done.output
    assert "数据文件已损坏" in done.output
    assert path.read_bytes() == before
    assert not (base / "out").exists()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_there_is_nothing_to_read_before_the_first_start(base, run, which):
    done = run(*commands(base)[which])
    assert "还没有数据：服务器尚未运行过" in done.output
    assert not (base / "state").exists()


def test_keys_from_the_console_are_told_as_those_from_the_page(base, run):
    """With their days, and their scopes in order; a mistyped number is no change."""
    words = ("key", "add", "示例系统", "--scope", "windows", "--scope", "invite", "--days", "30")
    made = run(*words)
    assert made.exit_code == 0, made.output
    name = made.output.split("密钥编号 ")[1].split("。")[0]
    wrong = run("key", "revoke", "ffff")
    assert wrong.exit_code == 1
    assert "没有编号为“ffff”的有效密钥" in wrong.output
    assert run("key", "revoke", name).exit_code == 0
    assert run("key", "revoke", name).exit_code == 1
    trail = run("audit").output.splitlines()
    assert len(trail) == 2
    assert "用途 示例系统，权限 邀请评价、撤回、查询邀请；查看各窗口的情况，有效天数 30" in trail[0]
    assert "停用接口密钥" in trail[1]
    with closing(connect(base / "state" / "hub.db")) as db:
        added = audit.entries(db)[-1]
    assert added.detail == {"label": "示例系统", "scopes": "invite windows", "days": 30}
