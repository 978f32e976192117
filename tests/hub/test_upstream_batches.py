"""Several records in one request: as quick as the city allows, and each with its own answer."""

import asyncio
import logging
from collections import Counter
from contextlib import closing

import pytest
from upstream_cities import StandIn, http, quirks_file, raw_city
from upstream_lists import MISFIT, envelopes, fill, lengths, said, whole
from upstream_world import Hub, a_case, a_rating, an_invitation, until

from hub.rules.records import rating_record, service_record
from hub.store.deliveries import Delivery
from hub.upstream.batches import Batches
from hub.upstream.dialects import Accepted, Unavailable
from hub.upstream.quirks import LISTS, QuirksError, load


@pytest.fixture
def hub(tmp_path):
    with closing(Hub(tmp_path)) as hub:
        yield hub


@pytest.fixture
def city():
    with closing(StandIn("envelope", seal="none")) as city:
        yield city


def a_delivery(number, **change):
    fields = {
        "id": number,
        "serial": f"SL{number}",
        "service_number": 1,
        "kind": "service",
        "position": None,
        "attempts": 0,
        "service_state": "waiting",
    }
    return Delivery(**(fields | change))


def test_a_list_holds_records_of_one_kind_in_the_order_in_which_they_are_due():
    """Up to the length, as many lists as there is room for; the rest comes later."""
    due = [a_delivery(n, kind="rating" if n % 3 == 0 else "service") for n in range(9)]
    made = Batches(4).gather(due, 3)
    assert [[each.id for each in batch] for batch in made] == [[0, 3, 6], [1, 2, 4, 5], [7, 8]]
    assert [[each.id for each in batch] for batch in Batches(4).gather(due, 1)] == [[0, 3, 6]]
    assert lengths(Batches(1).gather(due, 5)) == [1] * 5


@pytest.mark.parametrize(
    "change",
    [
        {"attempts": 1},
        {"task": "again"},
        {"task": "check"},
        {"kind": "ruling"},
        {"kind": "addition"},
    ],
)
def test_what_the_city_may_have_or_could_not_answer_goes_alone(change):
    """One that fails each request never takes others along twice."""
    due = [a_delivery(1), a_delivery(2, **change), a_delivery(3, **change), a_delivery(4)]
    made = Batches(9).gather(due, 9)
    assert [[each.id for each in batch] for batch in made] == [[1, 4], [2], [3]]


def test_a_list_is_taken_apart_by_halves_until_each_goes_alone():
    """And then whole lists are made again."""
    batches, due = Batches(5), [a_delivery(n) for n in range(5)]
    for wanted in ([5], [3, 2], [2, 1, 1, 1], [1] * 5):
        made = batches.gather(due, 9)
        assert lengths(made) == wanted
        for each in made:
            batches.apart(each)
    for each in due:
        batches.settled(each)
    assert lengths(batches.gather(due, 9)) == [5]


@pytest.mark.parametrize("name", ["plain", "flat", "form", "envelope", "token", "hub"])
def test_only_a_format_with_a_list_takes_more_than_one(name, tmp_path):
    """One is always allowed; more is refused with the way out, as is a number beyond reason."""
    for number in (1, 2, 0, 101):
        text = quirks_file(name, ("additions = true\n", f"additions = true\nbatch = {number}\n"))
        (tmp_path / "q.toml").write_text(text.replace("\nbatch = 1\n\n", "\n\n"), encoding="utf-8")
        if number == 1 or (number == 2 and name in LISTS):
            assert load(name, tmp_path / "q.toml").batch == number
            continue
        with pytest.raises(QuirksError) as caught:
            load(name, tmp_path / "q.toml")
        assert "q.toml：batch：" in str(caught.value)
        if number == 2:
            assert "没有列表：请删去这一项，或写成 1" in str(caught.value)


