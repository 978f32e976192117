"""Whatever is said to either side, at whatever moment, it does not crash."""

import random
from contextlib import suppress

import msgspec
import pytest
from enrolment_world import AUTHORITY, World
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import signing
from protocol.enrolment import desk as desks
from protocol.enrolment import kiosk as kiosks
from protocol.enrolment import messages as say
from protocol.enrolment.desk import Desk
from protocol.enrolment.kiosk import Kiosk
from protocol.enrolment.messages import EnrolmentRefused
from protocol.enrolment.texts import REASONS


def test_every_pair_outside_of_the_desks_table_changes_nothing():
    """And is refused."""
    _every_pair(Desk(AUTHORITY.terms()), desks)


def test_every_pair_outside_of_the_kiosks_table_changes_nothing():
    """And is refused."""
    _every_pair(Kiosk(signing.generate_key(), "kiosk-01", "hall-1"), kiosks)


def _every_pair(machine, module):
    hello = say.Hello(session="0" * 32, device="kiosk-01", hall="hall-1", terms="0" * 64)
    events = {kind for _, kind in module.TABLE}
    for stage in module.Stage:
        state = msgspec.structs.replace(machine, stage=stage, hello=hello)
        for kind in events:
            if (stage, kind) in module.TABLE:
                continue
            blank = dict.fromkeys(kind.__struct_fields__)
            event = kind(**blank | ({"session": hello.session} if "session" in blank else {}))
            with pytest.raises(EnrolmentRefused):
                module.step(state, event)


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=12), st.integers(0, 40))
def test_arbitrary_bytes_at_any_moment_crash_neither_side(noise, turns):
    """Between the frames of a real conversation; it ends well all the same."""
    world = World()
    for each in noise:
        for _ in range(turns // 4):
            world.turn()
        world.fulfil(world.desk, world.desk.feed(each, world.now))
        world.fulfil(world.kiosk, world.kiosk.feed(each, world.now))
    assert world.run().enrolled()


ANY_MESSAGE = st.sampled_from(
    [
        {"kind": "hello", "device": "kiosk-01", "hall": "hall-1", "terms": "0" * 64},
        {"kind": "commit", "commitment": "0" * 64},
        {"kind": "nonce", "nonce": "0" * 64},
        {"kind": "reveal", "nonce": "0" * 64, "request": "rubbish"},
        {"kind": "voucher", "voucher": "v"},
        {"kind": "request", "claim": "a.b.c"},
        {"kind": "stored", "fingerprint": "0" * 64},
        {"kind": "test"},
        {"kind": "tested", "passed": True, "text": ""},
        {"kind": "done"},
        {"kind": "stop", "reason": "not_issued"},
        {"kind": "nobody knows"},
    ]
)


@settings(max_examples=100)
@given(st.integers(0, 60), st.lists(ANY_MESSAGE, max_size=6), st.sampled_from(["desk", "kiosk"]))
def test_any_message_at_any_moment_crashes_neither_side(turns, messages, victim):
    """Well formed, of the right session, at the wrong time: nobody is enrolled by it."""
    world = World()
    for _ in range(turns):
        world.turn()
    side = getattr(world, victim)
    hello = world.desk.desk.hello
    session = hello.session if hello else "0" * 32
    for each in messages:
        data = msgspec.json.encode({"v": 1, "session": session, **each})
        side._link.feed = lambda *_, data=data: [data]
        world.fulfil(side, side.feed(b"", world.now))
        del side._link.feed
    world.run(30_000)
    assert len(world.authority.burnt) <= 1


@given(st.binary(max_size=300))
def test_decoding_raises_nothing_but_what_it_says(data):
    """Whatever the bytes are."""
    with suppress(say.ProtocolError):
        say.decode(data)


def test_every_reason_has_its_sentence():
    """And no sentence is without a reason."""
    assert set(REASONS) == set(say.Reason.__args__)


def test_what_is_said_cannot_move_a_cursor():
    """A text from the other side goes to a terminal."""
    assert say.said("\x1b[2J好\u202e\n") == "[2J好"
    with pytest.raises(say.ProtocolError):
        say.decode(
            msgspec.json.encode(
                {"kind": "tested", "v": 1, "session": "0" * 32, "passed": True, "text": "\x1b[2J"}
            )
        )


def test_the_longest_messages_fit():
    """Whatever the settings hold within their limits."""
    settings = {f"{letter * 40}": "评" * 60 for letter in "abcdefgh"}
    terms = AUTHORITY.terms(settings=settings, host="h" * 253)
    terms = msgspec.structs.replace(terms, ca="x" * 1_600)
    deliver = say.Deliver(session="0" * 32, chain="x\n" * 1_300, terms=terms)
    data = msgspec.json.encode(deliver)
    assert say.decode(data) == deliver
    assert len(data) <= 8 * 1024


def test_numbers_are_spread_over_all_six_digits():
    """No digit is favoured: a thousand numbers, nearly all different."""
    rng = random.Random(3)
    numbers = {say.number(rng.randbytes(32).hex()) for _ in range(1_000)}
    assert len(numbers) > 990
    assert all(len(each) == 6 and each.isdigit() for each in numbers)
