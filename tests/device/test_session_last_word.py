"""The citizen's last word: no thanks, and no leave taken, before it is on the disk."""

import pytest
from msgspec.structs import replace
from session_world import SAVED, TAPPED, ended, fresh, led, name, offer, rating, refused, session_in

from device.events import (
    Choose,
    Close,
    Keep,
    Offer,
    Pause,
    Recovered,
    Release,
    Saved,
    SaveFailed,
    Skip,
    Submit,
    Tap,
    Tick,
    Undo,
    Write,
)
from device.session import ARM_MS, Ending, Screen, Session, step
from protocol.messages import Signals

NOW = SAVED + 1_000
LATER = NOW + 300
LATE = SAVED + 600_000
FAILED = Close(name(1), kind="withdrawn", reason="kiosk_failed", signals=Signals())


def waiting():
    """A citizen who submitted a bad rating whose reason, revision 2, is not yet on the disk."""
    return led(Choose(NOW, "108"), Submit(NOW), start=rating(1))[0]


def taking_leave():
    """A citizen who pressed 完成 after a reason, revision 2, that is not yet on the disk."""
    return led(Choose(NOW, "510"), Submit(NOW), start=rating(5))[0]


# ---------------------------------------------------------------- the disk comes first


@pytest.mark.parametrize("wait", [waiting, taking_leave])
def test_leaving_waits_for_the_reason_to_be_on_the_disk(wait):
    """Submitted, the rating goes out, and the next citizen comes, only when it is whole."""
    session = wait()
    assert session.screen is Screen.THANKS
    assert session.submitted
    session, effects = step(session, Saved(LATER, 2))
    assert effects == (Release(name(1)),)
    assert session == ended(session, Ending.RATED, LATER)


def test_leaving_does_not_wait_for_what_is_on_the_disk():
    """Where everything is saved, the ending follows the press at once."""
    session, _ = led(Choose(NOW, "108"), Saved(LATER, 2), Submit(LATER), start=rating(1))
    assert session == ended(session, Ending.RATED, LATER)


def test_leaving_waits_for_the_newest_of_several():
    """The word on an earlier press is not the word on the last one."""
    pressed = (Choose(NOW, "108"), Write(NOW, "慢"), Choose(NOW, "109"), Submit(NOW))
    session, _ = led(*pressed, start=rating(1))
    for revision in (2, 3):
        session, effects = step(session, Saved(LATER, revision))
        assert (session.screen, effects) == (Screen.THANKS, ())
    session, _ = step(session, Saved(LATER, 4))
    assert session.ending is Ending.RATED


def test_a_word_on_the_disk_alone_submits_nothing():
    """A citizen who has not said that they are done goes on choosing."""
    session, effects = led(Choose(NOW, "108"), Saved(LATER, 2), start=rating(1))
    assert session.screen is Screen.THANKS
    assert session.deadline_ms == NOW + session.reasons_ms
    assert effects == [Keep(session.draft)]


def test_time_ends_even_a_wait():
    """A disk that hangs holds nobody for ever: the order to release stands behind the reason."""
    session = waiting()
    over = session.deadline_ms
    session, effects = led(Tick(over), start=session)
    assert effects == [Release(name(1))]
    assert session == ended(session, Ending.RATED, over)
    assert step(session, Saved(LATER, 2)) == (session, ())


# ---------------------------------------------------------------- while waiting


@pytest.mark.parametrize("wait", [waiting, taking_leave])
@pytest.mark.parametrize(
    "press", [Submit(LATER), Choose(LATER, "109"), Write(LATER, "慢"), Undo(LATER)]
)
def test_a_press_while_waiting_is_refused_and_changes_nothing(wait, press):
    """Who is done is done: what is being saved is what was submitted."""
    session = wait()
    assert refused(session, press) == "submitted"
    assert session == wait()


def test_skipping_while_waiting_takes_nothing_back():
    """The reasons were submitted before."""
    assert refused(waiting(), Skip(LATER)) == "submitted"


@pytest.mark.parametrize("wait", [waiting, taking_leave])
def test_the_hub_can_still_speak_while_a_citizen_waits(wait):
    """An invitation and a pause are held for afterwards."""
    session, effects = led(offer(2, LATER), Pause(LATER, "午休"), start=wait())
    assert effects == []
    assert session.submitted
    assert session.waiting.invitation.id == name(2)
    assert session.pause == "午休"


# ---------------------------------------------------------------- without a reason


def test_skipping_takes_back_reasons_and_words():
    """What is kept, and the citizen thanked for, has neither."""
    chosen, _ = led(Choose(NOW, "108"), Write(NOW, "慢"), Saved(NOW, 3), start=rating(1))
    session, (keep,) = step(chosen, Skip(LATER))
    assert keep == Keep(session.draft)
    assert keep.draft.revision == 4
    assert (keep.draft.level, keep.draft.reasons, keep.draft.comment) == (1, (), "")
    assert session.screen is Screen.THANKS
    session, _ = step(session, Saved(LATER, 4))
    assert session.ending is Ending.SKIPPED


def test_skipping_waits_for_a_reason_that_was_put_back():
    """Nothing is left to take back, but the disk may still hold the reason."""
    session, effects = led(
        Choose(NOW, "108"), Choose(NOW, "108"), Saved(NOW, 2), Skip(LATER), start=rating(1)
    )
    assert [keep.draft.reasons for keep in effects] == [("108",), ()]
    assert session.screen is Screen.THANKS
    assert step(session, Saved(LATER, 3))[0].ending is Ending.SKIPPED


