"""Keeper and driver together, as in the kiosk: what the hub hears of the screen, and counts."""

import hashlib
from collections import deque

import pytest
from keeper_world import World, live
from msgspec.structs import replace
from session_world import invitation, name

from device.driver import Driver
from device.events import Choose, Offer, Skip, Stay, Submit, Tap, Undo
from device.keeper import HEARTBEAT_MS
from device.keypad.reader import Press
from device.session import ARM_MS, Screen
from device.state import ENDING_MS, READ_MS, Ending
from protocol import signing
from protocol.messages import Expired, Portrait, Rated, Settings, Signals, Withdrawn


class Kiosk(World):
    """A keeper whose words reach a real driver; `draws`: whether frames reach the screen."""

    def __init__(self, path, key):
        super().__init__(path, key)
        self.draws = True
        self.inbox = deque()
        self.driver = Driver(
            self.keeper, now=lambda: self.clock, draw=lambda _: None, text_input=False
        )
        self.events = self  # what the keeper posts
        self.start()
        self.connect()

    def append(self, event):
        self.inbox.append(event)

    def turn(self):
        """What the screen's thread does in one frame, and what the keeper makes of it."""
        self.settle()
        while self.inbox:
            self.driver.handle(self.inbox.popleft())
        self.driver.tick()
        if self.draws:
            self.driver.frame_drawn()
        self.settle()

    def passes(self, ms):
        super().passes(ms)
        self.turn()

    def ask(self, number, **more):
        """The hub sends this invitation, and somebody has had time to see it."""
        self.slot(number, live(self, number, **more))
        self.turn()
        self.clock += ARM_MS
        return name(number)

    def tap(self, number, level=5, at=None):
        self.driver.handle(Tap(self.clock if at is None else at, name(number), level))

    def rates(self, number, **more):
        self.ask(number, **more)
        self.tap(number)
        self.reads()
        self.driver.handle(Skip(self.clock))
        self.turn()

    def reads(self):
        """A frame shows the thanks, and somebody has had time to read them."""
        self.turn()
        self.clock += READ_MS

    @property
    def screen(self):
        return self.driver.session.screen

    def refusals(self):
        self.settle()
        return dict(self.keeper.refused)


@pytest.fixture
def kiosk(tmp_path):
    each = Kiosk(tmp_path / "outbox.db", signing.generate_key())
    yield each
    each.keeper.stop()


# ---------------------------------------------------------------- which screen it is


def test_the_hub_hears_of_each_screen_also_of_the_rest_after_an_ending(kiosk):
    """Time alone leads from an ending to the rest: nothing else tells that nobody is there."""
    seen = []
    kiosk.ask(1)
    for way in (
        lambda: None,
        lambda: kiosk.tap(1) or kiosk.reads(),
        lambda: kiosk.driver.handle(Skip(kiosk.clock)),
        lambda: kiosk.passes(ENDING_MS[Ending.SKIPPED]),
    ):
        way()
        kiosk.turn()
        kiosk.slot(1 + len(seen))
        kiosk.clock += HEARTBEAT_MS if kiosk.screen is Screen.IDLE else 0
        kiosk.settle()
        seen.append(kiosk.keeper._screen)
    assert seen == ["invited", "thanks", "ending", "idle"]
    assert kiosk.states()[-1].screen == "idle"


# ---------------------------------------------------------------- what was really seen


def test_a_tap_counts_only_on_what_a_frame_has_shown(kiosk):
    """The session may show it for long: as long as no frame has, the finger meant another."""
    kiosk.draws = False
    kiosk.ask(1)
    kiosk.clock += 5_000
    kiosk.tap(1)
    assert kiosk.screen is Screen.INVITED
    kiosk.driver.frame_drawn()
    kiosk.clock += ARM_MS - 1
    kiosk.tap(1)
    assert kiosk.screen is Screen.INVITED
    assert kiosk.refusals() == {"early_tap": 2}
    kiosk.clock += 1
    kiosk.tap(1)
    assert kiosk.screen is Screen.SAVING


