"""Whatever arrives becomes a valid message or one of the errors that `wire` names."""

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from made_messages import (
    BLANK,
    NO_WIDTH,
    UNSEEN,
    identifiers,
    invitations,
    json_values,
    messages,
    millis,
    outcomes,
    spoiled,
    stamps,
)

from protocol import wire
from protocol.errors import Malformed, ProtocolError, TooLarge, WrongVersion
from protocol.messages import (
    AnyOutcome,
    Expired,
    Invitation,
    Rated,
    Receipt,
    Refusal,
    Settings,
    Shown,
    Slot,
    Staff,
    Stamp,
    State,
    Window,
    readable,
)

KINDS = (Slot, Shown, State, Settings, Receipt, AnyOutcome)
ID = "0" * 31 + "1"
WIDE = "\U00020bb7"  # 𠮷, four bytes in UTF-8


def kind_of(message):
    return next(kind for kind in KINDS if isinstance(message, kind))


def rated(**changes):
    """A rating as the wire holds it, with some fields changed."""
    fields = {
        "v": 1,
        "kind": "rated",
        "id": ID,
        "device": "k1",
        "seq": 1,
        "invitation": ID,
        "stamp": {"boot": ID, "mono_ms": 1},
        "level": 5,
        "catalogue": "2021.1",
        "elapsed_ms": 1,
    }
    return json.dumps(fields | changes).encode()


@effort(max_examples=150)
@given(messages)
def test_every_message_arrives_as_it_was_sent(message):
    """What is encoded and decoded again is the same message."""
    assert wire.decode(kind_of(message), wire.encode(message)) == message


@effort(max_examples=200)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_nothing_arbitrary_is_taken_for_a_message(data):
    """Bytes and JSON that nobody made for us are refused, and never are a rating."""
    for kind in KINDS:
        with pytest.raises(ProtocolError):
            wire.decode(kind, data)


@effort(max_examples=200)
@given(st.dictionaries(st.sampled_from(list(json.loads(rated()))), json_values))
def test_the_right_fields_with_wrong_values_are_refused_or_valid(changes):
    """A rating with arbitrary values in its fields is refused, or keeps every rule."""
    try:
        found = wire.decode(AnyOutcome, rated(**changes))
    except ProtocolError:
        return
    assert found == msgspec.convert(msgspec.to_builtins(found), AnyOutcome)


@effort(max_examples=200)
@given(st.data())
def test_a_spoiled_message_is_refused_or_still_a_valid_one(data):
    """Flipped, cut and inserted bytes never raise anything but a `ProtocolError`."""
    message = data.draw(messages)
    try:
        found = wire.decode(kind_of(message), data.draw(spoiled(wire.encode(message))))
    except ProtocolError:
        return
    assert wire.decode(kind_of(message), wire.encode(found)) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"v":' + b"9" * 5000 + b"}",
        b'{"v":true}',
        b'{"v":1e400}',
        b'{"v":1,"x":' + b"[" * 60_000,
        b"[" * 60_000,
        b'{"v":1,"kind":"praised"}',
        rated(comment="a").replace(b'"a"', b'"\\ud800"'),
        rated(comment="a").replace(b'"a"', b'"\xed\xa0\x80"'),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_bytes_are_malformed(kind, data):
    """Deep nesting, huge numbers, broken UTF-8 and lone surrogates are plain refusals."""
    with pytest.raises(Malformed):
        wire.decode(kind, data)


@pytest.mark.parametrize(
    "changes",
    [
        {"level": 0},
        {"level": 6},
        {"level": "5"},
        {"level": 5.5},
        {"level": True},
        {"level": None},
        {"reasons": ["110"]},
        {"reasons": ["510", "510"]},
        {"reasons": ["5100"]},
        {"reasons": ["510\n"]},
        {"comment": "长" * 151},
        {"seq": 0},
        {"elapsed_ms": -1},
        {"id": ID.upper().replace("0", "A")},
        {"id": ID + "\n"},
        {"device": "K1"},
        {"device": "k1\n"},
        {"kind": "expired"},
        {"isdefault": "1"},
        {"catalogue": "../x"},
        {"stamp": {"boot": ID, "mono_ms": 1, "zone": "CST"}},
    ],
)
def test_a_rating_that_breaks_a_rule_is_malformed(changes):
    """No level is guessed, no field is let through that nobody knows."""
    assert isinstance(wire.decode(AnyOutcome, rated()), Rated)
    with pytest.raises(Malformed):
        wire.decode(AnyOutcome, rated(**changes))


@pytest.mark.parametrize("version", [0, 2, -1, 10**30])
def test_another_version_is_told_apart_from_nonsense(version):
    """A newer program's message is refused as such, whatever else stands in it."""
    with pytest.raises(WrongVersion):
        wire.decode(Slot, json.dumps({"v": version, "news": 1}).encode())


def test_a_message_without_a_version_is_malformed():
    """The default in the code is none on the wire."""
    with pytest.raises(Malformed):
        wire.decode(Slot, b'{"version":1}')


def test_the_limit_is_exact():
    """65536 bytes may travel, one more may not, in either direction."""
    message = b'{"v":1,"version":1}'
    full = message + b" " * (wire.LIMIT - len(message))
    assert wire.decode(Slot, full) == Slot(version=1)
    with pytest.raises(TooLarge):
        wire.decode(Slot, full + b" ")
    assert len(wire.encode("x" * (wire.LIMIT - 2))) == wire.LIMIT == 65_536
    with pytest.raises(TooLarge):
        wire.encode("x" * (wire.LIMIT - 1))


