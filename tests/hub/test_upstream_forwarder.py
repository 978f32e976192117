import asyncio
import logging
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from upstream_world import ROOT, City, Hub, a_rating, now, until

from hub.store import deliveries
from hub.store.vault import Vault
from hub.store.writer import Busy
from hub.upstream.contents import ALTERED, INCOMPLETE
from hub.upstream.dialects import Accepted, Unavailable
from hub.upstream.forwarder import AWAY_AFTER, backoff
from hub.upstream.hints import mend
from protocol import signing

MISFIT = "业务办理项编码（taskHandleItem）前 31 位与事项编码不一致"


@pytest.fixture
def hub(tmp_path):
    hub = Hub(tmp_path)
    yield hub
    hub.close()


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path / "city.jsonl")
    yield city
    city.close()


def test_each_case_arrives_once_and_in_its_order(hub, city):
    """What was queued first of a serial arrives first, with many serials under way."""
    serials = [f"SL{n:04}" for n in range(20)]
    for serial in serials:
        hub.case(serial, 1)
        hub.rate(serial, 1)
        hub.case(serial, 2)
        hub.rate(serial, 2, level=1, reasons=("110", "108"), comment="示例：等太久")
    hub.forward_until(city.url, hub.nothing_waits)
    for serial in serials:
        mine = [key[1:] for key in city.kept() if key[0] == serial]
        assert mine == [("1", "service"), ("1", "rating"), ("2", "service"), ("2", "rating")]
    assert hub.counts() == deliveries.Counts(
        waiting=0, accepted_services=40, accepted_ratings=40, set_aside=0
    )


def test_a_poke_from_another_thread_sends_at_once(hub, city):
    """What is committed while the forwarder rests goes out when ingest pokes it."""

    async def story():
        forwarder = hub.forwarder(city.url)
        forwarder.poke()  # before the start: nothing to wake, and no harm
        forwarder.start()
        try:
            await asyncio.get_running_loop().run_in_executor(None, hub.case)
            with ThreadPoolExecutor(1) as thread:
                thread.submit(forwarder.poke).result()
            await until(hub.nothing_waits)
        finally:
            await forwarder.stop()
        forwarder.poke()  # after the end likewise

    asyncio.run(story())
    assert city.kept() == [("SL0001", "1", "service")]


def test_a_record_that_the_city_refuses_is_set_aside_and_blocks_nobody(hub, city):
    """Its own rating goes with it, a later service of the case and other cases go on."""
    hub.case("BAD", 1, task_handle_item="X" * 33)
    hub.rate("BAD", 1)
    hub.case("BAD", 2)
    hub.case("GOOD", 1)
    hub.rate("GOOD", 1)
    hub.forward_until(city.url, hub.nothing_waits)
    assert hub.row("BAD", "service")[:2] == ("set_aside", MISFIT)
    assert hub.row("BAD", "rating")[0] == "set_aside"
    assert MISFIT in hub.row("BAD", "rating")[1]
    assert sorted(city.kept()) == [
        ("BAD", "2", "service"),
        ("GOOD", "1", "rating"),
        ("GOOD", "1", "service"),
    ]


def test_a_rating_queued_after_its_service_record_was_set_aside_follows_it(hub, city):
    """It is never sent, and once the case is corrected both can go again."""
    hub.case("BAD", 1, task_handle_item="X" * 33)
    hub.forward_until(city.url, hub.nothing_waits)
    hub.rate("BAD", 1)
    hub.forward_until(city.url, hub.nothing_waits)
    assert hub.row("BAD", "rating") == ("set_aside", "办件服务数据未能上报", 0)
    assert city.kept() == []
    hub.case("BAD", 1)
    hub.writer.call(lambda db: deliveries.again(db, "BAD", 1, now()))
    hub.forward_until(city.url, hub.nothing_waits)
    assert city.kept() == [("BAD", "1", "service"), ("BAD", "1", "rating")]


def test_an_incomplete_bad_rating_is_never_sent(hub, city):
    """No reason, no text: kept, set aside, and nothing is invented for it."""
    hub.case()
    hub.rate(level=1, comment=" \n")
    hub.forward_until(city.url, hub.nothing_waits)
    assert hub.row("SL0001", "rating")[:2] == ("set_aside", INCOMPLETE)
    assert city.kept() == [("SL0001", "1", "service")]


def test_an_answer_lost_on_the_way_is_made_good_by_already_exists(hub, city):
    """The city has the record, its answer was dropped: sent again, it counts as success."""
    hub.case()
    hub.rate()
    city.control("drop", count=1)
    assert hub.forward_until(city.url, hub.nothing_waits) == ["retry", "exists", "accepted"]
    assert city.kept() == [("SL0001", "1", "service"), ("SL0001", "1", "rating")]


