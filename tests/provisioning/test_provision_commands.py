"""The commands of the IT desk, as they are typed."""

import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from cryptography import x509
from world_authority import request

from protocol import signing
from provisioning.__main__ import main
from provisioning.authority import Authority

SECRET = "correct horse battery"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(tmp_path):
    """A desk with an authority; `desk(...)` runs a command and returns its result."""
    (tmp_path / "passphrase").write_text(SECRET + "\n")
    (tmp_path / "passphrase").chmod(0o600)

    def run(*words, keys=False):
        directory = ["--dir", str(tmp_path / "ca")]
        given = ["--passphrase-file", str(tmp_path / "passphrase")] if keys else []
        return CliRunner().invoke(main, [words[0], *directory, *given, *map(str, words[1:])])

    assert run("init", keys=True).exit_code == 0
    return run


def enrol(tmp_path, device="kiosk-01", hall="hall-a", hardware=""):
    from datetime import UTC, datetime  # noqa: PLC0415 - commands run at the real time

    now = datetime.now(UTC)
    key = signing.generate_key()
    with Authority.open(tmp_path / "ca", SECRET) as authority:
        voucher = authority.voucher(device, hall, now)
        authority.issue(request(device, key), voucher, now, hardware=hardware)
    return key


def test_init_says_what_comes_next_and_never_does_it_twice(desk, tmp_path):
    """The second init is refused before it asks for anything, and changes no byte."""
    before = {path: path.read_bytes() for path in (tmp_path / "ca").iterdir()}
    again = desk("init", keys=True)
    assert again.exit_code == 1
    assert "不会覆盖：请换一个目录" in again.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "ca").iterdir()} == before


def at_a_terminal(command, *answers):
    """Run a command on a real terminal and type the answers; return all it showed and its code."""
    main_end, child_end = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "provisioning", *command],
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TERM": "dumb"},
    )
    os.close(child_end)
    shown, left = b"", list(answers)
    while True:
        try:
            part = os.read(main_end, 1024)
        except OSError:  # the terminal of a process that has ended
            break
        shown += part
        if left and shown.endswith(b": "):
            os.write(main_end, left.pop(0).encode() + b"\n")
    os.close(main_end)
    return shown.decode(), child.wait(10)


def test_init_asks_twice_for_the_passphrase_and_never_shows_it(tmp_path):
    """On a terminal; two different answers are asked for again."""
    command = ["init", "--dir", str(tmp_path / "ca")]
    shown, code = at_a_terminal(command, SECRET, "something else", SECRET, SECRET)
    assert code == 0, shown
    assert SECRET not in shown
    assert shown.count("口令: ") == 2
    assert "两次输入不一致" in shown
    Authority.open(tmp_path / "ca", SECRET).close()


def test_without_a_terminal_a_passphrase_file_is_asked_for(tmp_path):
    """A script does not hang on a question nobody sees."""
    done = CliRunner().invoke(main, ["init", "--dir", str(tmp_path / "ca")])
    assert done.exit_code == 1
    assert "--passphrase-file" in done.stderr