def test_the_largest_valid_messages_fit():
    """A message that keeps the rules is never too large to be sent."""
    most = 1 << 53
    stamp = Stamp(boot=ID, mono_ms=most, offset_ms=-most, uncertainty_ms=most)
    person = Staff(name=WIDE * 40, number=WIDE * 40, post=WIDE * 40)
    window = Window(name=WIDE * 40, label=WIDE * 40)
    invitation = Invitation(
        id=ID,
        serial=WIDE * 64,
        service_number=99,
        matter=WIDE * 200,
        window=window,
        staff=person,
        issued_at=most,
        ttl_ms=600_000,
    )
    refused = (Refusal(id=ID, reason="x" * 40),) * 200
    for message in (
        Slot(version=most, invitation=invitation, unsettled=(ID,) * 1000),
        Receipt(hub_at=most, committed=(ID,) * 1000, refused=refused, boot=ID, echo_ms=most),
        Rated(
            id=ID,
            device="k" * 32,
            seq=most,
            invitation=ID,
            stamp=stamp,
            level=1,
            reasons=tuple(str(code) for code in range(110, 120)),
            comment=WIDE * 150,
            catalogue="x" * 32,
            elapsed_ms=most,
        ),
    ):
        assert wire.decode(kind_of(message), wire.encode(message)) == message


@pytest.mark.parametrize("sign", [*UNSEEN, "\x00", "\x07", "\t", "\r", "\x1f", "\x7f", "\x85"])
def test_what_cannot_be_seen_has_no_place_in_what_is_read(sign):
    """Control characters and direction marks are refused in text of either direction."""
    with pytest.raises(Malformed):
        wire.decode(AnyOutcome, rated(comment=f"好{sign}评"))
    settings = Settings(version=1, hall_name=f"示例{sign}", window=Window(name="1"), catalogue="1")
    with pytest.raises(Malformed):
        wire.decode(Settings, wire.encode(settings))
    assert readable(f"好{sign}评") == "好评"


@pytest.mark.parametrize("sign", NO_WIDTH)
def test_what_takes_no_place_makes_no_second_name_or_number(sign):
    """Who reads a name or a serial sees all of it; old comments with such a sign still count."""
    invitation = Invitation(
        id=ID,
        serial="SL-1",
        service_number=1,
        matter="企业登记",
        window=Window(name="1号窗口"),
        staff=Staff(name="示例甲"),
        issued_at=1,
        ttl_ms=60_000,
    )
    whole = wire.encode(Slot(version=1, invitation=invitation)).decode()
    assert wire.decode(Slot, whole.encode()).invitation == invitation
    for known in ("示例甲", "SL-1"):
        assert whole.count(known) == 1
        with pytest.raises(Malformed):
            wire.decode(Slot, whole.replace(known, f"{known}{sign}").encode())
    assert readable(f"好{sign}评") == "好评"
    assert wire.decode(AnyOutcome, rated(comment=f"好{sign}评")).comment == f"好{sign}评"


@pytest.mark.parametrize("name", [" ", "\u3000", "\xa0", "\t", *BLANK, f" {BLANK} "])
def test_a_name_has_something_to_be_seen(name):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": name}, Staff)


@pytest.mark.parametrize(
    "name", ["示例甲", "葛\U000e0100", "\U00020bb7\ufe00", "Ann Lee", "\u3000甲", "\U0003134a", "."]
)
def test_rare_names_and_their_variants_are_names(name):
    assert msgspec.convert({"name": name}, Staff).name == name


def test_every_direction_mark_of_unicode_is_known():
    """The list of refused marks holds all that turn the direction of text."""
    turning = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    for code in range(0x110000):
        if unicodedata.bidirectional(chr(code)) in turning:
            assert readable(chr(code)) == ""


def test_a_line_feed_may_stand_only_in_a_citizens_own_words():
    """A comment has lines; a name, a matter or an announcement has one."""
    assert wire.decode(AnyOutcome, rated(comment="一\n二")).comment == "一\n二"
    with pytest.raises(Malformed):
        wire.decode(
            Settings,
            wire.encode(
                Settings(version=1, hall_name="一\n", window=Window(name="1"), catalogue="1")
            ),
        )


@effort(max_examples=100)
@given(st.text(max_size=150))
def test_whatever_a_citizen_writes_can_be_sent_once_it_is_readable(text):
    """After `readable` no text makes a rating invalid."""
    words = readable(text)
    assert wire.decode(AnyOutcome, rated(comment=words)).comment == words


@effort(max_examples=60)
@given(outcomes(), invitations, identifiers, millis, stamps)
def test_only_a_rated_has_a_level(outcome, invitation, identifier, number, stamp):
    """Nothing else that travels can be mistaken for a rating."""
    for other in (
        Slot(version=number, invitation=invitation),
        Shown(invitation=identifier, stamp=stamp),
    ):
        with pytest.raises(Malformed):
            wire.decode(AnyOutcome, wire.encode(other))
    assert hasattr(outcome, "level") is isinstance(outcome, Rated)
    assert isinstance(outcome, Expired) is (b'"kind":"expired"' in wire.encode(outcome))


ASKED = {
    "id": ID,
    "serial": "SL0001",
    "service_number": 1,
    "matter": "示例事项",
    "window": {"name": "1号窗口"},
    "staff": {"name": "示例甲"},
    "issued_at": 0,
    "ttl_ms": 60_000,
}


def test_an_answer_says_what_was_asked():
    """The invitation as it was shown travels inside of what is signed; it may be left out."""
    said = wire.decode(AnyOutcome, rated(asked=ASKED))
    assert said.asked.matter == "示例事项"
    assert wire.decode(AnyOutcome, rated()).asked is None


def test_an_answer_to_something_else_than_was_asked_is_refused():
    """An outcome names one invitation; the one that it holds is that."""
    with pytest.raises(Malformed, match="was asked"):
        wire.decode(AnyOutcome, rated(asked=ASKED | {"id": "0" * 32}))
