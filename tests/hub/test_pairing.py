"""Pairing codes: two minutes on the screen, few wrong tries, and no binding unless confirmed."""

import asyncio
import secrets
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from world_hall import (
    CALLER,
    CONFIG,
    OTHER_WINDOW,
    SEATS,
    WINDOW,
    Hall,
)

from hub.counter.pairing import CODE_MS, CONFIRM_MS, GRACE_MS, PER_CALLER, PER_DEVICE, Codes
from hub.errors import KioskWorks, NothingToConfirm, TooManyTries, UnknownWindow, WrongCode
from hub.rules.access import Caller, Role, scopes_of
from hub.rules.tries import Tries
from hub.store import bindings
from protocol import wire
from protocol.messages import Settings, Staff

CLERK = Caller(
    name="user:jia", scopes=scopes_of([Role.WINDOW]), staff=Staff(name="示例甲", number="0001")
)
COLLEAGUE = Caller(
    name="user:yi", scopes=scopes_of([Role.WINDOW]), staff=Staff(name="示例乙", number="0002")
)
WRONG = "999999"


@pytest.fixture
def hall(tmp_path):
    """Both kiosks stand in the hall, but neither has a window."""
    with Hall(tmp_path) as hall:
        for window in (WINDOW, OTHER_WINDOW):
            hall.ask(hall.bindings.unpair(window, CALLER))
        yield hall


def shown(hall, device="k1"):
    """What the kiosk was told last."""
    hall.quiet()
    return wire.decode(Settings, hall.sent(device, "settings")[-1])


def code_of(hall, device="k1"):
    return shown(hall, device).pairing.code


def claim(hall, code, window=WINDOW, caller=CLERK):
    return hall.ask(hall.bindings.claim(window, code, caller))


def confirm(hall, window=WINDOW, device="k1", caller=CLERK):
    return hall.ask(hall.bindings.confirm(window, device, caller))


def pass_time(hall, ms):
    """Let time go by, and the hub look after its codes as it does four times a second."""
    hall.now += ms
    hall.board.tidy()
    hall.quiet()


def paired(hall):
    return bindings.pairings(hall.reader)


def denied(hall):
    hall.quiet()
    return [
        (actor, action, target)
        for actor, action, target in hall.rows(
            "SELECT actor, action, target FROM audit WHERE allowed = 0 ORDER BY position"
        )
    ]


# ---------------------------------------------------------------- the way of a pairing


def test_a_code_and_a_confirmation_bind_a_kiosk(hall):
    """The kiosk shows six digits, then the window's name, then it is that window's."""
    first = shown(hall)
    assert first.window is None
    assert (len(first.pairing.code), first.pairing.until) == (6, hall.now + CODE_MS)
    found = claim(hall, first.pairing.code)
    assert (found.device, found.window, found.until) == ("k1", WINDOW, hall.now + CONFIRM_MS)
    assert (shown(hall).window, shown(hall).pairing.window.name) == (None, WINDOW)
    assert paired(hall) == {}
    status = confirm(hall)
    assert (status.device, status.device_online) == ("k1", True)
    assert (shown(hall).window.name, shown(hall).pairing) == (WINDOW, None)
    assert paired(hall) == {WINDOW: "k1"}


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


def test_the_code_of_another_kiosk_binds_nothing_by_itself(hall):
    """Its name lights up on that other kiosk; the clerk sees it is not theirs and cancels."""
    wrong = code_of(hall, "k2")
    assert claim(hall, wrong).device == "k2"
    assert shown(hall, "k2").pairing.window.name == WINDOW
    assert shown(hall, "k1").pairing.window is None
    hall.bindings.cancel(WINDOW, "k2", CLERK)
    assert shown(hall, "k2").pairing.window is None
    assert code_of(hall, "k2") != wrong
    pass_time(hall, CONFIRM_MS)
    assert paired(hall) == {}
    with pytest.raises(NothingToConfirm):
        confirm(hall, device="k2")


@pytest.mark.parametrize(("late_ms", "binds"), [(CONFIRM_MS - 1, True), (CONFIRM_MS, False)])
def test_a_confirmation_has_a_minute(hall, late_ms, binds):
    """After that the kiosk shows another code, and nothing is bound."""
    code = code_of(hall)
    claim(hall, code)
    pass_time(hall, late_ms)
    if binds:
        confirm(hall)
    else:
        with pytest.raises(NothingToConfirm, match="重新输入"):
            confirm(hall)
        assert denied(hall) == [(CLERK.name, "pair", WINDOW)]
        assert code_of(hall) != code
        with pytest.raises(WrongCode):
            claim(hall, code)
    assert paired(hall) == ({WINDOW: "k1"} if binds else {})


def test_only_who_typed_the_code_confirms_it(hall):
    """Neither a colleague, nor for another window, nor another kiosk."""
    claim(hall, code_of(hall))
    for window, device, caller in (
        (WINDOW, "k1", COLLEAGUE),
        (OTHER_WINDOW, "k1", CLERK),
        (WINDOW, "k2", CLERK),
        (WINDOW, "k9", CLERK),
    ):
        with pytest.raises(NothingToConfirm):
            confirm(hall, window, device, caller)
        with pytest.raises(NothingToConfirm):
            hall.bindings.cancel(window, device, caller)
    assert paired(hall) == {}
    confirm(hall)


def test_a_window_that_is_not_configured(hall):
    """It is refused before the code is looked at: no try is used up, the kiosk keeps its code."""
    code = code_of(hall)
    for _ in range(PER_CALLER.free + PER_DEVICE):
        with pytest.raises(UnknownWindow):
            claim(hall, code, "9号窗口")
    assert claim(hall, code).device == "k1"


