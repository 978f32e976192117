"""What the session notes around an answer: how it was made, and what the hub did meanwhile."""

import pytest
from session_world import SAVED, SHOWN, TAPPED, TTL, invitation, led, name, offer, refused

from device.events import (
    Choose,
    Close,
    Keep,
    Offer,
    Recovered,
    Release,
    Saved,
    SaveFailed,
    Skip,
    Submit,
    Tap,
    Tick,
    Touch,
    Undo,
)
from device.session import ARM_MS, Ending, Screen, step
from protocol.messages import Signals

NOW = SAVED + 1_000


def tapped(*before, level=1, given="screen"):
    """A session whose citizen has tapped after these events, and the tap is on the disk."""
    tap = Tap(TAPPED, name(1), level, input=given)
    return led(offer(), *before, tap, Saved(SAVED, 1))[0]


@pytest.mark.parametrize("given", ["screen", "pad"])
def test_where_the_tap_came_from_is_kept_with_it(given):
    """The screen's or a pad's; the draft that goes to the disk says so."""
    _, (keep,) = led(offer(), Tap(TAPPED, name(1), 4, input=given))
    assert keep.draft.signals == Signals(input=given)


def test_touches_that_rate_nothing_are_counted():
    """Fingers and keys of a pad; the finger of the tap itself is taken off again."""
    touches = (Touch(SHOWN + 1), Touch(SHOWN + 2, 3), Touch(TAPPED))
    assert tapped(*touches).draft.signals.touches == 4


def test_the_press_of_a_pad_has_no_finger_to_take_off():
    """What was touched on the screen before it stays in the count."""
    assert tapped(Touch(SHOWN + 1), given="pad").draft.signals.touches == 1


def test_a_tap_that_was_refused_is_a_touch():
    """Its finger has come down, and rated nothing."""
    session, _ = led(offer(), Touch(SHOWN + 1))
    assert refused(session, Tap(SHOWN + 1, name(1), 5)) == "early_tap"
    _, (keep,) = led(Touch(TAPPED), Tap(TAPPED, name(1), 5), start=session)
    assert keep.draft.signals.touches == 1


def test_a_touch_asks_and_ends_nothing():
    """Neither screen nor countdown change, and nothing has to be done."""
    before, _ = led(offer())
    after, effects = step(before, Touch(NOW))
    assert (after.screen, after.deadline_ms, effects) == (Screen.INVITED, before.deadline_ms, ())


def test_taps_that_were_taken_back_are_counted():
    """Each 选错了，重选; the fingers of those taps are no touches."""
    session = tapped(Touch(SHOWN + 1), Touch(TAPPED))
    for _ in range(2):
        at = session.draft.tapped_ms + ARM_MS
        session, (_, keep) = led(
            Undo(at), Touch(at + ARM_MS), Tap(at + ARM_MS, name(1), 5), start=session
        )
        session, _ = led(Saved(at + ARM_MS, keep.draft.revision), start=session)
    assert session.draft.signals == Signals(input="screen", touches=1, undone=2)


@pytest.mark.parametrize("wanted", [None, invitation(2)])
def test_it_is_noted_when_the_hub_wants_an_answer_back(wanted):
    """How long after the tap, the first time; it reaches the disk with the end."""
    session, effects = led(Offer(NOW, wanted, TTL), Offer(NOW + 500, None), start=tapped())
    assert not any(isinstance(done, Keep | Release) for done in effects)
    assert session.draft.signals.withdrawn_ms == NOW - TAPPED
    _, (release,) = led(Skip(NOW + 600), start=session)
    assert release == Release(name(1), session.draft)


def test_what_the_hub_takes_back_makes_nobody_wait():
    """It is no word of the citizen's: no countdown begins anew, and leaving waits for no disk."""
    before = tapped()
    session, _ = led(Offer(NOW, None), start=before)
    assert session.deadline_ms == before.deadline_ms
    session, _ = led(Skip(NOW + 1), start=session)
    assert session.ending is Ending.SKIPPED


def test_it_is_noted_before_the_tap_is_saved_too():
    """The hub's word may even be older than its arrival here."""
    for at, after in ((TAPPED + 5, 5), (TAPPED - 5, 0)):
        saving, _ = led(offer(), Tap(TAPPED, name(1), 1), Offer(at, None))
        assert saving.draft.signals.withdrawn_ms == after
        thanks, _ = step(saving, Saved(SAVED, 1))
        assert thanks.screen is Screen.THANKS


def test_a_reason_that_follows_takes_it_along():
    """The next draft that is kept says it, and the last one all the same."""
    session, (keep,) = led(Offer(NOW, None), Choose(NOW + 1, "108"), start=tapped())
    assert keep.draft.signals.withdrawn_ms == NOW - TAPPED
    _, (release,) = led(Submit(NOW + 2), Saved(NOW + 3, 2), start=session)
    assert release.draft.reasons == ("108",)


