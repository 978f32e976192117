"""Pairing, replacing, moving, signing on: one commit each, in the ledger and the audit trail."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from world_hall import (
    CALLER,
    CONFIG,
    EMPTY_WINDOW,
    OTHER_WINDOW,
    WINDOW,
    Hall,
    expired,
    rated,
    withdrawn,
)

from hub.counter.bindings import Bindings
from hub.counter.board import Board
from hub.counter.windows import Windows
from hub.errors import (
    AnotherClerk,
    NobodySignedOn,
    NotPaired,
    StaffUnknown,
    UnknownWindow,
    WindowTaken,
)
from hub.rules.access import Caller, Role, scopes_of
from hub.rules.days import DAY_MS
from hub.store import bindings
from protocol import wire
from protocol.messages import Settings, Slot, Staff

JIA, YI = Staff(name="示例甲"), Staff(name="示例乙")
BING = Staff(name="示例丙", number="0003", post="综合窗口")
CLERK = Caller(name="user:bing", scopes=scopes_of([Role.WINDOW]), staff=BING)
NOBODY = Caller(name="user:it", scopes=scopes_of([Role.IT]))


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


class Notes:
    """What ledger, audit trail and kiosks have learnt since the last look."""

    def __init__(self, hall):
        self.hall = hall
        self.entries = self.acts = 0
        self.look()

    def look(self):
        """Return the new entries of ledger and audit trail, and the kiosks that were told."""
        self.hall.quiet()
        ledger = self.hall.rows(
            "SELECT kind, device, json_extract(CAST(body AS TEXT), '$.window') FROM ledger"
            " WHERE position > ? AND invitation = '' ORDER BY position",
            self.entries,
        )
        self.entries = self.hall.rows("SELECT max(position) FROM ledger")[0][0]
        acts = self.hall.rows(
            "SELECT actor, action, target, allowed FROM audit WHERE position > ? ORDER BY position",
            self.acts,
        )
        self.acts = self.hall.rows("SELECT ifnull(max(position), 0) FROM audit")[0][0]
        told = {device for device, leaf, _ in self.hall.published if leaf == "settings"}
        self.hall.published.clear()
        return ledger, acts, told


@pytest.fixture
def notes(hall):
    return Notes(hall)


def settings(hall, device):
    return wire.decode(Settings, hall.sent(device, "settings")[-1])


def slot(hall, device):
    return wire.decode(Slot, hall.sent(device, "invitation")[-1])


def seats(hall):
    return {window: seat.staff.name for window, seat in bindings.seats(hall.reader).items()}


def at(text):
    """Milliseconds since 1970 of a moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


# ---------------------------------------------------------------- kiosks


def test_unpairing_takes_back_what_is_open(hall, notes):
    """The kiosk shows a code, its citizen's invitation is asked back, the window has none."""
    name = hall.invite().status.id
    notes.look()
    status = hall.ask(hall.bindings.unpair(WINDOW, CALLER))
    assert (status.device, status.staff) == (None, JIA)
    assert hall.ask(hall.desk.invitation(name)).withdrawal_requested
    assert settings(hall, "k1").pairing is not None
    assert (slot(hall, "k1").invitation, slot(hall, "k1").unsettled) == (None, (name,))
    assert notes.look() == (
        [("unpaired", "k1", WINDOW)],
        [("key:0", "unpair", WINDOW, 1)],
        {"k1"},
    )
    with pytest.raises(NotPaired):
        hall.ask(hall.bindings.unpair(WINDOW, CALLER))
    assert notes.look()[0] == []


def test_moving_a_kiosk_is_one_commit(hall, notes):
    """The old window has none, the new one has it, what was open is asked back."""
    name = hall.invite().status.id
    notes.look()
    status = hall.ask(hall.bindings.move(WINDOW, EMPTY_WINDOW, CALLER))
    assert (status.name, status.device) == (EMPTY_WINDOW, "k1")
    assert hall.ask(hall.desk.invitation(name)).withdrawal_requested
    assert settings(hall, "k1").window.name == EMPTY_WINDOW
    assert settings(hall, "k1").staff is None
    assert slot(hall, "k1").invitation is None
    assert notes.look() == (
        [("unpaired", "k1", WINDOW), ("paired", "k1", EMPTY_WINDOW)],
        [("key:0", "pair", EMPTY_WINDOW, 1)],
        {"k1"},
    )
    with pytest.raises(NotPaired):
        hall.invite()
    times = hall.rows("SELECT DISTINCT recorded_at FROM ledger WHERE kind LIKE '%paired'")
    assert len(times) == 1


