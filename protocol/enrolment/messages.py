"""What desk and kiosk say to each other while a kiosk is enrolled (入网), and what they reckon.

    desk                                    kiosk
    Hello: session, names, digest of terms
                                            Commit: to its key and nonce
    Nonce
                                            Reveal: certificate request, nonce
          --- both show the same six digits; the operator compares them ---
    Voucher
                                            Request: the voucher, signed with the key
    Deliver: certificate chain, terms
                                            Stored
    Test
                                            Tested: its connection to the hub
    Done

Either side may say Stop instead. Every message names the session; a new connection is a new
session from the start, in which the desk repeats what is settled already.
"""

import hashlib
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt import PyJWS
from jwt.exceptions import InvalidTokenError
from msgspec import Meta

from protocol import wire
from protocol.errors import Malformed, ProtocolError, SignatureInvalid
from protocol.messages import _PLAIN, Identifier, Label, Message, Pem, Word

NONCE_BYTES = 32
TYPE = "pingyi-enrolment+jws"
ALGORITHM = "ES256"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}(?![\s\S])")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")]
Secret = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+(?![\s\S])")]
Ca = Annotated[str, Meta(min_length=1, max_length=1_600, pattern=r"^[ -~\n]+(?![\s\S])")]
Setting = Annotated[str, Meta(max_length=60)] | int | bool
Settings = Annotated[dict[Word, Setting], Meta(max_length=8)]
# All together stay below the 8 KiB of a message, whatever they hold.
Host = Annotated[str, Meta(min_length=1, max_length=253, pattern=r"^[0-9A-Za-z.:_-]+(?![\s\S])")]
SAID_LIMIT = 200
Said = Annotated[str, Meta(max_length=SAID_LIMIT, pattern=_PLAIN)]

_jws = PyJWS(algorithms=[ALGORITHM])


class EnrolmentRefused(ProtocolError):
    """The enrolment must not go on; `reason` is one of `Reason`."""

    cause = "enrolment"

    def __init__(self, reason: "Reason") -> None:
        super().__init__(reason)
        self.reason = reason


Reason = Literal[
    "another_device",
    "another_hall",
    "number_differs",
    "too_many_attempts",
    "commitment_broken",
    "request_invalid",
    "not_issued",
    "certificate_invalid",
    "terms_changed",
    "not_stored",
    "not_understood",
]


class Terms(Message, frozen=True, kw_only=True):
    """What a kiosk is given besides its certificate, and the operator vouches for.

    `ca` (PEM) is what the kiosk trusts: its own chain and the hub's must end there.
    `settings` are first settings of the kiosk, by name; they may be empty.
    """

    device: Name
    hall: Name
    host: Host
    port: Annotated[int, Meta(ge=1, le=65535)]
    ca: Ca
    settings: Settings = msgspec.field(default_factory=dict)


class Spoken(Message, frozen=True, kw_only=True, tag_field="kind"):
    """What all messages of one enrolment share."""

    session: Identifier


class Hello(Spoken, frozen=True, kw_only=True, tag="hello"):
    """The desk begins; `terms` is the digest of what the kiosk will be given."""

    device: Name
    hall: Name
    terms: Digest


class Commit(Spoken, frozen=True, kw_only=True, tag="commit"):
    """The kiosk commits to key and nonce before it knows the desk's nonce."""

    commitment: Digest


class Nonce(Spoken, frozen=True, kw_only=True, tag="nonce"):
    """The desk's share in the number."""

    nonce: Digest


class Reveal(Spoken, frozen=True, kw_only=True, tag="reveal"):
    """The key as a certificate request (PEM), and the kiosk's share in the number."""

    request: Pem
    nonce: Digest


class Voucher(Spoken, frozen=True, kw_only=True, tag="voucher"):
    """The operator has confirmed the number: the right to one certificate."""

    voucher: Secret


class Request(Spoken, frozen=True, kw_only=True, tag="request"):
    """The kiosk asks for its certificate: a `Claim` as compact JWS."""

    claim: Annotated[str, Meta(max_length=2_000, pattern=r"^[0-9A-Za-z._-]+(?![\s\S])")]


class Deliver(Spoken, frozen=True, kw_only=True, tag="deliver"):
    """The certificate with its issuers below the CA (PEM, the kiosk's own first), and terms."""

    chain: Pem
    terms: Terms


