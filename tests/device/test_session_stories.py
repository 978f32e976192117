"""What happens to one citizen after the other: the stories that the table has to tell."""

import pytest
from session_world import (
    SAVED,
    SHOWN,
    TAPPED,
    TTL,
    ended,
    fresh,
    invitation,
    led,
    name,
    offer,
    rating,
    refused,
    session_in,
)

from device.events import (
    Choose,
    Close,
    Discard,
    Enlarge,
    Offer,
    Pause,
    Recovered,
    Release,
    Saved,
    Skip,
    Speak,
    Submit,
    Tap,
    Tick,
    Undo,
    Write,
)
from device.session import ARM_MS, UNDO_MS, Ending, Screen, Session, step
from protocol.messages import Signals

NOW = SAVED + 1_000
LATE = SAVED + 600_000


# ---------------------------------------------------------------- only a person rates


@pytest.mark.parametrize("level", [5, 4, 3, 2, 1])
def test_a_tap_keeps_just_what_was_pressed(level):
    """The draft holds the level, the time from showing to tap, and nothing else."""
    session, (keep,) = led(offer(), Tap(TAPPED, name(1), level))
    assert keep.draft == session.draft
    assert keep.draft.revision == 1
    assert keep.draft.level == level
    assert keep.draft.elapsed_ms == TAPPED - SHOWN
    assert keep.draft.reasons == ()
    assert keep.draft.comment == ""


@pytest.mark.parametrize("level", [0, 6, -1, 55, None, "5", ""])
def test_an_unknown_level_is_no_rating(level):
    """No level falls through to another."""
    assert refused(session_in(Screen.INVITED), Tap(TAPPED, name(1), level)) == "unknown_level"


def test_silence_is_no_rating():
    """An invitation whose time is over expires, with the time it was shown."""
    session, effects = led(offer(), Tick(SHOWN + TTL))
    assert session == ended(session, Ending.EXPIRED, SHOWN + TTL)
    assert effects == [Close(name(1), kind="expired", elapsed_ms=TTL, signals=Signals())]


# ---------------------------------------------------------------- the right case or none


def test_an_early_tap_is_refused():
    """A tap within `ARM_MS` of the showing was meant for the screen before."""
    session = session_in(Screen.INVITED)
    assert refused(session, Tap(SHOWN + ARM_MS - 1, name(1), 5)) == "early_tap"
    assert step(session, Tap(SHOWN + ARM_MS, name(1), 5))[0].screen is Screen.SAVING


def test_a_late_tap_is_refused():
    """At the deadline the invitation is over, even if no tick has said so yet."""
    session = session_in(Screen.INVITED)
    assert refused(session, Tap(SHOWN + TTL, name(1), 5)) == "late_tap"
    assert step(session, Tap(SHOWN + TTL - 1, name(1), 5))[0].screen is Screen.SAVING


def test_a_foreign_tap_is_refused():
    """A tap names the invitation it was made on; another one is not rated by it."""
    assert refused(session_in(Screen.INVITED), Tap(TAPPED, name(2), 5)) == "foreign_tap"


def test_a_second_tap_in_quick_succession_is_refused():
    """While the first is being kept, and after it, no tap changes the level."""
    saving = session_in(Screen.SAVING, level=5)
    assert refused(saving, Tap(TAPPED + 10, name(1), 1)) == "tap_in_saving"
    thanks, _ = step(saving, Saved(SAVED, 1))
    assert refused(thanks, Tap(SAVED + 10, name(1), 1)) == "tap_in_thanks"
    assert thanks.draft.level == 5


def test_a_tap_after_withdrawal_is_refused():
    """What the hub took back cannot be rated, and the next case is not hit by that tap."""
    withdrawn, effects = led(offer(), Offer(TAPPED, None))
    assert effects == [
        Close(
            name(1),
            kind="withdrawn",
            elapsed_ms=TAPPED - SHOWN,
            reason="withdrawn",
            signals=Signals(),
        )
    ]
    assert refused(withdrawn, Tap(TAPPED + 1, name(1), 5)) == "tap_in_ending"
    following, _ = led(Offer(TAPPED + 1, invitation(2), TTL), start=withdrawn)
    assert refused(following, Tap(TAPPED + 1 + ARM_MS, name(1), 5)) == "foreign_tap"