@pytest.mark.parametrize("seal", ["none", "records", "params"])
def test_a_city_reads_every_record_of_a_list_as_it_was_meant(seal, tmp_path):
    """Opened and believed by an independent implementation, however far it is sealed."""
    services = [service_record(a_case(f"SL{n}")) for n in range(3)]
    ratings = [
        rating_record(a_case(f"SL{n}"), an_invitation(f"SL{n}"), a_rating(level=n + 3), 1)
        for n in range(3)
    ]

    async def story(city):
        dialect = envelopes(city.url, tmp_path, 3, seal=seal)
        try:
            return [
                await dialect.send("service", *services),
                await dialect.send("rating", *ratings),
            ]
        finally:
            await dialect.close()

    with closing(StandIn("envelope", seal=seal)) as city:
        assert asyncio.run(story(city)) == [Accepted(), Accepted()]
    assert city.register.records == services + ratings
    assert lengths(city.lists) == [3, 3]


def test_cases_arrive_in_lists_each_once_and_in_their_order(hub, city, tmp_path):
    """No list has two records of a case, nor two kinds; the ledger names each for itself."""
    serials = fill(hub, 40)
    for serial in serials[:5]:
        hub.case(serial, 2)
        hub.rate(serial, 2)
    hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 20))
    assert len(city.kept()) == len(set(city.kept())) == 90
    for serial in serials:
        mine = [key[1:] for key in city.kept() if key[0] == serial]
        wanted = [("1", "service"), ("1", "rating"), ("2", "service"), ("2", "rating")]
        assert mine == wanted[: len(mine)]
    assert len(city.lists) <= 12
    assert max(lengths(city.lists)) == 20
    for each in city.lists:
        assert len({key[0] for key in each}) == len(each)
        assert len({len(key) for key in each}) == 1
    assert {each["answer"] for each in said(hub)} == {"accepted"}
    assert len(said(hub)) == 90


def test_what_is_due_goes_at_once_and_waits_for_no_list(hub, city, tmp_path):
    """One record leaves alone though the list would hold a hundred."""
    took = []

    async def story():
        forwarder = hub.forwarder("", dialect=envelopes(city.url, tmp_path, 100))
        forwarder.start()
        try:
            for n in range(3):
                began = asyncio.get_running_loop().time()
                await asyncio.get_running_loop().run_in_executor(None, hub.case, f"SL{n}")
                forwarder.poke()
                await until(lambda n=n: len(city.kept()) > n)
                took.append(asyncio.get_running_loop().time() - began)
        finally:
            await forwarder.stop()

    asyncio.run(story())
    assert lengths(city.lists) == [1, 1, 1]
    assert max(took) < 2


@pytest.mark.parametrize("atomic", [True, False])
def test_one_bad_record_is_found_and_its_neighbours_are_taken(hub, tmp_path, atomic):
    """Whether the city refuses the whole list or keeps what is good in it all the same."""
    serials = fill(hub, 16)
    hub.case("BAD", task_handle_item="X" * 33)
    hub.rate("BAD")
    with closing(StandIn("envelope", seal="none", whole=atomic)) as city:
        dialect = envelopes(city.url, tmp_path, 17)
        events = hub.forward_until("", hub.nothing_waits, dialect=dialect)
    assert whole(city, serials)
    assert hub.row("BAD", "service")[:2] == ("set_aside", MISFIT)
    assert hub.row("BAD", "rating")[0] == "set_aside"
    assert hub.counts().set_aside == 2
    assert Counter(events)["set_aside"] == 1
    assert Counter(each["answer"] for each in said(hub))["exists"] == (0 if atomic else 16)
    if atomic:  # by halves: 17, 9, 8, 5, 4, 3, 2, 1, 1 and then the ratings
        assert len(city.lists) < 17


def test_an_answer_lost_after_accepting_is_made_good_record_by_record(hub, city, tmp_path):
    """Nothing counts as accepted without the city's word; each then "exists" for itself."""
    for n in range(10):
        hub.case(f"SL{n:03}")
    city.moods.append("lose")
    dialect = envelopes(city.url, tmp_path, 10)
    events = hub.forward_until("", hub.nothing_waits, dialect=dialect)
    assert events[:10] == ["retry"] * 10
    assert Counter(events) == {"retry": 10, "exists": 10}
    assert lengths(city.lists) == [10] + [1] * 10
    assert len(city.kept()) == len(set(city.kept())) == 10
    assert [each["answer"] for each in said(hub)] == ["exists"] * 10