def test_a_city_killed_at_any_moment_loses_and_doubles_nothing(hub, city):
    """Kill -9 three times while records flow, start again on the same port."""
    for n in range(60):
        hub.case(f"SL{n:04}")
        hub.rate(f"SL{n:04}")

    async def story():
        loop = asyncio.get_running_loop()
        forwarder = hub.forwarder(city.url)
        forwarder.start()
        try:
            for some in (15, 45, 75):
                await until(lambda some=some: len(city.records()) >= some)
                assert city.kill() == -9
                await loop.run_in_executor(None, city.start)
            await until(hub.nothing_waits)
        finally:
            await forwarder.stop()

    asyncio.run(story())
    assert len(city.kept()) == len(set(city.kept())) == 120
    assert hub.counts().accepted_ratings == 60


def test_a_forwarder_stopped_midway_goes_on_where_it_was(hub, city):
    """Two forwarders one after the other: every record arrives once."""
    for n in range(40):
        hub.case(f"SL{n:04}")
        hub.rate(f"SL{n:04}")
    hub.forward_until(city.url, lambda: len(city.records()) >= 20)
    assert hub.counts().waiting > 0
    hub.forward_until(city.url, hub.nothing_waits)
    assert len(city.kept()) == len(set(city.kept())) == 80


def test_a_hub_killed_midway_sends_again_and_hears_already_exists(tmp_path, hub, city):
    """Kill -9 between the city's word and our commit, three times: nothing lost or doubled."""
    for n in range(60):
        hub.case(f"SL{n:04}")
        hub.rate(f"SL{n:04}")
    program = "import sys, upstream_world; upstream_world.forward_for_ever(*sys.argv[1:])"
    places = f"{ROOT}:{Path(__file__).parent}"

    for some in (10, 40, 70):
        command = [sys.executable, "-c", program, tmp_path, city.url]
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": places})
        try:
            asyncio.run(until(lambda some=some: len(city.records()) >= some))
        finally:
            process.kill()
            code = process.wait(10)
        assert code == -9
    assert 0 < hub.counts().waiting < 120
    hub.forward_until(city.url, hub.nothing_waits)
    assert len(city.kept()) == len(set(city.kept())) == 120
    assert hub.counts().accepted_ratings == 60


def test_stopping_amid_commits_leaves_the_writer_well(hub, city):
    """Cancelled while it waits for a commit, the job it handed over is done all the same."""
    for n in range(20):
        hub.case(f"SL{n:04}")
    gate = threading.Event()

    async def story():
        forwarder = hub.forwarder(city.url)
        held = hub.writer.submit(lambda _: gate.wait(10))
        forwarder.start()
        await until(lambda: len(city.records()) == 8)
        await forwarder.stop(grace_s=0.05)
        gate.set()
        await asyncio.wrap_future(held)

    asyncio.run(story())
    hub.forward_until(city.url, hub.nothing_waits)
    assert len(city.records()) == 20


def test_stopping_does_not_wait_for_a_city_that_hangs(hub, city):
    """What is under way gets its grace, then it is left for the next start."""
    hub.case()
    city.control("slow", seconds=30)

    async def story():
        forwarder = hub.forwarder(city.url, timeout_s=60)
        forwarder.start()
        await until(lambda: forwarder._under_way)
        await asyncio.wait_for(forwarder.stop(grace_s=0.05), 2)

    asyncio.run(story())
    assert hub.row("SL0001", "service") == ("waiting", "", 0)


def test_a_city_that_is_away_is_probed_with_one_record_and_logged_once(hub, city, caplog):
    """No hammering: one line when it goes, one when it is back, and nobody's name in them."""
    caplog.set_level(logging.DEBUG, "hub.upstream")
    for n in range(50):
        hub.case(f"SL{n:04}")
    city.control("down")
    retries = []

    async def story():
        forwarder = hub.forwarder(
            city.url, on_event=lambda *_: retries.append(len(forwarder._under_way))
        )
        forwarder.start()
        try:
            await until(lambda: len(retries) >= 20)
            assert forwarder.away
            assert hub.counts().waiting == 50
            # After those that were under way when it went, only one at a time.
            assert set(retries[8 + AWAY_AFTER :]) == {1}
            await asyncio.get_running_loop().run_in_executor(None, city.control, "ok")
            await until(hub.nothing_waits)
            assert not forwarder.away
        finally:
            await forwarder.stop()

    asyncio.run(story())
    lines = [record.getMessage() for record in caplog.records if "upstream=" in record.getMessage()]
    assert [line.split()[0] for line in lines] == ["upstream=unavailable", "upstream=available"]
    assert "示例" not in caplog.text
    assert "SL00" not in caplog.text