def test_a_kiosk_moves_only_to_a_window_without_one(hall, notes):
    """Nobody loses a kiosk by somebody else's move; to its own window it is no move."""
    with pytest.raises(WindowTaken, match="k2"):
        hall.ask(hall.bindings.move(WINDOW, OTHER_WINDOW, CALLER))
    with pytest.raises(NotPaired):
        hall.ask(hall.bindings.move(EMPTY_WINDOW, WINDOW, CALLER))
    assert hall.ask(hall.bindings.move(WINDOW, WINDOW, CALLER)).device == "k1"
    assert notes.look()[0] == []
    assert bindings.pairings(hall.reader) == {WINDOW: "k1", OTHER_WINDOW: "k2"}


def test_replacing_a_kiosk_tells_both(hall, notes):
    """What stood there is unpaired in the same commit, and shows a code if it still can."""
    name = hall.invite().status.id
    hall.ask(hall.bindings.unpair(OTHER_WINDOW, CALLER))
    code = settings(hall, "k2").pairing.code
    notes.look()
    hall.ask(hall.bindings.claim(WINDOW, code, CALLER))
    hall.quiet()
    hall.published.clear()
    hall.ask(hall.bindings.confirm(WINDOW, "k2", CALLER))
    assert settings(hall, "k2").window.name == WINDOW
    assert settings(hall, "k2").staff == JIA
    assert settings(hall, "k1").window is None
    assert (slot(hall, "k1").invitation, slot(hall, "k1").unsettled) == (None, (name,))
    assert notes.look() == (
        [("unpaired", "k1", WINDOW), ("paired", "k2", WINDOW)],
        [("key:0", "pair", WINDOW, 1)],
        {"k1", "k2"},
    )


def test_windows_that_are_not_there(hall):
    """Every wish about one names it."""
    for wish in (
        lambda: hall.bindings.status("9号窗口"),
        lambda: hall.bindings.history("9号窗口"),
        lambda: hall.bindings.claim("9号窗口", "000000", CALLER),
        lambda: hall.bindings.confirm("9号窗口", "k1", CALLER),
        lambda: hall.bindings.unpair("9号窗口", CALLER),
        lambda: hall.bindings.move("9号窗口", WINDOW, CALLER),
        lambda: hall.bindings.move(WINDOW, "9号窗口", CALLER),
        lambda: hall.bindings.sign_on("9号窗口", JIA, CALLER),
        lambda: hall.bindings.sign_off("9号窗口", CALLER),
    ):
        with pytest.raises(UnknownWindow, match="9号窗口"):
            hall.ask(wish())


# ---------------------------------------------------------------- clerks


def test_signing_on_changes_the_card_at_once(hall, notes):
    """Who was there goes, who comes is on the card and on the next invitation: one commit."""
    status = hall.ask(hall.bindings.sign_on(WINDOW, None, CLERK))
    assert (status.staff, status.signed_on_at) == (BING, hall.now)
    assert settings(hall, "k1").staff == BING
    assert notes.look() == (
        [("signed_off", "k1", WINDOW), ("signed_on", "k1", WINDOW)],
        [("user:bing", "sign_on", WINDOW, 1)],
        {"k1"},
    )
    hall.invite()
    assert slot(hall, "k1").invitation.staff == BING
    with pytest.raises(AnotherClerk):
        hall.invite(serial="SL0002", staff=JIA)


def test_a_clerk_is_at_one_window_only(hall, notes):
    """Who signs on elsewhere leaves the window before; both kiosks are told."""
    hall.ask(hall.bindings.sign_on(WINDOW, None, CLERK))
    notes.look()
    hall.ask(hall.bindings.sign_on(OTHER_WINDOW, None, CLERK))
    assert seats(hall) == {OTHER_WINDOW: "示例丙"}
    assert (settings(hall, "k1").staff, settings(hall, "k2").staff) == (None, BING)
    ledger, _, told = notes.look()
    assert ledger == [
        ("signed_off", "k1", WINDOW),
        ("signed_off", "k2", OTHER_WINDOW),
        ("signed_on", "k2", OTHER_WINDOW),
    ]
    assert told == {"k1", "k2"}
    with pytest.raises(NobodySignedOn):
        hall.invite()


def test_two_clerks_of_one_name_are_told_apart_by_number(hall):
    """With numbers both may sit; the same name without any number is the same clerk."""
    hall.ask(hall.bindings.sign_on(WINDOW, Staff(name="示例丁", number="1"), CALLER))
    hall.ask(hall.bindings.sign_on(OTHER_WINDOW, Staff(name="示例丁", number="2"), CALLER))
    assert set(seats(hall)) == {WINDOW, OTHER_WINDOW}
    hall.ask(hall.bindings.sign_on(WINDOW, YI, CALLER))
    hall.ask(hall.bindings.sign_on(EMPTY_WINDOW, YI, CALLER))
    assert seats(hall) == {OTHER_WINDOW: "示例丁", EMPTY_WINDOW: "示例乙"}