@pytest.mark.parametrize("mood", ["cut", "html", "html after", "busy"])
def test_an_answer_that_is_none_sets_nothing_aside(hub, city, tmp_path, mood):
    """A list that got no answer goes on record by record."""
    serials = fill(hub, 6)
    city.moods.append(mood)
    events = hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 6))
    assert whole(city, serials)
    assert hub.counts().set_aside == 0
    assert Counter(events)["retry"] == 6
    assert lengths(city.lists)[1:7] == [1] * 6


@pytest.mark.parametrize("atomic", [True, False])
def test_already_exists_for_a_list_is_asked_again_for_each(hub, tmp_path, atomic):
    """Only the record that was there before is noted so; the others are really sent."""
    with closing(StandIn("envelope", seal="none", whole=atomic)) as city:
        assert city.register.take(service_record(a_case("SL003"))) == "ok"
        serials = fill(hub, 8)
        hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 8))
    assert whole(city, serials)
    there = {each["serial"] for each in said(hub) if each["answer"] == "exists"}
    assert there == ({"SL003"} if atomic else {f"SL{n:03}" for n in range(8)})
    assert hub.counts().set_aside == 0


def test_a_city_that_says_exists_of_what_it_has_just_taken_is_believed_singly(hub, city, tmp_path):
    """Its word for the list is not taken for any of them."""
    for n in range(4):
        hub.case(f"SL{n:03}")
    city.moods.append("repeat")
    hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 4))
    assert sorted(lengths(city.lists)) == [1, 1, 1, 1, 2, 2, 4]
    assert [each["answer"] for each in said(hub)] == ["exists"] * 4
    assert len(city.kept()) == 4


def test_a_city_that_takes_shorter_lists_only_refuses_nobody(hub, tmp_path):
    """ "列表过长" is no fault of any record."""
    serials = fill(hub, 30)
    with closing(StandIn("envelope", seal="none", longest=4)) as city:
        hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 30))
    assert whole(city, serials)
    assert hub.counts().set_aside == 0


def test_a_success_with_failures_counted_in_it_is_none(tmp_path):
    """Where the file names the member that counts them: only nought of them is a success."""
    counted = ('code = ["0"] }', 'code = ["0"], "data.failed" = ["0"] }')
    records = [service_record(a_case(f"SL{n}")) for n in range(3)]

    async def story(failed):
        body = b'{"success": "true", "code": "0", "data": {"failed": %d}}' % failed
        async with raw_city(http(200, body)) as (url, _):
            dialect = envelopes(url, tmp_path, 3, counted)
            try:
                return await dialect.send("service", *records)
            finally:
                await dialect.close()

    assert asyncio.run(story(0)) == Accepted()
    assert isinstance(asyncio.run(story(1)), Unavailable)


def test_a_value_without_a_code_stops_only_its_own_record(hub, city, tmp_path):
    """What cannot be written is never sent; its neighbours go."""
    codes = ("[fields]\n", '[fields]\ncodes = { taskType = { "01" = "01" } }\n')
    for n in range(5):
        hub.case(f"SL{n:03}")
    hub.case("ODD", task_type="20")
    dialect = envelopes(city.url, tmp_path, 6, codes)
    hub.forward_until("", hub.nothing_waits, dialect=dialect)
    assert "codes.taskType" in hub.row("ODD", "service")[1]
    assert hub.counts().set_aside == 1
    assert sorted(key[0] for key in city.kept()) == [f"SL{n:03}" for n in range(5)]


def test_an_incomplete_bad_rating_does_not_go_with_the_others(hub, city, tmp_path):
    """It is set aside without a request, in whatever company it would have gone."""
    fill(hub, 3)
    hub.case("SL003")
    hub.rate("SL003", level=1)
    hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 9))
    assert hub.row("SL003", "rating")[0] == "set_aside"
    assert lengths(city.lists) == [4, 3]


def test_a_city_that_is_away_is_probed_with_one_record(hub, city, tmp_path, caplog):
    """Not with a list; and a failed list is one failure, so five are under way at most."""
    caplog.set_level(logging.INFO, "hub.upstream")
    serials = fill(hub, 30)
    city.moods.extend(["html"] * 12)
    hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 5), parallel=3)
    silent = lengths(city.lists)[:12]
    lists = silent.index(1)
    assert 3 <= lists <= 5
    assert silent == [5] * lists + [1] * (12 - lists)
    assert sum("upstream=unavailable" in each.getMessage() for each in caplog.records) == 1
    assert whole(city, serials)