def test_what_counts_is_when_the_finger_came_down(kiosk):
    """It came down just after the new picture, and was lifted long after: no rating."""
    kiosk.ask(1)
    down = kiosk.clock - 1
    kiosk.clock += 5_000
    kiosk.tap(1, at=down)
    assert kiosk.screen is Screen.INVITED
    assert kiosk.refusals() == {"early_tap": 1}


def test_after_an_undo_the_question_has_to_be_seen_anew(kiosk):
    """The frame that showed it before the first tap does not count for the second one."""
    kiosk.ask(1)
    kiosk.tap(1, level=1)
    kiosk.reads()
    kiosk.draws = False
    kiosk.driver.handle(Undo(kiosk.clock))
    kiosk.clock += 2 * ARM_MS
    kiosk.tap(1)
    kiosk.driver.press(Press(5, kiosk.clock, "pad"))
    assert kiosk.screen is Screen.INVITED
    assert set(kiosk.refusals()) == {"early_tap", "pad_press_before_invitation"}
    kiosk.driver.frame_drawn()
    kiosk.clock += ARM_MS
    kiosk.tap(1)
    assert kiosk.screen is Screen.SAVING


@pytest.mark.parametrize("level", [5, 4, 3, 2, 1])
@pytest.mark.parametrize("press", ["choose", "submit", "skip", "undo"])
def test_the_second_of_two_taps_does_nothing_on_the_thanks(kiosk, level, press):
    """Nobody has read what has come under the finger: not before a frame, nor just after it."""
    made = {
        "choose": lambda **at: Choose(kiosk.clock, f"{level}10", **at),
        "submit": lambda **at: Submit(kiosk.clock, **at),
        "skip": lambda **at: Skip(kiosk.clock, **at),
        "undo": lambda **at: Undo(kiosk.clock, **at),
    }[press]
    kiosk.ask(1)
    kiosk.tap(1, level=level)
    kiosk.draws = False
    kiosk.turn()
    thanked = kiosk.driver.session
    assert thanked.screen is Screen.THANKS
    kiosk.clock += 2 * READ_MS
    kiosk.driver.handle(made())  # it is there, but no frame has shown it
    kiosk.driver.frame_drawn()
    shown = kiosk.clock
    kiosk.clock = shown + READ_MS - 1
    assert kiosk.driver.ready is None
    kiosk.driver.handle(made())
    kiosk.clock += 5_000
    kiosk.driver.handle(made(down=shown + READ_MS - 1))  # and lifted long after
    assert kiosk.driver.session == thanked
    assert kiosk.refusals() == {"early_touch": 3}
    good = press == "submit" and level <= 2
    kiosk.driver.handle(made(down=shown + READ_MS))
    assert kiosk.driver.ready == (shown + READ_MS if good or press == "choose" else None)
    assert (kiosk.driver.session == thanked) is good  # a bad level is not submitted bare
    assert kiosk.refusals() == {"early_touch": 3} | ({"no_reason_yet": 1} if good else {})


def test_reasons_that_are_unfolded_are_to_be_read_first_too(kiosk):
    """展开更多 puts another reason under the finger that pressed it."""
    kiosk.ask(1)
    kiosk.tap(1)
    kiosk.reads()
    assert kiosk.driver.ready is not None
    kiosk.driver.handle(Stay(kiosk.clock, moved=True))
    kiosk.driver.handle(Choose(kiosk.clock + READ_MS - 1, "510"))
    assert kiosk.driver.session.draft.reasons == ()
    kiosk.driver.handle(Choose(kiosk.clock + READ_MS, "510"))
    assert kiosk.driver.session.draft.reasons == ("510",)


