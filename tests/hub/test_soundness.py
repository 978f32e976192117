"""A hub's file that was cut off or spoiled is refused at the start, or found at night."""

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from brokers import eventually
from click.testing import CliRunner
from world_hall import an_invitation

from hub.__main__ import main
from hub.config import HubConfig
from hub.rules.days import CHINA_MS, DAY_MS
from hub.soundness import HOUR_MS, Soundness
from hub.state import opened
from hub.store import invitations, ledger, soundness
from hub.store.database import connect, migrate
from hub.store.soundness import Spoiled

CONFIG = HubConfig(hall="demo", hall_name="示例大厅", state="state")
ENTRIES = 400
MIDNIGHT = 20_000 * DAY_MS - CHINA_MS
"""Of some day in China, in ms since 1970."""


def fill(path, entries=ENTRIES):
    with closing(connect(path)) as db:
        migrate(db)
        with db.atomic():
            for number in range(entries):
                invitations.issue(db, "k1", an_invitation(f"SL{number:04}"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a hub that was stopped."""
    folder = tmp_path_factory.mktemp("whole")
    with opened(CONFIG, folder):
        pass
    fill(folder / "state" / "hub.db")
    return folder


@pytest.fixture
def base(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "hub")
    (tmp_path / "hub" / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8"
    )
    return tmp_path / "hub"


@pytest.fixture
def path(base):
    return base / "state" / "hub.db"


@pytest.fixture
def killed(path):
    """The file of a hub that was killed: what it committed last is in the log alone."""
    with closing(connect(path)) as reader:
        reader.execute("SELECT 1 FROM sqlite_master").fetchall()  # has it open: nothing is merged
        fill(path, 30)
        shutil.copytree(path.parent, path.parent.with_name("killed"))
    shutil.rmtree(path.parent)
    path.parent.with_name("killed").rename(path.parent)
    (path.parent / "hub.db-shm").unlink()  # of a system that went down there is none
    return path


def pictures(path):
    """Return all that the files hold."""
    found = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    return {name: data for name, data in found.items() if data and "shm" not in name}


def refused(base):
    with (
        pytest.raises(Spoiled, match="pingyi-hub restore 从备份恢复") as error,
        opened(CONFIG, base),
    ):
        pass
    return str(error.value)


def size_of(base):
    with opened(CONFIG, base) as state:
        assert state.whole
        return ledger.size(state.db)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9])
def test_a_file_that_was_cut_off_is_refused_and_left_as_it_is(base, path, share):
    """The last thousandth is enough, which is less than a page: SQLite itself sees nothing."""
    os.truncate(path, path.stat().st_size - max(1, int(path.stat().st_size * share)))
    before = pictures(path)
    assert "数据文件" in refused(base)
    assert pictures(path) == before


def test_a_part_of_a_page_that_is_gone_is_found_without_reading_the_file(path):
    soundness.glance(path)
    os.truncate(path, path.stat().st_size - 10)
    with pytest.raises(Spoiled, match="不完整：应有"):
        soundness.glance(path)


def test_a_file_that_grows_meanwhile_is_not_taken_for_cut_off(path):
    """Pages are in the log first; when the log is emptied they are in the file."""
    stop, problems = threading.Event(), []

    def write():
        with closing(connect(path)) as db:
            for number in itertools.count():
                if stop.is_set():
                    return
                with db.atomic():
                    invitations.issue(db, "k1", an_invitation(f"SLg{number}"))
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            soundness.glance(path)
    except Spoiled as error:
        problems.append(error)
    finally:
        stop.set()
        writer.join()
    assert problems == []


@pytest.mark.parametrize("where", ["header", "middle", "all"])
def test_a_spoiled_file_is_refused(base, path, where):
    data = bytearray(path.read_bytes())
    part = {
        "header": slice(0, 16),
        "middle": slice(len(data) // 8, len(data) * 7 // 8),
        "all": slice(0, len(data)),
    }[where]
    data[part] = os.urandom(len(data[part]))
    path.write_bytes(data)
    before = pictures(path)
    refused(base)
    assert pictures(path) == before


def test_what_a_killed_hub_left_is_taken_up(base, killed):
    assert size_of(base) == ENTRIES + 30


@pytest.mark.parametrize("harm", ["noise", "noughts", "one byte", "another's"])
def test_a_log_that_is_no_log_is_refused(base, killed, harm):
    """SQLite would take it for empty, and what was committed last would be gone unsaid."""
    log = killed.with_name("hub.db-wal")
    data = bytearray(log.read_bytes())
    if harm == "noise":
        data[:] = os.urandom(len(data))
    elif harm == "noughts":
        data[:] = bytes(len(data))
    elif harm == "one byte":
        data[9] ^= 1
    else:
        data = (base / "hub.toml").read_bytes() * 9
    log.write_bytes(data)
    before = pictures(killed)
    assert "hub.db-wal：日志文件已损坏" in refused(base)
    for command in ("audit", "status", "verify"):
        said = CliRunner().invoke(main, [command, "--config", str(base / "hub.toml")])
        assert said.exit_code == 1
        assert "日志文件已损坏" in said.output
    assert pictures(killed) == before


def test_the_log_of_another_hub_is_not_merged(base, killed, tmp_path):
    """Whole in itself, its pages fit nothing here: that is seen before they are written."""
    other = tmp_path / "other.db"
    fill(other, 2000)
    with closing(connect(other)) as reader:
        reader.execute("SELECT 1 FROM sqlite_master").fetchall()
        fill(other, 30)
        shutil.copyfile(tmp_path / "other.db-wal", killed.with_name("hub.db-wal"))
    before = pictures(killed)
    refused(base)
    assert pictures(killed) == before


def test_an_index_that_is_garbage_does_no_harm(base, killed):
    """The shared-memory file holds nothing of its own."""
    killed.with_name("hub.db-shm").write_bytes(os.urandom(32768))
    assert size_of(base) == ENTRIES + 30


@pytest.mark.parametrize("length", [0, 7, 32])
def test_a_log_that_was_never_begun_is_nothing(base, path, length):
    """What a power cut leaves of the very first write."""
    path.with_name("hub.db-wal").write_bytes(os.urandom(length))
    assert size_of(base) == ENTRIES


def test_the_process_says_it_in_words(base, path):
    os.truncate(path, path.stat().st_size // 2)
    done = subprocess.run(
        [sys.executable, "-m", "hub", "serve", "--config", str(base / "hub.toml")],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "请不要删除任何文件" in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- large files, and at night


@pytest.fixture
def large(path):
    with closing(connect(path)) as db, db.atomic():
        db.execute("CREATE TABLE ballast (content BLOB)")
        for _ in range(4):
            db.execute("INSERT INTO ballast VALUES (zeroblob(50000000))")
    return path


def test_a_look_that_takes_too_long_is_given_up(large):
    """A start does not wait for a large file: what is not seen then is seen beside the work."""
    assert soundness.check(large, within_s=60)
    assert not soundness.check(large, within_s=0.001)
    os.truncate(large, large.stat().st_size - 100_000)
    with pytest.raises(Spoiled):  # without reading what is left
        soundness.check(large, within_s=0.001)


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def test_it_is_looked_each_night_while_the_hub_writes(path):
    clock = Clock(MIDNIGHT - HOUR_MS)
    job = Soundness(path, whole=True, now=clock)
    looked = []
    with closing(connect(path)) as db:
        for hour in range(50):
            clock.now = MIDNIGHT + hour * HOUR_MS + 1
            with db.atomic():
                invitations.issue(db, "k1", an_invitation(f"SLn{hour}"))
            if job.look():
                looked.append(hour)
                clock.now += 60_000
                assert not job.look()
    assert looked == [2, 26]
    assert job.alarm is None


def test_what_a_start_had_no_time_for_is_looked_at_at_once(path):
    job = Soundness(path, whole=False, now=Clock(MIDNIGHT + 10 * HOUR_MS))
    assert job.look()
    assert not job.look()


def test_a_file_that_spoils_in_use_is_an_alarm_until_it_is_mended(path):
    clock = Clock(MIDNIGHT + 2 * HOUR_MS)
    job = Soundness(path, whole=False, now=clock)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2] + os.urandom(len(good) - len(good) // 2))
    job.look()
    assert "数据文件已损坏" in job.alarm
    path.write_bytes(good)
    clock.now += DAY_MS
    job.look()
    assert job.alarm is None


def test_a_hub_that_ends_does_not_wait_for_a_look(large):
    """It is given up, and the process may end."""

    async def run():
        job = Soundness(large, whole=False, now=Clock(MIDNIGHT))
        task = asyncio.create_task(job.run())
        await asyncio.to_thread(eventually, looking, "the look")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(eventually, lambda: not looking(), "the end of the look")

    asyncio.run(run())


def looking():
    return any(thread.name == "soundness" for thread in threading.enumerate())
