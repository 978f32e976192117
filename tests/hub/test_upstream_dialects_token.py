import asyncio
import json
from contextlib import closing

import pytest
from upstream_cities import TOKEN, WORD, StandIn, http, raw_city, speak
from upstream_world import a_case

from hub.rules.records import service_record
from hub.upstream.dialects import Accepted, Refused, Unavailable

OK = http(200, b'{"code": 200, "msg": ""}')


def record(number):
    return service_record(a_case(f"SL{number:04}"))


def run(city, folder, *steps, changes=()):
    """Send a record for each number among the steps, call what else there is between them."""
    kept = []

    async def story():
        dialect = speak("token", city.url, folder, *changes)
        clock = [0.0]
        dialect._monotonic = lambda: clock[0]
        answers = []
        try:
            for step in steps:
                if callable(step):
                    step(clock)
                else:
                    answers.append(await dialect.send("service", record(step), keep=kept.append))
            return answers
        finally:
            await dialect.close()

    return asyncio.run(story()), [(each.purpose, each.verdict) for each in kept]


@pytest.fixture
def city():
    with closing(StandIn("token")) as city:
        yield city


def test_a_token_serves_until_its_end_nears(city, tmp_path):
    """One request for many records; a new one when a tenth of its 600 s is left."""

    def later(seconds):
        return lambda clock: clock.__setitem__(0, seconds)

    answers, _ = run(city, tmp_path, 1, 2, later(539), 3, later(541), 4, 5)
    assert answers == [Accepted()] * 5
    assert len(city.tokens) == 2


def test_a_token_without_an_end_lives_as_long_as_the_file_says(city, tmp_path):
    """`life_s` counts where the answer names no end that can be read."""
    changes = [('expires_s = "data.expiresIn"', 'expires_s = "data.token"')]
    run(
        city,
        tmp_path,
        1,
        lambda clock: clock.__setitem__(0, 1619),
        2,
        lambda clock: clock.__setitem__(0, 1621),
        3,
        changes=changes,
    )
    assert len(city.tokens) == 2


def test_a_refused_token_is_renewed_once_and_the_record_sent_again(city, tmp_path):
    """The city forgot all tokens: the record goes through all the same."""
    answers, kept = run(city, tmp_path, 1, lambda _: city.tokens.append("elsewhere"), 2, 3)
    assert answers == [Accepted()] * 3
    assert kept == [
        ("token", "accepted"),
        ("service", "accepted"),
        ("service", "unavailable"),
        ("token", "accepted"),
        ("service", "accepted"),
        ("service", "accepted"),
    ]


@pytest.mark.parametrize(
    "answer", [http(200, b'{"code": 401}'), http(401, b"<html>", "text/html")], ids=["200", "401"]
)
def test_a_city_that_refuses_every_token_is_not_asked_for_ever(answer, tmp_path):
    """Two attempts, one new token, then the record waits."""
    kept = []

    async def story():
        async with raw_city(answer) as (url, asked):
            dialect = speak("token", url, tmp_path)
            try:
                return await dialect.send("service", record(1), keep=kept.append), asked
            finally:
                await dialect.close()

    said, asked = asyncio.run(story())
    assert isinstance(said, Unavailable)
    assert len(asked) == 2
    assert [each.purpose for each in kept] == ["token", "service", "token", "service"]


def test_many_records_at_once_ask_for_one_token(city, tmp_path):
    """At the start, and when it is refused to all of them."""

    async def story():
        dialect = speak("token", city.url, tmp_path)
        try:
            first = [dialect.send("service", record(n)) for n in range(8)]
            answers = list(await asyncio.gather(*first))
            assert len(city.tokens) == 1
            city.tokens.append("elsewhere")
            more = [dialect.send("service", record(n)) for n in range(8, 16)]
            return answers + list(await asyncio.gather(*more))
        finally:
            await dialect.close()

    assert asyncio.run(story()) == [Accepted()] * 16
    assert len(city.tokens) == 3
    assert len(city.register.records) == 16