def test_the_thanks_of_the_tap_before_an_undo_do_not_count(kiosk):
    """Tapped, taken back and tapped again: the thanks have to be seen anew."""
    kiosk.ask(1)
    kiosk.tap(1, level=1)
    kiosk.reads()
    kiosk.driver.handle(Undo(kiosk.clock))
    kiosk.turn()
    kiosk.clock += ARM_MS
    kiosk.tap(1, level=2)
    kiosk.draws = False
    kiosk.turn()
    kiosk.clock += 5_000
    kiosk.driver.handle(Choose(kiosk.clock, "207"))
    assert (kiosk.screen, kiosk.driver.session.draft.reasons) == (Screen.THANKS, ())
    assert kiosk.refusals() == {"early_touch": 1}


def test_the_field_is_told_when_it_may_open(kiosk):
    """A finger that opens it too early would have the keyboard take what is meant for a reason."""
    kiosk.ask(1)
    asked = kiosk.driver.view().ready
    kiosk.tap(1)
    kiosk.turn()
    early = kiosk.driver.view().ready
    kiosk.reads()
    assert (asked, early, kiosk.driver.view().ready) == (True, False, True)


def test_a_tap_on_another_invitation_is_foreign_not_early(kiosk):
    """Each cause is counted under its own name."""
    kiosk.ask(1)
    kiosk.tap(2)
    assert kiosk.refusals() == {"foreign_tap": 1}


def test_each_cause_is_logged_once_and_counted_always(kiosk, caplog):
    """Whoever hammers on the screen fills no log."""
    caplog.set_level("INFO", "device.driver")
    for _ in range(50):
        kiosk.tap(1)
    assert kiosk.refusals() == {"tap_in_idle": 50}
    assert [line for line in caplog.messages if "tap_in_idle" in line] == [
        "event=refused cause=tap_in_idle"
    ]


# ---------------------------------------------------------------- whose face it is


def test_a_photograph_is_shown_only_while_the_settings_name_it(kiosk):
    """Whichever comes first; no face stays beside another clerk's name."""
    picture = b"a photograph"
    portrait = Portrait(digest=hashlib.sha256(picture).hexdigest(), picture=picture)
    named = Settings(version=1, hall_name="示例大厅", catalogue="2021.1", portrait=portrait.digest)
    seen = []
    for tell in (
        lambda: kiosk.driver.portrait(portrait),
        lambda: kiosk.driver.settings(named),
        lambda: kiosk.driver.settings(replace(named, portrait="0" * 64)),
        lambda: kiosk.driver.settings(named),
        lambda: kiosk.driver.portrait(None),
    ):
        tell()
        seen.append(kiosk.driver.view().portrait)
    assert seen == [None, portrait, None, portrait, None]


# ---------------------------------------------------------------- signals


def test_the_hub_gets_the_signals_of_a_rating(kiosk):
    """Signed with it: input, touches, and that the hub wanted it back."""
    kiosk.ask(1)
    kiosk.driver.touch(3)
    kiosk.driver.press(Press(5, kiosk.clock - 1, "pad"))  # too early
    kiosk.driver.press(Press(2, kiosk.clock, "pad"))
    kiosk.turn()
    kiosk.clock += READ_MS
    kiosk.slot(2)
    kiosk.turn()
    kiosk.driver.handle(Skip(kiosk.clock))
    kiosk.turn()
    (sent,) = kiosk.outcomes()
    assert isinstance(sent, Rated)
    assert sent.signals == Signals(input="pad", touches=4, withdrawn_ms=READ_MS)


def test_at_rest_touches_are_nobodys(kiosk):
    """A pad that is pressed while nobody is asked is neither counted nor refused as a touch."""
    kiosk.driver.touch(9)
    kiosk.rates(1)
    assert kiosk.outcomes()[0].signals == Signals(input="screen")
    assert kiosk.refusals() == {}


def test_outcomes_that_are_no_ratings_have_signals_if_they_were_shown(kiosk):
    """What was never shown has none: there was nothing to measure."""
    kiosk.ask(1)
    kiosk.driver.touch(2)
    kiosk.passes(kiosk.driver.session.deadline_ms - kiosk.clock)
    kiosk.slot(2, None, unsettled=(name(9),))
    kiosk.turn()
    sent = {each.invitation: each for each in kiosk.outcomes()}
    assert isinstance(sent[name(1)], Expired)
    assert sent[name(1)].signals == Signals(touches=2)
    assert isinstance(sent[name(9)], Withdrawn)
    assert sent[name(9)].signals is None


