"""What citizens add (追评) on its way to the city: after its rating, once, or with it."""

import asyncio
import itertools
import random
import time

import pytest
from receipts_world import WORDS, Receiving
from upstream_cities import speak
from upstream_world import City, until
from world_hall import KEYS, VAULT, an_invitation, new_id

from hub.store import answers, deliveries, invitations
from hub.upstream.contents import INCOMPLETE, NO_ADDITIONS, NO_RATING
from hub.upstream.dialects import Plain
from hub.upstream.forwarder import Forwarder
from protocol import signing

SERIAL = "SL00012345"


class Sending(Receiving):
    """A hall, and the way from it to a city; the clock goes on."""

    def __init__(self, folder):
        self._since = time.monotonic()
        super().__init__(folder)
        self.folder = folder

    def clock(self):
        return self.now + int((time.monotonic() - self._since) * 1000)

    def add(self, invitation, text=WORDS):
        return asyncio.run(self.citizens.add(self.token(invitation), text))

    def forward_until(self, condition, city, dialect=None):
        """Run a forwarder until the condition holds; return what it reported, in order."""
        events = []

        async def story():
            forwarder = Forwarder(
                self.path,
                self.writer,
                VAULT,
                dialect or Plain(city.url, timeout_s=5),
                verify=lambda device, jws: signing.verify(jws, device, KEYS[device].public_key()),
                now=self.clock,
                random=random.Random(7),
                base_ms=20,
                cap_ms=100,
                on_event=lambda *what: events.append((what[0], what[1].kind)),
            )
            forwarder.start()
            try:
                await until(condition)
            finally:
                await forwarder.stop()

        asyncio.run(story())
        return events

    def nothing_waits(self):
        return deliveries.counts(self.reader).waiting == 0

    def state(self, kind, serial=SERIAL):
        rows = self.rows(
            "SELECT state, reason FROM deliveries WHERE kind = ? AND serial = ?", kind, serial
        )
        return rows[0] if rows else None


@pytest.fixture
def hall(tmp_path):
    with Sending(tmp_path) as hall:
        yield hall


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path / "city.jsonl")
    yield city
    city.close()


def test_an_addition_follows_its_rating_as_number_two(hall, city):
    """Level and case as before, in the citizen's words and time, by phone; no reasons repeated."""
    invitation = hall.asked()
    hall.rate(invitation, level=2, reasons=("208",), comment="示例：先写的")
    hall.forward_until(hall.nothing_waits, city)
    hall.now += 3_600_000
    assert hall.add(invitation) == "added"
    hall.forward_until(hall.nothing_waits, city)
    service, first, second = city.records()
    assert "satisfaction" not in service
    assert (first["assessNumber"], first["pf"], first["evalDetail"]) == ("1", "4", "208")
    changed = {name for name in second if second[name] != first[name]}
    assert changed == {"pf", "evalDetail", "writingEvaluation", "assessTime", "assessNumber"}
    assert second | {"assessTime": ""} == first | {
        "pf": "3",
        "evalDetail": "",
        "writingEvaluation": WORDS,
        "assessNumber": "2",
        "assessTime": "",
    }
    assert second["assessTime"] > first["assessTime"]
    assert hall.state("addition") == ("accepted", "")


def test_words_that_are_there_first_wait_for_their_rating(hall, city):
    """The phone was quicker than the kiosk: they still go second."""
    invitation = hall.asked()
    hall.add(invitation)
    hall.forward_until(hall.nothing_waits, city)
    assert len(city.records()) == 1
    hall.rate(invitation)
    hall.forward_until(hall.nothing_waits, city)
    assert [each.get("assessNumber") for each in city.records()] == [None, "1", "2"]


@pytest.mark.parametrize("first", ["rating", "words", "set aside"])
def test_a_bad_rating_without_reason_goes_with_the_words_that_came_by_phone(hall, city, first):
    """As its own reason, in one record, in whatever order they came."""
    invitation = hall.asked()
    if first == "words":
        hall.add(invitation)
    hall.rate(invitation, level=1)
    if first == "set aside":
        hall.forward_until(hall.nothing_waits, city)
        assert hall.state("rating") == ("set_aside", INCOMPLETE)
    if first != "words":
        hall.add(invitation)
    hall.forward_until(hall.nothing_waits, city)
    _, rating = city.records()
    assert (rating["satisfaction"], rating["assessNumber"], rating["pf"]) == ("1", "1", "4")
    assert rating["writingEvaluation"] == WORDS
    assert hall.state("rating") == hall.state("addition") == ("accepted", "")


def test_words_that_come_while_their_rating_is_being_judged_are_not_lost(hall, city):
    """It was read without them; what is then found wrong with it is looked at again."""
    invitation = hall.asked()
    hall.forward_until(hall.nothing_waits, city)
    hall.rate(invitation, level=1)
    [judged] = deliveries.due(hall.reader, hall.clock(), 9)
    hall.add(invitation)
    hall.writer.call(
        lambda db: answers.set_aside(
            db, judged.id, INCOMPLETE, hall.clock(), version=judged.version
        )
    )
    assert hall.state("rating") == ("waiting", INCOMPLETE)
    hall.forward_until(hall.nothing_waits, city)
    assert city.records()[-1]["writingEvaluation"] == WORDS
    assert hall.state("rating") == hall.state("addition") == ("accepted", "")


