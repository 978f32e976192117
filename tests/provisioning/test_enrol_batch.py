"""Many kiosks side by side, with one operator in front of them, as the command does it."""

import csv
import io
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cables import Cable
from enrol_world import Kiosk, Office
from world_authority import PASSPHRASE

from protocol.strict import Faults
from provisioning import batch, keystore
from provisioning.authority import Authority
from provisioning.batch import Hub, Line, Row
from provisioning.desk import Enrolled

ROOT = Path(__file__).parents[2]
BROKEN = 7


@pytest.fixture
def authority(tmp_path):
    place = tmp_path / "authority"
    keystore.create(place, PASSPHRASE, "示例区", datetime.now(UTC))
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE, encoding="utf-8")
    secret.chmod(0o600)
    return place


@pytest.fixture
def cables(tmp_path):
    made = {}

    def cable(name):
        made[name] = Cable(tmp_path, name)
        return made[name]

    yield cable
    for each in made.values():
        each.close()


def command(name, authority, *arguments):
    """Start the command as a program of its own."""
    code = f"from provisioning.enrol_commands import {name}; {name}()"
    secret = authority.parent / "passphrase"
    usual = ["--dir", str(authority), "--passphrase-file", str(secret)]
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, *arguments, *usual],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def operate(process, typed):
    """Answer each question of the command with `typed(device)`; return all it said."""
    said = ""
    while sign := process.stdout.read(1):
        said += sign
        if asked := re.search(r"请输入 (\S+)（[^（）]*）上显示的 6 位数字: $", said):
            process.stdin.write(f"{typed(asked[1])}\n")
            process.stdin.flush()
            said += "\n"
    process.stdin.close()
    process.stdout.close()
    process.wait(20)
    return said


def table(path, rows):
    lines = [
        "port,device,hall,hub",
        *(f"{port},{device},hall-1,hub.example:8883" for port, device in rows),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_twenty_kiosks_of_which_one_is_broken(authority, cables, tmp_path):
    """Nineteen are enrolled, and the report says in one line what to check at the twentieth."""
    kiosks, rows = {}, []
    for number in range(1, 21):
        name = f"kiosk-{number:02d}"
        cable = cables(name)
        rows.append((cable.desk, name))
        if number != BROKEN:
            kiosks[name] = Kiosk(cable.kiosk, tmp_path / "state" / name, device=name)
    out = tmp_path / "report.csv"
    process = command(
        "batch",
        authority,
        *("--csv", table(tmp_path / "list.csv", rows)),
        *("--out", str(out), "--wait", "4"),
    )
    said = operate(process, lambda device: kiosks[device].shown[-1])
    assert process.returncode == 1, said
    assert "共 20 台，成功 19，失败 1" in said
    for kiosk in kiosks.values():
        assert kiosk.join().failure is None
        assert kiosk.enrolled
    report = list(csv.DictReader(io.StringIO(out.read_text("utf-8-sig"))))
    assert [line["设备"] for line in report] == [device for _, device in rows]
    (failed,) = [line for line in report if line["结果"] != "成功"]
    assert failed["设备"] == f"kiosk-{BROKEN:02d}"
    assert "没有任何应答" in failed["原因"]
    assert {line["核对数字"] for line in report} - {""} == {k.shown[-1] for k in kiosks.values()}
    with Authority.open(authority, PASSPHRASE) as opened:
        assert Office(opened, authority).vouchers() == (19, 19)


def test_a_wrong_number_fails_that_kiosk_alone(authority, cables, tmp_path):
    """Typed wrongly three times: not enrolled; the other one is, and the exit code says 1."""
    kiosks, rows = {}, []
    for name in ("kiosk-01", "kiosk-02"):
        cable = cables(name)
        rows.append((cable.desk, name))
        kiosks[name] = Kiosk(cable.kiosk, tmp_path / "state" / name, device=name)
    out = tmp_path / "report.csv"
    source = table(tmp_path / "list.csv", rows)
    process = command("batch", authority, "--csv", source, "--out", str(out))

    def typed(device):
        number = kiosks[device].shown[-1]
        return f"{number[:3]} {number[3:]}" if device == "kiosk-02" else "12345x"

    said = operate(process, typed)
    assert process.returncode == 1
    assert said.count("请看清后再输一次") == 3
    assert kiosks["kiosk-02"].join().enrolled
    assert kiosks["kiosk-01"].join().enrolled is None
    assert "不一致" in out.read_text("utf-8-sig")


def test_all_enrolled_is_exit_code_zero(authority, cables, tmp_path):
    """With `--yes` nobody is asked, and the number is printed for the record."""
    cable = cables("one")
    kiosk = Kiosk(cable.kiosk, tmp_path / "kiosk")
    out = tmp_path / "report.csv"
    source = table(tmp_path / "list.csv", [(cable.desk, "kiosk-01")])
    process = command("batch", authority, "--csv", source, "--out", str(out), "--yes")
    said = operate(process, None)
    assert process.returncode == 0, said
    number = kiosk.join().shown[-1]
    assert f"{number[:3]} {number[3:]}" in said


def test_the_two_commands_enrol_a_kiosk(authority, cables, tmp_path):
    """`enrol` here and `pingyi-kiosk enrol` there: progress, one number, both say how it went."""
    cable = cables("one")
    config = tmp_path / "kiosk.toml"
    config.write_text('hall = "hall-1"\ndevice = "kiosk-01"\nstate = "state"\n', encoding="utf-8")
    kiosk = subprocess.Popen(
        [sys.executable, "-m", "device", "enrol", "--config", str(config), "--port", cable.kiosk],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    desk = command(
        "enrol",
        authority,
        *("--port", cable.desk, "--device", "kiosk-01", "--hall", "hall-1"),
        *("--hub", "127.0.0.1:1"),
    )
    try:
        said, _ = desk.communicate("y\n", timeout=20)
        heard, _ = kiosk.communicate(timeout=20)
    finally:
        kiosk.kill()
        desk.kill()
    assert (desk.returncode, kiosk.returncode) == (0, 0), said + heard
    numbers = re.findall(r"核对数字：(\d{3} \d{3})", said + heard)
    assert len(numbers) == 2
    assert len(set(numbers)) == 1
    for words in (
        "等待评价器应答",
        "签发证书",
        "已保存",
        "kiosk-01 入网成功",
        "连接不上 127.0.0.1:1",
    ):
        assert words in said
    for words in ("入网台已接通", "数字已在入网台确认", "证书已保存", "入网完成"):
        assert words in heard
    assert "连接测试未通过：连接不上 127.0.0.1:1" in heard
    assert (tmp_path / "state" / "identity" / "device.pem").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--port", "/dev/none", "--device", "kiosk-01", "--hub", "h:1"), "没有这个端口"),
        (("--port", "loop://", "--device", "Kiosk 1", "--hub", "h:1"), "--device"),
        (("--port", "loop://", "--device", "kiosk-01", "--hub", "h"), "主机:端口"),
        (("--port", "loop://", "--device", "kiosk-01", "--hub", "h:0"), "不能小于 1"),
    ],
)
def test_what_cannot_be_is_said_and_ends_with_one(authority, arguments, words):
    """No traceback: what is wrong, and where."""
    process = command("enrol", authority, *arguments, "--hall", "hall-1", "--wait", "1")
    said = operate(process, None)
    assert process.returncode == 1
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "表头应为"),
        ("port,device\n", "表头应为"),
        ("port,device,hall,hub\n", "没有要入网的评价器"),
        ("port,device,hall,hub\na,KIOSK,h,x:1\n", "第 2 行 device"),
        ("port,device,hall,hub\na,k1,h,x:1\nb,k1,h,x:1\n", "k1 出现了不止一次"),
        ("port,device,hall,hub\na,k1,h,x:1\na,k2,h,x:1\n", "a 出现了不止一次"),
        ("port,device,hall,hub\na,k1,h,x\nb,k2,,x:1\n", "第 3 行 hall"),
        ("port,device,hall,hub\na,k1,h\n", "第 2 行"),
        ("port,device,hall,hub\na,k1,h,x:1,more\n", "第 2 行"),
        ('port,device,hall,hub\n"a,k1,h,x:1\n', "不是有效的 CSV"),
    ],
)
def test_a_table_is_checked_whole_before_anything_is_begun(tmp_path, text, words):
    """Every fault, with its line."""
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Faults, match=re.escape(words)):
        batch.read(path)