# ---------------------------------------------------------------- several at once


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


def test_one_window_claimed_twice(hall):
    """The last claim holds: one kiosk shows the window's name, the other has a new code."""
    first, second = code_of(hall, "k1"), code_of(hall, "k2")
    claim(hall, first)
    claim(hall, second, caller=COLLEAGUE)
    assert shown(hall, "k1").pairing.window is None
    assert code_of(hall, "k1") != first
    assert shown(hall, "k2").pairing.window.name == WINDOW
    with pytest.raises(NothingToConfirm):
        confirm(hall, device="k1")
    confirm(hall, device="k2", caller=COLLEAGUE)
    assert paired(hall) == {WINDOW: "k2"}


def test_two_windows_at_once(hall):
    """Two clerks pair two kiosks beside each other; each gets their own."""
    one, two = code_of(hall, "k1"), code_of(hall, "k2")
    claim(hall, two, OTHER_WINDOW, COLLEAGUE)
    claim(hall, one)
    confirm(hall)
    confirm(hall, OTHER_WINDOW, "k2", COLLEAGUE)
    assert paired(hall) == {WINDOW: "k1", OTHER_WINDOW: "k2"}


def test_confirming_twice_pairs_once(hall):
    """A button pressed twice, both on their way at once: one entry in the ledger, one act."""
    claim(hall, code_of(hall))
    before = len(hall.rows("SELECT 1 FROM audit"))

    async def both():
        return await asyncio.gather(*(hall.bindings.confirm(WINDOW, "k1", CLERK) for _ in range(2)))

    assert [status.device for status in hall.ask(both())] == ["k1", "k1"]
    with pytest.raises(NothingToConfirm):
        confirm(hall)
    kinds = [kind for (kind,) in hall.rows("SELECT kind FROM ledger WHERE device = 'k1'")]
    assert kinds[-1] == "paired"
    assert kinds.count("paired") == 2  # the one the hall began with, and this one
    assert len(hall.rows("SELECT 1 FROM audit WHERE allowed")) == before + 1


# ---------------------------------------------------------------- replacing a kiosk


def test_replacing_a_broken_kiosk_is_one_step_for_a_clerk(hall):
    """The dead kiosk gives way to the one beside it, without IT: a code and a confirmation."""
    claim(hall, code_of(hall, "k1"))
    confirm(hall)
    hall.online.discard("k1")
    claim(hall, code_of(hall, "k2"))
    assert confirm(hall, device="k2").device == "k2"
    assert paired(hall) == {WINDOW: "k2"}
    hall.online.add("k1")
    hall.board.refresh(["k1"])
    assert shown(hall, "k1").pairing is not None


def test_a_kiosk_that_works_is_not_taken_away_by_a_clerk(hall):
    """That takes the right to rebind; the kiosk beside keeps its code, and the trail knows."""
    claim(hall, code_of(hall, "k1"))
    confirm(hall)
    code = code_of(hall, "k2")
    with pytest.raises(KioskWorks, match="管理员"):
        claim(hall, code, caller=COLLEAGUE)
    assert denied(hall) == [(COLLEAGUE.name, "pair", WINDOW)]
    assert shown(hall, "k2").pairing.window is None
    claim(hall, code, caller=CALLER)
    confirm(hall, device="k2", caller=CALLER)
    assert paired(hall) == {WINDOW: "k2"}
    assert code_of(hall, "k1")


def test_a_kiosk_that_comes_back_before_the_confirmation_stays(hall):
    """It was offline when the code was typed and answers when it is confirmed."""
    claim(hall, code_of(hall, "k1"))
    confirm(hall)
    hall.online.discard("k1")
    claim(hall, code_of(hall, "k2"))
    hall.online.add("k1")
    with pytest.raises(KioskWorks):
        confirm(hall, device="k2")
    assert paired(hall) == {WINDOW: "k1"}


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


def test_a_kiosk_that_leaves_while_it_is_to_be_confirmed(hall):
    """Nobody can see on it whether it is the right one: it is not paired."""
    claim(hall, code_of(hall))
    hall.online.discard("k1")
    pass_time(hall, 1)
    with pytest.raises(NothingToConfirm):
        confirm(hall)


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


# ---------------------------------------------------------------- clocks, restarts, many


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


def test_a_clock_put_back_does_not_lengthen_a_candidate(hall):
    """What was to be confirmed within a minute cannot be confirmed an hour later."""
    claim(hall, code_of(hall))
    pass_time(hall, -3_600_000)
    with pytest.raises(NothingToConfirm):
        confirm(hall)


def test_a_clock_put_back_locks_nobody_out(hall):
    """Who had to wait 30 s does not wait for the day that the clock was wrong by."""
    miss(hall, CLERK, PER_CALLER.free)
    pass_time(hall, -86_400_000)
    assert claim(hall, code_of(hall)).device == "k1"


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


def test_a_disk_that_takes_nothing_pairs_nobody(hall):
    """The commit fails and nothing is bound; once there is room the same confirmation works."""
    claim(hall, code_of(hall))
    hall.writer.call(lambda db: db.execute("PRAGMA query_only = ON"))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        confirm(hall)
    hall.writer._db.execute("PRAGMA query_only = OFF")  # no group begins while it is on
    assert paired(hall) == {}
    assert shown(hall).pairing.window.name == WINDOW
    confirm(hall)
    assert paired(hall) == {WINDOW: "k1"}
    assert shown(hall).pairing is None
