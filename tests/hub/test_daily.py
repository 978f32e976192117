"""The account and the newest checkpoint reach somebody else once a day."""

import asyncio
import json
import shutil
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from test_verification import honest  # noqa: F401 - a hall's ledger, with its checkpoints

from hub.notary import load_or_create, origin
from hub.rules.checkpoint import Verifier, opened
from hub.rules.days import DAY_MS
from hub.store import tree
from hub.store.database import connect
from hub.upstream.contents import INCOMPLETE
from hub.upstream.daily import Daily
from hub.upstream.dialects.transport import Transport

MIDNIGHT = 1_790_006_400_000 // DAY_MS * DAY_MS - 8 * 3_600_000
HOUR = 3_600_000


class Office:
    """Who takes the reports; answers with `status`."""

    def __init__(self):
        self.status = 200
        self.came = []
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                office.came.append(json.loads(body))
                self.send_response(office.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/report"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def office():
    office = Office()
    yield office
    office.close()


class Days:
    """A hub's reports under a clock that the test sets; each look is one turn of the loop."""

    def __init__(self, path, url):
        self.now = MIDNIGHT + 9 * HOUR
        self.daily = Daily(path, "demo", url, Transport(timeout_s=2), now=lambda: self.now)

    def look(self, *hours):
        async def story():
            for hour in hours:
                self.now = MIDNIGHT + hour * HOUR
                await self.daily.look()
            await self.daily.close()

        asyncio.run(story())


@pytest.fixture
def days(honest, office):  # noqa: F811
    return Days(honest / "state" / "hub.db", office.url)


def test_whoever_takes_it_can_check_it_without_us(days, office, honest):  # noqa: F811
    days.look(9)
    [report] = office.came
    assert report["invited"] == sum(
        report[name] for name in ("rated", "expired", "withdrawn", "open")
    )
    key = load_or_create(honest / "state" / "ledger.key", needed=True).public_key()
    by = Verifier(origin("demo"), key.public_bytes_raw())
    with closing(connect(honest / "state" / "hub.db")) as db:
        assert opened(report["checkpoint"], by).size == tree.newest(db).size


def test_it_says_how_many_ratings_the_rules_keep_from_the_city(honest, office, tmp_path):  # noqa: F811
    """Who compares it with the city's numbers is not left to wonder."""
    shutil.copytree(honest, tmp_path / "hub")
    file = tmp_path / "hub" / "state" / "hub.db"
    with closing(connect(file)) as db:
        db.execute(
            "INSERT INTO deliveries (serial, service_number, kind, state, next_at, reason,"
            " queued_at, settled_at) VALUES ('SL-bare', 1, 'rating', 'set_aside', 1, ?, 1, 1)",
            (INCOMPLETE,),
        )
        db.conn.commit()
    Days(file, office.url).look(9)
    assert [report["incomplete"] for report in office.came] == [1]


def test_it_goes_once_a_day_after_one_o_clock(days, office):
    days.look(9, 10, 23, 24, 24.9)
    assert len(office.came) == 1
    days.look(25.1, 26, 40)
    assert len(office.came) == 2


def test_who_does_not_take_it_is_asked_again_and_after_two_days_told_of(days, office):
    office.status = 503
    days.look(9, 10, 33)
    assert days.daily.alarm is None
    days.look(60)
    assert "HTTP 503" in days.daily.alarm
    assert "ledger.report_url" in days.daily.alarm
    office.status = 204
    days.look(61)
    assert days.daily.alarm is None


def test_nobody_there_is_no_end_of_the_hub(honest):  # noqa: F811
    days = Days(honest / "state" / "hub.db", "http://127.0.0.1:9/report")
    days.look(9, 60)
    assert "连接失败" in days.daily.alarm