@pytest.mark.parametrize(
    ("content", "mode", "advice"),
    [
        ("x" * 20, 0o644, "chmod 600"),
        ("", 0o600, "第一行是空的"),
        ("short\n", 0o600, "至少要 12 个字符"),
        (None, 0o600, "检查路径"),
    ],
)
def test_a_passphrase_file_that_will_not_do_is_explained(tmp_path, content, mode, advice):
    """Readable by others, empty, too short, not there."""
    path = tmp_path / "passphrase"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    command = ["init", "--dir", str(tmp_path / "ca"), "--passphrase-file", str(path)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert advice in done.stderr
    assert not (tmp_path / "ca").exists()


def test_what_init_sends_people_to_exists(tmp_path):
    """Every command that its next steps name, and every one that the handbook names."""
    (tmp_path / "passphrase").write_text(SECRET + "\n")
    (tmp_path / "passphrase").chmod(0o600)
    given = ("--dir", tmp_path / "ca", "--passphrase-file", tmp_path / "passphrase")
    done = CliRunner().invoke(main, ["init", *map(str, given)])
    named = re.findall(r"[a-z][a-z-]+", done.stdout.split("3. ", 1)[1])
    assert set(named) == {"server-certificate", "enrol", "batch"} <= set(main.commands)
    handbook = (ROOT / "docs" / "enrolment.zh-CN.md").read_text(encoding="utf-8")
    assert set(re.findall(r"pingyi-provision ([a-z-]+)", handbook)) <= set(main.commands)


def test_a_wrong_passphrase_ends_with_advice_and_no_traceback(desk, tmp_path):
    """The message comes on the error output, with code 1."""
    (tmp_path / "passphrase").write_text("wrong horse battery\n")
    done = desk("crl", "--out", tmp_path / "crl.pem", keys=True)
    assert done.exit_code == 1
    assert "请重新输入口令" in done.stderr
    assert not (tmp_path / "crl.pem").exists()


def test_a_damaged_register_ends_with_advice_and_no_traceback(desk, tmp_path):
    """Also when the damage shows only in the middle of the work."""
    with closing(sqlite3.connect(tmp_path / "ca" / "authority.db")) as by_hand:
        by_hand.execute("DROP TABLE vouchers")
        by_hand.commit()
    done = desk("revoke", "kiosk-01", "--reason", "被盗")
    assert done.exit_code == 1
    assert "从备份恢复" in done.stderr


def test_a_hub_gets_all_it_needs_in_one_directory(desk, tmp_path):
    """Two certificates with keys for their owner only, the CAs, the list; never over another's."""
    out = tmp_path / "hub"
    words = ("server-certificate", "--name", "hub.example", "--name", "10.0.0.8")
    words += ("--hall", "hall-a", "--out", out)
    assert desk(*words, keys=True).exit_code == 0
    assert {path.name for path in out.iterdir()} == {
        *("server.pem", "server.key", "hub.pem", "hub.key"),
        *("ca.pem", "device-ca.pem", "crl.pem"),
    }
    for key in out.glob("*.key"):
        assert key.stat().st_mode & 0o777 == 0o600
    for file, purpose, also in (
        ("server.pem", "sslserver", ["-verify_ip", "10.0.0.8"]),
        ("hub.pem", "sslclient", ["-crl_check", "-CRLfile", out / "crl.pem"]),
    ):
        command = ["openssl", "verify", "-CAfile", out / "ca.pem", "-untrusted", out / file]
        subprocess.run([*command, "-purpose", purpose, *also, out / file], check=True)
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = desk(*words, keys=True)
    assert again.exit_code == 1
    assert "不会覆盖" in again.stderr
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_bad_server_name_leaves_nothing_behind(desk, tmp_path):
    """Neither a directory nor a certificate in the register."""
    words = ("server-certificate", "--name", "*.example", "--out", tmp_path / "hub")
    done = desk(*words, keys=True)
    assert done.exit_code == 1
    assert "不是主机名" in done.stderr
    assert not (tmp_path / "hub").exists()
    assert "还没有签发过证书" in desk("list").stdout


def test_whoever_enrols_a_name_again_is_told_what_becomes_of_the_one_before(desk, tmp_path):
    """Before anything happens on the cable; a name that is free is enrolled without a word."""
    where = ("--port", tmp_path / "none", "--hall", "hall-a", "--hub", "hub.example:8883")
    first = desk("enrol", "--device", "kiosk-01", *where, keys=True)
    assert "作废" not in first.stderr
    enrol(tmp_path)
    again = desk("enrol", "--device", "kiosk-01", *where, keys=True)
    assert "作废原来那台的证书" in again.stderr
    assert "pingyi-provision crl" in again.stderr


def test_a_stolen_kiosk_is_revoked_and_the_list_written_in_one_step(desk, tmp_path):
    """With --out the new list is there at once; without, the next step is named."""
    enrol(tmp_path)
    enrol(tmp_path, "kiosk-02")
    done = desk("revoke", "kiosk-01", "--reason", "被盗", "--out", tmp_path / "crl.pem", keys=True)
    assert done.exit_code == 0
    assert len(list(x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes()))) == 1
    done = desk("revoke", "kiosk-02", "--reason", "报废")
    assert done.exit_code == 0
    assert "pingyi-provision crl" in done.stdout
    assert "pingyi-hub revoke kiosk-02 --crl" in done.stdout
    assert desk("crl", "--out", tmp_path / "crl.pem", keys=True).exit_code == 0
    assert len(list(x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes()))) == 2
    unknown = desk("revoke", "kiosk-20", "--reason", "被盗")
    assert unknown.exit_code == 1
    assert "从未入网" in unknown.stderr


def test_a_list_that_could_not_be_written_does_not_undo_the_revocation(desk, tmp_path):
    """The kiosk is revoked all the same, and the message names the command that is left to do."""
    enrol(tmp_path)
    nowhere = tmp_path / "none" / "crl.pem"
    done = desk("revoke", "kiosk-01", "--reason", "被盗", "--out", nowhere, keys=True)
    assert done.exit_code == 1
    assert "kiosk-01 已吊销" in done.stdout
    assert "再用 pingyi-provision crl 写出" in done.stderr
    failed = desk("crl", "--out", nowhere, keys=True)
    assert str(nowhere) in failed.stderr


