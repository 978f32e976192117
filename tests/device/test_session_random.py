"""Long random days at one window: whatever happens in whatever order, the promises hold."""

from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace
from session_disk import Disk
from session_world import fresh, invitation, name

from device.events import (
    Choose,
    Close,
    Discard,
    Enlarge,
    Keep,
    Offer,
    Pause,
    Recovered,
    Release,
    Saved,
    SaveFailed,
    Skip,
    Speak,
    Stay,
    Submit,
    Tap,
    Tick,
    Touch,
    Undo,
    Write,
)
from device.session import Refused, Screen, Session, step


def answering(day):
    """Whether a citizen is in front of the screen who has pressed a level."""
    return day.session.draft is not None


class Day(RuleBasedStateMachine):
    """A hub that offers, citizens who press anything, a disk that fails and is mended.

    What the session orders and what it is told of it travel in queues, as between the threads
    of the kiosk: citizens and clock go on while a word is under way.
    """

    def __init__(self):
        super().__init__()
        self.session = Session()
        self.now = 0
        self.offered = 0
        self.disk = Disk()
        self.tapped = {}  # invitation -> level of the tap that counts
        self.taps = {}  # invitation -> revision of that tap
        self.told = set()  # invitations of whose tap the session has heard that it is saved
        self.ended = {}  # invitation -> the one effect that ended it
        self.shown = set()
        self.cases = {}  # invitation -> the case that it is about
        self.rated = set()  # cases
        self.wanted_back = set()  # invitations that the hub wanted back while they were answered

    def happens(self, event):
        before = self.session
        if isinstance(event, Saved):
            owner = self.disk.owner(event.revision)
            if event.revision >= self.taps.get(owner, event.revision + 1):
                self.told.add(owner)
        try:
            self.session, effects = step(before, event)
        except Refused:
            assert self.session is before
            return False
        for effect in effects:
            self.ordered(effect, before, event)
        self.thanks_and_leave(before, event, effects)
        if self.session.screen is Screen.INVITED:
            self.shown.add(self.session.invitation.id)
        return True

    def ordered(self, effect, before, event):
        """Check an order, and hand it to the disk."""
        if isinstance(effect, Keep):
            draft = effect.draft
            assert draft.invitation not in self.ended
            assert draft.level == self.tapped[draft.invitation], "a draft without its tap"
            assert draft.revision > self.disk.newest, "revisions grow"
            if before.draft is None:
                self.taps[draft.invitation] = draft.revision
        elif isinstance(effect, Discard):
            self.told.remove(effect.invitation)
            del self.tapped[effect.invitation], self.taps[effect.invitation]
        else:
            assert effect.invitation not in self.ended, "an invitation ends once"
            self.ended[effect.invitation] = effect
            if isinstance(effect, Release):
                case = self.cases[effect.invitation]
                assert case not in self.rated, "a service was rated twice"
                self.rated.add(case)
                back = effect.draft is not None and effect.draft.signals.withdrawn_ms is not None
                assert back is (effect.invitation in self.wanted_back)
                assert effect.invitation in self.told, "released, and its tap not saved"
                revision = before.draft.revision
                if isinstance(event, Recovered):
                    assert effect.draft == before.draft, "what failed is not written again"
                else:
                    assert revision in self.disk.queued() | self.disk.answered()
            else:
                assert isinstance(effect, Close)
                assert effect.invitation not in self.told, "a kept rating was thrown away"
                unseen = effect.reason == "never_shown"
                assert unseen is (effect.invitation not in self.shown)
        self.disk.take(effect)

    def thanks_and_leave(self, before, event, effects):
        """Only time, and a disk that failed, let anyone go before their last word is saved."""
        thanked = before.screen is not Screen.THANKS and self.session.screen is Screen.THANKS
        if thanked:
            assert self.disk.holds(self.session.draft), "thanked, and not all of it saved"
        left = any(isinstance(done, Release) for done in effects)
        if left and not isinstance(event, Tick | Recovered):
            assert before.screen is Screen.THANKS
            assert self.disk.holds(before.draft), "let go, and not all of it saved"

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
        self.offer(self.offered + 1, ttl)

    @precondition(lambda self: self.session.invitation is not None)
    @rule()
    def the_hub_asks_for_the_same_service(self):
        """As after a slip of the clerk; what is rated already the keeper does not let through."""
        case = self.cases[self.session.invitation.id]
        if case not in self.rated:
            self.offer(case, 20_000)

    @precondition(answering)
    @rule(kind=st.sampled_from([Submit, Skip]))
    def a_clerk_is_quick(self, kind):
        """Ask for the same service again while the citizen takes leave."""
        self.the_disk_catches_up()
        if answering(self):
            self.the_hub_asks_for_the_same_service()
            self.a_citizen_goes_on(kind)

    def offer(self, case, ttl):
        self.offered += 1
        self.cases[name(self.offered)] = case
        self.note_wanted_back()
        assert self.happens(Offer(self.now, invitation(self.offered, case=case), ttl))

    def note_wanted_back(self):
        if answering(self):
            self.wanted_back.add(self.session.invitation.id)

    @precondition(lambda self: self.offered and name(self.offered) not in self.ended)
    @rule()
    def the_hub_says_it_again(self):
        case = self.cases[name(self.offered)]
        if self.session.invitation is None or self.session.invitation.id != name(self.offered):
            self.note_wanted_back()
        assert self.happens(Offer(self.now, invitation(self.offered, case=case), 20_000))

    @precondition(lambda self: self.session.invitation is not None)
    @rule()
    def the_hub_takes_back(self):
        self.note_wanted_back()
        assert self.happens(Offer(self.now, None))

    @rule(reason=st.sampled_from([None, None, "午休"]))
    def the_window_pauses(self, reason):
        self.happens(Pause(self.now, reason))

    @precondition(lambda self: self.session.screen is Screen.INVITED)
    @rule(level=st.integers(0, 6), wait=st.sampled_from([400, 500, 0, 399]))
    def a_citizen_taps(self, level, wait):
        self.now += wait
        self.press(self.session.invitation.id, level)

    @rule(count=st.integers(1, 3))
    def somebody_touches(self, count):
        before = self.session
        if self.happens(Touch(self.now, count)):
            assert self.session == replace(before, touches=before.touches + count)
        else:
            assert before.screen is not Screen.INVITED

    @precondition(lambda self: self.session.screen is Screen.INVITED)
    @rule(level=st.integers(1, 5), kind=st.sampled_from([None, Submit, Skip]))
    def a_citizen_is_quick(self, level, kind):
        """Go where chance seldom goes: the tap is saved, the reason is not, and they are done."""
        self.a_citizen_taps(level, 400)
        self.the_disk_catches_up()
        if answering(self):
            self.a_citizen_chooses("08")
            if kind is not None:
                self.a_citizen_goes_on(kind)

    @precondition(lambda self: self.session.invitation is not None)
    @rule(level=st.integers(1, 5), on=st.integers(-2, 1))
    def a_finger_slips(self, level, on):
        self.press(name(max(0, self.offered + on)), level)

    @precondition(answering)
    @rule(number=st.sampled_from(["07", "08", "10"]))
    def a_citizen_chooses(self, number):
        self.happens(Choose(self.now, f"{self.session.draft.level}{number}"))

    @precondition(answering)
    @rule()
    def a_citizen_reads_on(self):
        self.happens(Stay(self.now))

    @rule(kind=st.sampled_from([Speak, Enlarge]), on=st.booleans())
    def a_citizen_wants_it_otherwise(self, kind, on):
        before = self.session
        if self.happens(kind(self.now, on)):
            assert self.session.deadline_ms == before.deadline_ms
        else:
            assert before.screen is not Screen.INVITED

    @precondition(answering)
    @rule(code=st.sampled_from(["510", "208", "999", "1", ""]))
    def a_finger_meets_another_reason(self, code):
        self.happens(Choose(self.now, code))

    @precondition(answering)
    @rule(text=st.text(max_size=5) | st.just("字" * 151))
    def a_citizen_writes(self, text):
        self.happens(Write(self.now, text))

    @precondition(answering)
    @rule(kind=st.sampled_from([Submit, Submit, Skip, Undo]))
    def a_citizen_goes_on(self, kind):
        before, done = self.session, self.session.submitted
        if self.happens(kind(self.now)):
            assert not done, "pressed while waiting"
        else:
            assert self.session == before
        if kind is Skip and self.session.submitted and not done:
            assert (self.session.draft.reasons, self.session.draft.comment) == ((), "")

    @precondition(lambda self: self.disk.orders)
    @rule()
    def the_disk_writes(self):
        self.disk.writes()

    @precondition(lambda self: self.disk.words)
    @rule()
    def the_screen_hears(self):
        event = self.disk.words.popleft()(self.now)
        assert self.happens(event) or isinstance(event, SaveFailed)

    @rule()
    def the_disk_catches_up(self):
        while self.disk.orders:
            self.the_disk_writes()
        while self.disk.words:
            self.the_screen_hears()

    @precondition(lambda self: self.disk.works)
    @rule(noticed=st.booleans())
    def the_disk_fails(self, noticed):
        self.disk.works = False
        if noticed:
            self.disk.failed()

    @precondition(lambda self: not self.disk.works)
    @rule()
    def the_disk_works_again(self):
        self.disk.works = True

    @precondition(lambda self: self.disk.broken)
    @rule()
    def the_disk_is_mended(self):
        self.disk.works = True
        self.disk.mended()

    # ------------------------------------------------------------ what always holds

    @invariant()
    def a_draft_belongs_to_a_tap(self):
        draft = self.session.draft
        if draft is not None:
            assert draft.level == self.tapped[draft.invitation]
            assert draft.invitation == self.session.invitation.id
            assert draft.revision == self.session.revision

    @invariant()
    def nobody_is_asked_what_they_have_rated(self):
        if self.session.screen is Screen.INVITED:
            assert self.cases[self.session.invitation.id] not in self.rated

    @invariant()
    def what_counts_as_kept_was_said_to_be(self):
        asked = self.session.invitation
        if asked is not None:
            assert self.session.kept is (asked.id in self.told)
        if self.session.screen is Screen.THANKS:
            assert self.session.kept

    @invariant()
    def who_waits_waits_for_the_disk(self):
        """Somebody who is done is let go by the word on the last draft, so it must be to come."""
        if self.session.submitted and self.session.screen is not Screen.OUT_OF_SERVICE:
            assert self.session.saved < self.session.draft.revision
            assert self.disk.orders or self.disk.words

    @invariant()
    def of_an_ended_session_only_the_ending_is_left(self):
        if self.session.screen is Screen.ENDING:
            left = replace(
                fresh(self.session),
                screen=Screen.ENDING,
                ending=self.session.ending,
                deadline_ms=self.session.deadline_ms,
                english=self.session.english,
                elder=self.session.elder,
                pause=self.session.pause,
                waiting=self.session.waiting,
            )
            assert self.session == left
            assert self.session.deadline_ms <= self.now + 3_000

    @invariant()
    def nobody_is_in_front_of_a_resting_screen(self):
        if self.session.screen in (Screen.IDLE, Screen.PAUSED):
            waiting = self.session.waiting
            assert self.session == fresh(
                self.session,
                screen=self.session.screen,
                pause=self.session.pause,
                waiting=waiting,
            )
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
        """At closing time everything that was offered has ended, each just once and on disk."""
        self.close_up()
        self.happens(Pause(self.now, None))
        for _ in range(5):
            self.now += 600_000
            self.happens(Tick(self.now))
            self.close_up()
        self.every_invitation_is_somewhere()
        assert self.session == fresh(self.session)
        assert len(self.ended) == self.offered
        for invited, effect in self.ended.items():
            final = self.disk.final[invited]
            if isinstance(effect, Release):
                assert final.level == self.tapped[invited]
            else:
                assert final == effect

    def close_up(self):
        self.disk.works = True
        while self.disk.orders or self.disk.words or self.disk.broken:
            self.the_disk_catches_up()
            if self.disk.broken:
                self.disk.mended()


TestDay = Day.TestCase
TestDay.settings = effort(max_examples=200, stateful_step_count=50)
