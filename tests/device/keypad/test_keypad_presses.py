"""Which press counts, and what the lamps may say: judged against a real session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.events import Keep, Offer, Pause, Saved, SaveFailed, Submit, Tap, Tick, Undo
from device.keypad.lamp import ACCEPTED_MS, Lamp, Lamps
from device.keypad.presses import tap
from device.keypad.reader import Press
from device.session import ARM_MS, Refused, Session, step
from protocol.messages import Invitation, Staff, Window

SHOWN = 10_000
SEEN = SHOWN + 30
ARMED = SEEN + ARM_MS


def invitation(number=1):
    return Invitation(
        id=f"{number:032x}",
        serial=f"示例{number:04d}",
        service_number=1,
        matter="示例事项",
        window=Window(name="1号窗口", label="综合受理"),
        staff=Staff(name="示例甲", number="001"),
        issued_at=1_000_000,
        ttl_ms=30_000,
    )


def led(*events, start=None):
    session = start or Session()
    for event in events:
        session, _ = step(session, event)
    return session


INVITED = led(Offer(SHOWN, invitation(), 30_000))


def why(session, at_ms, seen_ms=SEEN):
    with pytest.raises(Refused) as caught:
        tap(session, Press(5, at_ms, "pad"), seen_ms)
    return caught.value.cause


def test_a_press_on_an_invitation_that_is_seen_is_a_tap_on_it():
    """With the moment at which it was made; the session keeps it like any other."""
    event = tap(INVITED, Press(2, ARMED, "pad"), SEEN)
    assert event == Tap(ARMED, invitation().id, 2, input="pad")
    session, effects = step(INVITED, event)
    assert [type(each) for each in effects] == [Keep]
    assert session.draft.level == 2


@pytest.mark.parametrize(
    ("at_ms", "seen_ms", "cause"),
    [
        (ARMED - 1, SEEN, "pad_press_too_early"),
        (SEEN, SEEN, "pad_press_too_early"),
        (SEEN - 1, SEEN, "pad_press_before_invitation"),
        (SHOWN - 5000, SEEN, "pad_press_before_invitation"),
        (ARMED + 5000, None, "pad_press_before_invitation"),
        (SHOWN + ARM_MS - 1, SHOWN - 1, "pad_press_too_early"),
    ],
)
def test_a_press_that_cannot_be_meant_for_this_invitation_is_refused(at_ms, seen_ms, cause):
    """Begun before it was drawn, or too soon after: it may be the citizen's before."""
    assert why(INVITED, at_ms, seen_ms) == cause


def test_without_an_invitation_no_press_counts():
    """At rest, paused, and after its time is over."""
    for session in (
        Session(),
        led(Pause(1, "示例")),
        led(Tick(SHOWN + 30_000), start=INVITED),
        led(SaveFailed(SHOWN + 1), start=INVITED),
    ):
        assert why(session, ARMED) == "pad_press_without_invitation"


def test_one_press_counts_whether_of_the_pad_or_of_the_screen():
    """The first one that arrives; while it is saved, thanked for or explained, no other."""
    saving = led(Tap(ARMED, invitation().id, 1), start=INVITED)
    assert why(saving, ARMED + 1) == "pad_press_after_answer"
    assert why(led(Saved(ARMED + 50, 1), start=saving), ARMED + 5000) == "pad_press_after_answer"
    by_pad = led(tap(INVITED, Press(5, ARMED, "pad"), SEEN), start=INVITED)
    with pytest.raises(Refused, match="tap_in_saving"):
        step(by_pad, Tap(ARMED + 1, invitation().id, 1))


def test_after_an_undo_a_press_may_answer_anew_but_an_old_one_not():
    """The question is asked again, and takes no press that was made before it."""
    thanked = led(Tap(ARMED, invitation().id, 5), Saved(ARMED + 50, 1), start=INVITED)
    again = led(Undo(ARMED + 3000), start=thanked)
    assert why(again, ARMED + 2999) == "pad_press_before_invitation"
    assert why(again, ARMED + 3000 + ARM_MS - 1) == "pad_press_too_early"
    assert tap(again, Press(1, ARMED + 3000 + ARM_MS, "pad"), SEEN).level == 1


