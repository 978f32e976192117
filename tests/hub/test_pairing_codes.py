"""Pairing codes: two minutes on the screen, few wrong tries, no two alike."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pairing_world import (
    CLERK,
    COLLEAGUE,
    claim,
    code_of,
    confirm,
    denied,
    open_unpaired,
    paired,
    pass_time,
    shown,
)
from world_hall import CALLER, CONFIG, OTHER_WINDOW, SEATS, WINDOW, Hall

from hub.counter.pairing import CODE_MS, GRACE_MS, PER_CALLER, PER_DEVICE, Codes
from hub.errors import NothingToConfirm, TooManyTries, WrongCode
from hub.rules.access import Caller
from hub.rules.tries import Tries

WRONG = "999999"


@pytest.fixture
def hall(tmp_path):
    with open_unpaired(tmp_path) as hall:
        yield hall


# ---------------------------------------------------------------- how long a code holds


def test_codes_change_every_two_minutes_and_the_kiosks_are_told(hall):
    """Each kiosk is sent its next code at the moment the old one ends, and not before."""
    before = {device: code_of(hall, device) for device in ("k1", "k2")}
    pass_time(hall, CODE_MS - 1)
    assert {device: code_of(hall, device) for device in before} == before
    pass_time(hall, 1)
    after = {device: code_of(hall, device) for device in before}
    assert len({*before.values(), *after.values()}) == 4
    assert shown(hall).pairing.until == hall.now + CODE_MS


@pytest.mark.parametrize("late_ms", [GRACE_MS, CODE_MS, 10 * CODE_MS])
def test_a_code_that_has_changed_is_refused(hall, late_ms):
    """Ten seconds after it left the screen at the latest, a code opens nothing."""
    old = code_of(hall)
    pass_time(hall, CODE_MS)
    pass_time(hall, late_ms)
    with pytest.raises(WrongCode, match="两分钟更换"):
        claim(hall, old)
    assert paired(hall) == {}


def test_who_is_just_typing_is_not_turned_away(hall):
    """A code is honoured for ten seconds after the kiosk has shown the next one."""
    old = code_of(hall)
    pass_time(hall, CODE_MS)
    pass_time(hall, GRACE_MS - 1)
    assert claim(hall, old).device == "k1"


def test_the_code_of_a_kiosk_that_is_away_opens_nothing(hall):
    """What a dead screen may still show is void; with the kiosk comes a new code."""
    code = code_of(hall)
    hall.online.discard("k1")
    pass_time(hall, 1)
    with pytest.raises(WrongCode):
        claim(hall, code)
    hall.board.refresh(["k1"])
    assert shown(hall).pairing is None
    hall.online.add("k1")
    hall.board.refresh(["k1"])
    assert code_of(hall) != code


def test_after_a_restart_every_kiosk_has_another_code(tmp_path):
    """Codes are in memory only: those of before open nothing, pairings stay."""
    with Hall(tmp_path) as hall:
        hall.ask(hall.bindings.unpair(WINDOW, CALLER))
        old = code_of(hall)
        claim(hall, old)
    with Hall(tmp_path) as hall:
        hall.digits = iter(range(500_000, 600_000))
        hall.ask(hall.bindings.unpair(WINDOW, CALLER))
        with pytest.raises(WrongCode):
            claim(hall, old)
        with pytest.raises(NothingToConfirm):
            confirm(hall)
        assert paired(hall) == {OTHER_WINDOW: SEATS[OTHER_WINDOW][0]}


@pytest.mark.parametrize("jump_ms", [-86_400_000, -CODE_MS - 1, 86_400_000, 3 * CODE_MS])
def test_a_clock_that_jumps_changes_the_codes_at_once(hall, jump_ms):
    """Put back or forward, no code lives longer than its two minutes, and pairing goes on."""
    old = code_of(hall)
    pass_time(hall, jump_ms)
    new = shown(hall).pairing
    assert new.code != old
    assert new.until == hall.now + CODE_MS
    pass_time(hall, GRACE_MS)
    with pytest.raises(WrongCode):
        claim(hall, old)
    claim(hall, new.code)
    confirm(hall)


def test_two_clerks_with_one_code(hall):
    """The first gets the kiosk, the second is told that the code is not there any more."""
    code = code_of(hall)
    results = []
    ready = threading.Barrier(2)

    def one(caller):
        ready.wait(10)
        try:
            results.append(hall.codes.claim(code, WINDOW, caller)[0].by)
        except WrongCode:
            results.append("wrong")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, ("user:jia", "user:yi")))
    assert sorted(results) in (["user:jia", "wrong"], ["user:yi", "wrong"])


# ---------------------------------------------------------------- guessing


def miss(hall, caller, times=1):
    for _ in range(times):
        with pytest.raises(WrongCode):
            claim(hall, WRONG, caller=caller)


def test_who_guesses_has_to_wait(hall):
    """Five tries are free; then 30 s, doubling with each one; the right code waits as well."""
    miss(hall, CLERK, PER_CALLER.free)
    assert denied(hall) == [(CLERK.name, "pair", WINDOW)] * PER_CALLER.free
    for seconds in (30, 60, 120):
        with pytest.raises(TooManyTries) as told:
            claim(hall, code_of(hall))
        assert told.value.wait_s == seconds
        assert "再试" in str(told.value)
        pass_time(hall, seconds * 1000 - 1)
        with pytest.raises(TooManyTries):
            claim(hall, code_of(hall))
        pass_time(hall, 1)
        miss(hall, CLERK)
    with pytest.raises(TooManyTries):
        claim(hall, code_of(hall))
    assert claim(hall, code_of(hall), caller=COLLEAGUE).by == COLLEAGUE.name


def test_the_longest_wait_is_an_hour_and_all_is_forgotten_after_two(hall):
    """A caller that guessed all night is heard again in the morning."""
    for _ in range(20):
        tries = hall.codes._tries.get(CLERK.name, Tries())
        hall.now += tries.wait_ms(hall.now)
        assert tries.wait_ms(hall.now) == 0
        with pytest.raises(WrongCode):
            hall.codes.claim(WRONG, WINDOW, CLERK.name)
    assert hall.codes._tries[CLERK.name].wait_ms(hall.now) == PER_CALLER.longest_ms
    pass_time(hall, PER_CALLER.forget_ms + 1)
    miss(hall, CLERK, PER_CALLER.free - 1)
    assert claim(hall, code_of(hall)).device == "k1"


def test_a_clock_put_back_locks_nobody_out(hall):
    """Who had to wait 30 s does not wait for the day that the clock was wrong by."""
    miss(hall, CLERK, PER_CALLER.free)
    pass_time(hall, -86_400_000)
    assert claim(hall, code_of(hall)).device == "k1"


def test_a_right_code_wipes_the_slate(hall):
    """Who mistyped now and then is not locked out later."""
    miss(hall, CLERK, PER_CALLER.free - 1)
    claim(hall, code_of(hall))
    hall.bindings.cancel(WINDOW, "k1", CLERK)
    miss(hall, CLERK, PER_CALLER.free - 1)
    assert claim(hall, code_of(hall)).device == "k1"


def test_all_codes_change_after_ten_wrong_ones(hall):
    """However many callers guess together, a set of codes outlives ten wrong ones at most."""
    before = {device: code_of(hall, device) for device in ("k1", "k2")}
    for number in range(PER_DEVICE):
        miss(hall, Caller(name=f"key:{number}", scopes=CALLER.scopes))
    with pytest.raises(WrongCode):  # at once, not only when the kiosks have their new ones
        claim(hall, before["k1"])
    pass_time(hall, 1)
    after = {device: code_of(hall, device) for device in before}
    assert not set(before.values()) & set(after.values())
    with pytest.raises(WrongCode):
        claim(hall, before["k2"])
    assert claim(hall, after["k1"]).device == "k1"


# ---------------------------------------------------------------- what a code looks like


def test_no_two_kiosks_show_the_same_code():
    """Not even with a generator that repeats itself; nor one that has just been shown."""
    now = [0]
    drawn = iter([*([7] * 50), *([8] * 50), *range(100)])
    codes = Codes(now=lambda: now[0], random_below=lambda _: next(drawn))
    assert (codes.of("k1").code, codes.of("k2").code) == ("000007", "000008")
    now[0] = CODE_MS
    drawn = iter([7, 8, 7, 8, 9, 10])
    assert codes.turn(lambda _: True) == {"k1", "k2"}
    assert (codes.of("k1").code, codes.of("k2").code) == ("000009", "000010")


def test_five_hundred_kiosks_have_five_hundred_codes():
    """Real random digits, turned ten times; each code finds its own kiosk."""
    now = [1_790_000_000_000]
    codes = Codes(now=lambda: now[0], random_below=secrets.randbelow)
    names = [f"kiosk-{number:03d}" for number in range(500)]
    for _ in range(10):
        shown = {name: codes.of(name).code for name in names}
        assert len(set(shown.values())) == 500
        now[0] += CODE_MS
        assert codes.turn(lambda _: True) == set(names)
    for name in names[::50]:
        assert codes.claim(codes.of(name).code, WINDOW, "key:0")[0].device == name


def test_the_qr_holds_the_address_of_the_page(hall):
    """With an address of the hub's pages the QR opens them; without one it is the code alone."""
    assert shown(hall).pairing.qr == code_of(hall)
    assert CONFIG.api.address == ""
    hall.board._pair_link = "https://hub.example/pair?code="
    hall.board.refresh(["k1"])
    assert shown(hall).pairing.qr == f"https://hub.example/pair?code={code_of(hall)}"
