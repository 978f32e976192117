"""The desk's half of the conversation: a table of stages and events, free of I/O.

The desk leads. It may lose the connection at any stage and begin anew: a key that the
operator has confirmed needs no second confirmation, a voucher that was made is used again, and
a certificate that was issued is delivered again.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from msgspec import Struct
from msgspec.structs import replace

from protocol import certificates
from protocol.enrolment import messages as say
from protocol.enrolment.messages import EnrolmentRefused, Reason, Spoken
from protocol.errors import ProtocolError

UNCONFIRMED_LIMIT = 10
"""So often may a connection end between nonce and confirmation. Each is one blind try, of one
in a million, for somebody in between; without a limit he would cut until the numbers agree."""


class Stage(StrEnum):
    """What the desk is waiting for."""

    OPENING = "opening"
    COMMIT = "commit"
    REVEAL = "reveal"
    COMPARE = "compare"
    VOUCHER = "voucher"
    REQUEST = "request"
    ISSUE = "issue"
    STORED = "stored"
    TESTED = "tested"
    DONE = "done"
    FAILED = "failed"


# ---------------------------------------------------------------- what can happen


class Opened(Struct, frozen=True):
    """A new connection stands; session (32 hex digits) and nonce (64) are fresh random."""

    session: str
    nonce: str


class Lost(Struct, frozen=True):
    """The connection is gone, or the kiosk fell silent."""


class Confirmed(Struct, frozen=True):
    """The operator: the kiosk shows the same number."""


class Denied(Struct, frozen=True):
    """The operator: it does not."""


class Vouched(Struct, frozen=True):
    """The authority made a voucher for this device and hall."""

    voucher: str


class Issued(Struct, frozen=True):
    """The authority issued a certificate; `chain` in PEM, the device's own first."""

    chain: str


class NotIssued(Struct, frozen=True):
    """The authority refused, and why, in Chinese."""

    text: str


Event = Opened | Lost | Confirmed | Denied | Vouched | Issued | NotIssued | Spoken


# ---------------------------------------------------------------- what has to be done


class Send(Struct, frozen=True):
    """Send this message."""

    message: Spoken


class Compare(Struct, frozen=True):
    """Let the operator compare; answered with Confirmed or Denied."""

    number: str


class Vouch(Struct, frozen=True):
    """Let the authority make a voucher for this request; answered with Vouched or NotIssued."""

    request: str


class Issue(Struct, frozen=True):
    """Let the authority issue, burning the voucher; answered with Issued or NotIssued."""

    request: str
    voucher: str
    hardware: str


Wish = Compare | Vouch | Issue
Effect = Send | Wish


class Desk(Struct, frozen=True):
    """Everything the desk knows of one enrolment.

    `approved` is the public key (DER) that the operator has confirmed. `reason` and `text` say
    why it failed; `passed` and `remark` how the kiosk's connection test went.
    """

    terms: say.Terms
    stage: Stage = Stage.OPENING
    hello: say.Hello | None = None
    nonce: str = ""
    commitment: str = ""
    request: str = ""
    public: bytes = b""
    transcript: str = ""
    approved: bytes = b""
    voucher: str = ""
    chain: str = ""
    unconfirmed: int = 0
    reason: Reason | None = None
    text: str = ""
    passed: bool = False
    remark: str = ""

    @property
    def number(self) -> str:
        """The six digits; only once both have shown what they were bound to."""
        return say.number(self.transcript) if self.transcript else ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.stage in (Stage.DONE, Stage.FAILED)


Result = tuple[Desk, tuple[Effect, ...]]


def _hello(desk: Desk) -> say.Hello:
    if desk.hello is None:
        raise AssertionError(f"no session in {desk.stage}")
    return desk.hello


def _fail(desk: Desk, reason: Reason, text: str = "") -> Result:
    effects: tuple[Effect, ...] = ()
    if desk.hello is not None:
        effects = (Send(say.Stop(session=desk.hello.session, reason=reason, text=say.said(text))),)
    return replace(desk, stage=Stage.FAILED, reason=reason, text=text), effects


def _opened(desk: Desk, event: Opened) -> Result:
    terms = desk.terms
    hello = say.Hello(
        session=event.session,
        device=terms.device,
        hall=terms.hall,
        terms=say.terms_digest(terms),
    )
    fresh = replace(
        desk,
        stage=Stage.COMMIT,
        hello=hello,
        nonce=event.nonce,
        commitment="",
        request="",
        public=b"",
        transcript="",
    )
    return fresh, (Send(hello),)


def _lost(desk: Desk, _: Lost) -> Result:
    return replace(desk, stage=Stage.OPENING), ()


def _commit(desk: Desk, event: say.Commit) -> Result:
    if not desk.approved:
        if desk.unconfirmed >= UNCONFIRMED_LIMIT:
            return _fail(desk, "too_many_attempts")
        desk = replace(desk, unconfirmed=desk.unconfirmed + 1)
    answer = say.Nonce(session=event.session, nonce=desk.nonce)
    return replace(desk, stage=Stage.REVEAL, commitment=event.commitment), (Send(answer),)