def test_a_table_in_another_encoding_is_named(tmp_path):
    """Excel's own CSV is GBK."""
    path = tmp_path / "list.csv"
    path.write_bytes("port,device,hall,hub\n端口,k1,h,x:1\n".encode("gbk"))
    with pytest.raises(Faults, match="UTF-8"):
        batch.read(path)


def test_hubs_are_written_as_people_write_them():
    """A name, an address, an IPv6 address in brackets."""
    assert batch.hub("hub.example:8883") == Hub(host="hub.example", port=8883)
    assert batch.hub(" 192.0.2.1:1 ") == Hub(host="192.0.2.1", port=1)
    assert batch.hub("[2001:db8::1]:8883") == Hub(host="2001:db8::1", port=8883)
    for wrong in ("", "hub", "hub:", ":1", "hub:99999", "a b:1", "http://hub:1"):
        with pytest.raises(Faults):
            batch.hub(wrong)


def test_a_report_holds_no_formula():
    """What a kiosk says is text where the report is opened."""
    row = Row(port="/dev/x", device="k1", hall="h", hub=Hub(host="x", port=1))
    lines = [Line(row, None, "=1+1", 0.25), Line(row, Enrolled("012345", True, "好"), "", 1)]
    first, second = list(csv.reader(io.StringIO(batch.report(lines))))[1:]
    assert first[3:5] == ["失败", "'=1+1"]
    assert second[3:7] == ["成功", "", "通过：好", "012345"]


def test_a_fault_of_the_program_at_one_kiosk_leaves_the_others_alone():
    """It is a line of the report, too."""
    rows = [
        Row(port=f"p{n}", device=f"k{n}", hall="h", hub=Hub(host="x", port=1)) for n in range(3)
    ]

    def enrol(row, confirm):
        if row.port == "p1":
            raise ZeroDivisionError
        return Enrolled("012345", confirm("012345"), "")

    done = []
    batch.run(rows, enrol, ask=lambda *_: True, done=done.append)
    assert sorted((line.row.port, bool(line.enrolled)) for line in done) == [
        ("p0", True),
        ("p1", False),
        ("p2", True),
    ]


def test_an_operator_who_stops_stops_all(monkeypatch):
    """No kiosk is begun after that, and those that wait for an answer get a no."""
    monkeypatch.setattr(batch, "SIDE_BY_SIDE", 2)
    rows = [
        Row(port=f"p{n}", device=f"k{n}", hall="h", hub=Hub(host="x", port=1)) for n in range(9)
    ]
    answers, done = [], []

    def enrol(row, confirm):
        answers.append(confirm("012345"))
        return Enrolled("012345", True, "")

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.run(rows, enrol, ask=stop, done=done.append)
    assert answers == [False] * len(done)
    assert 1 <= len(done) < len(rows)