def test_the_same_offer_again_changes_nothing():
    """A repeated message restarts no countdown, whatever the citizen is doing."""
    for screen in (Screen.INVITED, Screen.SAVING, Screen.THANKS):
        session = session_in(screen)
        assert step(session, Offer(NOW, invitation(1), TTL)) == (session, ())


def test_a_new_invitation_waits_while_a_citizen_answers():
    """Nobody is cut off: the next case comes when the thanks are over."""
    session, _ = led(offer(2, now=NOW), start=rating(1))
    assert session.screen is Screen.THANKS
    assert session.invitation.id == name(1)
    session, effects = led(Skip(NOW), start=session)
    assert [done.invitation for done in effects] == [name(1)]
    assert session.screen is Screen.INVITED
    assert session.invitation.id == name(2)


def test_an_offer_lasts_from_when_it_was_made():
    """Waiting behind another citizen uses up the time of an invitation."""
    session, _ = led(offer(2, now=SAVED, ttl_ms=TTL), start=rating(5))
    over = session.deadline_ms
    session, _ = led(Tick(over), start=session)
    assert session.shown_ms == over
    assert session.deadline_ms == SAVED + TTL


def test_an_invitation_that_waited_too_long_is_not_shown():
    """Whoever it was meant for is gone: the next one at the counter must not rate it."""
    session, _ = led(offer(2, now=SHOWN), start=session_in(Screen.PAUSED))
    session, effects = led(Pause(SHOWN + TTL, None), start=session)
    assert session == Session()
    assert effects == [Close(name(2), kind="withdrawn", reason="never_shown")]


def test_only_the_newest_waits():
    """An invitation that is replaced while it waits ends as never shown, once."""
    session, effects = led(offer(2, NOW), offer(2, NOW), offer(3, NOW), start=rating(5))
    assert effects == [Close(name(2), kind="withdrawn", reason="never_shown")]
    session, effects = led(Offer(NOW, None), Submit(NOW), Tick(LATE), start=session)
    assert effects[0] == Close(name(3), kind="withdrawn", reason="never_shown")
    assert session == fresh(session)


def test_what_waits_is_not_forgotten_by_an_undo():
    """After an undo the next offer ends both the shown and the waiting invitation."""
    undone, _ = led(offer(2, NOW), Undo(NOW), start=rating(5))
    assert undone.screen is Screen.INVITED
    session, effects = led(offer(3, NOW + 1), start=undone)
    assert session.ending is Ending.SUPERSEDED
    assert session.waiting.invitation.id == name(3)
    assert {done.invitation: done.reason for done in effects} == {
        name(1): "superseded",
        name(2): "never_shown",
    }
    session, effects = led(Offer(NOW + 1, None), Tick(LATE), start=undone)
    assert session == fresh(session)
    assert {done.invitation: done.reason for done in effects} == {
        name(1): "withdrawn",
        name(2): "never_shown",
    }
    session, effects = led(offer(2, NOW + 1), Tick(NOW + 2_000), start=undone)
    assert session.invitation.id == name(2)
    assert [done.invitation for done in effects] == [name(1)]


def test_the_screen_is_wiped_between_two_people():
    """No field of the first citizen is left in the session of the second."""
    first, _ = led(
        Choose(NOW, "108"), Write(NOW, "第一位的话"), offer(2, NOW), Submit(NOW), start=rating(1)
    )
    over = NOW + first.reasons_ms // 4
    second, _ = led(Saved(over, 3), start=first)
    assert second.screen is Screen.INVITED
    new, _ = led(offer(2, now=over, ttl_ms=NOW + TTL - over), start=fresh(first))
    assert second == new


# ---------------------------------------------------------------- reasons and words


def test_reasons_amend_the_draft():
    """Each press takes or puts back a reason, keeps the draft and restarts the countdown."""
    session, effects = led(
        Choose(NOW, "108"), Choose(NOW, "109"), Choose(NOW + 5, "108"), start=rating(1)
    )
    assert session.draft.reasons == ("109",)
    assert [keep.draft.reasons for keep in effects] == [("108",), ("108", "109"), ("109",)]
    assert [keep.draft.revision for keep in effects] == [2, 3, 4]
    assert session.deadline_ms == NOW + 5 + session.reasons_ms