def test_repeated_invitations_to_one_service_are_counted(kiosk):
    """Each that was shown before, however it ended; another service begins at nothing."""
    for number in (1, 2, 3):
        kiosk.ask(number, case=1)
        kiosk.slot(number, None)
        kiosk.turn()
        kiosk.passes(3_000)
    kiosk.rates(4, case=1)
    kiosk.passes(3_000)
    kiosk.rates(5, case=2)
    asked = {each.invitation: each.signals.asked_before for each in kiosk.outcomes()}
    assert asked == {name(1): 0, name(2): 1, name(3): 2, name(4): 3, name(5): 0}


def test_what_no_frame_has_shown_was_not_asked(kiosk):
    """An invitation that was taken back before its first frame is no repetition for the next."""
    kiosk.draws = False
    kiosk.ask(1, case=1)
    kiosk.slot(1, None)
    kiosk.turn()
    kiosk.passes(3_000)
    kiosk.draws = True
    kiosk.rates(2, case=1)
    assert kiosk.outcomes()[-1].signals.asked_before == 0


# ---------------------------------------------------------------- nobody is asked twice


def test_what_is_rated_and_not_yet_known_to_the_hub_is_not_asked_again(kiosk):
    """The kiosk was cut off, the clerk asks again: the rating in the outbox is the answer."""
    kiosk.line.up = False
    kiosk.rates(1)
    kiosk.passes(3_000)
    assert kiosk.screen is Screen.IDLE
    again = live(kiosk, 2, case=1)
    kiosk.slot(5, again)
    kiosk.slot(6, again)
    kiosk.turn()
    assert kiosk.screen is Screen.IDLE
    kiosk.line.up = True
    kiosk.connect()
    sent = {each.invitation: each for each in kiosk.outcomes()}
    assert isinstance(sent[name(1)], Rated)
    assert (sent[name(2)].reason, sent[name(2)].signals) == ("never_shown", None)


def test_nor_after_a_restart(kiosk, tmp_path):
    """The outbox remembers it, not the process."""
    kiosk.line.up = False
    kiosk.rates(1)
    kiosk.keeper.stop()
    other = Kiosk(tmp_path / "outbox.db", kiosk.key)
    try:
        other.ask(2, case=1)
        assert other.screen is Screen.IDLE
        other.ask(3, case=3)
        assert other.screen is Screen.INVITED
    finally:
        other.keeper.stop()


def test_what_the_hub_has_answered_for_is_its_own_to_judge(kiosk):
    """After the receipt the kiosk shows whatever it is sent, as before."""
    kiosk.rates(1)
    kiosk.receipt(kiosk.outcomes()[0].id)
    kiosk.passes(3_000)
    kiosk.ask(2, case=1)
    assert kiosk.screen is Screen.INVITED


def test_an_invitation_that_nobody_rated_does_not_stand_in_the_way(kiosk):
    """Expired or withdrawn outcomes that wait are no ratings."""
    kiosk.line.up = False
    kiosk.ask(1)
    kiosk.passes(kiosk.driver.session.deadline_ms - kiosk.clock)
    kiosk.passes(3_000)
    kiosk.ask(2, case=1)
    assert kiosk.screen is Screen.INVITED


def test_the_same_service_waits_behind_nobody_who_is_rating_it(kiosk):
    """The second invitation comes while the first is answered: it is never shown."""
    kiosk.ask(1)
    kiosk.driver.handle(Tap(kiosk.clock, name(1), 2))
    kiosk.driver.handle(Offer(kiosk.clock, invitation(2, case=1), 30_000))
    kiosk.reads()
    kiosk.driver.handle(Skip(kiosk.clock))
    kiosk.turn()
    kiosk.passes(3_000)
    assert kiosk.screen is Screen.IDLE
    assert {each.invitation for each in kiosk.outcomes()} == {name(1), name(2)}