def _reveal(desk: Desk, event: say.Reveal) -> Result:
    try:
        key = certificates.check_request(event.request.encode(), desk.terms.device)
    except ProtocolError as error:
        return _fail(desk, "request_invalid", str(error))
    public = say.public_bytes(key)
    if say.commitment(event.session, event.nonce, public) != desk.commitment:
        return _fail(desk, "commitment_broken")
    transcript = say.transcript(_hello(desk), desk.nonce, event.nonce, public)
    desk = replace(desk, request=event.request, public=public, transcript=transcript)
    if desk.approved == public:
        return _vouched_for(desk)
    # Another key than the one confirmed before: as if nothing had been.
    desk = replace(desk, stage=Stage.COMPARE, approved=b"", chain="")
    return desk, (Compare(desk.number),)


def _confirmed(desk: Desk, _: Confirmed) -> Result:
    return _vouched_for(replace(desk, approved=desk.public))


def _denied(desk: Desk, _: Denied) -> Result:
    return _fail(desk, "number_differs")


def _vouched_for(desk: Desk) -> Result:
    if desk.voucher:
        return _vouched(desk, Vouched(desk.voucher))
    return replace(desk, stage=Stage.VOUCHER), (Vouch(desk.request),)


def _vouched(desk: Desk, event: Vouched) -> Result:
    offer = say.Voucher(session=_hello(desk).session, voucher=event.voucher)
    return replace(desk, stage=Stage.REQUEST, voucher=event.voucher), (Send(offer),)


def _request(desk: Desk, event: say.Request) -> Result:
    key = certificates.check_request(desk.request.encode(), desk.terms.device)
    wanted = say.Claim(
        session=event.session,
        device=desk.terms.device,
        hall=desk.terms.hall,
        voucher=desk.voucher,
        transcript=desk.transcript,
    )
    try:
        claim = say.verify(event.claim, key)
    except ProtocolError as error:
        return _fail(desk, "request_invalid", str(error))
    if replace(claim, hardware="") != wanted:
        return _fail(desk, "request_invalid")
    if desk.chain:  # issued before the line was cut: the voucher is burnt, this is what it gave
        return _issued(desk, Issued(desk.chain))
    return replace(desk, stage=Stage.ISSUE), (Issue(desk.request, desk.voucher, claim.hardware),)


def _issued(desk: Desk, event: Issued) -> Result:
    delivery = say.Deliver(session=_hello(desk).session, chain=event.chain, terms=desk.terms)
    return replace(desk, stage=Stage.STORED, chain=event.chain), (Send(delivery),)


def _not_issued(desk: Desk, event: NotIssued) -> Result:
    return _fail(desk, "not_issued", event.text)


def _stored(desk: Desk, event: say.Stored) -> Result:
    own = x509.load_pem_x509_certificates(desk.chain.encode())[0]
    if own.fingerprint(hashes.SHA256()).hex() != event.fingerprint:
        return _fail(desk, "certificate_invalid")
    return replace(desk, stage=Stage.TESTED), (Send(say.Test(session=event.session)),)


def _tested(desk: Desk, event: say.Tested) -> Result:
    done = replace(desk, stage=Stage.DONE, passed=event.passed, remark=event.text)
    return done, (Send(say.Done(session=event.session)),)


def _stop(desk: Desk, event: say.Stop) -> Result:
    return replace(desk, stage=Stage.FAILED, reason=event.reason, text=event.text), ()


# ---------------------------------------------------------------- the table

Handler = Callable[[Desk, Any], Result]

_SPEAKING = (Stage.COMMIT, Stage.REVEAL, Stage.REQUEST, Stage.STORED, Stage.TESTED)
DECIDING = (Stage.COMPARE, Stage.VOUCHER, Stage.ISSUE)
"""The stages in which the kiosk waits for the operator or the authority."""

TABLE: dict[tuple[Stage, type[Any]], Handler] = {
    (Stage.OPENING, Opened): _opened,
    (Stage.COMMIT, say.Commit): _commit,
    (Stage.REVEAL, say.Reveal): _reveal,
    (Stage.COMPARE, Confirmed): _confirmed,
    (Stage.COMPARE, Denied): _denied,
    (Stage.VOUCHER, Vouched): _vouched,
    (Stage.VOUCHER, NotIssued): _not_issued,
    (Stage.REQUEST, say.Request): _request,
    (Stage.ISSUE, Issued): _issued,
    (Stage.ISSUE, NotIssued): _not_issued,
    (Stage.STORED, say.Stored): _stored,
    (Stage.TESTED, say.Tested): _tested,
    **{(stage, Lost): _lost for stage in _SPEAKING},
    **{(stage, say.Stop): _stop for stage in (*_SPEAKING, *DECIDING)},
}
"""What is allowed; all else is refused."""


def step(desk: Desk, event: Event) -> Result:
    """Return the desk after `event`, and what has to be done, in order.

    Messages of another session are passed over. Raises `EnrolmentRefused`, leaving everything
    as it was, for a pair outside of `TABLE`.
    """
    if isinstance(event, Spoken) and (desk.hello is None or event.session != desk.hello.session):
        return desk, ()
    handler = TABLE.get((desk.stage, type(event)))
    if handler is None:
        raise EnrolmentRefused("not_understood")
    return handler(desk, event)