class Stored(Spoken, frozen=True, kw_only=True, tag="stored"):
    """The identity is on the kiosk's disk; `fingerprint` is the SHA-256 of its certificate."""

    fingerprint: Digest


class Test(Spoken, frozen=True, kw_only=True, tag="test"):
    """The desk asks the kiosk to try its connection to the hub."""


class Tested(Spoken, frozen=True, kw_only=True, tag="tested"):
    """How that went, in Chinese. A hub out of reach does not undo the enrolment."""

    passed: bool
    text: Said


class Done(Spoken, frozen=True, kw_only=True, tag="done"):
    """The desk has recorded the result."""


class Stop(Spoken, frozen=True, kw_only=True, tag="stop"):
    """The side that says this does not go on; `text` is for a person, in Chinese."""

    reason: Reason
    text: Said = ""


Anything = (
    Hello | Commit | Nonce | Reveal | Voucher | Request | Deliver | Stored | Test | Tested | Done
) | Stop


class Claim(Message, frozen=True, kw_only=True):
    """What the kiosk signs: that it, with this key, asks in this session with this voucher.

    `hardware` is the machine's own serial number, for the register and labels, if it has one.
    """

    session: Identifier
    device: Name
    hall: Name
    voucher: Secret
    transcript: Digest
    hardware: Label = ""


def decode(data: bytes) -> Anything:
    """Return the message; raises `WireError` and nothing else, whatever `data` is."""
    message: Anything = wire.decode(Anything, data)  # type: ignore[arg-type]
    return message


def said(text: str) -> str:
    """Return what of a text can be said: nothing that moves a terminal's cursor, not too long."""
    return "".join(sign for sign in text if sign.isprintable())[:SAID_LIMIT]


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the public key as DER (SubjectPublicKeyInfo, RFC 5280)."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def terms_digest(terms: Terms) -> str:
    """Return the SHA-256 of the terms as they are written on the wire."""
    return hashlib.sha256(msgspec.json.encode(terms, order="sorted")).hexdigest()


def commitment(session: str, nonce: str, public: bytes) -> str:
    """Return what the kiosk commits to: nobody finds a second key or nonce for it."""
    return _hash("commitment", session.encode(), bytes.fromhex(nonce), public).hex()


def transcript(hello: Hello, desk_nonce: str, kiosk_nonce: str, public: bytes) -> str:
    """Return the digest of all that the operator's comparison covers.

    Besides session, both nonces and the public key it covers names and terms: whoever sits in
    between can neither put in a key of his own nor change the CA or the hub's address.
    """
    said = msgspec.json.encode(hello, order="sorted")
    nonces = bytes.fromhex(desk_nonce), bytes.fromhex(kiosk_nonce)
    return _hash("transcript", said, *nonces, public).hex()


def number(transcript_digest: str) -> str:
    """Return the six digits that both sides show.

    The kiosk was bound to its key and nonce before the desk chose its own: one try in a
    million deceives the operator, and searching does not help.
    """
    return f"{int.from_bytes(_hash('number', bytes.fromhex(transcript_digest))) % 10**6:06d}"


def sign(claim: Claim, key: ec.EllipticCurvePrivateKey) -> str:
    """Return the claim as a compact JWS (RFC 7515, ES256) of the device's key."""
    headers = {"typ": TYPE, "kid": claim.device}
    return _jws.encode(wire.encode(claim), key, algorithm=ALGORITHM, headers=headers)


def verify(jws: str, key: ec.EllipticCurvePublicKey) -> Claim:
    """Return what was signed; raises `SignatureInvalid` or `WireError`, and nothing else."""
    try:
        seen = _jws.decode_complete(jws, key, algorithms=[ALGORITHM])
    except (InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise SignatureInvalid(f"the request's signature does not verify: {error}") from error
    if seen["header"].get("typ") != TYPE:
        raise SignatureInvalid("signed, but not as an enrolment request")
    claim = wire.decode(Claim, seen["payload"])
    if seen["header"] != {"alg": ALGORITHM, "typ": TYPE, "kid": claim.device}:
        raise Malformed("an enrolment request in the name of another device")
    return claim


def _hash(use: str, *parts: bytes) -> bytes:
    """SHA-256 over parts that cannot run into each other."""
    digest = hashlib.sha256(f"pingyi-enrolment-{use}-v1".encode())
    for part in parts:
        digest.update(len(part).to_bytes(4) + part)
    return digest.digest()
