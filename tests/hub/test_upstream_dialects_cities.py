import asyncio
import base64
import json
from contextlib import closing

import pytest
from upstream_cities import ACCESS, MARK, NAMES, NOW, WORD, StandIn, http, papers, raw_city, speak
from upstream_world import Hub, a_case, a_rating, an_invitation

from hub.rules.records import rating_record, service_record
from hub.store import deliveries
from hub.upstream.dialects import Accepted, AlreadyExists, Refused, Unavailable

STRANGE = '示例：𠮷㛃 a&b=c+d%2F "引号" \\ <b>\n第二行;'
SERVICE = service_record(a_case(matter="示例事项 & 更多=1+1", task_handle_item="T" * 31 + "01"))
RATING = rating_record(
    a_case(), an_invitation(), a_rating(level=2, reasons=("209", "207"), comment=STRANGE), 1
)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def tell(city, folder, *records, changes=(), **options):
    """Send records one after another; return the answers and what may be kept."""
    kept = []

    async def story():
        dialect = speak(city.name, city.url, folder, *changes, **options)
        try:
            return [
                await dialect.send(
                    "rating" if "satisfaction" in record else "service", record, keep=kept.append
                )
                for record in records
            ]
        finally:
            await dialect.close()

    return asyncio.run(story()), kept


def test_a_city_reads_exactly_what_we_meant(name, tmp_path):
    """Opened and believed by an independent implementation, every field as it was."""
    with closing(StandIn(name)) as city:
        answers, _ = tell(city, tmp_path, SERVICE, RATING)
    assert answers == [Accepted(), Accepted()]
    assert city.register.records == [SERVICE, RATING]


def test_a_record_sent_twice_exists_already(name, tmp_path):
    """By the city's code, or by the words that its file lists."""
    with closing(StandIn(name)) as city:
        answers, _ = tell(city, tmp_path, SERVICE, SERVICE, RATING, RATING)
    assert answers == [Accepted(), AlreadyExists(), Accepted(), AlreadyExists()]


def test_an_answer_lost_after_accepting_is_made_good(name, tmp_path):
    """The city has it, its word was lost: unavailable, then "exists"."""
    with closing(StandIn(name)) as city:
        city.lose_next = 1
        answers, _ = tell(city, tmp_path, SERVICE, SERVICE)
    assert isinstance(answers[0], Unavailable)
    assert answers[1] == AlreadyExists()
    assert len(city.register.records) == 1


def test_a_refusal_comes_in_the_citys_words(name, tmp_path):
    """A rating without its service record, and a record with a wrong field."""
    with closing(StandIn(name)) as city:
        answers, _ = tell(city, tmp_path, RATING, SERVICE | {"taskType": "77"})
    assert answers == [
        Refused("没有对应的办件服务数据，请先上报办件"),
        Refused("字段 taskType 的值不符合要求"),
    ]


@pytest.mark.parametrize("name", ["form", "envelope", "token"])
def test_another_password_is_not_the_records_fault(name, tmp_path):
    """A city that does not believe us leaves every record waiting, none set aside."""
    papers(tmp_path)
    (tmp_path / "other").write_text("another")
    (tmp_path / "other").chmod(0o600)
    access = type(ACCESS)(app_mark=MARK, app_word="other", city_key="city.pub", body_key="body.key")
    with closing(StandIn(name)) as city:
        answers, kept = tell(city, tmp_path, SERVICE, access=access)
    assert isinstance(answers[0], Unavailable)
    assert "签名不符" in answers[0].reason
    assert WORD not in repr((answers, kept))
    assert city.register.records == []


@pytest.mark.parametrize("name", ["form", "envelope"])
@pytest.mark.parametrize("order", ["C1C3C2", "C1C2C3"])
@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("signs", [True, False])
def test_every_variant_of_sm2_is_understood(name, order, prefix, signs, tmp_path):
    """Both orders, with and without 04, `sign` as an encryption and as a signature."""
    changes = [
        ('order = "C1C3C2"', f'order = "{order}"'),
        ("prefix_04 = true", f"prefix_04 = {str(prefix).lower()}"),
        ('sign = "encrypt"', f'sign = "{"sign" if signs else "encrypt"}"'),
        ('coding = "hex"', 'coding = "base64"'),
    ]
    with closing(
        StandIn(name, order=order, prefix=prefix, signs=signs, decode=base64.b64decode)
    ) as city:
        answers, _ = tell(city, tmp_path, SERVICE, changes=changes)
    assert answers == [Accepted()]
    assert city.register.records == [SERVICE]


@pytest.mark.parametrize("seal", ["none", "records", "params"])
def test_an_envelope_is_sealed_as_far_as_its_file_says(seal, tmp_path):
    """Nothing, each record, or all of params; `sign` always."""
    with closing(StandIn("envelope", seal=seal)) as city:
        changes = [('seal = "records"', f'seal = "{seal}"')]
        answers, _ = tell(city, tmp_path, SERVICE, RATING, changes=changes)
    assert answers == [Accepted(), Accepted()]
    assert ("示例甲".encode() in city.asked[0][2]) == (seal == "none")


