"""What cannot be taken is counted, kept as evidence within a limit, logged once, never answered."""

import pytest
from jwt import PyJWS
from world_hall import KEYS, Hall, rated

from hub.store.refusals import BODY_LIMIT, EVIDENCE_PER_CAUSE, OTHERS, STRANGERS
from protocol import signing, wire
from protocol.messages import Shown, Stamp

STRANGE_KEY = signing.generate_key()


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


def signed(payload, *, key=None, kid="k1", kind=signing.TYPE):
    headers = {"typ": kind, "kid": kid}
    jws = PyJWS(algorithms=["ES256"])
    return jws.encode(payload, key or KEYS["k1"], algorithm="ES256", headers=headers).encode()


def a_rating_of(device="k1", **change):
    return wire.encode(rated("a" * 32, device=device, **change))


def unsigned():
    encoded = PyJWS(algorithms=["none"]).encode(
        a_rating_of(), "", algorithm="none", headers={"typ": signing.TYPE, "kid": "k1"}
    )
    return encoded.encode()


GARBAGE = {
    "nothing": (b"", "signature"),
    "noise": (bytes(range(256)), "signature"),
    "a bare rating": (a_rating_of(), "signature"),
    "a rating without signature": (unsigned(), "signature"),
    "another key": (signed(a_rating_of(), key=STRANGE_KEY), "signature"),
    "another key id": (signed(a_rating_of(), kid="k2"), "signature"),
    "another type": (signed(a_rating_of(), kind="JWT"), "signature"),
    "an altered signature": (signed(a_rating_of())[:-8] + b"AAAAAAAA", "signature"),
    "a mebibyte": (b"x" * (1 << 20), "too_large"),
    "another version": (signed(a_rating_of().replace(b'"v":1', b'"v":2')), "wrong_version"),
    "no version": (signed(b"{}"), "malformed"),
    "no JSON": (signed(b"\xff\xfe"), "malformed"),
    "another's name": (signed(a_rating_of("k2")), "malformed"),
    "level 6": (signed(a_rating_of().replace(b'"level":5', b'"level":6')), "malformed"),
    "one field more": (signed(a_rating_of()[:-1] + b',"extra":1}'), "malformed"),
    "another message": (
        signed(wire.encode(Shown(invitation="a" * 32, stamp=Stamp(boot="0" * 32, mono_ms=1)))),
        "malformed",
    ),
}


@pytest.mark.parametrize(("payload", "cause"), GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_counted_and_kept_but_never_answered(hall, caplog, payload, cause):
    """Three times the same: counted three times, kept once, logged once, no receipt."""
    before = hall.rows("SELECT * FROM ledger")
    for _ in range(3):
        hall.hand_in(payload)
    assert hall.counted() == {("k1", cause): 3}
    assert hall.evidence() == [("k1", cause, payload[:BODY_LIMIT])]
    assert caplog.text.count(f"refused={cause} device=k1") == 1
    assert hall.receipts == []
    assert hall.rows("SELECT * FROM ledger") == before


def test_evidence_is_bounded(hall, caplog):
    """Beyond 500 different ones of a cause a device's refusals are only counted, and it is said."""
    for number in range(EVIDENCE_PER_CAUSE + 50):
        hall.ingest.outcome("k1", f"noise {number}".encode())
    hall.quiet()
    assert hall.counted() == {("k1", "signature"): EVIDENCE_PER_CAUSE + 50}
    assert len(hall.evidence()) == EVIDENCE_PER_CAUSE
    assert caplog.text.count("evidence=full device=k1 cause=signature") == 1


def test_evidence_of_strangers_is_bounded_in_all(hall, caplog):
    """Somebody who makes up a name for each message gets no more room than one device."""
    for number in range(EVIDENCE_PER_CAUSE + 50):
        hall.ingest.outcome(f"stranger-{number % 100}", f"noise {number}".encode())
    hall.quiet()
    assert sum(hall.counted().values()) == EVIDENCE_PER_CAUSE + 50
    assert len(hall.evidence()) == EVIDENCE_PER_CAUSE
    assert caplog.text.count("evidence=full device=unknown cause=unknown_device") == 1
    hall.hand_in(b"noise of a kiosk")  # has its own room still
    assert ("k1", "signature", b"noise of a kiosk") in hall.evidence()


def test_repeats_leave_room_for_other_evidence(hall):
    """A device that says the same wrong thing for days does not use up its evidence."""
    for _ in range(EVIDENCE_PER_CAUSE):
        hall.ingest.outcome("k1", b"the same")
    hall.hand_in(b"something else")
    assert {body for _, _, body in hall.evidence()} == {b"the same", b"something else"}


def test_strangers_are_refused(hall, caplog):
    """A device that is not configured gets no receipt, whatever it sends."""
    payload = signing.sign(rated("a" * 32, device="k9"), STRANGE_KEY)
    for _ in range(2):
        hall.hand_in(payload, device="k9")
    assert hall.counted() == {("k9", "unknown_device"): 2}
    assert caplog.text.count("refused=unknown_device device=k9") == 1
    assert hall.receipts == []


def test_invented_names_fill_no_disk(hall):
    """Strangers are counted by name up to a limit, then together; known devices always apart."""
    for number in range(STRANGERS + 20):
        hall.ingest.outcome(f"x{number}", b"noise %d" % number)
    hall.hand_in(b"noise")
    counted = hall.counted()
    assert len(counted) == STRANGERS + 2
    assert counted[OTHERS, "unknown_device"] == 20
    assert counted["k1", "signature"] == 1
