"""Rulings on their way to the city: after the rating, in its dialect, and never undone by us."""

from contextlib import closing

import msgspec
import pytest
from ruled_world import ENDPOINT, forward, of_rating, paths, rate, rule, write
from upstream_cities import NAMES, StandIn
from upstream_world import City, Hub, a_case, now

from hub.store import backlog, cases, deliveries
from hub.store.answers import UNSURE
from hub.upstream import quirks
from hub.upstream.contents import ERASED, NO_RULINGS
from hub.upstream.hints import mend

NEVER = (('ruling = "again"', 'ruling = "none"'),)


@pytest.fixture
def hub(tmp_path):
    with closing(Hub(tmp_path)) as hub:
        yield hub


def delivered(hub):
    rows = hub.reader.execute("SELECT body FROM ledger WHERE kind = 'delivered'").fetchall()
    return [(said["kind"], said["of"]) for said in (msgspec.json.decode(row[0]) for row in rows)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("changes", [(), ENDPOINT])
def test_the_city_is_told_in_its_dialect_after_the_rating(name, changes, hub, tmp_path):
    """The same rating, now not valid: level and reasons as they were pressed, EffectivEvalua 0."""
    with closing(StandIn(name, rulings="endpoint" if changes else "again")) as city:
        hub.case()
        rated = rate(hub, level=1, reasons=("108",))
        position = rule(hub, rated)
        assert forward(hub, city, tmp_path, *changes) == ["accepted"] * 3
        assert paths(city) == ["/service", "/evaluate", "/ruling" if changes else "/evaluate"]
        assert of_rating(city) == ("1", "0", "2")
        (record,) = [each for each in city.register.records if "satisfaction" in each]
        assert (record["evalDetail"], record["assessNumber"]) == ("108", "1")
    assert hub.row("SL0001", "ruling") == ("accepted", "", 0)
    assert delivered(hub)[2] == ("ruling", position)


def test_a_ruling_on_a_rating_that_the_city_has_goes_at_once(hub, tmp_path):
    """As it is most often: days later."""
    with closing(StandIn("envelope")) as city:
        hub.case()
        rated = rate(hub)
        forward(hub, city, tmp_path)
        rule(hub, rated)
        assert forward(hub, city, tmp_path) == ["accepted"]
        assert of_rating(city)[1] == "0"


def test_a_city_that_says_it_has_the_rating_leaves_a_doubt(hub, tmp_path):
    """It may have kept the valid one: told, with what to do."""
    with closing(StandIn("form", rulings="never")) as city:
        hub.case()
        rule(hub, rate(hub))
        assert forward(hub, city, tmp_path) == ["accepted", "accepted", "exists"]
        assert of_rating(city)[1] == "1"
    assert hub.row("SL0001", "ruling") == ("accepted", UNSURE, 0)
    (doubt,) = backlog.causes(hub.reader)
    assert (doubt.state, doubt.number) == ("accepted", 1)
    assert "ruling" in mend(UNSURE)


def test_a_lost_answer_is_asked_for_again(hub, tmp_path):
    """The city has it either way."""
    with closing(StandIn("flat")) as city:
        hub.case()
        rated = rate(hub)
        forward(hub, city, tmp_path)
        city.lose_next = 1
        rule(hub, rated)
        assert forward(hub, city, tmp_path)[-1] in ("accepted", "exists")
        assert of_rating(city)[1] == "0"


def test_a_city_that_takes_no_rulings_is_not_told_and_we_say_so(hub, tmp_path):
    """Listed in the status command, with what to do; a rating sent once more is as it was."""
    with closing(StandIn("plain")) as city:
        hub.case()
        rule(hub, rate(hub))
        assert forward(hub, city, tmp_path, *NEVER) == ["accepted", "accepted", "left"]
        assert of_rating(city)[1] == "1"
        again(hub)
        assert forward(hub, city, tmp_path, *NEVER) == ["exists", "exists", "left"]
    assert hub.row("SL0001", "ruling") == ("accepted", NO_RULINGS, 0)
    assert "ruling" in mend(NO_RULINGS)


def again(hub):
    hub.writer.call(
        lambda db: backlog.ask_again(db, backlog.of_day(db, now() - 60_000, now() + 1), now())
    )


@pytest.mark.parametrize("changes", [(), ENDPOINT])
def test_a_day_that_is_sent_once_more_does_not_make_the_rating_valid_again(changes, hub, tmp_path):
    """Even by a city that takes whatever comes last for what holds."""
    with closing(StandIn("token", rulings="endpoint" if changes else "again")) as city:
        hub.case()
        rated = rate(hub)
        forward(hub, city, tmp_path, *changes)
        rule(hub, rated)
        forward(hub, city, tmp_path, *changes)
        again(hub)
        forward(hub, city, tmp_path, *changes)
        assert of_rating(city)[1] == "0"
        assert len(paths(city)) == 6
    sent = hub.reader.execute("SELECT sent FROM exchanges WHERE purpose = 'rating'").fetchall()
    assert [msgspec.json.decode(row[0])["EffectivEvalua"] for row in sent] == ["1", "0"]


def test_a_backfill_of_the_rating_s_day_takes_the_ruling_along(hub):
    """Whenever that was made."""
    hub.case()
    rated = rate(hub)
    hub.writer.call(
        lambda db: db.conn.execute("UPDATE deliveries SET queued_at = 1000 WHERE kind <> 'x'")
    )
    rule(hub, rated)
    kinds = dict(hub.reader.execute("SELECT id, kind FROM deliveries").fetchall())
    ids = backlog.of_day(hub.reader, 0, 2000)
    assert [kinds[each] for each in ids] == ["service", "rating", "ruling"]


def test_of_a_rating_that_was_set_aside_there_is_nothing_to_tell(hub, tmp_path):
    """And when it is mended after all it goes as what it is by then: not valid."""
    with closing(StandIn("plain")) as city:
        hub.case(task_handle_item="X" * 33)
        rule(hub, rate(hub))
        forward(hub, city, tmp_path)
        assert city.register.records == []

        def mended(db):
            at = now()
            cases.put(db, hub.vault, a_case(), at)
            deliveries.again(db, "SL0001", 1, at)

        hub.writer.call(mended)
        forward(hub, city, tmp_path)
        assert of_rating(city)[1] == "0"


def test_a_bad_rating_without_words_that_was_ruled_on_is_never_sent(hub, tmp_path):
    """It was set aside for want of a reason; the ruling is done with, nothing waits."""
    with closing(StandIn("plain")) as city:
        hub.case()
        rule(hub, rate(hub, level=1))
        assert forward(hub, city, tmp_path) == ["accepted", "set_aside", "left"]
        assert paths(city) == ["/service"]
    assert hub.row("SL0001", "ruling") == ("accepted", "", 0)


@pytest.mark.parametrize("changes", [(), ENDPOINT])
@pytest.mark.parametrize("first", ["addition", "ruling"])
def test_later_words_on_a_rating_that_is_not_adopted_do_not_count_either(
    changes, first, hub, tmp_path
):
    """They say the level again (assessNumber 2): whichever the city had before."""
    with closing(StandIn("flat", rulings="endpoint" if changes else "again")) as city:
        hub.case()
        rated = rate(hub, level=1, reasons=("108",))
        for what in (write, rule) if first == "addition" else (rule, write):
            what(hub, rated)
            forward(hub, city, tmp_path, *changes)
        ratings = [each for each in city.register.records if "satisfaction" in each]
    assert {each["assessNumber"]: each["EffectivEvalua"] for each in ratings} == {
        "1": "0",
        "2": "0",
    }
    assert len(ratings) == 2


def test_later_words_that_a_city_keeps_as_valid_leave_a_doubt(hub, tmp_path):
    """It answers that it has them."""
    with closing(StandIn("flat", rulings="never")) as city:
        hub.case()
        rated = rate(hub)
        write(hub, rated)
        forward(hub, city, tmp_path)
        assert hub.row("SL0001", "addition")[1] == ""
        rule(hub, rated)
        assert forward(hub, city, tmp_path) == ["exists", "exists"]
    assert hub.row("SL0001", "addition") == ("accepted", UNSURE, 0)


def test_a_ruling_after_the_citizen_was_erased_is_left(hub, tmp_path):
    """The record would need the citizen's name; the status command says why."""
    with closing(StandIn("plain")) as city:
        hub.case()
        rated = rate(hub)
        forward(hub, city, tmp_path)
        hub.writer.call(
            lambda db: db.conn.execute(
                "UPDATE citizens SET applicant_name = zeroblob(length(applicant_name))"
            )
        )
        rule(hub, rated)
        assert forward(hub, city, tmp_path) == ["left"]
    assert hub.row("SL0001", "ruling")[:2] == ("accepted", ERASED)


def test_the_stand_in_city_of_the_demo_takes_a_ruling_once(hub, tmp_path):
    """As one more line, and killed at any moment it still knows."""
    with closing(City(tmp_path / "city.jsonl")) as city:
        hub.case()
        rated = rate(hub)
        hub.forward_until(city.url, hub.nothing_waits)
        rule(hub, rated)
        assert hub.forward_until(city.url, hub.nothing_waits) == ["accepted"]
        records = city.records()
        assert [each.get("EffectivEvalua") for each in records] == [None, "1", "0"]
        city.kill()
        city.start()
        assert city.post("/evaluate", records[2])[1]["code"] == "exists"
        assert city.post("/evaluate", records[1])[1]["code"] == "exists"
        assert len(city.records()) == 3


def test_our_account_of_what_the_city_has_knows_the_ruling(hub, tmp_path):
    """For the comparison with the city's list; the ruling itself is no record of its own."""
    with closing(StandIn("plain")) as city:
        hub.case()
        rated = rate(hub)
        hub.case("SL0002")
        rate(hub, serial="SL0002")
        forward(hub, city, tmp_path)
        rule(hub, rated)
        forward(hub, city, tmp_path)
    held = {(each.serial, each.kind): each.ruled for each in backlog.held(hub.reader, 0, 1 << 60)}
    assert held["SL0001", "rating"]
    assert not held["SL0002", "rating"]
    assert not held["SL0001", "service"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[fields]", '[fields]\nomit = { rating = ["EffectivEvalua"] }', "EffectivEvalua"),
        ("[fields]", '[fields]\ncodes = { EffectivEvalua = { "1" = "Y" } }', "不同的值"),
        (
            "[fields]",
            '[fields]\ncodes = { EffectivEvalua = { "1" = "Y", "0" = "Y" } }',
            "不同的值",
        ),
        ('ruling = "again"', 'ruling = "endpoint"', "addresses.ruling"),
    ],
)
def test_a_quirks_file_by_which_a_ruling_would_say_nothing_is_refused(old, new, says, tmp_path):
    """Told before anything is sent."""
    path = tmp_path / "flat.toml"
    path.write_text(quirks.pattern("flat").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(quirks.QuirksError, match=says):
        quirks.load("flat", path)