def test_signing_on_where_one_sits_changes_nothing(hall, notes):
    """A repeated call writes nothing and disturbs no kiosk."""
    hall.ask(hall.bindings.sign_on(WINDOW, JIA, CALLER))
    assert notes.look() == ([], [], set())


def test_two_clerks_for_one_window_at_once(hall):
    """Whoever is last sits there; the ledger tells each change, and no clerk sits twice."""
    people = [Staff(name=f"示例{number}", number=str(number)) for number in range(20)]

    def one(staff):
        return asyncio.run(_wait(hall.bindings.sign_on(WINDOW, staff, CALLER)))

    async def _wait(request):
        return await request

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(one, people))
    hall.quiet()
    entries = bindings.history(hall.reader, WINDOW)
    on = [each for each in entries if each.kind == "signed_on"]
    off = [each for each in entries if each.kind == "signed_off"]
    assert len(on) == len(off) + 1 == len(people) + 1
    assert bindings.seat(hall.reader, WINDOW).staff == on[0].change.staff
    assert settings(hall, "k1").staff == on[0].change.staff


def test_only_clerks_sign_on_and_only_themselves(hall, notes):
    """Whoever has no card, or names somebody else, is refused, and the trail keeps it."""
    with pytest.raises(StaffUnknown, match="没有登记"):
        hall.ask(hall.bindings.sign_on(WINDOW, None, NOBODY))
    with pytest.raises(StaffUnknown, match="只能为本人"):
        hall.ask(hall.bindings.sign_on(WINDOW, JIA, CLERK))
    with pytest.raises(StaffUnknown, match="只能由本人签退"):
        hall.ask(hall.bindings.sign_off(WINDOW, CLERK))
    assert notes.look() == (
        [],
        [
            ("user:it", "sign_on", WINDOW, 0),
            ("user:bing", "sign_on", WINDOW, 0),
            ("user:bing", "sign_off", WINDOW, 0),
        ],
        set(),
    )
    assert seats(hall)[WINDOW] == "示例甲"


def test_signing_off(hall, notes):
    """The card goes, nobody is invited; off twice is no error and no second entry."""
    hall.ask(hall.bindings.sign_on(WINDOW, None, CLERK))
    notes.look()
    assert hall.ask(hall.bindings.sign_off(WINDOW, CLERK)).staff is None
    assert settings(hall, "k1").staff is None
    hall.ask(hall.bindings.sign_off(WINDOW, CLERK))
    ledger, acts, _ = notes.look()
    assert (len(ledger), len(acts)) == (1, 1)
    with pytest.raises(NobodySignedOn):
        hall.invite()


def test_a_window_without_kiosk_may_have_a_clerk(hall):
    """The kiosk that comes later has the card from its first moment."""
    hall.ask(hall.bindings.sign_on(EMPTY_WINDOW, None, CLERK))
    hall.ask(hall.bindings.move(WINDOW, EMPTY_WINDOW, CALLER))
    assert settings(hall, "k1").staff == BING


# ---------------------------------------------------------------- the end of the day


@pytest.mark.parametrize(
    ("on", "looked", "stays"),
    [
        ("2026-11-23T01:00", "2026-11-23T15:59:59.999", True),
        ("2026-11-23T01:00", "2026-11-23T16:00", False),
        ("2026-11-23T15:59:59.999", "2026-11-23T16:00", False),
        ("2026-11-23T16:00", "2026-11-23T16:00:30", True),
        ("2026-11-23T01:00", "2026-12-24T01:00", False),
        ("2027-11-23T01:00", "2026-11-23T01:00", False),  # the clock was a year ahead
        ("2026-11-23T01:00:05", "2026-11-23T01:00", True),  # and here by five seconds
    ],
)
def test_whoever_forgets_to_sign_off_is_signed_off_at_midnight(hall, notes, on, looked, stays):
    """By the hub, with the reason in ledger and trail, and the card is taken down."""
    hall.now = at(on)
    hall.ask(hall.bindings.sign_on(WINDOW, None, CLERK))
    hall.ask(hall.bindings.sign_off(OTHER_WINDOW, CALLER))
    notes.look()
    hall.now = at(looked)
    hall.bindings.end_of_day()
    ledger, acts, told = notes.look()
    if stays:
        assert (ledger, acts, told) == ([], [], set())
    else:
        assert ledger == [("signed_off", "k1", WINDOW)]
        assert acts == [("hub", "sign_off", WINDOW, 1)]
        assert told == {"k1"}
        assert bindings.history(hall.reader, WINDOW)[0].change.why == "end_of_day"
    assert (WINDOW in seats(hall)) == stays


