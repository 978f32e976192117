"""What a hall's IT staff do about records that the city has not."""

import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from upstream_cities import StandIn
from upstream_world import Hub, a_case

from hub.__main__ import main
from hub.store import answers, backlog, cases, deliveries, exchanges, vault
from hub.upstream import quirks
from hub.upstream.contents import INCOMPLETE
from hub.upstream.dialects import Plain

TODAY = (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%d")


def command(folder, *arguments):
    words = ["upstream", *arguments, "--config", str(folder / "hub.toml")]
    return CliRunner(catch_exceptions=False).invoke(main, words)


class Hall(Hub):
    """A hub's folder as the commands find it, with its writer running as beside a live hub."""

    def __init__(self, folder):
        (folder / "hub.toml").write_text(
            'hall = "demo"\nhall_name = "示例大厅"\nstate = "hub"\n', encoding="utf-8"
        )
        (folder / "hub").mkdir()
        super().__init__(folder / "hub")
        self.vault = vault.load_or_create(folder / "hub" / "citizens.key")

    def forward(self, city):
        return self.forward_until("", self.nothing_waits, dialect=Plain(city.url))


@pytest.fixture
def hall(tmp_path):
    with closing(Hall(tmp_path)) as hall:
        yield tmp_path, hall


@pytest.fixture
def refused(hall):
    """One case was refused, another waits."""
    for serial in ("S1", "S2"):
        hall[1].writer.call(lambda db, s=serial: cases.put(db, hall[1].vault, a_case(s), 1))
    hall[1].writer.call(lambda db: answers.set_aside(db, 1, "taskCode 不存在", 2))
    return hall


def test_status_names_each_cause_since_when_and_what_to_do(refused):
    """The city's words, the oldest first, a mend, and each record."""
    said = command(refused[0], "status").stdout
    assert "等待 1，搁置 1" in said
    assert "搁置 1 条，最早 01-01 08:00：taskCode 不存在\n    处理：核对事项编码" in said
    assert "办件 S1/1（01-01 08:00 起）：taskCode 不存在" in said
    assert "办件 S2/1" in said


def test_bad_ratings_without_a_reason_are_counted_apart_in_the_account(refused):
    """They are neither lost nor anybody's mistake: the office reads how many, and why."""
    folder, hall = refused
    account = ["status", "--config", str(folder / "hub.toml")]
    said = CliRunner(catch_exceptions=False).invoke(main, account).stdout
    assert "搁置 1\n" in said
    assert "未写明原因" not in said
    hall.writer.call(lambda db: answers.set_aside(db, 2, INCOMPLETE, 3))
    said = CliRunner(catch_exceptions=False).invoke(main, account).stdout
    assert "搁置 2\n其中差评未写明原因、按规定不报送 1：留在台账" in said
    assert "处理：差评须有原因或文字" in command(folder, "status").stdout


def test_retry_sends_again_what_was_set_aside(refused):
    """All of it, or one service; nothing else is touched."""
    folder, hall = refused
    said = command(folder, "retry", "--serial", "S2", "--service-number", "1").stdout
    assert "没有被搁置" in said
    assert "1 条记录" in command(folder, "retry").stdout
    assert hall.counts().set_aside == 0
    assert {each.serial for each in deliveries.due(hall.reader, 10**15, 10)} == {"S1", "S2"}


def test_half_a_key_is_refused(refused):
    """A serial without its service number would be ambiguous."""
    ran = command(refused[0], "retry", "--serial", "S1")
    assert ran.exit_code == 2
    assert "一起给出" in ran.stderr


def test_a_day_is_pushed_again_beside_a_running_hub(hall):
    """What the city had goes again and counts once; other days stay."""
    folder, hub = hall
    with closing(StandIn("plain")) as city:
        for n in range(3):
            hub.case(f"SL{n}")
            hub.rate(f"SL{n}")
        assert hub.forward(city) == ["accepted"] * 6
        hub.writer.call(lambda db: db.execute("UPDATE deliveries SET queued_at = 1 WHERE id < 3"))
        assert "没有记录" in command(folder, "backfill", "--day", "2020-02-29").stdout
        assert hub.counts().waiting == 0
        assert f"{TODAY} 的 4 条记录" in command(folder, "backfill", "--day", TODAY).stdout
        said = command(folder, "backfill", "--day", TODAY).stdout
        assert "0 条记录将在一分钟内开始补报（另有 4 条本来就在等待）" in said
        assert hub.forward(city) == ["exists"] * 4
        assert len(city.kept()) == 6
    count = hub.reader.execute("SELECT count(*) FROM ledger WHERE kind = 'delivered'").fetchone()
    assert count == (6,)
    assert command(folder, "backfill", "--day", "30.11.2026").exit_code == 2


def test_the_journal_shows_what_was_said(hall):
    """By serial, only failures, with the fields; never a name."""
    folder, hub = hall
    with closing(StandIn("plain")) as city:
        hub.case("A")
        hub.case("B", task_handle_item="X" * 33)
        hub.forward(city)
    said = command(folder, "journal", "--full").stdout
    assert "办件 A/1 收下（HTTP 200" in said
    assert "projectNo=A" in said
    assert "userName=＊＊＊" in said
    assert "示例甲" not in said
    failed = command(folder, "journal", "--failed").stdout
    assert "办件 B/1 拒收" in failed
    assert "应答" in failed
    assert "A/1" not in failed
    assert "没有这样的" in command(folder, "journal", "--serial", "Z").stdout


def test_status_tells_of_a_city_that_is_away_and_of_its_clock(hall):
    """Since when, why, what to do; the clock as measured before."""
    folder, hub = hall
    with closing(StandIn("plain", late_s=120)) as city:
        hub.case("A")
        hub.forward(city)
    said = command(folder, "status").stdout
    assert "平台最近一次应答" in said
    assert "相差约 120 秒：本机快" in said
    assert "时间服务" in said
    hub.case("B")
    hub.forward_until(
        "", lambda: len(exchanges.latest(hub.reader, 9)) > 3, dialect=Plain(city.url, timeout_s=1)
    )
    said = command(folder, "status").stdout
    assert "起没有应答：与上级平台的连接失败" in said
    assert "处理：检查 upstream.url" in said


def test_a_list_of_the_city_is_compared(hall):
    """What they have not, what we have not, what differs; 1 where there is a difference."""
    folder, hub = hall
    with closing(StandIn("plain")) as city:
        for n in range(3):
            hub.case(f"SL{n}")
            hub.rate(f"SL{n}", level=5)
        hub.forward(city)
        listed = folder / "list.jsonl"
        lines = [json.dumps(each, ensure_ascii=False) for each in city.register.records]
    listed.write_text("\n".join(lines), encoding="utf-8")
    ran = command(folder, "diff", "--file", listed)
    assert ran.exit_code == 0, ran.stderr
    assert "两边都有 6 条；平台没有 0 条" in ran.stdout
    listed.write_text(
        "projectNo,serviceNumber,assessNumber,satisfaction\nSL0,1,1,5\nSL1,1,1,2\nXX,1,1,3\n",
        encoding="utf-8",
    )
    ran = command(folder, "diff", "--file", listed, "--day", TODAY)
    assert ran.exit_code == 1
    assert "平台没有：评价 SL2/1" in ran.stdout
    assert "本厅没有：评价 XX/1" in ran.stdout
    assert "等级不同：评价 SL1/1：本厅 5，平台 2" in ran.stdout
    assert "只核对评价" in ran.stdout
    other = command(folder, "diff", "--file", listed, "--day", "2020-01-01").stdout
    assert "平台没有 0 条" in other
    listed.write_bytes(b"\xff\xff")
    ran = command(folder, "diff", "--file", listed)
    assert (ran.exit_code, "编码" in ran.stderr) == (2, True)


def test_the_pattern_of_a_dialect_is_printed_as_it_ships(tmp_path):
    """To be put into a file and changed; it can be loaded as it is."""
    ran = subprocess.run(
        [sys.executable, "-m", "hub", "upstream", "pattern", "form"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    path = tmp_path / "city.toml"
    path.write_bytes(ran.stdout)
    assert quirks.load("form", path) == quirks.load("form")


def test_a_hub_that_has_never_run_has_nothing_to_say(tmp_path):
    """No traceback, no file made."""
    text = 'hall = "demo"\nhall_name = "示例大厅"\nstate = "hub"\n'
    (tmp_path / "hub.toml").write_text(text, encoding="utf-8")
    for arguments in (["status"], ["journal"], ["retry"], ["backfill", "--day", TODAY]):
        ran = command(tmp_path, *arguments)
        assert (ran.exit_code, "还没有数据" in ran.stdout) == (0, True)
    assert not (tmp_path / "hub").exists()


def test_causes_are_grouped_and_the_oldest_comes_first(hall):
    """As many records as there are, one line for each cause."""
    _, hub = hall
    for n in range(4):
        hub.case(f"SL{n}")
    hub.writer.call(lambda db: db.execute("UPDATE deliveries SET queued_at = 9 - id"))
    for each, reason in ((1, "甲"), (2, "乙"), (3, "甲")):
        hub.writer.call(lambda db, e=each, r=reason: answers.set_aside(db, e, r, 50))
    found = [(each.reason, each.number, each.since) for each in backlog.causes(hub.reader)]
    assert found == [("", 1, 5), ("甲", 2, 6), ("乙", 1, 7)]