def test_a_dialect_outlives_its_loop(city, tmp_path):
    """A forwarder that is stopped and started again in another loop keeps the token."""
    dialect = speak("token", city.url, tmp_path)

    async def story(numbers):
        try:
            return await asyncio.gather(*(dialect.send("service", record(n)) for n in numbers))
        finally:
            await dialect.close()

    assert asyncio.run(story(range(4))) == [Accepted()] * 4
    assert asyncio.run(story(range(4, 8))) == [Accepted()] * 4
    assert len(city.tokens) == 1
    city.tokens.append("elsewhere")
    assert asyncio.run(story(range(8, 16))) == [Accepted()] * 8
    assert len(city.tokens) == 3


def test_a_token_may_stand_beside_the_data(city, tmp_path):
    """In the body, where a city wants it there; never in the address."""
    changes = [('carry = "header"\nname = "token"', 'carry = "body"\nname = "access"')]
    assert run(city, tmp_path, 1, changes=changes)[0] == [Accepted()]
    path, headers, body = city.asked[-1]
    assert json.loads(body)["access"] == city.tokens[0]
    assert city.tokens[0] not in path + repr(headers)


NO_TOKENS = {
    "html": http(200, b"<html>", "text/html"),
    "none": http(200, b'{"code": 200}'),
    "empty": http(200, b'{"code": 200, "data": {"token": ""}}'),
    "not a text": http(200, b'{"code": 200, "data": {"token": {"a": 1}}}'),
    "another code": http(200, b'{"code": 500, "data": {"token": "t"}}'),
    "a second header": http(200, b'{"code": 200, "data": {"token": "t\\r\\nX: y"}}'),
    "letters": http(200, '{"code": 200, "data": {"token": "令牌"}}'.encode()),
    "too long": http(200, b'{"code": 200, "data": {"token": "' + b"t" * 5000 + b'"}}'),
    "refused": http(403, b"{}"),
    "4xx": http(400, b'{"code": 200, "data": {"token": "t"}}'),
}


@pytest.mark.parametrize("name", NO_TOKENS)
def test_what_is_no_token_is_not_used(name, tmp_path):
    """The record waits; nothing is sent with a token that is none."""
    kept = []

    async def story():
        async with raw_city(NO_TOKENS[name], token=NO_TOKENS[name]) as (url, asked):
            dialect = speak("token", url, tmp_path)
            try:
                return await dialect.send("service", record(1), keep=kept.append), asked
            finally:
                await dialect.close()

    said, asked = asyncio.run(story())
    assert isinstance(said, Unavailable)
    assert asked == []
    assert [each.purpose for each in kept] == ["token"]


def test_a_city_that_repeats_our_secrets_does_not_get_them_kept(tmp_path):
    """Password and token are struck from its words, also where they come in escapes."""
    escaped = json.dumps(f"口令 {WORD}、令牌 t0 有误")
    kept = []

    async def story():
        answer = http(200, f'{{"code": 500, "msg": {escaped}}}'.encode())
        async with raw_city(answer) as (url, _):
            dialect = speak("token", url, tmp_path)
            try:
                return await dialect.send("service", record(1), keep=kept.append)
            finally:
                await dialect.close()

    said = asyncio.run(story())
    assert isinstance(said, Unavailable)  # it speaks of our token, not of the record
    assert "口令 ＊＊＊、令牌 ＊＊＊ 有误" in said.reason
    assert WORD not in repr(kept)
    assert "t0" not in repr(kept)
    assert TOKEN.count(b"t0") == 1


def test_refusals_do_not_cost_a_token(city, tmp_path):
    """A record at fault is refused under the same token."""

    async def story():
        dialect = speak("token", city.url, tmp_path)
        try:
            return await dialect.send("service", record(1) | {"taskType": "77"})
        finally:
            await dialect.close()

    assert isinstance(asyncio.run(story()), Refused)
    assert len(city.tokens) == 1
