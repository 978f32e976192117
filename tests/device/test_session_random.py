"""Long random days at one window: whatever happens in whatever order, the promises hold."""

from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from session_world import invitation, name

from device.session import (
    Choose,
    Close,
    Discard,
    Keep,
    Offer,
    Pause,
    Recovered,
    Refused,
    Release,
    Saved,
    SaveFailed,
    Screen,
    Session,
    Skip,
    Submit,
    Tap,
    Tick,
    Undo,
    Write,
    step,
)


def answering(day):
    """Whether a citizen is in front of the screen who has pressed a level."""
    return day.session.draft is not None


class Day(RuleBasedStateMachine):
    """A hub that offers, citizens who press anything, a disk that fails and is mended.

    The disk is the keeper's: it answers a first `Keep` in order, reports every failure, and
    after its recovery carries out what it could not.
    """

    def __init__(self):
        super().__init__()
        self.session = Session()
        self.now = 0
        self.offered = 0
        self.works = True
        self.disk = []  # first drafts that the disk has not answered for yet
        self.tapped = {}  # invitation -> level of the tap that counts
        self.drafts = set()  # invitations with a first Keep and no Discard since
        self.on_disk = set()  # those of which the disk has said Saved
        self.ended = {}  # invitation -> the one effect that ended it
        self.shown = set()

    def happens(self, event):
        before = self.session
        try:
            self.session, effects = step(before, event)
        except Refused:
            assert self.session is before
            return False
        for effect in effects:
            self.carried_out(effect)
        if self.session.screen is Screen.INVITED:
            self.shown.add(self.session.invitation.id)
        return True

    def carried_out(self, effect):
        if isinstance(effect, Keep):
            invited = effect.draft.invitation
            assert invited not in self.ended
            assert effect.draft.level == self.tapped[invited], "a draft without its tap"
            assert effect.first is (invited not in self.drafts), "kept first, once until undone"
            if effect.first:
                self.drafts.add(invited)
                self.disk.append(invited)
        elif isinstance(effect, Discard):
            self.drafts.remove(effect.invitation)
            self.on_disk.remove(effect.invitation)
            del self.tapped[effect.invitation]
        else:
            assert effect.invitation not in self.ended, "an invitation ends once"
            self.ended[effect.invitation] = effect
            if isinstance(effect, Release):
                assert effect.invitation in self.on_disk, "released and not on the disk"
            else:
                assert isinstance(effect, Close)
                assert effect.invitation not in self.on_disk, "a kept rating was thrown away"
                unseen = effect.reason == "never_shown"
                assert unseen is (effect.invitation not in self.shown)

    def press(self, invited, level):
        known = self.tapped.get(invited)
        self.tapped[invited] = level
        if not self.happens(Tap(self.now, invited, level)):
            self.tapped[invited] = known

    # ------------------------------------------------------------ what can happen

    @rule(passed=st.sampled_from([0, 1, 100, 400, 3_000, 8_000, 8_001, 60_000]))
    def time_passes(self, passed):
        self.now += passed
        self.happens(Tick(self.now))

    @precondition(lambda self: self.session.screen is not Screen.INVITED or self.offered % 3)
    @rule(ttl=st.sampled_from([1, 1_000, 20_000, 60_000, 600_000]))
    def the_hub_offers(self, ttl):
        self.offered += 1
        assert self.happens(Offer(self.now, invitation(self.offered), ttl))

    @precondition(lambda self: self.offered and name(self.offered) not in self.ended)
    @rule()
    def the_hub_says_it_again(self):
        assert self.happens(Offer(self.now, invitation(self.offered), 20_000))

    @precondition(lambda self: self.session.invitation is not None)
    @rule()
    def the_hub_takes_back(self):
        assert self.happens(Offer(self.now, None))

    @rule(reason=st.sampled_from([None, None, "午休"]))
    def the_window_pauses(self, reason):
        self.happens(Pause(self.now, reason))

    @precondition(lambda self: self.session.screen is Screen.INVITED)
    @rule(level=st.integers(0, 6), wait=st.sampled_from([0, 399, 400, 500]))
    def a_citizen_taps(self, level, wait):
        self.now += wait
        self.press(self.session.invitation.id, level)

    @precondition(lambda self: self.session.invitation is not None)
    @rule(level=st.integers(1, 5), on=st.integers(-2, 1))
    def a_finger_slips(self, level, on):
        self.press(name(max(0, self.offered + on)), level)

    @precondition(answering)
    @rule(code=st.sampled_from(["510", "407", "307", "207", "208", "108", "109", "999", ""]))
    def a_citizen_chooses(self, code):
        self.happens(Choose(self.now, code))

    @precondition(answering)
    @rule(text=st.text(max_size=5) | st.just("字" * 151))
    def a_citizen_writes(self, text):
        self.happens(Write(self.now, text))

    @precondition(answering)
    @rule(kind=st.sampled_from([Submit, Skip, Undo]))
    def a_citizen_goes_on(self, kind):
        self.happens(kind(self.now))

    @precondition(lambda self: self.disk)
    @rule()
    def the_disk_answers(self):
        invited = self.disk.pop(0)
        if self.works:
            self.on_disk.add(invited)
            self.happens(Saved(self.now))
        else:
            self.drafts.discard(invited)
            self.happens(SaveFailed(self.now))

    @precondition(lambda self: self.works)
    @rule()
    def the_disk_fails(self):
        self.works = False
        self.happens(SaveFailed(self.now))

    @precondition(lambda self: not self.works)
    @rule()
    def the_disk_is_mended(self):
        self.works = True
        while self.disk:
            self.the_disk_answers()
        self.happens(Recovered(self.now))
        assert self.session.screen is not Screen.OUT_OF_SERVICE

    # ------------------------------------------------------------ what always holds

    @invariant()
    def a_draft_belongs_to_a_tap(self):
        draft = self.session.draft
        if draft is not None:
            assert draft.level == self.tapped[draft.invitation]
            assert draft.invitation == self.session.invitation.id

    @invariant()
    def thanks_stand_on_the_disk(self):
        if self.session.screen in (Screen.THANKS, Screen.REASONS):
            assert self.session.kept
            assert self.session.invitation.id in self.on_disk

    @invariant()
    def nobody_is_in_front_of_a_resting_screen(self):
        if self.session.screen in (Screen.IDLE, Screen.PAUSED):
            assert self.session.invitation is None
            assert self.session.draft is None
            assert not self.session.kept
        if self.session.screen is Screen.IDLE:
            assert self.session.waiting is None

    @invariant()
    def every_invitation_is_somewhere(self):
        """Each one was ended, is in front of a citizen, or waits: none is lost."""
        somewhere = set(self.ended)
        if self.session.invitation is not None:
            assert self.session.invitation.id not in self.ended
            somewhere.add(self.session.invitation.id)
        if self.session.waiting is not None and self.session.waiting.invitation is not None:
            assert self.session.waiting.invitation.id not in self.ended
            somewhere.add(self.session.waiting.invitation.id)
        assert somewhere == {name(number) for number in range(1, self.offered + 1)}

    def teardown(self):
        """At closing time everything that was offered has ended, each just once."""
        if not self.works:
            self.the_disk_is_mended()
        while self.disk:
            self.the_disk_answers()
        self.happens(Pause(self.now, None))
        for _ in range(3):
            self.now += 600_000
            self.happens(Tick(self.now))
        self.every_invitation_is_somewhere()
        assert self.session == Session()
        assert len(self.ended) == self.offered


TestDay = Day.TestCase
TestDay.settings = effort(max_examples=200, stateful_step_count=50)
