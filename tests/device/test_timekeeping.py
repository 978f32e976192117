"""A kiosk without a clock battery says the time as honestly as it can."""

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from device.timekeeping import DRIFT_PPM, STALE_MS, HubTime

BOOT = "0" * 32


def test_before_the_hub_has_answered_no_time_is_claimed():
    """The stamp holds the boot and the monotonic clock, and owns up to knowing no more."""
    assert HubTime().at(5_000) is None
    stamp = HubTime().stamp(BOOT, 5_000)
    assert (stamp.boot, stamp.mono_ms) == (BOOT, 5_000)
    assert stamp.offset_ms is None
    assert stamp.uncertainty_ms is None


@effort(max_examples=200)
@given(
    offset=st.integers(-(1 << 40), 1 << 50),
    sent=st.integers(0, 1 << 40),
    there=st.integers(0, 30_000),
    back=st.integers(0, 30_000),
)
def test_the_true_time_lies_within_the_uncertainty(offset, sent, there, back):
    """However unequal the two ways, the claim holds."""
    known = HubTime().learn(sent, sent + there + offset, sent + there + back)
    assert abs(known.offset_ms - offset) <= known.uncertainty_ms
    assert known.uncertainty_ms <= (there + back + 1) // 2
    assert known.at(sent) == sent + known.offset_ms


@effort(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 5_000), st.integers(0, 5_000))))
def test_after_many_answers_the_claim_still_holds(answers):
    """A quicker answer betters the reading, a slower one does not spoil it."""
    offset, now, known = 1_700_000_000_000, 0, HubTime()
    for pause, there, back in answers:
        sent = now + pause
        now = sent + there + back
        known = known.learn(sent, sent + there + offset, now)
        assert abs(known.offset_ms - offset) <= known.uncertainty_ms


def test_a_worse_reading_wins_once_the_better_one_is_stale():
    """Quartz drifts: after `STALE_MS` a newer answer counts more than a quicker one."""
    good = HubTime().learn(0, 1_000, 2)
    worse = (STALE_MS - 100, STALE_MS + 1_000, STALE_MS + 1)
    assert good.learn(*worse) is good
    assert good.learn(*(ms + 100 for ms in worse)).uncertainty_ms == 51


def test_an_answer_from_the_future_is_not_believed():
    """An echo that this clock has not reached cannot be an answer to this boot."""
    known = HubTime().learn(0, 1_000, 2)
    assert known.learn(9_000, 1, 8_999) is known


# ---------------------------------------------------------------- clocks that are set


@effort(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 5_000), st.integers(0, 5_000))),
    st.integers(-DRIFT_PPM, DRIFT_PPM),
)
def test_honest_answers_never_contradict_one_another(answers, ppm):
    """However slow the line and however the quartz drifts within what is allowed for."""
    now, known = 0, HubTime()
    for pause, there, back in answers:
        sent = now + pause
        now = sent + there + back
        hub = 1_700_000_000_000 + sent + there + (sent + there) * ppm // 1_000_000
        new = HubTime().learn(sent, hub, now)
        assert not known.contradicts(new)
        known = known.learn(sent, hub, now)
        truth = 1_700_000_000_000 + now + now * ppm // 1_000_000
        assert abs(known.at(now) - truth) <= known.sure_ms(now) + 2


@effort(max_examples=200)
@given(
    jump=st.integers(-400 * 86_400_000, 400 * 86_400_000),
    trip=st.integers(0, 10_000),
    later=st.integers(1, STALE_MS - 1),
)
def test_a_hub_whose_clock_is_set_is_believed_at_its_next_answer(jump, trip, later):
    """A year back or forward, however slow the answer: not only when the old one is stale."""
    known = HubTime().learn(0, 1_700_000_000_000, 0)
    sent = later
    hub = 1_700_000_000_000 + sent + trip // 2 + jump
    new = known.learn(sent, hub, sent + trip)
    assert abs(new.at(sent + trip // 2) - hub) <= new.sure_ms(sent + trip // 2) + trip // 2 + 1
    if abs(jump) > trip + 2 + later * DRIFT_PPM // 1_000_000:
        assert known.contradicts(HubTime().learn(sent, hub, sent + trip))
        assert abs(new.at(sent) - (hub - trip // 2)) <= trip


def test_how_sure_it_is_falls_with_the_time_away_from_the_hub():
    """Thirty days alone: some minutes off at most, and the stamp owns up to it."""
    known = HubTime().learn(0, 1_700_000_000_000, 40)
    assert known.stamp(BOOT, 40).uncertainty_ms == 20
    month = 30 * 86_400_000
    assert known.stamp(BOOT, month).uncertainty_ms == 20 + (month - 40) * DRIFT_PPM // 1_000_000
    assert known.stamp(BOOT, month).uncertainty_ms < 5 * 60_000


def test_a_machine_that_slept_is_put_right_by_the_next_answer():
    """Its monotonic clock stood still; that looks like a jump of the hub's."""
    known = HubTime().learn(1_000, 1_700_000_000_000, 1_010)
    slept = 8 * 3_600_000
    awake = known.learn(2_000, 1_700_000_001_000 + slept, 2_400)
    assert abs(awake.at(2_000) - (1_700_000_001_000 + slept)) <= 200