def test_the_forwarder_carries_cases_to_every_kind_of_city(name, tmp_path):
    """From the hub's store, several cases at once, one answer lost: each once and in order."""
    hub = Hub(tmp_path)
    with closing(StandIn(name)) as city, closing(hub):
        city.lose_next = 1
        for n in range(3):
            hub.case(f"SL{n}")
            hub.rate(f"SL{n}", level=1, reasons=("110",), comment=STRANGE)
        dialect = speak(name, city.url, tmp_path)
        events = hub.forward_until("", hub.nothing_waits, dialect=dialect)
        assert sorted(events) == ["accepted"] * 5 + ["exists", "retry"]
        assert hub.counts() == deliveries.Counts(
            waiting=0, accepted_services=3, accepted_ratings=3, set_aside=0
        )
    assert len(city.kept()) == len(set(city.kept())) == 6
    for n in range(3):
        assert [kept[2] for kept in city.kept() if kept[0] == f"SL{n}"] == ["service", "rating"]


def test_what_may_be_kept_tells_all_but_secrets_and_persons(name, tmp_path):
    """The fields as sent, the city's words, the time it took; no password, key, token, name."""
    with closing(StandIn(name)) as city:
        _, kept = tell(city, tmp_path, SERVICE, RATING, RATING | {"satisfaction": "9"})
    records = [each for each in kept if each.purpose != "token"]
    assert [each.purpose for each in records] == ["service", "rating", "rating"]
    assert [each.verdict for each in records] == ["accepted", "accepted", "refused"]
    assert records[2].reason == "字段 satisfaction 的值不符合要求"
    assert "字段 satisfaction 的值不符合要求" in records[2].received
    assert records[0].sent["projectNo"] == "SL0001"
    assert records[0].sent["userName"] == "＊＊＊"
    assert records[1].sent["writingEvaluation"] == "＊＊＊"
    assert records[0].address == city.url + "/service"
    assert all(each.status == 200 and each.took_ms >= 0 for each in kept)
    if name in {"form", "envelope"}:
        assert records[0].sent["appMark"] == MARK
        assert records[0].sent["time"] == "20260921221320"
    if name == "form":
        assert "示例流水0001" in records[0].received
    everything = repr(kept)
    secrets = [WORD, "0123456789abcdef", *city.tokens]
    for never in [*secrets, "示例甲", "示例乙", "ID-JIA", "ID-YI", "13000000000", "𠮷"]:
        assert never not in everything


ECHOES = {
    "plain": "证件 ID-JIA 的 示例𠮷 有误",
    "escapes of JSON in a text": r"{\u8bc1: \u793a\u4f8b\ud842\udfb7 ID\u002dJIA}",
    "entities": "&#31034;&#20363;&#134071; &lt;ID&#45;JIA&gt;",
    "percent": "%E7%A4%BA%E4%BE%8B%F0%A0%AE%B7 ID%2DJIA",
    "across lines": "示例𠮷\nID-JIA\t",
    "behind quotes": '"示例𠮷" \\ "ID-JIA"',
}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("kind", ["json", "html", "elsewhere in json"])
def test_what_a_city_repeats_of_the_citizen_is_not_kept(echo, kind, tmp_path):
    """Neither in its words nor in its body, in whatever way it writes them."""
    text = ECHOES[echo]
    body = {
        "json": json.dumps({"success": False, "code": "-1", "errorMessage": text}),
        "html": f"<html><title>维护</title>{text}</html>",
        "elsewhere in json": json.dumps({"code": "-1", "errorMessage": "有误", "data": text}),
    }[kind]
    kept = []

    async def story():
        async with raw_city(http(200, body.encode())) as (url, _):
            dialect = speak("form", url, tmp_path)
            record = SERVICE | {"userName": "示例𠮷"}
            try:
                return await dialect.send("service", record, keep=kept.append)
            finally:
                await dialect.close()

    answer = asyncio.run(story())
    everything = repr((answer, kept))
    for never in ("示例𠮷", "𠮷", "ID-JIA"):
        assert never not in everything
    assert "示例" not in kept[0].received + answer.reason
    assert ("维护" in kept[0].received) == (kind == "html")
    assert ("另有：data" in kept[0].received) == (kind == "elsewhere in json")


def test_a_value_that_the_file_has_no_code_for_is_not_sent(name, tmp_path):
    """Set aside with our own word for what to add; nothing leaves the hall."""
    changes = [("[fields]\n", '[fields]\ncodes = { projectType = { "1" = "2" } }\n')]
    with closing(StandIn(name)) as city:
        answers, kept = tell(city, tmp_path, SERVICE, changes=changes)
    assert "codes.projectType" in answers[0].reason
    assert "“2”" in answers[0].reason
    assert isinstance(answers[0], Refused)
    assert [path for path, *_ in city.asked if path != "/token"] == []
    assert all(each.purpose == "token" for each in kept)


def test_the_time_is_that_of_sending_in_shanghai(tmp_path):
    """And never a moment of the record."""
    at = iter([NOW, NOW + 61_000])
    with closing(StandIn("form")) as city:
        answers, kept = tell(city, tmp_path, SERVICE, SERVICE, now=lambda: next(at))
    assert [each.sent["time"] for each in kept] == ["20260921221320", "20260921221421"]
    assert answers[0] == Accepted()
    assert isinstance(answers[1], Unavailable)  # this city insists on the first
