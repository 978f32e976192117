"""What has been kept long enough is erased, at its time, and by no clock that lies."""

import asyncio
import contextlib

import pytest
from brokers import eventually
from citizens_world import WORDS, Town, secrets, shuffled
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from world_hall import KEYS, NOW, rated
from world_service import HubProcess

from hub.__main__ import main
from hub.citizens import retention
from hub.citizens.nightly import Nightly
from hub.citizens.retention import Result
from hub.rules.days import DAY_MS, day_start
from hub.rules.retention import STRIDE_MS, Retention, clock_doubt, own_part
from hub.store import cases, erasure
from hub.store.database import connect
from protocol import signing

TERMS = Retention(citizens_days=180, comments_days=365, evidence_days=90)


@pytest.fixture
def town(tmp_path):
    with Town(tmp_path) as town:
        yield town


def test_each_class_goes_at_its_time_and_not_before(town):
    """Evidence at 90 days, names at 180, words at 365, counted from the city's last word."""
    town.visit(1, comment=WORDS)
    town.hand_in(b"garbage")
    town.after(30)
    town.city_takes_all()  # only now: 30 days later
    done = []
    for _ in range(80):
        town.after(5)
        town.opens()
        result = town.run(TERMS)
        assert (result.alarm, result.traces) == ("", 0)
        day = (town.now - NOW) // DAY_MS
        done += [(n, day) for n in ("evidence", "citizens", "words") if getattr(result, n)]
    assert done == [("evidence", 90), ("citizens", 210), ("words", 395)]
    assert town.verified() == []
    assert town.account().balanced


def test_without_terms_nothing_is_ever_erased(town):
    town.visit(1, comment=WORDS)
    town.city_takes_all()
    town.after(30)
    assert town.run(Retention()) == Result()
    town.after(20_000)
    assert town.run(Retention(), sure=True) == Result()
    assert cases.get(town.reader, town.vault, "SL000001", 1) is not None


def test_what_the_city_has_not_got_stays_whatever_its_age(town):
    """Waiting, set aside, or open at a kiosk that never came back: counted, and kept."""
    town.visit(1)
    town.case(4)  # and nobody has answered, nor will
    town.city_takes_all()
    town.visit(2)
    town.visit(3, comment=WORDS)
    town.city_takes_all_but(kind="rating", serial="SL000003")
    town.visit(2_000)
    town.after(4_000)
    assert town.run(TERMS, sure=True) == Result(citizens=2, kept_back=3)
    held = "SELECT serial FROM citizens WHERE substr(applicant_name, 1, 1) = x'01' ORDER BY id"
    assert [serial for (serial,) in town.rows(held)] == ["SL000004", "SL000003", "SL002000"]


def test_a_run_erases_no_more_than_its_bound(town):
    """The rest follows in the next runs, all of it."""
    terms = Retention(citizens_days=10, comments_days=10, per_run=7)
    for number in range(1, 21):
        town.visit(number, comment=f"{WORDS}{number}")
    town.city_takes_all()
    town.after(11)
    runs = [town.run(terms) for _ in range(4)]
    assert [(each.citizens, each.words, each.more) for each in runs] == [
        (7, 7, True),
        (7, 7, True),
        (6, 6, False),
        (0, 0, False),
    ]
    assert town.verified() == []


def test_a_dry_run_says_what_a_run_would_do_and_does_nothing(town):
    for number in range(1, 6):
        town.visit(number, comment=WORDS)
    town.hand_in(b"garbage")
    town.city_takes_all()
    town.visit(6)
    town.after(30)
    terms = Retention(citizens_days=10, comments_days=10, evidence_days=10)
    before = town.rows("SELECT * FROM citizens"), town.rows("SELECT * FROM ledger")
    would = retention.plan(town.state, terms, town.now)
    assert would == Result(citizens=5, words=5, evidence=1, kept_back=1)
    assert (town.rows("SELECT * FROM citizens"), town.rows("SELECT * FROM ledger")) == before
    assert town.run(terms) == would


def test_nothing_of_hundreds_stays_in_free_space(town):
    """Erased in a random order over many runs: pages are emptied and merged, nothing is left.

    The raw files are searched without any knowledge of their form.
    """
    numbers = shuffled(180)
    jws = {number: town.visit(number, comment=f"{WORDS}{number}") for number in numbers}
    for number in numbers[:100]:
        town.hand_in(
            signing.sign(rated("f" * 32, "k2", seq=number, comment=f"{number}"), KEYS["k2"]), "k2"
        )
    gone = [each for n in numbers for each in secrets(town, n)] + [
        own_part(each)[-60:] for each in jws.values()
    ]
    town.city_takes_all()
    town.after(20)
    terms = Retention(citizens_days=10, comments_days=10, evidence_days=10, per_run=37)
    for _ in range(6):
        assert town.run(terms).traces == 0
    assert town.rows("SELECT count(*) FROM erasures") == [(180,)]
    raw = town.raw()
    assert [each for each in gone if each in raw] == []
    assert town.verified() == []