@pytest.mark.parametrize("code", ["208", "510", "", "1", "10", "1080", "108\n", "1é8", "xyz"])
def test_a_foreign_reason_is_refused(code):
    """A reason has the form of a code of the level that was pressed."""
    assert refused(rating(1), Choose(NOW, code)) == "foreign_reason"


def test_reasons_have_a_limit():
    """An eleventh reason is refused."""
    session, _ = led(*(Choose(NOW, f"1{number}") for number in range(10, 20)), start=rating(1))
    assert refused(session, Choose(NOW, "108")) == "too_many_reasons"


def test_words_have_a_limit():
    """150 characters are kept, one more is refused and what was written stays."""
    session, _ = led(Write(NOW, "字" * 150), start=rating(1))
    assert refused(session, Write(NOW, "字" * 151)) == "text_too_long"
    assert session.draft.comment == "字" * 150


def test_signs_that_nobody_sees_are_left_out():
    """They would make the hub refuse the whole rating; line feeds stay."""
    session, _ = led(Write(NOW, "等\u202e太\u061c久\t\x00\ud800\n了"), start=rating(1))
    assert session.draft.comment == "等太久\n了"


def test_a_bad_rating_is_submitted_with_a_reason_or_words():
    """Blank text is no reason; either a reason or text is."""
    blank, _ = led(Write(NOW, " \n"), start=rating(2))
    assert refused(blank, Submit(NOW)) == "no_reason_yet"
    for answer in (Write(NOW, "慢"), Choose(NOW, "207")):
        session, _ = led(answer, Saved(NOW, 2), Submit(NOW), start=rating(2))
        assert session.ending is Ending.RATED


def test_skipping_keeps_an_incomplete_bad_rating():
    """Nothing is invented and nothing is lost: the level stands, without a reason."""
    before = rating(1)
    assert (before.draft.level, before.draft.reasons) == (1, ())
    session, effects = led(Skip(NOW), start=before)
    assert effects == [Release(name(1))]
    assert session == ended(session, Ending.SKIPPED, NOW)


def test_a_rating_is_thanked_for_at_the_tap():
    """Thanks come without a compulsory second page; reasons are welcome there."""
    for level in (5, 4, 3, 2, 1):
        session = rating(level)
        assert session.screen is Screen.THANKS
        chosen, _ = led(Choose(NOW, f"{level}10"), start=session)
        assert chosen.draft.reasons == (f"{level}10",)


# ---------------------------------------------------------------- endings


@pytest.mark.parametrize(
    ("way", "ending"),
    [
        ((Skip(NOW),), Ending.SKIPPED),
        ((Choose(NOW, "110"), Saved(NOW, 2), Submit(NOW)), Ending.RATED),
        ((Write(NOW, " "), Tick(LATE)), Ending.SKIPPED),
        ((Write(NOW, "慢"), Tick(LATE)), Ending.RATED),
    ],
)
def test_a_rating_ends_as_rated_or_skipped(way, ending):
    """With reasons or words, or without."""
    session, _ = led(*way, start=rating(1))
    assert session.ending is ending
    assert session == ended(session, ending, way[-1].now)
    assert led(Tick(session.deadline_ms), start=session)[0] == fresh(session)


def test_what_the_hub_takes_back_has_an_ending():
    """Withdrawn and superseded are told apart; the next matter comes after a moment."""
    session, _ = led(offer(), Offer(TAPPED, None))
    assert session.ending is Ending.WITHDRAWN
    session, _ = led(offer(), offer(2, TAPPED))
    assert session.ending is Ending.SUPERSEDED
    assert step(session, Tick(TAPPED + 1_499)) == (session, ())
    session, _ = step(session, Tick(TAPPED + 1_500))
    assert (session.screen, session.invitation.id) == (Screen.INVITED, name(2))
    assert session.deadline_ms == TAPPED + TTL


def test_behind_a_superseded_one_only_the_newest_waits():
    """Whoever presses again and again at the window system shows the last one, and once."""
    session, effects = led(offer(), offer(2, TAPPED), offer(3, TAPPED + 10))
    assert [done.invitation for done in effects] == [name(1), name(2)]
    assert session.deadline_ms == TAPPED + 1_500
    session, _ = led(Tick(TAPPED + 1_500), start=session)
    assert session.invitation.id == name(3)


