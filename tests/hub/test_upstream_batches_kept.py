"""Lists of records: what is noted and kept of them, and that nothing is lost or doubled."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import upstream_lists
from click.testing import CliRunner
from upstream_cities import MARK, WORD, StandIn, http, papers, raw_city
from upstream_lists import MISFIT, envelopes, fill, lengths, said, whole
from upstream_world import ROOT, City, Hub, a_case, now, until

from demo import city_envelope
from hub.__main__ import main
from hub.rules.case import Applicant
from hub.store import cases, deliveries, exchanges, vault


@pytest.fixture
def hub(tmp_path):
    with closing(Hub(tmp_path)) as hub:
        yield hub


@pytest.fixture
def city():
    with closing(StandIn("envelope", seal="none")) as city:
        yield city


def test_a_list_is_noted_in_one_commit_or_not_at_all(hub, city, tmp_path):
    """The disk takes all but one: none is noted with it, and it keeps nobody from it."""
    for n in range(6):
        hub.case(f"SL{n:03}")
    refuse = (
        "CREATE TRIGGER no_room BEFORE UPDATE OF state ON deliveries WHEN NEW.serial = 'SL005'"
        " AND NEW.state = 'accepted' BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    hub.writer.call(lambda db: db.execute(refuse))
    accepted = []

    async def story():
        forwarder = hub.forwarder(
            "",
            dialect=envelopes(city.url, tmp_path, 6),
            on_event=lambda *_: accepted.append(hub.counts().accepted_services),
        )
        forwarder.start()
        try:
            await until(lambda: hub.counts().accepted_services == 5)
            hub.writer.call(lambda db: db.execute("DROP TRIGGER no_room"))
            await until(hub.nothing_waits)
        finally:
            await forwarder.stop()

    asyncio.run(story())
    assert sorted(lengths(city.lists))[-3:] == [3, 3, 6]
    assert accepted[:6] == [0] * 6
    assert len(city.kept()) == 6
    assert len(said(hub)) == 6


def test_each_record_of_a_list_is_found_in_the_journal(hub, city, tmp_path):
    """With its own fields, its place, the city's words, and nobody else's refusal."""
    for n in range(3):
        hub.case(f"SL{n:03}")
    hub.case("BAD", task_handle_item="X" * 33)
    hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 4))
    first, second, last = exchanges.latest(hub.reader, 9, serial="SL002")[:3]
    assert first.sent["projectNo"] == "SL002"
    assert first.sent["同报"] == "第 3 条，共 4 条"
    assert first.verdict == "refused"
    assert first.reason == f"与另外 3 条同报，没有说明是哪一条，随即分开再报：{MISFIT}"
    assert second.sent["同报"].endswith("共 2 条")
    assert (last.verdict, last.reason, "同报" in last.sent) == ("accepted", "", False)
    assert exchanges.latest(hub.reader, 9, serial="BAD")[-1].reason == MISFIT
    lines = exchanges.latest(hub.reader, 99)
    assert len(lines) == sum(lengths(city.lists))
    assert len(exchanges.skews(hub.reader)) == len(city.lists)
    assert "示例甲" not in repr(lines)


def test_what_a_city_repeats_of_a_neighbour_is_not_kept(hub, tmp_path):
    """The words that came for one record may name the citizen of another."""
    hub.case("SL000", applicant=Applicant(name="示例戊", certificate_number="ID-WU"))
    hub.case("SL001")
    body = {"success": "false", "code": "1", "message": "示例戊 和 示例甲 有误"}

    async def story():
        async with raw_city(http(200, json.dumps(body).encode())) as (url, asked):
            forwarder = hub.forwarder("", dialect=envelopes(url, tmp_path, 2))
            forwarder.start()
            try:
                await until(lambda: len(asked) >= 1 and exchanges.latest(hub.reader, 1))
            finally:
                await forwarder.stop()

    asyncio.run(story())
    pair = exchanges.latest(hub.reader, 99)[:2]
    assert {each.serial for each in pair} == {"SL000", "SL001"}
    assert "＊＊＊ 和 ＊＊＊ 有误" in pair[0].received
    assert "示例戊" not in repr(pair)
    assert "示例甲" not in repr(pair)


def test_a_hub_killed_between_the_city_s_word_and_its_commit_counts_nothing_twice(
    tmp_path, hub, city
):
    """Lists that the city took while the hub died are there before, each for itself."""
    command = [sys.executable, upstream_lists.__file__, tmp_path, city.url, "12"]
    places = f"{ROOT}:{Path(__file__).parent}"
    serials = [f"SL{n:03}" for n in range(12)]
    for enter in (hub.case, hub.rate):
        for serial in serials:
            enter(serial)
        before = len(city.kept())
        city.moods.append("hold")  # taken, but its answer never comes
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": places})
        try:
            asyncio.run(until(lambda some=before + 12: len(city.kept()) == some))
        finally:
            process.kill()
            process.wait(10)
        assert hub.counts().waiting == 12
        hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 12))
    assert whole(city, serials)
    assert city.lists[0] == city.lists[1]
    assert [each["answer"] for each in said(hub)] == ["exists"] * 24


def test_a_city_killed_amid_lists_loses_and_doubles_nothing(hub, tmp_path):
    """The stand-in city of the demo, a process of its own, opens sealed lists; kill -9 twice."""
    papers(tmp_path)
    public = city_envelope.papers(tmp_path / "city", MARK, WORD)
    (tmp_path / "city.pub").write_bytes(public)
    serials = fill(hub, 60)
    hub.case("BAD", task_handle_item="X" * 33)
    with closing(City(tmp_path / "city.jsonl", "--envelopes", tmp_path / "city")) as city:
        dialect = envelopes(city.url, tmp_path, 9, seal="records", handed=True)

        async def story():
            loop = asyncio.get_running_loop()
            forwarder = hub.forwarder("", dialect=dialect)
            forwarder.start()
            try:
                for some in (20, 70):
                    await until(lambda some=some: len(city.records()) >= some)
                    assert city.kill() == -9
                    await loop.run_in_executor(None, city.start)
                await until(hub.nothing_waits)
            finally:
                await forwarder.stop()

        asyncio.run(story())
        assert whole(city, serials)
    assert hub.counts().set_aside == 1
    assert hub.row("BAD", "service")[:2] == ("set_aside", MISFIT)


def command(folder, *words):
    return CliRunner(catch_exceptions=False).invoke(
        main, ["upstream", *words, "--config", str(folder / "hub.toml")]
    )


def test_the_commands_stay_true_of_what_went_in_lists(tmp_path):
    """Status, journal, diff, backfill, retry: by record, as if each had gone alone."""
    text = 'hall = "demo"\nhall_name = "示例大厅"\nstate = "hub"\n'
    (tmp_path / "hub.toml").write_text(text, encoding="utf-8")
    (tmp_path / "hub").mkdir()
    with closing(Hub(tmp_path / "hub")) as hub, closing(StandIn("envelope", seal="none")) as city:
        hub.vault = vault.load_or_create(tmp_path / "hub" / "citizens.key")
        serials = fill(hub, 6)
        hub.case("BAD", task_handle_item="X" * 33)
        hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 7))
        told = command(tmp_path, "status").stdout
        assert "已送达：办件 6，评价 6；等待 0，搁置 1" in told
        assert f"搁置 1 条，最早 {datetime.now(UTC) + timedelta(hours=8):%m-%d}" in told
        assert "SL0" not in told
        told = command(tmp_path, "journal", "--serial", "SL000", "--full").stdout
        assert "办件 SL000/1 拒收" in told
        assert "与另外 6 条同报，没有说明是哪一条，随即分开再报" in told
        assert "同报=第 1 条，共 7 条" in told
        assert "评价 SL000/1 收下" in told
        listed = tmp_path / "list.jsonl"
        lines = [json.dumps(each, ensure_ascii=False) for each in city.register.records]
        listed.write_text("\n".join(lines), encoding="utf-8")
        told = command(tmp_path, "diff", "--file", str(listed))
        assert (told.exit_code, "两边都有 12 条；平台没有 0 条" in told.stdout) == (0, True)
        day = f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m-%d}"
        assert "13 条记录将" in command(tmp_path, "backfill", "--day", day).stdout
        before = len(city.lists)
        hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 7))
        assert lengths(city.lists[before:]) == [1] * 13
        assert "1 条记录将" in command(tmp_path, "retry").stdout
        hub.forward_until("", hub.nothing_waits, dialect=envelopes(city.url, tmp_path, 7))
        assert hub.row("BAD", "service")[:2] == ("set_aside", MISFIT)
        assert whole(city, serials)
        assert len(said(hub)) == 12


MOODS = ["ok", "ok", "ok", "cut", "lose", "html", "html after", "busy", "repeat"]
ENDPOINT = (
    ('update = "again"', 'update = "endpoint"'),
    ('# update = "/service/update"', 'update = "/update"'),
)


def correct(hub, serial, name, **change):
    """Register a case again under another name, as the desk does."""
    person = Applicant(name=name, certificate_number="ID-JIA", mobile="13000000000")

    def job(db):
        cases.put(db, hub.vault, a_case(serial, applicant=person, **change), now())
        deliveries.again(db, serial, 1, now())

    hub.writer.call(job)


@pytest.mark.parametrize("seed", range(8))
def test_after_any_sequence_of_answers_the_city_has_what_the_ledger_says(tmp_path, hub, seed):
    """Nothing lost, doubled, outdated, or set aside but what the city refuses for itself."""
    chance = random.Random(seed)
    serials = [f"SL{n:03}" for n in range(25)]
    items = dict.fromkeys(serials, "") | dict.fromkeys(chance.sample(serials, seed % 4), "X" * 33)
    names = dict.fromkeys(serials, "示例甲")
    for serial in serials:
        hub.case(serial, task_handle_item=items[serial])
        hub.rate(serial)
    city = StandIn(
        "envelope",
        seal="none",
        whole=chance.random() < 0.7,
        longest=chance.choice([4, 1000]),
        updates="endpoint",
    )
    with closing(city):
        city.moods.extend(chance.choices(MOODS, k=60))
        for part in range(3):  # the first two are stopped in the middle
            enough = chance.randrange(20) if part < 2 else 0

            def done(part=part, enough=enough):
                return hub.nothing_waits() if part == 2 else len(city.kept()) >= enough

            dialect = envelopes(city.url, tmp_path, chance.choice([2, 7, 25]), *ENDPOINT)
            hub.forward_until("", done, dialect=dialect)
            for serial in chance.sample(serials, 3) if part < 2 else ():
                names[serial] = f"示例改{part}"
                correct(hub, serial, names[serial], task_handle_item=items[serial])
    good = [serial for serial in serials if not items[serial]]
    assert whole(city, good)
    told = [(each["serial"], "1", each["kind"]) for each in said(hub)]
    assert set(told) == set(city.kept())
    assert all(number == 1 for key, number in Counter(told).items() if key[2] == "rating")
    held = {r["projectNo"]: r for r in city.register.records if "satisfaction" not in r}
    assert {serial: held[serial]["userName"] for serial in good} == {s: names[s] for s in good}
    assert hub.counts().set_aside == 2 * (len(serials) - len(good))
    for serial in set(serials) - set(good):
        assert hub.row(serial, "service")[:2] == ("set_aside", MISFIT)
