"""What window systems ask of the hub: repeated safely, one service at a time, never undone."""

import pytest
from world_hall import (
    CALLER,
    CONFIG,
    EMPTY_WINDOW,
    KEYS,
    NOW,
    OTHER_WINDOW,
    TTL_MS,
    VAULT,
    WINDOW,
    Hall,
    a_case,
    an_invitation,
    expired,
    rated,
    withdrawn,
)

from hub import errors
from hub.counter.desk import Desk
from hub.counter.windows import Windows
from hub.rules.access import CONSOLE
from hub.store.invitations import UNSETTLED_LIMIT
from protocol import signing, wire
from protocol.messages import Slot, Staff


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


def slots(hall, device="k1"):
    return [wire.decode(Slot, data) for data in hall.sent(device, "invitation")]


def last(hall, device="k1"):
    """What the kiosk was told last: the invitation's id or None, and what is unsettled."""
    slot = slots(hall, device)[-1]
    return slot.invitation and slot.invitation.id, set(slot.unsettled)


def test_an_invitation_reaches_its_kiosk(hall):
    """It holds what the citizen may see, and nothing about the citizen."""
    invited = hall.invite()
    assert invited.new
    status = invited.status
    assert (status.state, status.shown, status.withdrawal_requested) == ("open", False, False)
    assert (status.issued_at, status.deadline_at) == (NOW, NOW + TTL_MS)
    slot = slots(hall)[-1]
    assert slot.invitation.id == status.id
    assert (slot.invitation.serial, slot.invitation.matter) == ("SL0001", "示例事项")
    assert (slot.invitation.window.name, slot.invitation.staff.name) == (WINDOW, "示例甲")
    assert b"ID-JIA" not in hall.sent("k1", "invitation")[-1]
    assert hall.sent("k2", "invitation") == []


def test_a_repeat_returns_the_running_invitation(hall):
    """The same call again, as after a lost answer, invites nobody a second time."""
    first = hall.invite()
    hall.now += TTL_MS - 1
    again = hall.invite()
    assert (again.new, again.status) == (False, first.status)
    assert hall.account().invited == 1


def test_after_its_time_the_same_case_is_invited_anew(hall):
    """Once its time is over a repeat is a new invitation, and the old one still unsettled."""
    first = hall.invite().status.id
    hall.now += TTL_MS
    second = hall.invite()
    assert second.new
    assert last(hall) == (second.status.id, {first})


def test_the_next_case_asks_back_the_one_before(hall):
    """A new invitation at a kiosk supersedes the open one; only the kiosk's word closes that."""
    first = hall.invite().status.id
    second = hall.invite(serial="SL0002").status.id
    before = hall.ask(hall.desk.invitation(first))
    assert (before.state, before.withdrawal_requested) == ("open", True)
    assert last(hall) == (second, {first})
    hall.send(withdrawn(first, reason="superseded"))
    assert last(hall) == (second, set())
    assert hall.ask(hall.desk.invitation(first)).state == "withdrawn"


def test_withdrawing_empties_the_slot(hall):
    """After a withdrawal the kiosk is told to show nothing and to answer for what was open."""
    invited = hall.invite().status.id
    status = hall.ask(hall.desk.withdraw(WINDOW))
    assert (status.id, status.state, status.withdrawal_requested) == (invited, "open", True)
    assert last(hall) == (None, {invited})


def test_inviting_again_after_a_withdrawal(hall):
    """What was asked back is not running any more: the same request is a new invitation."""
    first = hall.invite().status.id
    hall.ask(hall.desk.withdraw(WINDOW))
    second = hall.invite()
    assert second.new
    assert last(hall) == (second.status.id, {first})


def test_withdrawing_where_nothing_is_open(hall):
    """Nothing open is no error, and another window's invitation is not touched."""
    assert hall.ask(hall.desk.withdraw(WINDOW)) is None
    hall.invite(OTHER_WINDOW)
    assert hall.ask(hall.desk.withdraw(EMPTY_WINDOW)) is None
    assert last(hall, "k2")[0] is not None


def test_a_rated_service_is_not_invited_again(hall):
    """One service, one rating; another service of the same case is another matter."""
    hall.send(rated(hall.invite().status.id))
    with pytest.raises(errors.AlreadyRated, match="只评一次"):
        hall.invite()
    assert hall.invite(number=2).new


@pytest.mark.parametrize("build", [expired, withdrawn])
def test_an_unrated_service_may_be_invited_again(hall, build):
    """What expired or was withdrawn is not rated, so it can be offered anew."""
    hall.send(build(hall.invite().status.id))
    assert hall.invite().new


def test_a_service_is_open_at_one_kiosk_only(hall):
    """The same service at a second kiosk is refused until the first has answered or timed out."""
    first = hall.invite().status.id
    with pytest.raises(errors.OpenElsewhere, match="秒后可以重新邀请"):
        hall.invite(OTHER_WINDOW)
    hall.ask(hall.desk.withdraw(WINDOW))
    with pytest.raises(errors.OpenElsewhere):
        hall.invite(OTHER_WINDOW)
    hall.send(withdrawn(first))
    assert hall.invite(OTHER_WINDOW).new


def test_nobody_is_invited_to_a_paused_window(hall):
    """While a window is paused invitations are refused; afterwards they are taken again."""
    hall.ask(hall.desk.pause(WINDOW, "示例原因", CALLER))
    with pytest.raises(errors.WindowPaused, match="已暂停"):
        hall.invite()
    hall.ask(hall.desk.pause(WINDOW, None, CALLER))
    assert hall.invite().new


