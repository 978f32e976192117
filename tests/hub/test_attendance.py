"""Since when kiosks are away: known to the pages, to `/readyz`, to commands and the next start."""

import asyncio
from contextlib import closing

import pytest
from click.testing import CliRunner

from hub.__main__ import main
from hub.clock import epoch_ms
from hub.config import HubConfig
from hub.kiosks.attendance import Attendance
from hub.kiosks.presence import HEARD_MS, Presence
from hub.state import opened
from hub.store import attendance, bindings
from hub.store.attendance import HUB, NEVER
from hub.store.database import connect
from hub.store.writer import Stopped, Writer
from protocol.messages import Staff, State

MINUTE = 60_000
STAFF = Staff(name="示例甲", number="0317")


class World:
    """A hub's kiosks, their presence and a clock in hand, over one file."""

    def __init__(self, base, now):
        self.path = base / "state" / "hub.db"
        self.now, self.mono = now, 0
        self.known = ["k1", "k2", "k3"]
        with opened(HubConfig(hall="demo", hall_name="示例大厅", state="state"), base):
            pass
        self.writer = Writer(connect(self.path))
        self.writer.start()
        self.start()

    def start(self):
        """A hub starts: nothing was heard yet."""
        self.mono = 0
        self.presence = Presence(lambda: self.mono)
        self.attendance = Attendance(
            self.path,
            self.writer,
            self.presence,
            known=lambda: self.known,
            now=lambda: self.now,
            monotonic=lambda: self.mono,
        )
        self.look()

    def look(self, *here, gone=(), later=0):
        self.now += later
        self.mono += later
        for device in here:
            self.presence.note(device, State(boot="a" * 32, connection=1, online=True))
        for device in gone:
            self.presence.note(device, State(boot="a" * 32, connection=1, online=False))
        asyncio.run(self.attendance.look())

    def away(self):
        return {device: self.attendance.away_since(device) for device in self.known}

    def sign_on(self, window, device):
        self.writer.call(
            lambda db: (
                bindings.pair(db, window, device, by="console", now=self.now),
                bindings.sign_on(db, window, STAFF, by="console", now=self.now),
            )
        )

    def status(self):
        config = self.path.parent.parent / "hub.toml"
        config.write_text(
            'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8"
        )
        done = CliRunner().invoke(main, ["status", "--config", str(config)])
        assert done.exit_code == 0, done.output
        return done.output

    def close(self):
        self.writer.stop()


@pytest.fixture
def world(tmp_path):
    with closing(World(tmp_path, epoch_ms())) as world:
        yield world


def test_a_kiosk_is_away_since_its_last_word(world):
    """By its will at once, by silence after 45 s: and then since it was heard last."""
    world.look("k1", "k2")
    begun = world.now
    assert world.away() == {"k1": None, "k2": None, "k3": NEVER}
    world.look(gone=["k1"], later=10_000)
    assert world.away() == {"k1": begun + 10_000, "k2": None, "k3": NEVER}
    world.look(later=HEARD_MS)
    assert world.away() == {"k1": begun + 10_000, "k2": begun, "k3": NEVER}
    world.look("k1", later=5_000)
    assert world.away()["k1"] is None


def test_it_outlives_a_start_of_the_hub(world):
    """Who was away is away since then; who answered has 45 s to come back."""
    world.look("k1", "k2")
    world.look(gone=["k1"], later=10_000)
    gone_at = world.now
    world.look("k2", later=40_000)
    world.now += 7_200_000  # the hub was off for two hours
    world.start()
    assert world.away() == {"k1": gone_at, "k2": None, "k3": NEVER}
    last = gone_at
    world.look(later=HEARD_MS)
    away = world.away()
    assert away["k1"] == gone_at
    assert last <= away["k2"] <= gone_at + 40_000  # when a hub last knew it was there
    world.look("k2")
    assert world.away()["k2"] is None


def test_a_kiosk_that_the_hub_no_longer_knows_is_forgotten(world):
    world.look("k1")
    world.known.remove("k3")
    world.look()
    with closing(connect(world.path)) as db:
        assert set(attendance.read(db)) == {HUB, "k1", "k2"}


def test_it_is_written_only_when_somebody_comes_or_goes_and_once_a_minute(world):
    """Hundreds of kiosks that stay cost the disk nothing."""
    written = []
    run = world.writer.run

    async def counted(job):
        written.append(world.now)
        return await run(job)

    world.writer.run = counted
    world.look("k1", later=5_000)
    for _ in range(11):
        world.look("k1", later=5_000)
    assert len(written) == 1
    world.look("k1", later=5_000)
    assert len(written) == 2
    world.look(gone=["k1"], later=5_000)
    assert len(written) == 3


def test_what_the_disk_does_not_take_now_is_kept_later(world):
    run = world.writer.run

    async def refused(_):
        raise Stopped

    world.writer.run = refused
    world.look("k1", later=MINUTE)
    world.writer.run = run
    with closing(connect(world.path)) as db:
        assert not attendance.read(db)["k1"].online
        world.look()
        assert attendance.read(db)["k1"].online


def test_a_clerk_without_a_kiosk_is_an_alarm_and_an_empty_hall_is_none(world):
    """At night all kiosks are off and nobody is signed on."""
    world.look("k1", "k2")
    world.look(gone=["k1", "k2"], later=10 * MINUTE)
    world.look(later=10 * MINUTE)
    assert world.attendance.alarm is None
    world.sign_on("1号窗口", "k1")
    world.look(later=5_000)
    assert world.attendance.alarm.startswith("有人签到的窗口中 1 台评价器离线：k1（1号窗口，")
    world.look("k1")
    assert world.attendance.alarm is None


def test_a_hub_that_has_just_started_raises_no_alarm(world):
    """Its kiosks are on their way."""
    world.sign_on("3号窗口", "k3")
    world.look(later=MINUTE)
    assert world.attendance.alarm is None
    world.look(later=MINUTE)
    assert "k3（3号窗口，还没有连上过）" in world.attendance.alarm


def test_status_lists_who_is_away_those_with_a_clerk_first(world):
    world.look("k1", "k2")
    world.look("k2", gone=["k1"], later=1_000)
    world.sign_on("9号窗口", "k3")
    said = world.status()
    assert "服务器没有运行" not in said
    lines = said.split("评价器 3 台：在线 1，离线 2\n")[1].splitlines()
    assert lines[0] == "  离线 k3（9号窗口，示例甲正在签到）：还没有连上过"
    assert lines[1].startswith("  离线 k1（未配对）：")
    assert lines[1].endswith(" 起")


def test_status_says_where_it_speaks_of_the_past(world):
    world.look("k1")
    world.writer.call(lambda db: attendance.note(db, {}, (), world.now - 10 * MINUTE))
    assert "服务器没有运行：评价器在不在线，以 " in world.status()


def test_of_hundreds_that_are_away_fifty_are_named_and_all_counted(world):
    world.known = [f"kiosk-{number:03}" for number in range(302)]
    world.look("kiosk-007")
    said = world.status()
    assert "评价器 302 台：在线 1，离线 301\n" in said
    assert said.count("  离线 ") == 50
    assert "……另有 251 台" in said
