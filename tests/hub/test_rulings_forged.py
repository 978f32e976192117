"""Rulings and later words that an insider puts into the ledger by INSERT alone: never sent."""

from contextlib import closing

import msgspec
import pytest
from ruled_world import ENDPOINT, forward, of_rating, paths, rate, write
from rulings_world import REASON
from upstream_cities import StandIn
from upstream_world import Hub, now

from hub.store import afterwards, deliveries, rulings
from hub.upstream.contents import ALTERED, NOT_FOUND


@pytest.fixture
def hub(tmp_path):
    with closing(Hub(tmp_path)) as hub:
        yield hub


def insert(hub, rated, kind, body, *, state="waiting"):
    """An insider's entry and its delivery, past everything but the guards."""

    def job(db):
        position = db.conn.execute(
            "INSERT INTO ledger (kind, recorded_at, device, invitation, body)"
            " VALUES (?, ?, '', ?, ?)",
            (kind, now(), rated.invitation, body),
        ).lastrowid
        db.conn.execute(
            "INSERT INTO deliveries"
            " (serial, service_number, kind, position, state, next_at, queued_at)"
            " VALUES (?, 1, ?, ?, ?, ?, ?)",
            (
                rated.asked.serial,
                "addition" if kind == "added" else "ruling",
                position,
                state,
                now(),
                now(),
            ),
        )

    hub.writer.call(job)


def forged_ruling(hub, rated, **more):
    of = rulings.rating(hub.reader, rated.invitation).position
    said = {"of": of, "by": "user:bangong", "reason": REASON, "evidence": ["0" * 64]}
    return msgspec.json.encode(said | more)


def test_a_ruling_that_stands_nowhere_in_the_ledger_is_not_sent(hub, tmp_path):
    """Somebody put it on its way by SQL: set aside, the city hears nothing."""
    with closing(StandIn("plain")) as city:
        hub.case()
        rate(hub)
        hub.writer.call(lambda db: deliveries.queue(db, "ruling", ("SL0001", 1), 1, now()))
        assert forward(hub, city, tmp_path) == ["accepted", "accepted", "set_aside"]
        assert of_rating(city)[1] == "1"
    assert hub.row("SL0001", "ruling")[:2] == ("set_aside", NOT_FOUND)
    assert not afterwards.void(hub.reader, hub.vault, "SL0001", 1, settled=True)


@pytest.mark.parametrize(
    "body", ['{"text":"伪造的追评"}', '{"text":"伪造的追评","mark":"%s"}' % ("0" * 32), "[", "{}"]
)
def test_words_that_this_hub_has_not_entered_never_reach_the_city(body, hub, tmp_path):
    """They are set aside; the rating itself stands with the city as it was signed."""
    with closing(StandIn("flat")) as city:
        hub.case()
        rated = rate(hub, level=1, reasons=("108",))
        forward(hub, city, tmp_path)
        insert(hub, rated, "added", body.encode())
        assert forward(hub, city, tmp_path) == ["set_aside"]
        assert paths(city) == ["/service", "/evaluate"]
        assert "伪造" not in str(city.register.records)
    assert hub.row("SL0001", "addition")[:2] == ("set_aside", ALTERED)


def test_forged_words_are_not_the_reason_of_a_bad_rating(hub, tmp_path):
    """A rating that waits for its citizen's words does not go with somebody else's."""
    with closing(StandIn("flat")) as city:
        hub.case()
        rated = rate(hub, level=1)
        insert(hub, rated, "added", '{"text":"伪造的追评"}'.encode())
        forward(hub, city, tmp_path)
        assert paths(city) == ["/service"]
    assert hub.row("SL0001", "rating")[:2] == ("set_aside", ALTERED)


def test_words_of_one_citizen_do_not_go_as_those_of_another(hub, tmp_path):
    """A mark is for one invitation."""
    with closing(StandIn("flat")) as city:
        hub.case()
        hub.case("SL0002")
        first, second = rate(hub), rate(hub, serial="SL0002")
        write(hub, first)
        forward(hub, city, tmp_path)
        (body,) = hub.reader.execute("SELECT body FROM ledger WHERE kind = 'added'").fetchone()
        insert(hub, second, "added", body)
        assert forward(hub, city, tmp_path) == ["set_aside"]
    assert hub.row("SL0001", "addition")[0] == "accepted"
    assert hub.row("SL0002", "addition")[:2] == ("set_aside", ALTERED)


@pytest.mark.parametrize("changes", [(), ENDPOINT])
@pytest.mark.parametrize("more", [{}, {"mark": "0" * 32}, {"evidence": []}, {"of": "x"}])
def test_a_ruling_that_this_hub_has_not_entered_never_reaches_the_city(
    more, changes, hub, tmp_path
):
    """It is set aside; the rating counts."""
    with closing(StandIn("plain", rulings="endpoint" if changes else "again")) as city:
        hub.case()
        rated = rate(hub, level=1, reasons=("108",))
        insert(hub, rated, "ruled", forged_ruling(hub, rated, **more))
        forward(hub, city, tmp_path, *changes)
        assert of_rating(city) == ("1", "1", "1")
        assert paths(city) == ["/service", "/evaluate"]
    assert hub.row("SL0001", "ruling")[:2] == ("set_aside", ALTERED)


@pytest.mark.parametrize("kind", ["ruled", "fed"])
def test_a_forged_ruling_that_the_city_is_said_to_have_voids_nothing(kind, hub, tmp_path):
    """Put in as accepted, so that the rating behind it, and later words, should go as void.

    Nor does one that another hall is said to have fed: what this hall was given, it rules on.
    """
    with closing(StandIn("flat")) as city:
        hub.case()
        rated = rate(hub, level=1, reasons=("108",))
        insert(hub, rated, kind, forged_ruling(hub, rated), state="accepted")
        write(hub, rated)
        forward(hub, city, tmp_path)
        ratings = [each for each in city.register.records if "satisfaction" in each]
    assert [each["EffectivEvalua"] for each in ratings] == ["1", "1"]
    assert hub.row("SL0001", "addition")[0] == "accepted"
