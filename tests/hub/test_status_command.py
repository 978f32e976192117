"""`pingyi-hub status`: what it says of a hub that never ran, lost its data, or was restored."""

import shutil
from contextlib import closing

import pytest
from click.testing import CliRunner
from world_hall import an_invitation

from hub.__main__ import main
from hub.config import HubConfig
from hub.state import opened
from hub.store import invitations, recovery
from hub.store.database import connect

NOW = 1_790_000_000_000
CONFIG = HubConfig(hall="demo", hall_name="示例大厅", state="state")
READING = [
    ("status",),
    ("upstream", "status"),
    ("upstream", "journal"),
    ("verify",),
    ("audit",),
    ("citizens", "find"),
    ("restore", "--finish"),
]


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


def started(base):
    with opened(CONFIG, base):
        pass


# ---------------------------------------------------------------- lost, or never there


@pytest.mark.parametrize("words", [*READING, ("backup", "--out", "copy")], ids=" ".join)
@pytest.mark.parametrize("harm", ["file", "disk", "empty", "cut off"])
def test_lost_data_are_never_told_as_a_hub_that_has_not_run(base, run, words, harm):
    """A disk that is gone or not mounted, a file that is gone or empty, half a restore."""
    started(base)
    state = base / "state"
    if harm == "disk":
        shutil.rmtree(state)
        state.mkdir()
    elif harm == "cut off":
        state.rename(base / "state.restored-1")
    else:
        (state / "hub.db").unlink()
        if harm == "empty":
            (state / "hub.db").touch()
    done = run(*words)
    assert done.exit_code == 1, done.output
    assert "尚未运行过" not in done.output
    told = {"disk": "磁盘可能没有挂上", "cut off": "恢复没有做完"}.get(harm, "数据可能已丢失")
    assert told in done.output


def test_before_the_first_start_status_says_so_and_is_content(run):
    done = run("status")
    assert (done.exit_code, done.output) == (0, "还没有数据：服务器尚未运行过。\n")


# ---------------------------------------------------------------- a recovery


def ledger_of(base, *devices):
    """A hub restored at `NOW` whose ledger knows these devices."""
    started(base)
    with closing(connect(base / "state" / "hub.db")) as db:
        for number, device in enumerate(devices):
            asked = an_invitation(id=f"{number:032x}", serial=f"S{number}")
            invitations.issue(db, device, asked)
            db.conn.execute(
                "INSERT INTO device_keys (device, pem, since) VALUES (?, '示例', 1)", (device,)
            )
        recovery.begin(db, since=NOW, made_at=NOW, checkpoint="")
        db.conn.commit()


def test_a_recovery_is_told_with_the_kiosks_that_have_not_answered(base, run):
    ledger_of(base, "k1", "k2", "k3")
    with closing(connect(base / "state" / "hub.db")) as db:
        recovery.end(db, "k2", NOW, NOW)
        db.conn.commit()
    done = run("status")
    assert done.exit_code == 0
    assert "恢复：09-21 22:13 从备份恢复，还在等 2 台评价器补报：k1、k3\n" in done.output
    assert "restore --finish" in done.output


def test_a_recovery_that_all_have_answered_asks_to_be_finished_and_then_is_gone(base, run):
    ledger_of(base, "k1")
    with closing(connect(base / "state" / "hub.db")) as db:
        recovery.end(db, "k1", NOW, NOW)
        db.conn.commit()
    assert "已知的评价器都补报完了" in run("status").output
    assert run("restore", "--finish").exit_code == 0
    assert "恢复" not in run("status").output


def test_of_hundreds_of_kiosks_the_first_are_named_and_all_counted(base, run):
    ledger_of(base, *(f"kiosk-{number:03}" for number in range(302)))
    [line] = [each for each in run("status").output.splitlines() if each.startswith("恢复")]
    assert "还在等 302 台评价器补报：kiosk-000、kiosk-001" in line
    assert line.endswith("kiosk-019 等 302 台")
