"""The hub as it runs, and its commands, under who has SQL and no key file."""

import fcntl
import hashlib
import os
import sqlite3
from contextlib import closing

import pytest
from brokers import eventually
from click.testing import CliRunner
from insider import sql
from rulings_world import PDF, REASON
from test_rulings_service import put_in
from world_hall import KEYS, rated
from world_service import HubProcess, Kiosk

from hub.__main__ import main
from hub.kiosks.keys import pem_of
from hub.store import keyring

NEW = "雨伞在第三个抽屉里呀"
SECRET = "z" * 43
PLANT = (
    "INSERT INTO api_keys (id, label, digest, scopes, created_at)"
    " VALUES ('aaaaaaaa', '区系统', ?, '[\"rule\"]', 1)"
)


@pytest.fixture
def run(tmp_path):
    config = tmp_path / "hub.toml"
    if not config.exists():
        config.write_text('hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', "utf-8")

    def run(*words, typed=None):
        return CliRunner().invoke(main, [*words, "--config", str(config)], input=typed)

    return run


def test_a_planted_key_does_not_rule(tmp_path, mosquitto, run):
    """Put in, used and taken away again: nothing is ruled; log, readiness and trail tell of it."""
    hub = HubProcess(tmp_path, embedded=False, broker_port=mosquitto.port)
    try:
        hub.start()
        with Kiosk(mosquitto.port) as kiosk:
            kiosk.beat()
            invited = hub.invite()[1]
            said = rated(invited["id"], level=1, reasons=("108",))
            kiosk.rate(said)
            eventually(lambda: said.id in kiosk.committed(), "the rating is entered", 10)
        assert put_in(hub, PDF) == 201
        genuine, hub.key = hub.key, f"pingyi_aaaaaaaa_{SECRET}"
        sql(hub.db, (PLANT, hashlib.sha256(SECRET.encode()).digest()))
        path = f"/api/v1/invitations/{invited['id']}/ruling"
        said = {"reason": REASON, "evidence": [hashlib.sha256(PDF).hexdigest()]}
        assert hub.ask("POST", path, said)[0] == 401
        sql(hub.db, ("DELETE FROM api_keys WHERE id = 'aaaaaaaa'",))
        hub.key = genuine
        assert hub.ask("GET", path)[0] == 404
        assert "forged=key:aaaaaaaa" in hub.says()
        assert SECRET not in hub.says()
        assert "密钥 aaaaaaaa不是本服务器登记的" in str(hub.ask("GET", "/readyz"))
        done = run("audit")
        assert "发现不是本服务器登记的记录（被拒绝）  密钥 aaaaaaaa" in done.output
        assert hub.end() == 0
    finally:
        hub.close()


def test_a_stolen_kiosk_is_not_believed_again_after_a_restart(tmp_path, mosquitto, run):
    """Revoked beside the running hub; its row is deleted; the hub starts again: still revoked."""
    hub = HubProcess(tmp_path, embedded=False, broker_port=mosquitto.port)
    try:
        hub.start()
        done = run("revoke", "k1", "--reason", "被盗")
        assert done.exit_code == 0, done.output
        eventually(lambda: "revoked=k1" in hub.says(), "the hub has seen it", 10)
        assert hub.end() == 0
        sql(hub.db, ("DELETE FROM revocations",))
        hub.start()
        with Kiosk(mosquitto.port) as kiosk:
            kiosk.beat()
            kiosk.rate(rated("0" * 32))
            eventually(lambda: "refused=revoked device=k1" in hub.says(), "it is refused", 10)
            assert kiosk.committed() == set()
        assert hub.end() == 0
    finally:
        hub.close()
    done = run("verify")
    assert done.exit_code == 1
    assert "评价器 k1 的吊销在台账里，吊销表里却没有" in done.output


def test_the_commands_work_with_a_hub_that_never_ran(tmp_path, run):
    """The first account brings the key file with it, for its owner alone."""
    done = run("user", "add", "admin1", "--role", "it", typed=f"{NEW}\n{NEW}\n")
    assert done.exit_code == 0, done.output
    key = tmp_path / "state" / "citizens.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert keyring.read(key).marks_since
    done = run("key", "add", "示例系统", "--scope", "windows")
    assert done.exit_code == 0, done.output
    assert "有效" in run("key", "list").output
    assert "没有发现改动" in run("verify").output


@pytest.mark.parametrize("spoil", ["gone", "others", "rubbish"])
@pytest.mark.parametrize(
    "words",
    [
        ("user", "list"),
        ("user", "disable", "admin1"),
        ("key", "list"),
        ("key", "add", "示例", "--scope", "windows"),
        ("revoke", "k1"),
    ],
)
def test_without_the_key_file_the_commands_say_what_to_do(tmp_path, run, spoil, words):
    """Nothing is changed, and no new key is made."""
    (tmp_path / "k1.pem").write_bytes(pem_of(KEYS["k1"].public_key()))
    with (tmp_path / "hub.toml").open("a", encoding="utf-8") as file:
        file.write('[[devices]]\nname = "k1"\npublic_key = "k1.pem"\n')
    assert run("user", "add", "admin1", "--role", "it", typed=f"{NEW}\n{NEW}\n").exit_code == 0
    key = tmp_path / "state" / "citizens.key"
    if spoil == "gone":
        key.unlink()
    elif spoil == "others":
        key.chmod(0o644)
    else:
        key.write_bytes(os.urandom(7))
    done = run(*words)
    assert done.exit_code == 1
    assert "密钥文件" in done.output
    assert str(key) in done.output
    assert key.exists() is (spoil != "gone")


def test_a_hub_of_before_that_still_runs_is_not_overtaken(tmp_path, run):
    """The new commands beside it: restart first. What it holds is untouched."""
    hub = HubProcess(tmp_path, embedded=True, broker_port=0)
    with closing(sqlite3.connect(hub.db)) as raw, raw:
        raw.execute("DELETE FROM _sqlite_migrations WHERE name = 'm016_marks'")
    with (tmp_path / "state" / "hub.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("user", "list")
    assert done.exit_code == 1
    assert "systemctl restart pingyi-hub" in done.output
