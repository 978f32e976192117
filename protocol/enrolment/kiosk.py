"""The kiosk's half of the conversation: a table of stages and events, free of I/O.

It answers. A `Hello` begins anew at any stage but the last ones; what it has on its disk it
keeps until something whole takes its place.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct
from msgspec.structs import replace

from protocol import certificates
from protocol.enrolment import messages as say
from protocol.enrolment.chain import check_chain
from protocol.enrolment.desk import Send
from protocol.enrolment.messages import EnrolmentRefused, Reason, Spoken

REVEALED_LIMIT = 30
"""So many numbers a kiosk shows before it must be started anew. Somebody in between, while the
desk shows one number, would have it show others until they agree: one in a million each."""


class Stage(StrEnum):
    """What the kiosk is waiting for."""

    HELLO = "hello"
    NONCE = "nonce"
    VOUCHER = "voucher"
    DELIVER = "deliver"
    STORING = "storing"
    TEST = "test"
    TESTING = "testing"
    CLOSING = "closing"
    DONE = "done"
    FAILED = "failed"


# ---------------------------------------------------------------- what can happen


class Heard(Struct, frozen=True):
    """The desk begins; `nonce` (64 hex digits) is fresh random."""

    hello: say.Hello
    nonce: str


class Kept(Struct, frozen=True):
    """The identity is on the disk, whole."""


class NotKept(Struct, frozen=True):
    """It could not be written, and why, in Chinese; what was there before still is."""

    text: str


class Tried(Struct, frozen=True):
    """How the connection test went."""

    passed: bool
    text: str


class Silent(Struct, frozen=True):
    """Nothing more came from the desk."""


Event = Heard | Kept | NotKept | Tried | Silent | Spoken


# ---------------------------------------------------------------- what has to be done


class Show(Struct, frozen=True):
    """Show the six digits; the person at the desk compares them."""

    number: str


class Store(Struct, frozen=True):
    """Put the identity on the disk, whole or not at all; answered with Kept or NotKept."""

    chain: str
    terms: say.Terms


class Try(Struct, frozen=True):
    """Try the connection to the hub; answered with Tried."""

    terms: say.Terms


Wish = Show | Store | Try
Effect = Send | Wish


class Kiosk(Struct, frozen=True):
    """Everything the kiosk knows of its enrolment.

    `device` and `hall` are its own names, which the desk must mean; `hardware` is the machine's
    own serial number. `reason` and `text` say
    why the last attempt failed; `passed` and `remark` how the connection test went.
    """

    key: ec.EllipticCurvePrivateKey
    device: str
    hall: str
    hardware: str = ""
    stage: Stage = Stage.HELLO
    hello: say.Hello | None = None
    nonce: str = ""
    transcript: str = ""
    delivered: say.Deliver | None = None
    revealed: int = 0
    reason: Reason | None = None
    text: str = ""
    passed: bool = False
    remark: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.stage in (Stage.DONE, Stage.FAILED)

    @property
    def public(self) -> bytes:
        """The public half of its key, as DER."""
        return say.public_bytes(self.key.public_key())


Result = tuple[Kiosk, tuple[Effect, ...]]


def _session(kiosk: Kiosk) -> str:
    if kiosk.hello is None:
        raise AssertionError(f"no session in {kiosk.stage}")
    return kiosk.hello.session


def _fail(kiosk: Kiosk, reason: Reason, text: str = "") -> Result:
    stop = say.Stop(session=_session(kiosk), reason=reason, text=say.said(text))
    return replace(kiosk, stage=Stage.FAILED, reason=reason, text=text), (Send(stop),)


def _hello(kiosk: Kiosk, event: Heard) -> Result:
    hello = event.hello
    kiosk = replace(
        kiosk,
        stage=Stage.HELLO,
        hello=hello,
        nonce=event.nonce,
        transcript="",
        delivered=None,
        reason=None,
        text="",
    )
    for mine, meant, reason in (
        (kiosk.device, hello.device, "another_device"),
        (kiosk.hall, hello.hall, "another_hall"),
    ):
        if mine != meant:  # the wrong cable: say so, and go on waiting for the right desk
            stop = say.Stop(session=hello.session, reason=reason, text=mine)  # type: ignore[arg-type]
            return replace(kiosk, reason=reason, text=meant), (Send(stop),)
    if kiosk.revealed >= REVEALED_LIMIT:
        return _fail(kiosk, "too_many_attempts")
    digest = say.commitment(hello.session, event.nonce, kiosk.public)
    commit = say.Commit(session=hello.session, commitment=digest)
    return replace(kiosk, stage=Stage.NONCE), (Send(commit),)


def _nonce(kiosk: Kiosk, event: say.Nonce) -> Result:
    if kiosk.hello is None:
        raise AssertionError("a nonce, and there is no session")
    request = certificates.request(kiosk.key, kiosk.device)
    reveal = say.Reveal(
        session=event.session,
        request=request.public_bytes(serialization.Encoding.PEM).decode(),
        nonce=kiosk.nonce,
    )
    transcript = say.transcript(kiosk.hello, event.nonce, kiosk.nonce, kiosk.public)
    shown = replace(kiosk, stage=Stage.VOUCHER, transcript=transcript, revealed=kiosk.revealed + 1)
    return shown, (Send(reveal), Show(say.number(transcript)))


def _voucher(kiosk: Kiosk, event: say.Voucher) -> Result:
    claim = say.Claim(
        session=event.session,
        device=kiosk.device,
        hall=kiosk.hall,
        voucher=event.voucher,
        transcript=kiosk.transcript,
        hardware=kiosk.hardware,
    )
    request = say.Request(session=event.session, claim=say.sign(claim, kiosk.key))
    return replace(kiosk, stage=Stage.DELIVER), (Send(request),)


def _deliver(kiosk: Kiosk, event: say.Deliver) -> Result:
    terms = event.terms
    if kiosk.hello is None or say.terms_digest(terms) != kiosk.hello.terms:
        return _fail(kiosk, "terms_changed")
    try:
        check_chain(event.chain, terms.ca, kiosk.public, kiosk.device, kiosk.hall)
    except EnrolmentRefused as refused:
        return _fail(kiosk, refused.reason)
    return replace(kiosk, stage=Stage.STORING, delivered=event), (Store(event.chain, terms),)


def _kept(kiosk: Kiosk, _: Kept) -> Result:
    own = x509.load_pem_x509_certificates(_delivered(kiosk).chain.encode())[0]
    digest = own.fingerprint(hashes.SHA256()).hex()
    stored = say.Stored(session=_session(kiosk), fingerprint=digest)
    return replace(kiosk, stage=Stage.TEST), (Send(stored),)


def _not_kept(kiosk: Kiosk, event: NotKept) -> Result:
    return _fail(kiosk, "not_stored", event.text)


def _test(kiosk: Kiosk, _: say.Test) -> Result:
    return replace(kiosk, stage=Stage.TESTING), (Try(_delivered(kiosk).terms),)


def _tried(kiosk: Kiosk, event: Tried) -> Result:
    tested = say.Tested(session=_session(kiosk), passed=event.passed, text=say.said(event.text))
    told = replace(kiosk, stage=Stage.CLOSING, passed=event.passed, remark=event.text)
    return told, (Send(tested),)


def _done(kiosk: Kiosk, _: say.Done | Silent) -> Result:
    # Silence after `Tested` may only mean that the cable was pulled a moment early: all that
    # matters is on the disk, and was tried.
    return replace(kiosk, stage=Stage.DONE), ()


def _silent(kiosk: Kiosk, _: Silent) -> Result:
    return replace(kiosk, stage=Stage.HELLO), ()


def _stop(kiosk: Kiosk, event: say.Stop) -> Result:
    return replace(kiosk, stage=Stage.FAILED, reason=event.reason, text=event.text), ()


def _delivered(kiosk: Kiosk) -> say.Deliver:
    if kiosk.delivered is None:
        raise AssertionError(f"nothing delivered in {kiosk.stage}")
    return kiosk.delivered


# ---------------------------------------------------------------- the table

Handler = Callable[[Kiosk, Any], Result]

_LISTENING = (Stage.NONCE, Stage.VOUCHER, Stage.DELIVER, Stage.TEST, Stage.CLOSING)

TABLE: dict[tuple[Stage, type[Any]], Handler] = {
    (Stage.HELLO, Heard): _hello,
    (Stage.NONCE, say.Nonce): _nonce,
    (Stage.VOUCHER, say.Voucher): _voucher,
    (Stage.DELIVER, say.Deliver): _deliver,
    (Stage.STORING, Kept): _kept,
    (Stage.STORING, NotKept): _not_kept,
    (Stage.TEST, say.Test): _test,
    (Stage.TESTING, Tried): _tried,
    (Stage.CLOSING, say.Done): _done,
    **{(stage, Heard): _hello for stage in _LISTENING},
    **{(stage, say.Stop): _stop for stage in _LISTENING},
    **{(stage, Silent): _silent for stage in _LISTENING},
    (Stage.CLOSING, Silent): _done,
}
"""What is allowed; all else is refused."""


def step(kiosk: Kiosk, event: Event) -> Result:
    """Return the kiosk after `event`, and what has to be done, in order.

    Messages of another session are passed over. Raises `EnrolmentRefused`, leaving everything
    as it was, for a pair outside of `TABLE`.
    """
    if isinstance(event, Spoken) and (kiosk.hello is None or event.session != kiosk.hello.session):
        return kiosk, ()
    handler = TABLE.get((kiosk.stage, type(event)))
    if handler is None:
        raise EnrolmentRefused("not_understood")
    return handler(kiosk, event)
