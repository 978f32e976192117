"""Corrections of cases that the city has, and records that go once more."""

from contextlib import closing

import msgspec
import pytest
from upstream_cities import StandIn, speak
from upstream_world import Hub, a_case, now

from hub.rules.case import Applicant
from hub.store import answers, backlog, cases, citizens, deliveries
from hub.store.answers import UNSURE
from hub.upstream.contents import ERASED, NOT_TOLD

ENDPOINT = (
    ('update = "again"', 'update = "endpoint"'),
    ('# update = "/service/update"', 'update = "/update"'),
)
NEVER = (('update = "again"', 'update = "none"'),)
RENAMED = Applicant(name="示例丁", certificate_number="ID-DING", mobile="13000000000")


@pytest.fixture
def hub(tmp_path):
    with closing(Hub(tmp_path)) as hub:
        yield hub


def register(hub, serial="SL0001", **change):
    """What the desk does when a window system registers a case, again or for the first time."""

    def job(db):
        at = now()
        cases.put(db, hub.vault, a_case(serial, **change), at)
        deliveries.again(db, serial, 1, at)

    hub.writer.call(job)


def forward(hub, city, folder, *changes):
    dialect = speak(city.name, city.url, folder, *changes)
    return hub.forward_until("", hub.nothing_waits, dialect=dialect)


def delivered(hub):
    """The ledger's entries about the city."""
    rows = hub.reader.execute("SELECT body FROM ledger WHERE kind = 'delivered'").fetchall()
    return [msgspec.json.decode(row[0])["kind"] for row in rows]


@pytest.mark.parametrize("name", ["plain", "flat", "form", "envelope", "token"])
def test_a_correction_reaches_a_city_that_takes_it_by_an_endpoint(name, hub, tmp_path):
    """In each dialect: name and status as they are now, once, and before the next rating."""
    with closing(StandIn(name)) as city:
        register(hub)
        assert forward(hub, city, tmp_path, *ENDPOINT) == ["accepted"]
        register(hub, status="3", finished_at="2026-11-20 10:00:00", applicant=RENAMED)
        hub.rate()
        assert forward(hub, city, tmp_path, *ENDPOINT) == ["accepted", "accepted"]
        paths = [path for path, *_ in city.asked if path != "/token"]
        assert paths == ["/service", "/update", "/evaluate"]
        case, rating = city.register.records
    assert (case["userName"], case["proStatus"]) == ("示例丁", "3")
    assert rating["userName"] == "示例丁"
    assert delivered(hub) == ["service", "service", "rating"]


def test_the_same_once_more_is_not_sent(hub, tmp_path):
    """Window systems register a case at every step: only what the city would see counts."""
    with closing(StandIn("plain")) as city:
        register(hub)
        forward(hub, city, tmp_path)
        settled = hub.reader.execute("SELECT settled_at FROM deliveries").fetchall()
        for _ in range(3):
            register(hub)
            assert forward(hub, city, tmp_path) == ["left"]
        assert len(city.asked) == 1
    assert hub.row("SL0001", "service") == ("accepted", "", 0)
    assert hub.reader.execute("SELECT settled_at FROM deliveries").fetchall() == settled
    assert delivered(hub) == ["service"]


def test_the_same_address_serves_a_city_that_overwrites(hub, tmp_path):
    """update = "again", the usual."""
    with closing(StandIn("flat", updates="again")) as city:
        register(hub)
        forward(hub, city, tmp_path)
        register(hub, applicant=RENAMED)
        assert forward(hub, city, tmp_path) == ["accepted"]
        (case,) = city.register.records
    assert case["userName"] == "示例丁"
    assert backlog.causes(hub.reader) == []


def test_already_exists_for_a_correction_is_not_taken_for_success(hub, tmp_path):
    """The city may have kept the old one: it does not go round in circles, but it is told."""
    with closing(StandIn("plain")) as city:
        register(hub)
        forward(hub, city, tmp_path)
        register(hub, applicant=RENAMED)
        assert forward(hub, city, tmp_path) == ["exists"]
        (case,) = city.register.records
        assert case["userName"] == "示例甲"
    (doubt,) = backlog.causes(hub.reader)
    assert (doubt.state, doubt.reason, doubt.number) == ("accepted", UNSURE, 1)
    assert backlog.records(hub.reader, "accepted", 9)[0].serial == "SL0001"


def test_a_city_that_takes_no_corrections_is_not_bothered_and_we_say_so(hub, tmp_path):
    """update = "none": nothing goes out, the status command lists it; the rating still goes."""
    with closing(StandIn("plain")) as city:
        register(hub)
        forward(hub, city, tmp_path, *NEVER)
        register(hub, applicant=RENAMED)
        hub.rate()
        assert forward(hub, city, tmp_path, *NEVER) == ["left", "accepted"]
        assert [path for path, *_ in city.asked] == ["/service", "/evaluate"]
    assert hub.row("SL0001", "service") == ("accepted", NOT_TOLD, 0)


