"""Outcomes as compact JWS (RFC 7515, ES256): the bytes that a kiosk signs are kept for good.

Any JOSE library can check them years later with the device's public key.
"""

from cryptography.hazmat.primitives.asymmetric import ec
from jwt import PyJWS
from jwt.exceptions import InvalidTokenError
from jwt.utils import base64url_decode, base64url_encode

from protocol import wire
from protocol.errors import Malformed, SignatureInvalid, TooLarge
from protocol.messages import AnyOutcome, Expired, Rated, Withdrawn

ALGORITHM = "ES256"
TYPE = "pingyi-outcome+jws"

_jws = PyJWS(algorithms=[ALGORITHM])


def generate_key() -> ec.EllipticCurvePrivateKey:
    """Make a device key (P-256)."""
    return ec.generate_private_key(ec.SECP256R1())


def sign(outcome: Rated | Expired | Withdrawn, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the outcome as a compact JWS whose key id is the device's name."""
    payload = wire.encode(outcome)
    headers = {"typ": TYPE, "kid": outcome.device}
    jws = _jws.encode(payload, key, algorithm=ALGORITHM, headers=headers).encode("ascii")
    if len(jws) > wire.LIMIT:
        raise TooLarge(f"a signed outcome of {len(jws)} bytes")
    return jws


def verify(jws: bytes, device: str, key: ec.EllipticCurvePublicKey) -> AnyOutcome:
    """Return what `device` signed.

    Only one spelling of a signature is taken: base64url without padding (RFC 7515, section
    2), no foreign signs, unused bits zero. (What ES256 itself leaves open stays open: to a
    signature (r, s) there is its twin (r, n - s). Repeats are known by the outcome's id.)

    Raises `TooLarge`, `SignatureInvalid` (not a JWS of this device and key, or of another
    algorithm, type or spelling), `WrongVersion` or `Malformed` (signed, but not an outcome).
    """
    if len(jws) > wire.LIMIT:
        raise TooLarge(f"a signed outcome of {len(jws)} bytes")
    try:
        seen = _jws.decode_complete(jws, key, algorithms=[ALGORITHM])
        canonical = all(base64url_encode(base64url_decode(p)) == p for p in jws.split(b"."))
    except (InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise SignatureInvalid(f"the signature does not verify: {error}") from error
    if not canonical:
        raise SignatureInvalid("not base64url as RFC 7515 writes it")
    header = seen["header"]
    if header != {"alg": ALGORITHM, "typ": TYPE, "kid": device}:
        raise SignatureInvalid(f"not signed as an outcome of {device}")
    outcome: AnyOutcome = wire.decode(AnyOutcome, seen["payload"])  # type: ignore[arg-type]
    if outcome.device != device:
        raise Malformed(f"signed by {device} in the name of {outcome.device}")
    return outcome
