"""Topics and identifiers: what can stand in them, and nothing else."""

import random

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from made_messages import devices

from protocol import topics
from protocol.errors import TopicError
from protocol.identifiers import identifier
from protocol.topics import Leaf


@effort(max_examples=80)
@given(devices, devices, st.sampled_from(Leaf))
def test_a_topic_is_read_as_it_was_written(hall, device, leaf):
    """Hall, device and leaf come back as they went in."""
    assert topics.parse(topics.topic(hall, device, leaf)) == (hall, device, leaf)


@effort(max_examples=200)
@given(st.text(max_size=60) | st.text("pingyv1/k-+#$state", max_size=60))
def test_any_other_text_is_no_topic(text):
    """Whatever is not just so is refused, and by nothing but `TopicError`."""
    try:
        found = topics.parse(text)
    except TopicError:
        return
    assert str(found) == text


@pytest.mark.parametrize(
    "name", ["", "-k", "K1", "k_1", "k/1", "k+", "#", "+", "k" * 33, "k\n", "k１", "窗口", "k 1"]
)
def test_a_name_cannot_widen_a_topic(name):
    """Wildcards, slashes, capitals and signs of other scripts name nobody."""
    with pytest.raises(TopicError):
        topics.topic("h1", name, Leaf.STATE)
    with pytest.raises(TopicError):
        topics.topic(name, "k1", Leaf.STATE)
    with pytest.raises(TopicError):
        topics.parse(f"pingyi/v1/h1/{name}/state")


def test_every_leaf_has_one_direction():
    """A leaf is written either by kiosks or by the hub."""
    assert set(Leaf) == topics.UP | topics.DOWN
    assert not topics.UP & topics.DOWN


def test_each_side_listens_to_what_the_other_writes():
    """The hub hears every device of its hall, a device only its own leaves."""
    assert topics.hub_subscriptions("h1") == [
        f"pingyi/v1/h1/+/{leaf}" for leaf in ("rating", "renewal", "reply", "shown", "state")
    ]
    assert topics.device_subscriptions("h1", "k1") == [
        f"pingyi/v1/h1/k1/{leaf}"
        for leaf in ("certificate", "command", "invitation", "portrait", "receipt", "settings")
    ]


@effort(max_examples=100)
@given(st.integers(-(1 << 60), 1 << 60), st.integers(0, 1 << 32))
def test_an_identifier_is_a_uuid_of_version_seven(now_ms, seed):
    """Thirty-two hex digits with the marks of RFC 9562, whatever the clock says."""
    name = identifier(now_ms, random.Random(seed).getrandbits)
    assert len(name) == 32
    assert int(name, 16).bit_length() <= 128
    assert name[12] == "7"
    assert name[16] in "89ab"


def test_later_identifiers_sort_behind_earlier_ones():
    """The first twelve digits are the time, so an index grows at its end."""
    rng = random.Random(1)
    names = [identifier(now, rng.getrandbits) for now in range(1_000_000, 1_001_000)]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