def test_an_ending_gives_way_to_the_next_citizen():
    """Nobody is kept waiting by a courtesy."""
    session, _ = led(offer(), Tick(SHOWN + TTL), offer(2, SHOWN + TTL + 1))
    assert (session.screen, session.invitation.id) == (Screen.INVITED, name(2))
    assert session.ending is None


def test_an_ending_does_not_give_way_while_the_window_is_paused():
    """The invitation waits behind the notice."""
    session, _ = led(Pause(NOW, "午休"), Skip(NOW), offer(2, NOW + 1), start=rating(5))
    assert session.ending is Ending.SKIPPED
    session, _ = led(Tick(LATE), start=session)
    assert (session.screen, session.waiting.invitation.id) == (Screen.PAUSED, name(2))


# ---------------------------------------------------------------- language and size


def test_language_and_size_last_for_one_session():
    """They are kept through undo and ending, and are gone for whoever comes next."""
    wishes = (Speak(TAPPED, english=True), Enlarge(TAPPED, elder=True))
    session, _ = led(offer(), *wishes)
    assert (session.english, session.elder, session.deadline_ms) == (True, True, SHOWN + TTL)
    session, _ = led(Tap(TAPPED, name(1), 2), Saved(SAVED, 1), Undo(SAVED), start=session)
    assert (session.english, session.elder) == (True, True)
    again = SAVED + ARM_MS
    session, _ = led(Tap(again, name(1), 2), Saved(again, 2), Skip(again), start=session)
    assert (session.ending, session.english, session.elder) == (Ending.SKIPPED, True, True)
    for way in ((Tick(LATE),), (offer(2, again + 1),)):
        after, _ = led(*way, start=session)
        assert (after.english, after.elder) == (False, False)
    back, _ = led(offer(), *wishes, Speak(TAPPED, english=False), Enlarge(TAPPED, elder=False))
    assert back == led(offer())[0]


# ---------------------------------------------------------------- undo


@pytest.mark.parametrize("level", [5, 1])
def test_a_slip_of_the_finger_is_undone_in_time(level):
    """Up to `UNDO_MS` after the tap the draft is taken back and the citizen asked anew."""
    session, effects = step(rating(level), Undo(TAPPED + UNDO_MS))
    assert effects == (Discard(name(1)),)
    assert session.draft is None
    assert not session.kept
    assert session.deadline_ms == TAPPED + UNDO_MS + TTL
    assert refused(session, Tap(TAPPED + UNDO_MS + ARM_MS - 1, name(1), 5)) == "early_tap"


def test_an_undo_comes_too_late():
    """After that the answer stands."""
    assert refused(rating(1), Undo(TAPPED + UNDO_MS + 1)) == "undo_too_late"


# ---------------------------------------------------------------- disk and pause


def test_thanks_come_only_after_the_disk():
    """Between tap and `Saved` no time leads to thanks."""
    saving = session_in(Screen.SAVING)
    assert step(saving, Tick(LATE)) == (saving, ())
    assert step(saving, Saved(SAVED, 1))[0].kept


def test_out_of_service_outlasts_time_and_pause():
    """Only the disk's recovery ends it; then a pause that was told meanwhile holds."""
    broken = session_in(Screen.OUT_OF_SERVICE)
    session, _ = led(Tick(LATE), Pause(LATE, "停电检修"), Recovered(LATE), start=broken)
    assert session.screen is Screen.PAUSED
    assert session.pause == "停电检修"


def test_a_pause_waits_for_the_citizen():
    """The window closes when the one in front of it is done."""
    session, _ = led(Pause(NOW, "午休"), start=rating(5))
    assert session.screen is Screen.THANKS
    session, effects = led(Submit(NOW), Tick(LATE), start=session)
    assert effects == [Release(name(1))]
    assert session == fresh(session, screen=Screen.PAUSED, pause="午休")


def test_a_paused_window_shows_nothing_until_it_serves_again():
    """An invitation waits behind the notice, whose text may change."""
    session, _ = led(offer(2, NOW), Pause(NOW, "盘点"), start=session_in(Screen.PAUSED))
    assert session.screen is Screen.PAUSED
    assert session.pause == "盘点"
    session, _ = led(Pause(NOW + 1, None), start=session)
    assert session.screen is Screen.INVITED
    assert session.invitation.id == name(2)
