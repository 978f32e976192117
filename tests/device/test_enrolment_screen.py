"""The enrolment on the kiosk's real window, offscreen, against a real desk over a cable."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from cables import Cable, wait_for
from enrol_office import make_keys, opened

from device import identity
from provisioning.desk import EnrolmentFailed
from tests.device.ui_play import ROOT, SIZES, run
from tests.device.ui_views import REASON

PROGRAM = Path(__file__).with_name("ui_enrolment.py")


def environment(home):
    return {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(home)}


# ---------------------------------------------------------------- pictures


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def pictures(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("enrolment")
    facts = run(PROGRAM, "pictures", request.param, directory, timeout=60)
    assert all(fact["size"] == list(request.param) for fact in facts)
    return {fact["name"]: fact for fact in facts}


def test_no_text_leaves_its_place_or_lies_on_another(pictures):
    """The longest names, ports and reasons included."""
    assert len(pictures) >= 15
    for name, fact in pictures.items():
        assert fact["spilt"] == [], name
        assert fact["outside"] == [], name
        assert fact["crossed"] == [], name
        assert fact["colours"] > 4, name


def test_the_number_stands_in_two_groups_with_what_to_do(pictures):
    """And nowhere else than where it is to be compared."""
    assert "027 645" in pictures["enrol_comparing"]["texts"]
    assert "与入网台上的数字核对，不一致请立即拔线" in "".join(pictures["enrol_comparing"]["texts"])
    for name, fact in pictures.items():
        if not name.startswith("enrol_comparing"):
            assert "027 645" not in fact["texts"], name


def test_what_it_waits_for_and_what_is_wrong_is_said(pictures):
    """The names that the desk must be told, the cable, and the port that is not there."""
    words = "".join(pictures["enrol_waiting"]["texts"])
    assert "kiosk-01（大厅 sample-hall）" in words
    assert "用数据线把本机与入网台连接好" in words
    assert "没有这个端口" not in words
    assert "没有这个端口" in "".join(pictures["enrol_no_port"]["texts"])
    assert "没有这个端口" in "".join(pictures["enrol_waiting_longest"]["texts"])


def test_the_end_is_told_with_its_reason_whole(pictures):
    """Failed, reached, and enrolled without a hub in reach, are three different things."""
    assert REASON.replace(" ", "") in "".join(pictures["enrol_failed"]["texts"]).replace(" ", "")
    reached = "".join(pictures["enrol_done"]["texts"])
    assert "入网完成" in reached
    assert "连接测试通过：已用本机证书连接" in reached
    assert "连接测试未通过" in "".join(pictures["enrol_done_unreached"]["texts"])
    assert "连接测试" not in "".join(
        text for text in pictures["enrol_done_elsewhere"]["texts"] if text != "测试连接"
    )
    for name in ("enrol_failed_longest", "enrol_done_longest"):
        assert sum(map(len, pictures[name]["texts"])) > 250, name


# ---------------------------------------------------------------- with a real desk


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def office(keys, tmp_path):
    with opened(keys, tmp_path) as office:
        yield office


@pytest.fixture
def cable(tmp_path):
    cable = Cable(tmp_path)
    yield cable
    cable.close()


@contextmanager
def program(*command, home):
    """Run a program of ours; it is killed at the end if it did not end by itself."""
    running = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(home),
    )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGKILL)
        running.communicate()


def live(tmp_path, cable, how):
    return program(PROGRAM, "live", 1024, 600, tmp_path, cable.kiosk, how, home=tmp_path)


def seen(running):
    """Wait for the end; return the pictures, and the last word."""
    out, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors[-3000:]
    assert "Traceback" not in errors
    facts = [json.loads(line) for line in out.splitlines()]
    return facts[:-1], facts[-1]


def test_the_window_shows_the_desks_number_and_ends_by_itself(office, cable, tmp_path):
    """Each picture is drawn by the window's own thread, and of the last one nothing is left."""
    with live(tmp_path, cable, "once") as running:
        office.desk(cable.desk, wait_ms=20_000).run()
        pictures, last = seen(running)
    assert last["enrolled"]
    assert all(fact["on_main"] for fact in pictures)
    assert not any(fact["spilt"] or fact["crossed"] for fact in pictures)
    (number,) = office.asked
    shown = [fact["name"] for fact in pictures if f"{number[:3]} {number[3:]}" in fact["texts"]]
    assert shown == ["comparing"]
    words = "".join(pictures[-1]["texts"])
    assert "入网完成" in words
    assert "连接不上 127.0.0.1:1" in words
    assert identity.enrolled(tmp_path / "state") is not None