@pytest.mark.parametrize("days", [32, 366, 3_653])
def test_a_clock_that_was_put_forward_erases_nothing(town, days):
    """Ten years at once: refused, said so, until somebody has looked at the clock."""
    town.visit(1, comment=WORDS)
    town.city_takes_all()
    town.run(TERMS)
    town.after(days)
    result = town.run(Retention(citizens_days=1, comments_days=1, evidence_days=1))
    assert f"晚了 {days} 天" in result.alarm
    assert "--clock-is-right" in result.alarm
    assert (result.citizens, result.words) == (0, 0)
    town.now -= days * DAY_MS
    assert town.run(TERMS).alarm == ""


def test_entries_made_under_a_wrong_clock_do_not_vouch_for_it(town):
    """The ledger has grown under the wrong clock; the last run still knows better."""
    town.visit(1)
    town.city_takes_all()
    town.run(TERMS)
    town.after(3_653)
    town.visit(2)
    assert "上次清理" in town.run(TERMS).alarm
    assert town.run(TERMS, sure=True).citizens == 1


def test_a_clock_that_was_put_back_erases_nothing(town):
    town.visit(1)
    town.city_takes_all()
    town.after(20)
    town.run(TERMS)
    town.now -= 2 * DAY_MS
    assert "还早" in town.run(TERMS).alarm


@given(
    st.integers(0, 1 << 45),
    st.none() | st.integers(0, 1 << 45),
    st.none() | st.integers(0, 1 << 45),
)
def test_a_doubtful_clock_is_never_believed(now, ran_at, newest):
    doubt = clock_doubt(now, ran_at, newest)
    near = all(
        -3_600_000 <= now - each <= STRIDE_MS for each in (ran_at, newest) if each is not None
    )
    assert (doubt is None) == near


def at(town, hour):
    town.now = day_start(town.now) + DAY_MS + hour * 3_600_000


def test_it_runs_once_a_night(town):
    """Between 3 and 5 o'clock in China; by day only where a night was missed."""
    town.visit(1)
    town.city_takes_all()
    job = Nightly(town.state, town.vault, Retention(citizens_days=3), now=town.clock)
    at(town, 3)
    assert job.look() == Result()
    assert job.look() is None
    ran = []
    for _ in range(4):
        for _hour in range(24):
            town.now += 3_600_000
            if (result := job.look()) is not None:
                ran.append(((town.now - day_start(town.now)) // 3_600_000, result.citizens))
    assert ran == [(3, 0), (3, 0), (3, 1), (3, 0)]
    town.now += 30 * 3_600_000 + 1
    assert job.look() == Result()
    assert job.alarm is None


def test_without_terms_the_job_never_runs(town):
    at(town, 3)
    assert Nightly(town.state, town.vault, Retention(), now=town.clock).look() is None
    assert town.rows("SELECT * FROM retention") == []


def test_a_lying_clock_is_an_alarm_until_it_is_right(town):
    town.visit(1)
    job = Nightly(town.state, town.vault, TERMS, now=town.clock)
    at(town, 3)
    job.look()
    town.after(3_653)
    assert job.look().citizens == 0
    assert "可能不准" in job.alarm
    assert job.look() is None  # told; tried again in an hour
    town.now -= 3_652 * DAY_MS
    assert job.look() == Result()
    assert job.alarm is None


def test_the_job_runs_in_the_hub_s_loop_and_ends_with_it(town):
    """It looks at once, and cancelling it is enough."""
    town.visit(1)
    town.city_takes_all()
    town.after(20)
    at(town, 4)

    async def story():
        job = Nightly(town.state, town.vault, Retention(citizens_days=10), now=town.clock)
        task = asyncio.create_task(job.run())
        async with asyncio.timeout(20):
            while cases.get(town.reader, town.vault, "SL000001", 1) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return job.alarm

    assert asyncio.run(story()) is None


def test_a_hub_with_terms_begins_to_keep_them_and_the_command_reads_them_too(tmp_path, free_port):
    """The configuration reaches the nightly job of a real hub, and `citizens retention`."""
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port)
    text = hub.config.read_text(encoding="utf-8")
    hub.config.write_text(
        text.replace("[broker]", "[retention]\ncitizens_days = 30\n[broker]"), encoding="utf-8"
    )

    def ran():
        with contextlib.closing(connect(hub.db)) as db:
            return erasure.mark(db, "ran_at")

    try:
        hub.start()
        eventually(ran, "the first run", 20)
        ready = hub.ask("GET", "/readyz")[1]
        assert ready == {"ready": True, "reasons": []}
        assert hub.end() == 0
    finally:
        hub.close()
    command = ["citizens", "retention", "--dry-run", "--config", str(hub.config)]
    told = CliRunner().invoke(main, command)
    assert told.exit_code == 0, told.output
    assert "办件人信息 0 件" in told.output