def test_a_correction_that_is_refused_holds_no_rating_back(hub, tmp_path):
    """The city has the case; its words about the correction wait for a person."""
    with closing(StandIn("plain")) as city:
        register(hub)
        forward(hub, city, tmp_path, *ENDPOINT)
        register(hub, task_handle_item="X" * 33)
        hub.rate()
        # Its rating shows the same fault to this city, so mend the case before it is sent.
        dialect = speak("plain", city.url, tmp_path, *ENDPOINT)
        hub.forward_until(
            "", lambda: hub.row("SL0001", "service")[0] == "set_aside", dialect=dialect
        )
        assert hub.row("SL0001", "rating")[1] != "办件服务数据未能上报"
        register(hub, applicant=RENAMED)
        forward(hub, city, tmp_path, *ENDPOINT)
        assert city.register.records[0]["userName"] == "示例丁"
    assert hub.counts().set_aside == 0


def test_a_correction_while_the_old_one_is_under_way_is_not_lost(hub):
    """The city's word was about the older version: it goes again."""
    register(hub)
    (first,) = deliveries.due(hub.reader, now() + 1, 9)
    register(hub, applicant=RENAMED)
    note = {"version": first.version, "digest": b"old" + bytes(13)}
    hub.writer.call(lambda db: answers.accepted(db, first.id, now(), **note))
    (second,) = deliveries.due(hub.reader, now() + 1, 9)
    assert (second.id, second.version, second.task) == (first.id, 2, "check")
    assert second.sent.startswith(b"old")
    register(hub)
    hub.writer.call(lambda db: answers.set_aside(db, first.id, "拒收", now(), version=2))
    assert hub.row("SL0001", "service")[0] == "waiting"
    register(hub)
    hub.writer.call(lambda db: answers.left(db, first.id, 3, "", now()))
    assert hub.row("SL0001", "service")[0] == "waiting"


def test_exists_after_a_lost_answer_does_not_vouch_for_a_newer_version(hub, tmp_path):
    """Sent, answer lost, corrected, sent: "exists" may mean the old one, so an update follows."""
    with closing(StandIn("plain")) as city:
        city.lose_next = 1
        register(hub)
        dialect = speak("plain", city.url, tmp_path, *ENDPOINT)
        hub.forward_until(
            "", lambda: len(city.asked) == 1, dialect=dialect, base_ms=60_000, cap_ms=60_000
        )
        register(hub, applicant=RENAMED)
        hub.writer.call(lambda db: db.execute("UPDATE deliveries SET next_at = 0"))
        assert forward(hub, city, tmp_path, *ENDPOINT) == ["exists", "accepted"]
        (case,) = city.register.records
    assert case["userName"] == "示例丁"


def test_what_the_city_had_goes_again_and_enters_the_ledger_once(hub, tmp_path):
    """A day is pushed again: to a city that has it, and to one that has lost it."""
    with closing(StandIn("plain")) as city:
        for n in range(5):
            register(hub, f"SL{n}")
            hub.rate(f"SL{n}")
        forward(hub, city, tmp_path)
        entries = delivered(hub)
        ids = backlog.of_day(hub.reader, 0, 1 << 60)
        assert hub.writer.call(lambda db: backlog.ask_again(db, ids, now())) == 10
        assert forward(hub, city, tmp_path) == ["exists"] * 10
        assert hub.counts().accepted_ratings == 5
        assert backlog.causes(hub.reader) == []
    with closing(StandIn("plain")) as empty:
        hub.writer.call(lambda db: backlog.ask_again(db, ids, now()))
        assert sorted(forward(hub, empty, tmp_path)) == ["accepted"] * 10
        assert len(empty.kept()) == 10
    assert delivered(hub) == entries


def test_a_day_takes_the_service_records_of_its_ratings_along(hub):
    """Without it a city that lost both would refuse the rating."""
    register(hub, "A")
    register(hub, "B")
    hub.rate("A")
    hub.writer.call(lambda db: db.execute("UPDATE deliveries SET queued_at = 1 WHERE id < 3"))
    ids = backlog.of_day(hub.reader, 2, 1 << 60)
    assert ids == [1, 3]


def test_an_erased_citizen_is_left_with_the_city(hub, tmp_path):
    """Nothing can be sent again, nothing is set aside, and no trace of the content stays."""
    with closing(StandIn("plain")) as city:
        register(hub)
        hub.rate()
        forward(hub, city, tmp_path)
        hub.writer.call(lambda db: citizens.erase(db, "SL0001", 1))
        assert hub.reader.execute("SELECT digest FROM sent").fetchall() == [(bytes(16),)]
        ids = backlog.of_day(hub.reader, 0, 1 << 60)
        hub.writer.call(lambda db: backlog.ask_again(db, ids, now()))
        assert forward(hub, city, tmp_path) == ["left", "left"]
    assert hub.row("SL0001", "rating") == ("accepted", ERASED, 0)