def test_a_rating_set_aside_for_another_reason_does_not_try_again_for_words(hall, city):
    """And the words go along when somebody has mended it."""
    invitation = hall.asked()
    hall.rate(invitation)
    [(rating,)] = hall.rows("SELECT id FROM deliveries WHERE kind = 'rating'")
    hall.writer.call(lambda db: answers.set_aside(db, rating, "示例", hall.clock()))
    hall.add(invitation)
    hall.forward_until(hall.nothing_waits, city)
    assert hall.state("rating") == ("set_aside", "示例")
    assert hall.state("addition") == ("set_aside", NO_RATING)
    hall.writer.call(lambda db: deliveries.retry_set_aside(db, hall.clock(), (SERIAL, 1)))
    hall.forward_until(hall.nothing_waits, city)
    assert [each.get("assessNumber") for each in city.records()][-1] == "2"
    assert hall.state("addition") == ("accepted", "")


def test_a_city_that_takes_no_additions_is_not_sent_any(hall, city, tmp_path):
    """It is noted what the city has not been told; nothing waits, nothing hangs."""
    dialect = speak("plain", city.url, tmp_path, ("additions = true", "additions = false"))
    invitation = hall.asked()
    hall.rate(invitation)
    hall.add(invitation)
    hall.forward_until(hall.nothing_waits, city, dialect)
    assert len(city.records()) == 2
    assert hall.state("addition") == ("accepted", NO_ADDITIONS)


def test_a_city_that_takes_no_additions_still_gets_the_words_of_a_bad_rating(hall, city, tmp_path):
    dialect = speak("plain", city.url, tmp_path, ("additions = true", "additions = false"))
    invitation = hall.asked()
    hall.rate(invitation, level=1)
    hall.add(invitation)
    hall.forward_until(hall.nothing_waits, city, dialect)
    assert city.records()[-1]["writingEvaluation"] == WORDS


def test_an_answer_lost_on_the_way_is_made_good_by_already_exists(hall, city):
    """The city has the addition, its answer was dropped: sent again, it counts as success."""
    invitation = hall.asked()
    hall.rate(invitation)
    hall.forward_until(hall.nothing_waits, city)
    hall.add(invitation)
    city.control("drop", count=1)
    events = hall.forward_until(hall.nothing_waits, city)
    assert events == [("retry", "addition"), ("exists", "addition")]
    assert len(city.records()) == 3
    assert hall.state("addition") == ("accepted", "")


def test_a_city_that_is_down_gets_it_later(hall, city):
    invitation = hall.asked()
    hall.rate(invitation)
    hall.forward_until(hall.nothing_waits, city)
    hall.add(invitation)
    city.control("down", count=3)
    hall.forward_until(hall.nothing_waits, city)
    assert len(city.records()) == 3


def test_words_on_a_second_rating_of_a_service_stay_in_the_ledger(hall, city):
    """The city has the first; neither the second nor its words go there."""
    one, two = hall.asked(), new_id()
    hall.issue(an_invitation(SERIAL, id=two, issued_at=hall.now))
    hall.rate(one)
    hall.rate(two)
    assert hall.rows("SELECT count(*) FROM ledger WHERE kind = 'rated'") == [(2,)]
    assert hall.add(two) == "added"
    assert hall.add(one, "第一次的话") == "added"
    hall.forward_until(hall.nothing_waits, city)
    assert [each.get("writingEvaluation") for each in city.records()] == [None, "", "第一次的话"]
    assert len(hall.added()) == 2


def test_words_before_an_invitation_expires_stay_in_the_ledger(hall, city):
    """Nobody rated: there is nothing that they could be added to."""
    invitation = hall.asked()
    hall.add(invitation)
    hall.rate(invitation, elapsed_ms=10_000_000)
    assert invitations.get(hall.reader, invitation).outcome == "expired"
    hall.forward_until(hall.nothing_waits, city)
    assert len(city.records()) == 1
    assert hall.state("addition") is None


def test_many_additions_in_any_order_arrive_once_and_after_their_ratings(hall, city):
    """Ratings and words of forty citizens, mixed."""
    asked = [hall.asked(f"SL{number:06d}") for number in range(40)]
    acts = [*itertools.product(asked, "rw")]
    random.Random(3).shuffle(acts)
    for invitation, act in acts:
        if act == "r":
            hall.rate(invitation)
        else:
            hall.add(invitation)
    hall.forward_until(hall.nothing_waits, city)
    for number in range(40):
        mine = [each for each in city.records() if each["projectNo"] == f"SL{number:06d}"]
        assert [each.get("assessNumber") for each in mine] == [None, "1", "2"]
