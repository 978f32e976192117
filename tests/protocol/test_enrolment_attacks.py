"""What nobody in between, at the desk or on the line can do."""

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from enrolment_world import AUTHORITY, SmallAuthority, World

from protocol import certificates, signing
from protocol.enrolment import desk as desks
from protocol.enrolment import kiosk as kiosks
from protocol.enrolment import messages as say
from protocol.enrolment.chain import check_chain
from protocol.enrolment.desk import UNCONFIRMED_LIMIT
from protocol.enrolment.frames import Decoder
from protocol.enrolment.messages import EnrolmentRefused
from protocol.enrolment.texts import REASONS


def test_somebody_who_cuts_until_the_numbers_agree_is_stopped():
    """Before the operator has confirmed, a connection may be lost ten times, no more."""
    world = World()
    heard = Decoder()

    def never_revealed(data):
        if any(b'"reveal"' in frame.payload for frame in heard.feed(data)):
            world.desk.cut(world.now)
            world.kiosk.cut(world.now)
            world.desk.start(world.now)
            return b""
        return data

    world.up = never_revealed
    world.run(200_000)
    assert "试探" in world.desk.failure
    assert len(set(world.shown)) <= UNCONFIRMED_LIMIT
    assert world.asked == world.authority.vouchers == []


def test_a_kiosk_does_not_show_numbers_for_ever():
    """Somebody who plays the desk again and again is stopped as well."""
    world = World()
    for _ in range(kiosks.REVEALED_LIMIT + 1):
        world.desk = World(len(world.shown)).desk
        shown = len(world.shown)
        end = world.now + 5_000
        while len(world.shown) == shown and not world.kiosk.over and world.now < end:
            world.turn()
        world.desk.start(world.now)
    world.run(5_000)
    assert len(world.shown) == kiosks.REVEALED_LIMIT
    assert "试探" in world.kiosk.failure


def test_somebody_in_between_shows_another_number():
    """He enrols his own key at the desk and plays the desk to the kiosk: the numbers differ."""
    to_kiosk, to_desk = World(1), World(2)  # in the first he is the desk, in the second the kiosk
    to_desk.same = False
    to_kiosk.run()
    to_desk.run()
    assert to_kiosk.shown[0] != to_desk.asked[0]
    assert to_desk.authority.vouchers == []


def test_the_key_replaced_in_passing_is_noticed():
    """He lets all pass but the key and what commits to it: the numbers differ."""
    world, his = World(), signing.generate_key()
    kiosk_nonce = []
    decode = say.decode

    def change(data):
        message = decode(data)
        if isinstance(message, say.Commit):
            kiosk_nonce.append(world.kiosk.kiosk.nonce)  # even if he knew the nonce beforehand
            public = say.public_bytes(his.public_key())
            digest = say.commitment(message.session, kiosk_nonce[0], public)
            return msgspec.structs.replace(message, commitment=digest)
        if isinstance(message, say.Reveal):
            return msgspec.structs.replace(message, request=request_of(his, "kiosk-01"))
        return message

    world.same = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(say, "decode", change)
        world.run()
    assert len(world.asked) == len(world.shown) == 1
    assert world.asked != world.shown
    assert world.desk.failure == REASONS["number_differs"]


def test_terms_changed_on_the_way_change_the_number():
    """Another CA, hub or hall than the desk meant cannot be slipped to the kiosk."""
    usual = AUTHORITY.terms()
    other = SmallAuthority()
    hello = say.Hello(
        session="0" * 32, device="kiosk-01", hall="hall-1", terms=say.terms_digest(usual)
    )
    nonces = "1" * 64, "2" * 64
    seen = {say.transcript(hello, *nonces, b"key")}
    for terms in (other.terms(), AUTHORITY.terms(host="evil.example"), AUTHORITY.terms(port=1)):
        changed = msgspec.structs.replace(hello, terms=say.terms_digest(terms))
        seen.add(say.transcript(changed, *nonces, b"key"))
    assert len(seen) == 4


