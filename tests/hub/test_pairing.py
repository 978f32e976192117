"""Pairing: a code, a look at the screen, a confirmation; and what a clerk may take away."""

import asyncio
import sqlite3

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
from world_hall import CALLER, OTHER_WINDOW, WINDOW

from hub.counter.pairing import CODE_MS, CONFIRM_MS, PER_CALLER, PER_DEVICE
from hub.errors import KioskWorks, NothingToConfirm, UnknownWindow, WrongCode


@pytest.fixture
def hall(tmp_path):
    with open_unpaired(tmp_path) as hall:
        yield hall


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


def test_a_clock_put_back_does_not_lengthen_a_candidate(hall):
    """What was to be confirmed within a minute cannot be confirmed an hour later."""
    claim(hall, code_of(hall))
    pass_time(hall, -3_600_000)
    with pytest.raises(NothingToConfirm):
        confirm(hall)


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


# ---------------------------------------------------------------- several at once


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


def test_a_kiosk_that_leaves_while_it_is_to_be_confirmed(hall):
    """Nobody can see on it whether it is the right one: it is not paired."""
    claim(hall, code_of(hall))
    hall.online.discard("k1")
    pass_time(hall, 1)
    with pytest.raises(NothingToConfirm):
        confirm(hall)
