"""What is kept of each exchange with the city, and for how long."""

import asyncio
import time
from contextlib import closing

import pytest
from upstream_cities import BODY_KEY, WORD, StandIn, http, raw_city, speak
from upstream_world import Hub, now

from hub.store import exchanges
from hub.store.exchanges import AT_ONCE, DAYS, Line


@pytest.fixture
def hub(tmp_path):
    with closing(Hub(tmp_path)) as hub:
        yield hub


def a_line(at, **change):
    fields = {
        "serial": "SL0001",
        "service_number": 1,
        "purpose": "service",
        "address": "http://city/service",
        "sent": {"projectNo": "SL0001"},
        "status": 200,
        "received": "",
        "took_ms": 3,
        "skew_ms": None,
        "verdict": "accepted",
        "reason": "",
    }
    return Line(at=at, **(fields | change))


@pytest.mark.parametrize("name", ["plain", "flat", "form", "envelope", "token"])
def test_every_request_is_kept_with_its_answer_and_without_secrets(name, hub, tmp_path):
    """In order, found by serial and by failure; the file holds neither password nor name."""
    with closing(StandIn(name)) as city:
        city.lose_next = 1
        hub.case("A")
        hub.case("B", task_handle_item="X" * 33)
        hub.rate("A", level=1, reasons=("110",), comment="示例己的话")
        hub.forward_until("", hub.nothing_waits, dialect=speak(name, city.url, tmp_path))
        asked = len(city.asked)
    lines = exchanges.latest(hub.reader, 100)
    assert len(lines) == asked
    failures = exchanges.latest(hub.reader, 100, failed=True)
    assert {(each.status, each.verdict) for each in failures} == {
        (None, "unavailable"),
        (200, "refused"),
    }
    of_a = [each for each in exchanges.latest(hub.reader, 9, serial="A") if each.purpose != "token"]
    assert [(each.purpose, each.verdict) for each in of_a][-1] == ("rating", "accepted")
    (refused,) = exchanges.latest(hub.reader, 9, serial="B", failed=True)[-1:]
    assert refused.verdict == "refused"
    assert refused.sent["taskHandleItem"] == "X" * 33
    everything = repr(lines)
    for never in (WORD, BODY_KEY.hex(), "示例甲", "示例乙", "ID-JIA", "13000000000", "示例己的话"):
        assert never not in everything
        assert never.encode() not in hub.path.with_name("hub.db-wal").read_bytes()


def test_the_answer_and_its_journal_are_one_commit(hub, tmp_path, monkeypatch):
    """Where the journal cannot be written the outcome is not noted either: it is asked again."""
    real, failed = exchanges.note, []

    def note(db, lines):
        if not failed:
            failed.append(1)
            raise OSError("disk full")
        real(db, lines)

    monkeypatch.setattr(exchanges, "note", note)
    with closing(StandIn("plain")) as city:
        hub.case()
        dialect = speak("plain", city.url, tmp_path)
        assert hub.forward_until("", hub.nothing_waits, dialect=dialect) == ["retry", "exists"]
    assert [each.verdict for each in exchanges.latest(hub.reader, 9)] == ["exists"]


@pytest.mark.parametrize("late_s", [0, 90, -3600])
def test_the_city_s_clock_is_measured_by_its_answers(late_s, hub, tmp_path):
    """To the second of its Date header."""
    with closing(StandIn("form", late_s=late_s)) as city:
        for n in range(5):
            hub.case(f"SL{n}")
        hub.forward_until("", hub.nothing_waits, dialect=speak("form", city.url, tmp_path))
    measured = exchanges.skews(hub.reader)
    assert len(measured) == 5
    assert all(abs(skew + late_s * 1000) < 1_600 for skew in measured)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "Date: yesterday\r\n",
        "Date: Mon, 99 Nov 99999999999 99:99:99 GMT\r\n",
        "Date: \xff\xfe\r\n",
    ],
)
def test_a_date_that_is_none_measures_nothing_and_harms_nobody(date, tmp_path):
    """The record is taken all the same."""
    kept = []

    async def story():
        body = b'{"success": true, "code": "ok"}'
        async with raw_city(http(200, body, more=date)) as (url, _):
            dialect = speak("plain", url, tmp_path)
            try:
                return await dialect.send("service", {"areaCode": "120116"}, keep=kept.append)
            finally:
                await dialect.close()

    asyncio.run(story())
    assert kept[0].verdict == "accepted"
    assert kept[0].date is None


def test_the_journal_is_bounded_by_age_and_number(hub, monkeypatch):
    """The oldest go, a few at a time, never those of the last days within the number."""
    day = 86_400_000
    old, new = now() - DAYS * day - 1, now() - DAYS * day + 60_000
    many = [a_line(old)] * (AT_ONCE + 5) + [a_line(new)] * 20
    hub.writer.call(lambda db: exchanges.note(db, many))
    assert hub.writer.call(lambda db: exchanges.trim(db, now())) == AT_ONCE
    assert hub.writer.call(lambda db: exchanges.trim(db, now())) == 5
    assert hub.writer.call(lambda db: exchanges.trim(db, now())) == 0
    assert len(exchanges.latest(hub.reader, 100)) == 20
    monkeypatch.setattr(exchanges, "MOST", 8)
    assert hub.writer.call(lambda db: exchanges.trim(db, now())) == 12


def test_the_forwarder_trims_as_it_goes(hub, tmp_path, monkeypatch):
    """Without a night job, and without waiting for one."""
    monkeypatch.setattr(exchanges, "MOST", 10)
    monkeypatch.setattr("hub.upstream.forwarder.TRIM_EACH", 5)
    with closing(StandIn("plain")) as city:
        for n in range(40):
            hub.case(f"SL{n:02}")
        hub.forward_until("", hub.nothing_waits, dialect=speak("plain", city.url, tmp_path))
    assert 10 <= len(exchanges.latest(hub.reader, 100)) <= 25


def test_looking_at_the_last_ones_uses_an_index(hub):
    """Fifty thousand exchanges cost no more than a few."""
    verdicts = ("accepted", "refused")
    lines = [
        a_line(n, serial=f"SL{n % 9}", skew_ms=n, verdict=verdicts[n % 50 == 0])
        for n in range(50_000)
    ]
    hub.writer.call(lambda db: exchanges.note(db, lines))
    began = time.thread_time()
    for _ in range(10):
        exchanges.latest(hub.reader, 20, failed=True)
        exchanges.latest(hub.reader, 20, serial="SL3")
        exchanges.standing(hub.reader)
        exchanges.skews(hub.reader)
    assert (time.thread_time() - began) / 10 < 0.05