def test_skipping_takes_back_blank_words_too():
    """A space is not a word, but it would go out as one."""
    session, effects = led(Write(NOW, " "), Skip(LATER), start=rating(1))
    assert [keep.draft.comment for keep in effects] == [" ", ""]
    assert session.submitted


# ---------------------------------------------------------------- a word that comes late


def undone():
    """A citizen who undid a tap while its reason, revision 2, was still being saved."""
    return led(Choose(NOW, "108"), Undo(NOW), start=rating(1))[0]


def test_the_word_on_an_undone_tap_is_taken_silently():
    """The citizen has been asked anew, and nothing of the first answer is left."""
    assert step(undone(), Saved(LATER, 2)) == (undone(), ())


def test_the_late_word_on_an_undone_tap_does_not_pass_for_the_new_one():
    """The new tap is thanked for when it is on the disk itself."""
    again = Tap(NOW + ARM_MS, name(1), 5)
    session, (keep,) = led(again, start=undone())
    assert keep.draft.revision == 3
    session, effects = step(session, Saved(again.now, 2))
    assert (session.screen, session.kept, effects) == (Screen.SAVING, False, ())
    session, _ = step(session, Saved(again.now, 3))
    assert (session.screen, session.kept) == (Screen.THANKS, True)


def test_nor_does_it_when_the_disk_has_failed():
    """A new tap of which nothing is known to be on the disk is no rating."""
    again = Tap(NOW + ARM_MS, name(1), 5)
    session, _ = led(again, SaveFailed(LATER), Saved(LATER, 2), start=undone())
    assert not session.kept
    _, effects = step(session, Recovered(LATER))
    assert effects == (replace(FAILED, signals=Signals(undone=1)),)


@pytest.mark.parametrize("screen", [Screen.IDLE, Screen.INVITED, Screen.ENDING, Screen.PAUSED])
def test_the_word_on_a_citizen_who_has_gone_is_taken_silently(screen):
    """It is no error, and tells the next citizen nothing."""
    session = session_in(screen)
    assert step(session, Saved(LATER, 7)) == (session, ())


def test_the_word_on_the_last_citizen_does_not_thank_the_next_one():
    """Revisions grow from one citizen to the next, so that none can be taken for another."""
    gone, _ = led(Choose(NOW, "510"), Tick(NOW + 60_000), start=rating(5))
    tapped = Tap(NOW + 60_000 + TAPPED, name(2), 5)
    session, (keep,) = led(offer(2, NOW + 60_000), tapped, start=gone)
    assert keep.draft.revision == 3
    session, _ = step(session, Saved(tapped.now, 2))
    assert session.screen is Screen.SAVING


# ---------------------------------------------------------------- a disk that fails meanwhile


def test_an_unanswered_invitation_ends_when_the_disk_failed():
    """It is closed as the kiosk's fault; its citizen is not asked again."""
    session, effects = led(offer(), SaveFailed(NOW), Recovered(NOW + 1))
    assert session == Session()
    assert effects == [FAILED]


def test_a_tap_that_was_not_kept_is_no_rating():
    """The citizen saw no thanks, and none is claimed."""
    _, effects = led(Recovered(LATE), start=session_in(Screen.OUT_OF_SERVICE))
    assert effects == [FAILED]


def test_a_rating_that_was_kept_survives_the_failure():
    """It is sent when the disk is well again, kept once more so that it is whole."""
    before = rating(1)
    session, effects = led(SaveFailed(NOW), Recovered(LATE), start=before)
    assert session == fresh(session)
    assert effects == [Release(name(1), before.draft)]


def test_a_tap_that_reached_the_disk_after_all_counts():
    """An earlier write failed, the tap's own did not: it is not closed as the kiosk's fault."""
    broken = session_in(Screen.OUT_OF_SERVICE)
    session, effects = led(Saved(NOW, 1), Recovered(LATE), start=broken)
    assert session == fresh(session)
    assert effects == [Release(name(1), broken.draft)]


@pytest.mark.parametrize("wait", [waiting, taking_leave])
def test_no_thanks_when_the_last_word_cannot_be_saved(wait):
    """The kiosk is out of service; the rating is kept, and goes out whole after the recovery."""
    before = wait()
    session, effects = led(SaveFailed(LATER), start=before)
    assert (session.screen, session.kept, effects) == (Screen.OUT_OF_SERVICE, True, [])
    session, effects = led(Recovered(LATER), start=session)
    assert effects == [Release(name(1), before.draft)]
    assert session == fresh(session)


def test_what_was_taken_back_does_not_go_out_after_a_failure():
    """The disk still has the reasons that the citizen skipped, so the draft is kept once more."""
    failed = (Choose(NOW, "108"), Saved(NOW, 2), Skip(LATER), SaveFailed(LATER))
    _, (*_, release) = led(*failed, Recovered(LATER), start=rating(1))
    assert release.invitation == name(1)
    assert (release.draft.reasons, release.draft.comment) == ((), "")


def test_a_wait_that_failed_does_not_bind_the_next_citizen():
    """After the recovery the next one chooses and submits freely."""
    session, _ = led(
        offer(2, LATER),
        SaveFailed(LATER),
        Recovered(LATER),
        Offer(LATER, None),
        Tick(LATER + 3_000),
        start=waiting(),
    )
    assert session == fresh(session)
    assert not session.submitted