def test_a_press_does_not_fall_on_the_next_citizen():
    """Made for the first invitation, handled while the second one is shown."""
    ended = led(Offer(20_000, invitation(2), 30_000), start=INVITED)
    assert ended.invitation is None or ended.invitation.id == invitation(2).id
    second = ended if ended.invitation else led(Tick(ended.deadline_ms), start=ended)
    assert second.invitation.id == invitation(2).id
    assert why(second, 19_999, 20_010) == "pad_press_before_invitation"


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 50_000), st.sampled_from(["a", "b"])),
        max_size=30,
    )
)
def test_whatever_is_pressed_and_whenever_at_most_one_rating_is_made(presses):
    """Two pads, any levels, any order of arrival: one order to keep, of a press in time."""
    session, kept = INVITED, []
    for level, at_ms, pad in presses:
        try:
            session, effects = step(session, tap(session, Press(level, at_ms, pad), SEEN))
        except Refused:
            continue
        kept += [each.draft for each in effects if isinstance(each, Keep)]
    assert len(kept) <= 1
    for draft in kept:
        assert ARMED <= draft.tapped_ms < SHOWN + 30_000
        assert (draft.level, draft.tapped_ms) in {each[:2] for each in presses}
    assert bool(kept) == any(ARMED <= at < SHOWN + 30_000 for _, at, _ in presses)


# ------------------------------------------------ lamps


def shown(level):
    """What the lamps say, as (moment, lamp) at each change."""
    lamps, said, session = Lamps(), [], INVITED
    events = {
        ARMED: Tap(ARMED, invitation().id, level),
        ARMED + 100: Saved(ARMED + 100, 1),
    }
    for now in range(SHOWN, SHOWN + 15_000, 10):
        if now in events:
            session, _ = step(session, events[now])
        lamp = lamps.look(session, now)
        if not said or said[-1][1] is not lamp:
            said.append((now, lamp))
    return said


def test_the_lamps_are_the_same_for_every_level():
    """A bad rating keeps the screen for a minute, but "accepted" shows as long as ever."""
    assert shown(1) == shown(2) == shown(3) == shown(4) == shown(5)
    assert shown(1) == [
        (SHOWN, Lamp.INVITED),
        (ARMED + 100, Lamp.ACCEPTED),
        (ARMED + 100 + ACCEPTED_MS, Lamp.IDLE),
    ]


def test_accepted_is_not_said_before_the_press_is_on_disk():
    """While it is being written the pad still invites; if that fails, it goes dark."""
    lamps = Lamps()
    saving = led(Tap(ARMED, invitation().id, 5), start=INVITED)
    assert lamps.look(saving, ARMED) is Lamp.INVITED
    assert lamps.look(led(SaveFailed(ARMED + 9), start=saving), ARMED + 9) is Lamp.IDLE


def test_the_next_invitation_ends_accepted():
    """And what was accepted for one citizen does not light up for another."""
    lamps = Lamps()
    thanked = led(Tap(ARMED, invitation().id, 5), Saved(ARMED + 50, 1), start=INVITED)
    assert lamps.look(thanked, ARMED + 50) is Lamp.ACCEPTED
    rest = led(Submit(ARMED + 60), start=thanked)
    assert lamps.look(rest, ARMED + 60) is Lamp.ACCEPTED
    second = led(Offer(ARMED + 100, invitation(2), 30_000), start=rest)
    assert lamps.look(second, ARMED + 100) is Lamp.INVITED
    gone = led(Tick(ARMED + 30_100), start=second)
    assert lamps.look(gone, ARMED + 30_100) is Lamp.IDLE


def test_an_answer_that_was_taken_back_leaves_nothing_lit():
    """Undone, and then nobody answers any more: the pad goes dark, it does not thank."""
    lamps = Lamps()
    thanked = led(Tap(ARMED, invitation().id, 5), Saved(ARMED + 50, 1), start=INVITED)
    assert lamps.look(thanked, ARMED + 50) is Lamp.ACCEPTED
    again = led(Undo(ARMED + 500), start=thanked)
    assert lamps.look(again, ARMED + 500) is Lamp.INVITED
    withdrawn = led(Offer(ARMED + 900, None), start=again)
    assert lamps.look(withdrawn, ARMED + 900) is Lamp.IDLE