def test_unknown_window(hall):
    """A window that is not configured is named in the refusal."""
    for request in (
        lambda: hall.desk.invite("9号窗口", "SL0001", 1, case=a_case()),
        lambda: hall.desk.withdraw("9号窗口"),
        lambda: hall.desk.pause("9号窗口", None, CALLER),
    ):
        with pytest.raises(errors.UnknownWindow, match="9号窗口"):
            hall.ask(request())


def test_unknown_case(hall):
    """A case has to be registered before or with its invitation."""
    with pytest.raises(errors.UnknownCase, match="先登记"):
        hall.ask(hall.desk.invite(WINDOW, "SL0001", 1))
    assert hall.ask(hall.desk.case("SL0001", 1)) is None
    assert hall.ask(hall.desk.put_case(a_case(), CONSOLE)) is True
    assert hall.ask(hall.desk.put_case(a_case(), CONSOLE)) is False
    assert hall.ask(hall.desk.invite(WINDOW, "SL0001", 1)).new


def test_a_refused_invitation_leaves_nothing(hall):
    """What came with a refused request is not kept: one request, one commit."""
    before = hall.rows("SELECT * FROM ledger")
    hall.ask(hall.desk.pause(WINDOW, "示例原因", CALLER))
    with pytest.raises(errors.WindowPaused):
        hall.invite()
    assert hall.rows("SELECT * FROM cases") == []
    assert hall.rows("SELECT * FROM ledger") == before


def test_nobody_signed_on(hall):
    """A window without a clerk invites nobody, whomever the request names."""
    hall.ask(hall.bindings.sign_off(WINDOW, CALLER))
    for named in (None, Staff(name="示例甲")):
        with pytest.raises(errors.NobodySignedOn, match="签到"):
            hall.invite(staff=named)
    hall.ask(hall.bindings.sign_on(WINDOW, Staff(name="示例丙"), CALLER))
    hall.invite(staff=Staff(name="示例丙"))
    assert slots(hall)[-1].invitation.staff.name == "示例丙"


def test_another_clerk_than_the_one_who_sits_there(hall):
    """A window system cannot have a citizen rate a clerk who is not signed on."""
    for named in (Staff(name="示例乙"), Staff(name="示例甲", number="0009")):
        with pytest.raises(errors.AnotherClerk, match="示例甲"):
            hall.invite(staff=named)
    assert hall.account().invited == 0
    assert hall.invite(staff=Staff(name="示例甲", post="不同的岗位说法")).new


def test_a_window_without_a_kiosk_invites_nobody(hall):
    """There is nobody to ask the citizen; the refusal says what to do."""
    with pytest.raises(errors.NotPaired, match="配对"):
        hall.invite(EMPTY_WINDOW)
    assert hall.account().invited == 0


@pytest.fixture
def revoked(hall):
    """The names of the kiosks that the hall's desk does not believe any more."""
    names = set()
    hall.desk = Desk(
        hall.writer,
        VAULT,
        Windows(CONFIG.windows),
        now=hall.clock,
        changed=hall.board.refresh,
        believed=lambda device: device not in names,
    )
    return names


def test_nobody_is_invited_to_a_revoked_kiosk(hall, revoked):
    """Its answer would not be taken: the citizen is not asked, the clerk is told what to do."""
    revoked.add("k1")
    with pytest.raises(errors.NotPaired, match="k1 已吊销，请换一台并配对"):
        hall.invite()
    assert hall.account().invited == 0
    assert slots(hall) == []
    assert hall.invite(OTHER_WINDOW).new
    revoked.clear()
    assert hall.invite(serial="SL0002").new


def test_what_a_revoked_kiosk_holds_open_holds_nobody_up(hall, revoked):
    """The citizen whose kiosk was taken away is asked at another window at once."""
    first = hall.invite().status.id
    with pytest.raises(errors.OpenElsewhere):
        hall.invite(OTHER_WINDOW)
    revoked.add("k1")
    assert hall.invite(OTHER_WINDOW).new
    assert hall.ask(hall.desk.invitation(first)).state == "open"
    assert hall.account().balanced


def test_a_case_shows_how_it_stands_but_never_the_level(hall):
    """The clerk learns that a service was rated, and by no field how."""
    hall.send(rated(hall.invite().status.id, level=1, reasons=("108",)))
    found = hall.ask(hall.desk.case("SL0001", 1))
    assert found.rated
    assert [each.state for each in found.invitations] == ["rated"]
    assert "level" not in found.__struct_fields__ + found.invitations[0].__struct_fields__


def test_the_clock_may_go_back(hall):
    """With the hub's clock put back, the newest invitation is still the one to be shown."""
    first = hall.invite().status.id
    hall.now -= 3_600_000
    second = hall.invite(serial="SL0002").status.id
    assert last(hall) == (second, {first})
    hall.now -= 3_600_000
    third = hall.invite(serial="SL0003").status.id
    assert last(hall) == (third, {first, second})
    versions = [slot.version for slot in slots(hall)]
    assert versions == sorted(set(versions))
    assert hall.ask(hall.desk.withdraw(WINDOW)).id == third
    assert last(hall) == (None, {first, second, third})


def test_the_unsettled_are_bounded(hall):
    """A slot names at most 1000 older ones; the others come as those are answered."""
    old = [an_invitation(f"SL{number}", issued_at=NOW - 2_000 + number) for number in range(1_200)]
    hall.issue(*old)
    newest = hall.invite(serial="SL9999").status.id
    shown, unsettled = last(hall)
    assert shown == newest
    assert len(unsettled) == UNSETTLED_LIMIT - 1
    asked = set()
    for _ in range(5):
        _, unsettled = last(hall)
        asked |= unsettled
        for name in sorted(unsettled):
            hall.ingest.outcome(
                "k1", signing.sign(withdrawn(name, reason="never_shown"), KEYS["k1"])
            )
        hall.quiet()
    assert asked == {each.id for each in old}
    assert last(hall) == (newest, set())