def test_an_answer_that_was_changed_after_it_says_so():
    """The hub wanted the first answer back, the citizen undid it: no time after the second tap."""
    _, (_, keep) = led(
        Offer(NOW, None), Undo(NOW + 1), Tap(NOW + 1 + ARM_MS, name(1), 5), start=tapped()
    )
    assert keep.draft.signals == Signals(input="screen", undone=1, withdrawn_ms=0)


def test_it_outlasts_a_disk_that_fails():
    """Whatever is noted while the kiosk is out of service is kept when the disk is well."""
    broken, _ = led(SaveFailed(NOW), Offer(NOW + 5, None), start=tapped())
    _, (release,) = led(Recovered(NOW + 9), start=broken)
    assert release.draft.signals.withdrawn_ms == NOW + 5 - TAPPED


def test_an_invitation_without_an_answer_says_what_was_touched():
    """Expired, withdrawn, or a victim of the disk: each that was shown."""
    touched = (offer(), Touch(SHOWN + 1, 2))
    for way in (
        (Tick(SHOWN + TTL),),
        (Offer(NOW, None),),
        (SaveFailed(NOW), Recovered(NOW + 1)),
    ):
        _, (close,) = led(*touched, *way)
        assert close.signals == Signals(touches=2)


def test_what_was_never_shown_has_none():
    """There is nothing that could have been measured."""
    _, (dropped, _) = led(offer(2, NOW), offer(3, NOW), Skip(NOW), start=tapped())
    assert dropped == Close(name(2), kind="withdrawn", reason="never_shown", signals=None)


def test_the_next_citizen_begins_at_nothing():
    """Nothing that was counted for one is left for the other."""
    session, _ = led(Offer(NOW, invitation(2), TTL), Skip(NOW), start=tapped(Touch(SHOWN + 1)))
    assert session.invitation.id == name(2)
    assert (session.signals, session.draft) == (Signals(), None)


# ---------------------------------------------------------------- the very service, once


def test_nobody_is_asked_again_for_what_they_have_just_rated():
    """A second invitation to the same service, sent while they answered, is never shown."""
    again = invitation(2, case=1)
    session, effects = led(Offer(NOW, again, TTL), Skip(NOW), start=tapped())
    assert session.ending is Ending.SKIPPED
    assert [type(done) for done in effects] == [Release, Close]
    assert effects[1] == Close(name(2), kind="withdrawn", reason="never_shown")
    session, _ = led(Tick(NOW + 3_000), start=session)
    assert session.screen is Screen.IDLE


def test_nor_after_a_disk_that_failed():
    """The rating was kept, and goes out."""
    again = Offer(NOW, invitation(2, case=1), TTL)
    session, effects = led(again, SaveFailed(NOW), Recovered(NOW + 1), start=tapped())
    assert session.screen is Screen.IDLE
    assert [type(done) for done in effects] == [Release, Close]


def test_whose_rating_was_not_kept_is_asked_again():
    """There is none: the second invitation is the way to one."""
    again = Offer(NOW, invitation(2, case=1), TTL)
    broken, _ = led(offer(), Tap(TAPPED, name(1), 1), SaveFailed(SAVED))
    session, _ = led(again, Recovered(NOW + 1), start=broken)
    assert (session.screen, session.invitation.id) == (Screen.INVITED, name(2))


def test_another_service_of_the_case_is_another_question():
    """One case has several services, and each is rated once."""
    other = invitation(2, case=1, service=2)
    session, _ = led(Offer(NOW, other, TTL), Skip(NOW), start=tapped())
    assert (session.screen, session.invitation.id) == (Screen.INVITED, name(2))


# ---------------------------------------------------------------- the citizen's own page


def test_the_link_goes_with_its_invitation_and_no_further():
    """It is there from the question to the thanks, also if it had to wait, and then gone."""
    link = "https://hub.example/p/1"
    session, _ = led(Offer(SHOWN, invitation(1), TTL, link), Tap(TAPPED, name(1), 1))
    assert session.link == link
    session, _ = led(
        Saved(SAVED, 1), Undo(SAVED), Tap(SAVED + ARM_MS, name(1), 5), Saved(NOW, 2), start=session
    )
    assert (session.screen, session.link) == (Screen.THANKS, link)
    after, _ = led(Skip(NOW), start=session)
    assert (after.screen, after.link) == (Screen.ENDING, "")
    other, _ = led(Offer(NOW, invitation(2), TTL, link + "2"), Skip(NOW), start=session)
    assert (other.invitation.id, other.link) == (name(2), link + "2")
    bare, _ = led(Offer(NOW, invitation(2), TTL), Skip(NOW), start=session)
    assert bare.link == ""