def started(stage):
    """Return a kiosk that has heard all up to this stage, and its session."""
    world = World()
    while world.kiosk.kiosk.stage is not stage:
        world.turn()
    return world.kiosk.kiosk


def test_terms_other_than_announced_are_not_kept():
    """What the number covered is what is kept, or nothing."""
    kiosk = started(kiosks.Stage.VOUCHER)
    terms = AUTHORITY.terms(host="evil.example")
    event = say.Deliver(session=kiosk.hello.session, chain="x", terms=terms)
    after, effects = kiosks.step(msgspec.structs.replace(kiosk, stage="deliver"), event)
    assert after.reason == "terms_changed"
    assert not any(isinstance(effect, kiosks.Store) for effect in effects)


def request_of(key, device):
    return certificates.request(key, device).public_bytes(Encoding.PEM).decode()


def chain_of(key, device="kiosk-01", hall="hall-1", authority=AUTHORITY):
    return authority.issue(request_of(key, device), device, hall)


def test_only_the_own_certificate_under_the_announced_ca_is_taken():
    """Another key, name, hall or CA; no CA in between; a CA in place of a leaf; rubbish."""
    key, other = signing.generate_key(), SmallAuthority()
    ca = AUTHORITY.terms().ca
    public = say.public_bytes(key.public_key())
    right = chain_of(key)
    assert check_chain(right, ca, public, "kiosk-01", "hall-1")
    own, above = right.split("-----END CERTIFICATE-----\n")[:2]
    mark = "-----END CERTIFICATE-----\n"
    for wrong in (
        chain_of(signing.generate_key()),
        chain_of(key, device="kiosk-02"),
        chain_of(key, hall="hall-2"),
        chain_of(key, authority=other),
        own + mark,
        above + mark,
        above + mark + own + mark,
        right + ca + ca,
        "",
        "rubbish",
        own[:200] + mark,
    ):
        with pytest.raises(EnrolmentRefused, match="certificate_invalid"):
            check_chain(wrong, ca, public, "kiosk-01", "hall-1")


def test_a_key_other_than_the_committed_one_is_refused():
    """The commitment binds the kiosk before it sees the desk's nonce."""
    world = World()
    while world.desk.desk.stage is not desks.Stage.REVEAL:
        world.turn()
    desk = world.desk.desk
    for key, nonce in ((signing.generate_key(), world.kiosk.kiosk.nonce), (world.key, "0" * 64)):
        csr = request_of(key, "kiosk-01")
        reveal = say.Reveal(session=desk.hello.session, request=csr, nonce=nonce)
        after, _ = desks.step(desk, reveal)
        assert after.reason == "commitment_broken"


def test_a_request_must_be_signed_for_this_session_voucher_and_key():
    """Another voucher, device, session or key, or what was signed for another purpose."""
    world = World()
    while world.desk.desk.stage is not desks.Stage.REQUEST:
        world.turn()
    desk = world.desk.desk
    right = say.Claim(
        session=desk.hello.session,
        device="kiosk-01",
        hall="hall-1",
        voucher=desk.voucher,
        transcript=desk.transcript,
    )

    def answer(claim, key=world.key):
        signed = say.sign(claim, key)
        return desks.step(desk, say.Request(session=desk.hello.session, claim=signed))

    after, effects = answer(right)
    assert after.stage is desks.Stage.ISSUE
    assert isinstance(effects[0], desks.Issue)
    for change in (
        {"voucher": "voucher-9"},
        {"device": "kiosk-02"},
        {"hall": "hall-2"},
        {"session": "f" * 32},
        {"transcript": "f" * 64},
    ):
        after, _ = answer(msgspec.structs.replace(right, **change))
        assert after.reason == "request_invalid", change
    after, _ = answer(right, signing.generate_key())
    assert after.reason == "request_invalid"
