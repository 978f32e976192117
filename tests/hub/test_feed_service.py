"""Two hubs as they run, a stand-in city above them: what a small hall's citizen says arrives."""

import http.client
import json
import signal
import time
from contextlib import closing, contextmanager

from brokers import LOOPBACK, Mosquitto, eventually
from click.testing import CliRunner
from feed_world import OTHER, SMALL, Story, Wire
from upstream_world import City
from world_hall import rated
from world_service import HubProcess, Kiosk

from hub.__main__ import main
from hub.rules.access import Scope
from hub.store import api_keys, fed
from hub.store.database import connect


class Halls:
    """A small hall under a large one, a wire between them, a city above."""

    def __init__(self, folder, mosquitto):
        for name in ("small", "large", "broker"):
            (folder / name).mkdir()
        self.above = Mosquitto(folder / "broker")
        self.above.start()
        self.city = City(folder / "city.jsonl")
        self.small = HubProcess(folder / "small", embedded=False, broker_port=mosquitto.port)
        self.large = HubProcess(folder / "large", embedded=False, broker_port=self.above.port)
        self.wire = Wire(self.large.port)
        with self.large.config.open("a", encoding="utf-8") as file:
            file.write(f'[upstream]\nurl = "{self.city.url}"\n')
        with self.small.config.open("a", encoding="utf-8") as file:
            file.write(
                f'[upstream]\ndialect = "hub"\nurl = "http://{LOOPBACK}:{self.wire.port}"\n'
                'timeout_s = 3.0\n[upstream.access]\nfeed_key = "feed.key"\n'
            )
        self.give(self.key(Scope.FEED))

    def key(self, scope, label=SMALL):
        with closing(connect(self.large.db)) as db, db.atomic():
            return api_keys.create(db, label, frozenset({scope}), time.time_ns() // 1_000_000)[1]

    def give(self, key):
        path = self.small.folder / "feed.key"
        path.touch(mode=0o600)
        path.write_text(key + "\n", encoding="ascii")

    def fed(self):
        """What the large hall's ledger holds of the small one's records, in order."""
        with closing(connect(self.large.db)) as db:
            rows = db.conn.execute("SELECT body FROM ledger WHERE kind = 'fed' ORDER BY position")
            return [json.loads(body)["kind"] for (body,) in rows]

    def waits(self):
        """Reasons for which the small hall's records wait, and the states that there are."""
        with closing(connect(self.small.db)) as db:
            rows = db.conn.execute("SELECT state, reason FROM deliveries").fetchall()
        return {row[0] for row in rows}, {row[1] for row in rows}

    def all_told(self):
        return self.waits()[0] == {"accepted"}

    def close(self):
        for each in (self.wire, self.small, self.large, self.city):
            each.close()
        self.above.kill()


@contextmanager
def two(folder, mosquitto):
    halls = Halls(folder, mosquitto)
    try:
        yield halls
    finally:
        halls.close()


def says(hub, *command):
    told = CliRunner().invoke(main, [*command, "--config", str(hub.config)])
    assert told.exit_code == 0, told.output
    return told.output


def rate(halls, kiosk, serial="SL0001", **change):
    """Ask and answer at the small hall, in the words that its kiosk was shown."""
    status, invited = halls.small.invite(serial)
    assert status == 201, invited
    eventually(lambda: kiosk.shows() == invited["id"], "the kiosk shows it")
    kiosk.rate(rated(invited["id"], asked=kiosk.slot().invitation, **change))


def test_a_rating_passes_two_halls_once_through_a_kill_between_commit_and_answer(
    tmp_path, mosquitto
):
    """The large hall is killed with the record on disk and the answer lost: at the city once."""
    with two(tmp_path, mosquitto) as halls, Kiosk(mosquitto.port) as kiosk:
        halls.large.start()
        halls.small.start()
        kiosk.beat()
        halls.wire.deaf = True
        rate(halls, kiosk, level=1, reasons=("108",))
        eventually(lambda: halls.fed() == ["service"], "it is on the large hall's disk", 20)
        halls.large.end(signal.SIGKILL)
        halls.wire.deaf = False
        halls.large.start()
        key = ("SL0001", "1")
        whole = [(*key, "service"), (*key, "rating")]
        eventually(lambda: halls.city.kept() == whole, "both are at the city", 40)
        eventually(halls.all_told, "the small hall knows", 20)
        assert halls.fed() == ["service", "rating"]
        # Said again by hand: the large hall has it, and the city hears nothing new.
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
        assert halls.small.end() == 0
        says(halls.small, "upstream", "backfill", "--day", day)
        assert halls.waits()[0] == {"waiting"}
        halls.small.start()
        eventually(halls.all_told, "all is told again", 90)
        assert halls.small.end() == 0
        assert halls.large.end() == 0
        assert halls.city.kept() == whole
        assert halls.fed() == ["service", "rating"]
    line = f"下级大厅“{SMALL}”：收到 2 条，等待 0，已送达 2，搁置 0"
    assert line in says(halls.large, "status")
    assert line in says(halls.large, "upstream", "status")
    assert "邀请 0 = 已评 0 + 过期 0 + 撤回 0 + 进行中 0（账目平）" in says(halls.large, "status")
    assert "没有发现改动" in says(halls.large, "verify")
    assert "没有发现改动" in says(halls.small, "verify")


def change(halls, key):
    """Give the small hall another key, and start it again."""
    assert halls.small.end() == 0
    halls.give(key)
    halls.small.start()


def test_a_large_hall_that_is_away_or_lets_nobody_in_is_waited_for(tmp_path, mosquitto):
    """No hub there, a wrong key, a key without the scope: nothing is set aside, nothing lost."""
    with two(tmp_path, mosquitto) as halls, Kiosk(mosquitto.port) as kiosk:
        halls.give("pingyi_00000000_wrong")
        halls.small.start()
        kiosk.beat()
        rate(halls, kiosk)
        eventually(lambda: any("连接失败" in each for each in halls.waits()[1]), "it is away", 20)
        halls.large.start()
        eventually(lambda: "上级平台返回 HTTP 401" in halls.waits()[1], "a wrong key", 60)
        change(halls, halls.key(Scope.CASES))
        eventually(lambda: "上级平台返回 HTTP 403" in halls.waits()[1], "no such scope", 60)
        assert halls.waits()[0] == {"waiting"}
        change(halls, halls.key(Scope.FEED))
        eventually(halls.all_told, "the right key opens", 60)
        eventually(lambda: len(halls.city.kept()) == 2, "it is at the city", 20)
        said = says(halls.small, "upstream", "journal", "--full")
        assert "HTTP 403" in said
        assert (halls.small.folder / "feed.key").read_text(encoding="ascii").strip() not in said


def test_two_halls_with_one_serial_do_not_mix(tmp_path, mosquitto):
    """The second is refused in plain words and sets the record aside; the first is untouched."""
    with two(tmp_path, mosquitto) as halls, Kiosk(mosquitto.port) as kiosk:
        halls.large.start()
        halls.large.key = halls.key(Scope.FEED, OTHER)
        other = Story()
        assert halls.large.ask("POST", "/api/v1/feed", other.service())[0] == 201
        halls.small.start()
        kiosk.beat()
        rate(halls, kiosk)
        eventually(lambda: "set_aside" in halls.waits()[0], "it is set aside", 20)
        assert any(f"已由“{OTHER}”报送" in each for each in halls.waits()[1])
        rate(halls, kiosk, "SL0002")
        eventually(lambda: ("SL0002", "1", "rating") in halls.city.kept(), "others go on", 20)
        assert ("SL0001", "1", "rating") not in halls.city.kept()


def test_garbage_leaves_no_trace(tmp_path, mosquitto):
    """Whatever is thrown at the door, nothing is entered and the hub goes on."""
    hub = HubProcess(tmp_path, embedded=False, broker_port=mosquitto.port)
    try:
        hub.start()
        garbage = (b"", b"{", b'{"kind":"service"}', b"[" * 30_000, b"\xff" * 99, b"x" * 70_000)
        assert [raw(hub, body) for body in garbage] == [400, 400, 422, 400, 400, 413]
        with closing(connect(hub.db)) as db:
            assert fed.origins(db) == []
        assert hub.ask("POST", "/api/v1/feed", Story().service())[0] == 201
        assert hub.end() == 0
    finally:
        hub.close()


def raw(hub, body):
    """Send bytes as they are; return the status."""
    with closing(http.client.HTTPConnection(LOOPBACK, hub.port, timeout=10)) as connection:
        headers = {"Authorization": f"Bearer {hub.key}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/feed", body, headers)
        return connection.getresponse().status
