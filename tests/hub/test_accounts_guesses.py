"""Who guesses passwords: how many are looked at, who has to wait, what is told of it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pages_world import CLERK, IT, NOW, PASSWORD, SECOND, open_pages

from hub.accounts.errors import SignInRefused
from hub.errors import TooManyTries

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1000, 60_000, 3_600_000, 86_400_000
ATTACKER = "127.0.0.66"


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def wrong(browser, times, name=CLERK):
    """Guess that often; return the last answer."""
    for number in range(times):
        page = browser.sign_in(name, f"guess-{number}")
    return page


def test_of_ten_thousand_guesses_thirteen_are_looked_at(hall):
    """One a second against one name: five are free, then each costs twice the wait, up to 1 h.

    10,000 s hold 5 + 8 tries: 30 s, 1, 2, 4, 8, 16, 32 and 60 min. The right password is among
    those that are not looked at, the clerk gets in from elsewhere, the trail stays short.
    """
    attacker = hall.browser(ATTACKER)
    statuses = set()
    with asyncio.Runner() as loop:
        for number in range(10_000):
            password = PASSWORD if number == 9_000 else f"guess-{number}"
            if number < 50 or number % 100 == 0:
                statuses.add(attacker.sign_in(CLERK, password).status)
            else:  # the same without HTTP, as most of them would cost a millisecond for nothing
                with pytest.raises((SignInRefused, TooManyTries)):
                    loop.run(hall.site.door.sign_in(CLERK, password, ATTACKER))
            hall.now += SECOND_MS
            hall.mono += SECOND_MS
    assert statuses == {401, 429}
    assert hall.looked_at == [True] * 13
    assert hall.browser("127.0.0.2").sign_in(CLERK).status == 303
    failed = [act for act in hall.trail("sign_in") if not act.allowed]
    assert len(failed) == 13
    assert {act.detail["address"] for act in failed} == {ATTACKER}
    assert len(hall.trail("lock")) == 9
    hall.now += HOUR_MS
    hall.site.door.tend()
    (over,) = hall.trail("lock_over")
    assert over.detail["ignored"] == 10_000 - 13
    assert over.target == f"user:{CLERK}"


def test_guesses_from_many_addresses_are_bounded_by_the_name(hall):
    """1,000 guesses from 100 addresses: 60 are looked at, and one a quarter of an hour later.

    The clerk, who has signed in from their own address before, is not shut out there.
    """
    own = hall.browser("127.0.0.2")
    assert own.sign_in(CLERK).status == 303
    hall.looked_at.clear()
    attackers = [hall.browser(f"127.0.1.{number}") for number in range(1, 101)]
    for number in range(1_000):
        attackers[number % 100].sign_in(CLERK, f"guess-{number}")
    assert len(hall.looked_at) == 60
    assert hall.browser("127.0.2.1").sign_in(CLERK).status == 429
    assert hall.browser("127.0.0.2").sign_in(CLERK).status == 303
    assert hall.browser("127.0.2.1").sign_in(SECOND).status == 303


def test_one_password_tried_on_many_names_is_bounded_by_the_address(hall):
    """300 names from one address: 100 are looked at; other addresses are not held up."""
    attacker = hall.browser(ATTACKER)
    for number in range(300):
        attacker.sign_in(f"user{number}", "the-usual-one")
    assert len(hall.looked_at) == 100
    assert attacker.sign_in(CLERK).status == 429
    assert hall.browser("127.0.0.2").sign_in(CLERK).status == 303


def test_guesses_at_the_same_moment_are_counted_before_they_are_looked_at(hall):
    """Of 24 at once no more than five are looked at."""
    browsers = [hall.browser(ATTACKER) for _ in range(24)]
    for browser in browsers:
        browser.get("/sign-in")
    with ThreadPoolExecutor(len(browsers)) as pool:
        pages = list(pool.map(lambda each: each.sign_in(CLERK, "at-once"), browsers))
    assert len(hall.looked_at) == 5
    assert sorted(page.status for page in pages) == [401] * 5 + [429] * 19


def test_five_wrong_ones_are_free_and_a_right_one_wipes_them_out(hall):
    """Who mistypes now and then never notices."""
    clerk = hall.browser()
    for _ in range(4):
        assert wrong(clerk, 4).status == 401
        assert clerk.sign_in(CLERK).status == 303
    assert hall.trail("lock") == []


def test_while_locked_the_right_password_is_not_looked_at_either(hall):
    """The answer says how long; when it is over the right one opens."""
    clerk = hall.browser()
    assert wrong(clerk, 5).status == 401
    page = clerk.sign_in(CLERK)
    assert page.status == 429
    assert "请等 30 秒" in page.words
    assert len(hall.looked_at) == 5
    hall.now += 30 * SECOND_MS
    assert clerk.sign_in(CLERK).status == 303


def test_who_has_an_account_cannot_wipe_out_what_they_guessed_of_others(hall):
    """Signing in as oneself in between gives the address no new tries."""
    insider = hall.browser(ATTACKER)
    for number in range(24):
        wrong(insider, 4, name=f"other{number}")
        assert insider.sign_in(SECOND).status == 303
    wrong(insider, 4, name="other")
    looked_at = len(hall.looked_at)
    assert insider.sign_in("admin1", "guess").status == 429
    assert len(hall.looked_at) == looked_at


def test_the_administrator_lets_a_clerk_in_again(hall):
    """The account says that it is locked and from where; unlocking it is in the trail."""
    clerk, it = hall.browser(ATTACKER), hall.signed_in(IT)
    wrong(clerk, 6)
    assert f"因口令错误锁定（来自 {ATTACKER}）" in it.get(f"/accounts/{CLERK}").words
    assert it.post(f"/accounts/{CLERK}/unlock").status == 303
    assert "因口令错误锁定" not in it.get(f"/accounts/{CLERK}").words
    assert clerk.sign_in(CLERK).status == 303
    (told,) = hall.trail("unlock")
    assert (told.actor, told.target) == (f"user:{IT}", f"user:{CLERK}")


def test_a_lock_outlives_a_restart(tmp_path):
    """It stands in the database."""
    with open_pages(tmp_path) as hall:
        assert wrong(hall.browser(), 6).status == 429
    with open_pages(tmp_path) as hall:
        assert hall.browser().sign_in(CLERK).status == 429
        hall.now += 30 * SECOND_MS
        assert hall.browser().sign_in(CLERK).status == 303


def test_a_clock_that_is_put_back_locks_nobody_out_for_years(hall):
    """A lock that would last longer than one may is over; the next mistake locks anew."""
    clerk = hall.browser()
    hall.now = NOW + 400 * DAY_MS
    wrong(clerk, 6)
    hall.now = NOW
    assert wrong(clerk, 1).status == 401
    assert clerk.sign_in(CLERK).status == 429
    hall.now += HOUR_MS
    assert clerk.sign_in(CLERK).status == 303


def test_nobody_learns_which_accounts_there_are(hall):
    """Wrong password, no such user, disabled user: one answer, and each costs one hash."""
    hall.signed_in(IT).post("/accounts/yi/disable")
    hall.looked_at.clear()
    answers = [hall.browser().sign_in(name, "wrong") for name in (CLERK, "nobody", SECOND)]
    answers.append(hall.browser().sign_in(SECOND))
    assert {page.status for page in answers} == {401}
    assert len({page.words for page in answers}) == 1
    assert len(hall.looked_at) == 4
    assert {act.detail["why"] for act in hall.trail("sign_in", denied=True)} == {
        "wrong_password",
        "unknown_user",
        "disabled",
    }
    stranger = hall.browser("127.0.0.3")
    assert wrong(stranger, 6, name="nobody").status == 429  # as for a user that there is


def test_a_password_typed_as_a_name_is_kept_nowhere(hall, tmp_path):
    """People do that; it stands neither in the trail nor in the counts."""
    hall.browser().sign_in("secret-of-somebody", "x")
    hall.quiet()
    assert not any(b"secret-of-somebody" in path.read_bytes() for path in tmp_path.glob("hub.db*"))


def test_the_trail_is_not_flooded_from_many_addresses(hall):
    """Within a minute no more than 60 entries of strangers, and one that counts the rest."""
    for number in range(1, 120):
        hall.browser(f"127.0.3.{number}").sign_in(f"name{number}", "x")
    assert len(hall.trail(denied=True)) == 60
    hall.mono += MINUTE_MS
    hall.site.door.tend()
    counted = hall.trail(denied=True)[60:]
    assert [(act.action, act.detail["times"]) for act in counted] == [("sign_in", 59)]


def test_when_too_many_sign_in_at_once_the_rest_is_asked_to_wait(hall):
    """Two passwords at a time, 32 in all; beyond that nothing is counted against anybody."""
    door, verify = threading.Event(), hall.site.hasher._verify
    hall.site.hasher._verify = lambda *given: door.wait(20) and verify(*given)
    browsers = [hall.browser(f"127.0.4.{number}") for number in range(1, 41)]
    for browser in browsers:
        browser.get("/sign-in")
    with ThreadPoolExecutor(len(browsers)) as pool:
        waiting = [pool.submit(each.sign_in, CLERK) for each in browsers]
        refused = []
        while len(refused) < 8:
            refused = [each for each in waiting if each.done()]
        door.set()
    assert [each.result().status for each in refused] == [503] * 8
    assert sorted(each.result().status for each in waiting) == [303] * 32 + [503] * 8
    assert hall.writer.call(
        lambda db: db.execute("SELECT count(*) FROM guesses WHERE failures > 0").fetchone()
    ) == (0,)