def test_a_record_that_always_fails_does_not_stop_the_others(hub):
    """HTTP 500 for one record only: the others get through, it alone keeps trying."""
    for n in range(30):
        hub.case(f"SL{n:04}")

    class Picky:
        batch = 1

        async def send(self, _kind, record, **_):
            return Unavailable("HTTP 500") if record["projectNo"] == "SL0000" else Accepted()

        async def close(self):
            pass

    hub.forward_until("", lambda: hub.counts().accepted_services == 29, dialect=Picky())
    state, reason, attempts = hub.row("SL0000", "service")
    assert (state, reason) == ("waiting", "HTTP 500")
    assert attempts >= 1


def test_another_vault_key_sets_nothing_aside(hub, city, caplog):
    """An installation fault is not the records' fault, nor the city's: they wait for the key."""
    hub.case()
    right, hub.vault = hub.vault, Vault(b"x" * 32)
    hub.forward_until(city.url, lambda: hub.row("SL0001", "service")[2] >= 3)
    state, reason, _ = hub.row("SL0001", "service")
    assert state == "waiting"
    assert "citizens.key" in mend(reason)
    said = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("upstream=held-up reason=办件人信息无法解密") for line in said)
    assert not any("upstream=unavailable" in line for line in said)
    hub.vault = right
    hub.forward_until(city.url, hub.nothing_waits)
    assert city.kept() == [("SL0001", "1", "service")]


def test_a_busy_writer_and_a_failed_commit_lose_no_answer(hub, city, monkeypatch):
    """The city's word is kept until it is on disk, or asked for again."""
    hub.case()
    real = hub.writer.submit
    calls = []

    def submit(job):
        calls.append(job)
        if len(calls) == 1:
            raise Busy
        if len(calls) == 2:
            return real(lambda db: db.execute("INSERT INTO no_such_table VALUES (1)"))
        return real(job)

    monkeypatch.setattr(hub.writer, "submit", submit)
    assert hub.forward_until(city.url, hub.nothing_waits) == ["retry", "exists"]
    assert len(city.records()) == 1


def test_a_clock_put_back_does_not_silence_the_forwarder(hub, city):
    """Records queued by a clock that was a year ahead go out all the same."""
    hub.case()
    hub.rate()
    hub.forward_until(city.url, hub.nothing_waits, now=lambda: now() - 31_536_000_000)
    assert len(city.records()) == 2


def test_the_backoff_keeps_its_bounds():
    """Full jitter: uniform(0, min(cap, base * 1.5**n)), for any n, and it uses its range."""
    source = random.Random(1)
    for n in (0, 1, 5, 10, 100, 100_000):
        bound = min(60_000, 1_000 * 1.5 ** min(n, 100))
        seen = [backoff(source, 1_000, 60_000, n) for _ in range(500)]
        assert 0 <= min(seen) <= bound * 0.05
        assert bound * 0.95 <= max(seen) <= bound


def test_a_rating_altered_in_the_database_never_reaches_the_city(hub, city):
    """What does not verify with the device's key is set aside, loudly; the rest goes on."""
    hub.case("SL0001", 1)
    hub.rate("SL0001", 1, level=1, reasons=("110",))
    hub.case("SL0002", 1)
    hub.rate("SL0002", 1)
    forged = signing.sign(a_rating(1, level=5), signing.generate_key())

    def insider(db):
        db.conn.execute("DROP TRIGGER ledger_never_updated")
        db.conn.execute("UPDATE ledger SET body = ? WHERE seq = 1", (forged,))

    hub.writer.call(insider)
    hub.forward_until(city.url, hub.nothing_waits)
    assert hub.row("SL0001", "rating")[:2] == ("set_aside", ALTERED)
    assert ("SL0001", "1", "rating") not in city.kept()
    assert ("SL0002", "1", "rating") in city.kept()


BESIDE = {
    "another clerk in the table of invitations": (
        "UPDATE invitations"
        " SET body = CAST(replace(CAST(body AS TEXT), '示例', '另一') AS BLOB)"
        " WHERE serial = 'SL0001'"
    ),
    "another's rating under this case": (
        "UPDATE deliveries SET position ="
        " (SELECT position FROM deliveries WHERE kind = 'rating' AND serial = 'SL0002')"
        " WHERE kind = 'rating' AND serial = 'SL0001'"
    ),
}


@pytest.mark.parametrize("sql", BESIDE.values(), ids=BESIDE)
def test_a_rating_bent_beside_the_ledger_never_reaches_the_city(hub, city, sql):
    """The tables beside the ledger have no guards: what was signed decides."""
    for serial, level in (("SL0001", 1), ("SL0002", 5)):
        hub.case(serial, 1)
        reasons = ("110",) if level == 1 else ()
        hub.rate(serial, 1, level=level, reasons=reasons)
    hub.writer.call(lambda db: db.conn.execute(sql))
    hub.forward_until(city.url, hub.nothing_waits)
    assert hub.row("SL0001", "rating")[:2] == ("set_aside", ALTERED)
    assert ("SL0001", "1", "rating") not in city.kept()
    assert ("SL0002", "1", "rating") in city.kept()