def test_a_denied_number_is_told_on_the_window(office, cable, tmp_path):
    """`enrol --screen` ends; what `run` shows takes the next desk."""
    with live(tmp_path, cable, "again") as running:
        with pytest.raises(EnrolmentFailed):
            office.desk(cable.desk, confirm=lambda _: False, wait_ms=20_000).run()
        office.desk(cable.desk, wait_ms=20_000).run()
        pictures, last = seen(running)
    assert last["enrolled"]
    names = [fact["name"] for fact in pictures]
    assert names.count("failed") == 1
    failed = "".join(pictures[names.index("failed")]["texts"])
    assert "两边显示的数字不一致" in failed
    assert names.count("comparing") == 2


def held(state):
    """Whether a kiosk runs on this state directory."""
    with (state / "lock").open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def settings(tmp_path, port):
    file = tmp_path / "kiosk.toml"
    file.write_text(
        'hall = "hall-1"\ndevice = "kiosk-01"\nstate = "state"\n'
        f'[hub]\ntls = true\n[enrolment]\nport = "{port}"\n[screen]\nfullscreen = false\n',
        encoding="utf-8",
    )
    return file


def test_run_enrols_first_and_then_starts_itself_anew(office, cable, tmp_path):
    """The same process, by the same command, is a kiosk afterwards."""
    state = tmp_path / "state"
    command = ("-m", "device", "run", "--headless", "--config", settings(tmp_path, cable.kiosk))
    with program(*command, home=tmp_path) as running:
        office.desk(cable.desk, wait_ms=30_000).run()
        assert not (state / "outbox.db").exists()
        wait_for(lambda: (state / "outbox.db").exists() or running.poll() is not None, 40)
        assert running.poll() is None
        assert held(state)
        arguments = Path(f"/proc/{running.pid}/cmdline").read_bytes().split(b"\0")[1:-1]
        assert arguments == [os.fsencode(str(each)) for each in command]
        running.terminate()
        _, errors = running.communicate(timeout=20)
    assert "identity=missing" in errors
    assert "Traceback" not in errors


def test_two_programs_do_not_wait_on_one_state(cable, tmp_path):
    """The second is told that the first runs."""
    file = settings(tmp_path, cable.kiosk)
    command = ("-m", "device", "run", "--headless", "--config", file)
    (tmp_path / "state").mkdir()
    with program(*command, home=tmp_path):
        wait_for(lambda: held(tmp_path / "state"))
        with program(*command, home=tmp_path) as second:
            _, errors = second.communicate(timeout=30)
            assert second.returncode == 1
            assert "另一个评价器程序正在使用" in errors


def test_enrol_on_the_screen_says_the_same_to_who_started_it(office, cable, tmp_path):
    """The service's log tells how it went, and the program's end whether."""
    command = ("-m", "device", "enrol", "--screen", "--headless", "--port", cable.kiosk)
    file = settings(tmp_path, cable.kiosk)
    with program(*command, "--config", file, home=tmp_path) as running:
        with pytest.raises(EnrolmentFailed):
            office.desk(cable.desk, confirm=lambda _: False, wait_ms=30_000).run()
        wait_for(lambda: running.poll() is not None, 40)
        out, errors = running.communicate()
        assert (running.returncode, out) == (1, "")
        assert "入网没有完成：两边显示的数字不一致" in errors