def test_the_end_of_the_day_ends_no_pairing(hall):
    """Kiosks stay where they are."""
    hall.now += 3 * DAY_MS
    hall.bindings.end_of_day()
    hall.quiet()
    assert seats(hall) == {}
    assert bindings.pairings(hall.reader) == {WINDOW: "k1", OTHER_WINDOW: "k2"}


def test_a_window_that_is_no_more_is_freed(hall, notes):
    """Taken out of the configuration: clerk off, kiosk unpaired, its citizen asked back."""
    name = hall.invite().status.id
    notes.look()
    fewer = Windows(CONFIG.windows[1:])
    board = Board(
        hall.writer,
        CONFIG.hall_name,
        fewer,
        ("k1", "k2"),
        hall.codes,
        now=hall.clock,
        online=hall.online.__contains__,
        publish=hall._publish,
    )
    later = Bindings(
        hall.writer,
        fewer,
        hall.codes,
        now=hall.clock,
        online=hall.online.__contains__,
        changed=board.refresh,
    )
    later.end_of_day()
    hall.quiet()
    assert settings(hall, "k1").pairing is not None
    assert slot(hall, "k1").unsettled == (name,)
    ledger, acts, told = notes.look()
    assert ledger == [("signed_off", "k1", WINDOW), ("unpaired", "k1", WINDOW)]
    assert acts == [("hub", "sign_off", WINDOW, 1), ("hub", "unpair", WINDOW, 1)]
    assert told == {"k1"}
    later.end_of_day()
    assert notes.look() == ([], [], set())
    hall.send(withdrawn(name))
    assert hall.account().balanced


# ---------------------------------------------------------------- what is kept of it


def test_the_history_says_who_was_where_and_why(hall):
    """Newest first, of one window or of all, with who did it and the reason where there is one."""
    hall.now += 1_000
    hall.ask(hall.bindings.sign_on(OTHER_WINDOW, JIA, CALLER))
    found = hall.ask(hall.bindings.history())
    positions = [each.position for each in found]
    assert positions == sorted(positions, reverse=True)
    told = [
        (each.kind, each.change.window, each.change.staff.name, each.change.why)
        for each in found[:3]
    ]
    assert told == [
        ("signed_on", OTHER_WINDOW, "示例甲", ""),
        ("signed_off", OTHER_WINDOW, "示例乙", "replaced"),
        ("signed_off", WINDOW, "示例甲", "moved"),
    ]
    assert {(each.at, each.change.by) for each in found[:3]} == {(hall.now, "key:0")}
    only = hall.ask(hall.bindings.history(WINDOW))
    assert [each.kind for each in only] == ["signed_off", "signed_on", "paired"]
    assert {each.change.window for each in only} == {WINDOW}


def test_the_account_balances_with_bindings_in_between(hall):
    """invited = rated + expired + withdrawn + open, whatever is paired and moved meanwhile."""
    first = hall.invite().status.id
    hall.ask(hall.bindings.sign_on(WINDOW, None, CLERK))
    hall.send(rated(first))
    second = hall.invite(serial="SL0002").status.id
    hall.ask(hall.bindings.move(WINDOW, EMPTY_WINDOW, CALLER))
    hall.send(withdrawn(second))
    third = hall.invite(OTHER_WINDOW, "SL0003").status.id
    hall.ask(hall.bindings.unpair(OTHER_WINDOW, CALLER))
    hall.send(expired(third, "k2"))
    hall.ask(hall.bindings.sign_on(EMPTY_WINDOW, None, CLERK))
    hall.invite(EMPTY_WINDOW, "SL0004")
    account = hall.account()
    assert account.balanced
    counts = (account.invited, account.rated, account.expired, account.withdrawn, account.open)
    assert counts == (4, 1, 1, 1, 1)
    assert hall.account("k1").balanced
    assert hall.account("k2").balanced
    positions = [p for (p,) in hall.rows("SELECT position FROM ledger ORDER BY position")]
    assert positions == list(range(1, len(positions) + 1))


def test_a_citizen_who_taps_while_the_kiosk_is_taken_off_still_counts(hall):
    """The tap was first: the kiosk's signed word decides, for the clerk it was shown with."""
    name = hall.invite().status.id
    hall.ask(hall.bindings.unpair(WINDOW, CALLER))
    outcome = rated(name)
    hall.send(outcome)
    assert hall.committed() == [outcome.id]
    assert hall.ask(hall.desk.invitation(name)).state == "rated"
