"""What a hall's IT staff do with citizens' data at the console."""

import json
import os
import pty
import subprocess
import sys
from contextlib import closing

import pytest
from citizens_world import WORDS, Town, citizen, plain
from click.testing import CliRunner

from hub.__main__ import main
from hub.store import audit, cases, keyring, vault
from hub.store.database import connect

CONFIG = 'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n'


@pytest.fixture
def town(tmp_path):
    (tmp_path / "hub.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "state").mkdir()
    with Town(tmp_path / "state") as town:
        for number in (1, 2, 3):
            town.visit(number, comment=f"{WORDS}{number}")
        town.city_takes_all()
        yield town


def command(town, *arguments, said=""):
    words = ["citizens", *arguments, "--config", str(town.state.parent / "hub.toml")]
    return CliRunner(catch_exceptions=False).invoke(main, words, input=said)


def trail(town):
    return [(a.actor, a.action, a.target, a.detail) for a in audit.entries(town.reader, limit=5)]


@pytest.mark.parametrize(
    "said", ["000000190001010002\n", "13000000002", "db0000000002X", " 1300 0000 002 \r\n"]
)
def test_find_prints_the_serial_and_nothing_else(town, said):
    """Whatever is found, nothing of the citizen is shown; the search is in the trail."""
    ran = command(town, "find", said=said)
    assert (ran.exit_code, ran.stdout) == (0, "SL000002/1\n")
    assert not [text for text in plain(2) if text.decode() in ran.stdout + ran.stderr]
    assert trail(town)[0] == ("console", "find_citizen", "", {"times": 1})


def test_find_says_that_there_is_nobody(town):
    ran = command(town, "find", said="999\n")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "没有找到" in ran.stderr
    assert trail(town)[0][3] == {"times": 0}
    assert command(town, "find", said="").exit_code == 2


def test_the_number_is_asked_for_and_not_shown_on_a_terminal(town):
    """It stands neither in the list of processes nor on the screen."""
    config = town.state.parent / "hub.toml"
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "hub", "citizens", "find", "--config", str(config)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen, typed = b"", False
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        seen += data
        if "号码".encode() in seen and not typed:
            typed = True
            os.write(master, b"13000000003\n")
        if not data:
            break
    os.close(master)
    assert child.wait(30) == 0
    assert b"SL000003/1" in seen
    assert b"13000000003" not in seen


def test_a_number_is_never_taken_from_the_command_line(town):
    ran = command(town, "find", "13000000003")
    assert ran.exit_code == 2
    assert "SL" not in ran.stdout


def test_erase_asks_first_and_says_what_went(town):
    """Twice is no fault; an unknown serial is."""
    assert command(town, "erase", "SL000001", "--why", "本人申请", said="n\n").exit_code == 1
    assert cases.get(town.reader, town.vault, "SL000001", 1) is not None
    ran = command(town, "erase", "SL000001", "--why", "本人申请", said="y\n")
    assert ran.exit_code == 0
    assert "已删除：办件人信息 1 件，留言 1 条" in ran.stdout
    assert "没有残留" in ran.stdout
    assert "此前已经删除" in command(town, "erase", "SL000001", "--why", "误录", "--yes").stdout
    assert cases.get(town.reader, town.vault, "SL000001", 1) is None
    assert not [text for text in plain(1) if text in town.raw()]
    ran = command(town, "erase", "SL9", "--why", "本人申请", "--yes")
    assert (ran.exit_code, ran.stderr) == (1, "没有这个办件，请核对流水号\n")
    assert town.verified() == []


def test_erase_takes_no_reason_of_ones_own(town):
    """The ledger keeps the reason for good: nobody can write a name into it."""
    ran = command(town, "erase", "SL000001", "--why", "示例申请人要求", "--yes")
    assert ran.exit_code == 2


def test_erase_refuses_while_the_city_has_not_got_it(town):
    town.visit(4)
    ran = command(town, "erase", "SL000004", "--why", "本人申请", "--yes")
    assert ran.exit_code == 1
    assert "等待报送" in ran.stderr
    assert cases.get(town.reader, town.vault, "SL000004", 1) is not None


def test_rotate_and_prune_beside_the_hub(town):
    """Both say to back up the key file; what each key is used for is shown; all still opens."""
    ran = command(town, "rotate", "--cipher", "sm4-gcm")
    assert ran.exit_code == 0
    assert "第 1 号，sm4-gcm" in ran.stdout
    assert "备份" in ran.stdout
    assert "已换用新密钥 3 件" in ran.stdout
    ran = command(town, "prune", "--yes")
    assert ran.exit_code == 0
    assert "去掉了 1 个旧密钥" in ran.stdout
    assert "第 1 号，sm4-gcm：15 项信息在用" in ran.stdout
    box = vault.load_or_create(town.key, needed=True)
    found = cases.get(town.reader, box, "SL000002", 1)
    assert found.applicant == citizen(2)["applicant"]
    assert [action for _, action, *_ in trail(town)][:2] == ["drop_keys", "rotate_keys"]
    with closing(connect(town.path)) as db:
        assert "key" not in json.dumps([a.detail for a in audit.entries(db)])


def test_commands_name_what_is_wrong_with_the_key_file(town):
    """Another key, a spoilt ring, an open file: said in Chinese, nothing is changed."""
    before = town.rows("SELECT * FROM citizens")
    town.key.chmod(0o644)
    assert "chmod 600" in command(town, "rotate").stderr
    town.key.chmod(0o600)
    town.key.write_bytes(b'{"form":')
    assert "从备份恢复" in command(town, "find", said="13000000001").stderr
    town.key.unlink()
    keyring.write(town.key, keyring.fresh("aes-256-gcm", 0))
    ran = command(town, "rotate")
    assert ran.exit_code == 1
    assert "SL000001/1：无法解密" in ran.stderr
    assert "共 3 件无法解密" in ran.stderr
    town.key.unlink()
    ran = command(town, "prune", "--yes")
    assert (ran.exit_code, town.key.exists()) == (1, False)
    assert "从备份恢复" in ran.stderr
    assert town.rows("SELECT * FROM citizens") == before


def test_without_terms_retention_does_nothing(town):
    ran = command(town, "retention")
    assert ran.exit_code == 1
    assert "没有保存期限" in ran.stderr