def test_a_kiosk_is_renewed_from_a_file(desk, tmp_path):
    """The request of its own key brings a new chain; a stranger's request does not."""
    key = enrol(tmp_path)
    (tmp_path / "kiosk.csr").write_bytes(request("kiosk-01", key))
    words = ("renew", "kiosk-01", "--request", tmp_path / "kiosk.csr", "--out", tmp_path / "new")
    assert desk(*words, keys=True).exit_code == 0
    assert len(x509.load_pem_x509_certificates((tmp_path / "new").read_bytes())) == 2
    (tmp_path / "kiosk.csr").write_bytes(request("kiosk-01"))
    refused = desk(*words, keys=True)
    assert refused.exit_code == 1
    assert "重新入网" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("kiosk-01",),
        ("kiosk-01", "--request", "a.csr"),
        ("--hub", "https://hub.example"),
        ("--key-file", "key"),
        ("kiosk-01", "--hub", "https://hub.example", "--key-file", "key"),
        ("kiosk-01", "--request", "a.csr", "--out", "b.pem", "--watch", "5"),
    ],
)
def test_renewing_is_one_way_or_the_other(desk, words):
    """Half a way, or two at once, is explained; nothing is done."""
    done = desk("renew", *words, keys=True)
    assert done.exit_code == 1
    assert "请写明一种办法" in done.stderr


def test_a_hub_key_that_others_can_read_is_not_used(desk, tmp_path):
    """The message names the command that mends it; an empty file and a missing one as well."""
    key = tmp_path / "key"
    way = ("renew", "--hub", "https://127.0.0.1:1", "--key-file", key)
    assert str(key) in desk(*way, keys=True).stderr
    key.write_text("\n")
    key.chmod(0o640)
    assert f"chmod 600 {key}" in desk(*way, keys=True).stderr
    key.chmod(0o600)
    assert "请写入接口密钥" in desk(*way, keys=True).stderr


def test_the_list_shows_how_each_stands(desk, tmp_path):
    """One row for each name, aligned for Chinese, with the sums below; --all shows every one."""
    enrol(tmp_path, hardware="SN-1")
    enrol(tmp_path)
    enrol(tmp_path, "kiosk-02")
    desk("revoke", "kiosk-02", "--reason", "被盗")
    lines = desk("list").stdout.splitlines()
    assert lines[0].split() == ["名称", "大厅", "用途", "状态", "到期日", "序列号", "原因"]
    assert lines[1].split()[:4] == ["kiosk-01", "hall-a", "评价器", "有效"]
    assert lines[2].split()[3] == "已吊销"
    assert lines[2].endswith("被盗")
    assert lines[3] == "共 有效 1，待续期 0，已过期 0，已吊销 1，已替换 0"
    assert "已替换" in desk("list", "--all").stdout.splitlines()[1]


def test_labels_are_printed_for_the_kiosks_in_use(desk, tmp_path):
    """From the register, without those that were revoked; or from a CSV, numbering the pages."""
    enrol(tmp_path, hardware="SN-1")
    enrol(tmp_path, "kiosk-02")
    desk("revoke", "kiosk-02", "--reason", "被盗")
    out = tmp_path / "labels.svg"
    assert desk("label", "--out", out).exit_code == 0
    text = "".join(ET.parse(out).getroot().itertext())  # noqa: S314 - our own output
    assert "kiosk-01" in text
    assert "SN-1" in text
    assert "kiosk-02" not in text
    source = tmp_path / "devices.csv"
    source.write_text("device,hall\n" + "".join(f"kiosk-{n},hall-a\n" for n in range(30)))
    done = CliRunner().invoke(main, ["label", "--csv", str(source), "--out", str(out)])
    assert done.exit_code == 0
    assert (tmp_path / "labels-1.svg").exists()
    assert (tmp_path / "labels-2.svg").exists()


def test_labels_of_nothing_are_explained(desk, tmp_path):
    """No kiosk in the register, or no source at all: what to give instead."""
    assert "--csv" in desk("label", "--out", tmp_path / "l.svg").stderr
    done = CliRunner().invoke(main, ["label", "--out", str(tmp_path / "l.svg")])
    assert done.exit_code == 1
    assert "--csv" in done.stderr


@pytest.mark.parametrize("word", ["list", "revoke", "label"])
def test_a_directory_without_an_authority_is_explained(tmp_path, word):
    """The commands that need no passphrase say it as well, and make nothing."""
    extra = {
        "revoke": ["kiosk-01", "--reason", "被盗"],
        "label": ["--out", str(tmp_path / "l.svg")],
    }.get(word, [])
    done = CliRunner().invoke(main, [word, "--dir", str(tmp_path / "none"), *extra])
    assert done.exit_code == 1
    assert "pingyi-provision init" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_command_explains_itself():
    """Help is there for each, in Chinese."""
    for name in main.commands:
        done = CliRunner().invoke(main, [name, "--help"])
        assert done.exit_code == 0
        assert any("一" <= sign <= "鿿" for sign in main.commands[name].help)
        assert not any(
            option.help is None
            for option in main.commands[name].params
            if option.opts[0].startswith("-")
        )
