"""However a demonstration ends, its programs end with it, and its folder is nobody else's."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from demo.cases import Row
from demo.host import host
from demo.parts import PartError
from demo.play import Plan, play

ROOT = Path(__file__).parents[2]
CASES = (
    "serial,service_number,matter,staff,window,level,reasons,comment\n"
    "A1,1,事项,示例甲,1号窗口,5,,\n"
    "A2,1,事项,示例乙,1号窗口,,,\n"
) + "".join(f"B{number},1,事项,示例甲,1号窗口,,,\n" for number in range(50))


def command(folder):
    (folder / "cases.csv").write_text(CASES, encoding="utf-8")
    return [
        *(sys.executable, "-m", "demo", "--once", "--headless"),
        *("--cases", folder / "cases.csv", "--out", folder / "out"),
    ]


@contextmanager
def playing(folder):
    """A demonstration whose first case is on its way."""
    process = subprocess.Popen(
        command(folder),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for line in process.stdout:
            if "〔2/52〕" in line:
                break
        yield process
    finally:
        process.kill()
        process.communicate()


def children(parent):
    """The processes that a process has started and that still are there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if int(text.rpartition(")")[2].split()[1]) == parent:
            found.append(int(stat.parent.name))
    return found


@contextmanager
def held(pids):
    """Hold on to processes, so that no other one can be taken for them."""
    with ExitStack() as stack:
        handles = [os.pidfd_open(pid) for pid in pids]
        for handle in handles:
            stack.callback(os.close, handle)
        yield handles


def all_end(handles, within_s=20):
    """Wait until all of the processes have ended; False when the time is over."""
    end = time.monotonic() + within_s
    return all(select.select([each], [], [], max(0, end - time.monotonic()))[0] for each in handles)


@pytest.mark.timeout(90)
def test_killed_with_9_it_leaves_no_program_behind(tmp_path):
    """Hub, kiosk and city die with the demonstration that started them."""
    with playing(tmp_path) as process:
        started = children(process.pid)
        assert len(started) == 3
        with held(started) as programs:
            process.kill()
            assert all_end(programs)


@pytest.mark.timeout(90)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_told_to_end_it_ends_in_good_order(tmp_path, number, code):
    """SIGTERM, and Ctrl+C that a terminal sends to all, stop every program; no traceback."""
    with playing(tmp_path) as process:
        with held(children(process.pid)) as programs:
            os.killpg(process.pid, number)
            out, errors = process.communicate(timeout=60)
            assert all_end(programs, within_s=0)
        assert process.returncode == code
        assert out.endswith("已停止。\n")
        assert "断电" not in out
        assert errors == ""


@pytest.mark.timeout(90)
def test_a_second_one_leaves_the_first_alone(tmp_path):
    """The same folder twice at once: the second is refused, the first plays on."""
    with playing(tmp_path) as process:
        second = subprocess.run(
            command(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert second.returncode == 2
        assert "另一个演示正在使用" in second.stderr
        assert "〔3/52〕" in next(line for line in process.stdout if "〔" in line)
        assert (tmp_path / "out" / "hall" / "hub.toml").exists()


def a_row(serial):
    return Row(2, serial, 1, "事项", "示例甲", "1号窗口", 5, (), "")


@pytest.mark.timeout(90)
def test_what_the_hub_refuses_ends_a_play_in_words(tmp_path):
    """A row that the reader would not have let through is named with the hub's own reason."""
    plan = Plan(out=tmp_path, quiet=True)
    with pytest.raises(PartError, match="第 2 行被大厅服务器拒绝"):
        asyncio.run(play([a_row("A 1")], plan))


@pytest.mark.timeout(90)
def test_what_the_hub_refuses_does_not_end_the_open_demonstration(tmp_path, monkeypatch):
    """With a person at the window it is told, and the next case is invited."""
    told = []
    waited = asyncio.Event()

    def say(_, who, what):
        told.append((who, what))
        if what.startswith("请您评价"):
            waited.set()

    monkeypatch.setattr("demo.timeline.Timeline.say", say)
    monkeypatch.setattr("demo.host.PAUSE_S", 0)

    async def watched():
        hosting = asyncio.create_task(host([a_row("A 1"), a_row("A2")], Plan(out=tmp_path)))
        await asyncio.wait(
            [asyncio.create_task(waited.wait()), hosting], return_when="FIRST_COMPLETED"
        )
        hosting.cancel()
        await asyncio.gather(hosting, return_exceptions=True)

    asyncio.run(watched())
    assert [who for who, what in told if "不能邀请评价" in what] == ["大厅"]
    assert told[-1][1].startswith("请您评价")
