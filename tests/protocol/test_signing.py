"""Only what a device itself signed, spelled the one way, is taken for its outcome."""

import base64
import hashlib
import hmac
import json

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from made_messages import json_values, outcomes, spoiled

from protocol import signing, wire
from protocol.errors import Malformed, ProtocolError, SignatureInvalid, TooLarge, WrongVersion
from protocol.messages import Rated, Slot, Stamp

KEY = signing.generate_key()
PUBLIC = KEY.public_key()
OTHER = signing.generate_key()
HEADER = {"alg": "ES256", "typ": signing.TYPE, "kid": "k1"}
ID = "0" * 31 + "1"
RATED = Rated(
    id=ID,
    device="k1",
    seq=1,
    invitation=ID,
    stamp=Stamp(boot=ID, mono_ms=1),
    level=1,
    reasons=("108",),
    catalogue="2021.1",
    elapsed_ms=1,
)
PEM = PUBLIC.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def written(data):
    """Base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def joined(header, payload, sign=None):
    """A JWS with any header and payload, signed by hand with `KEY` unless told otherwise."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    content = written(raw) + b"." + written(payload)
    return content + b"." + written((sign or by_hand)(content))


def by_hand(content, key=KEY):
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def refused(jws, device="k1", key=PUBLIC):
    with pytest.raises(SignatureInvalid):
        signing.verify(jws, device, key)


@effort(max_examples=60)
@given(outcomes(device=st.just("k1")))
def test_what_a_device_signs_its_public_key_verifies(outcome):
    """Every outcome survives being signed and verified."""
    assert signing.verify(signing.sign(outcome, KEY), "k1", PUBLIC) == outcome


def test_any_jose_library_can_check_it_and_we_take_what_any_makes():
    """The bytes are a plain ES256 JWS: made by hand or read by a library, they are the same."""
    jws = signing.sign(RATED, KEY)
    assert jwt.api_jws.decode(jws, PUBLIC, algorithms=["ES256"]) == wire.encode(RATED)
    assert jwt.get_unverified_header(jws) == HEADER
    assert signing.verify(joined(HEADER, wire.encode(RATED)), "k1", PUBLIC) == RATED


def test_another_key_or_another_device_is_refused():
    """Neither a stranger's key nor a known device in another's name is believed."""
    jws = signing.sign(RATED, KEY)
    refused(jws, key=OTHER.public_key())
    refused(jws, device="k2")
    refused(signing.sign(RATED, OTHER))
    with pytest.raises(Malformed):
        signing.verify(joined({**HEADER, "kid": "k2"}, wire.encode(RATED)), "k2", PUBLIC)


def test_no_signature_is_no_signature():
    """`alg: none` is refused, with an empty and with a real signature."""
    payload = wire.encode(RATED)
    for name in ("none", "None", "NONE", ""):
        refused(joined({**HEADER, "alg": name}, payload, sign=lambda _: b""))
        refused(joined({**HEADER, "alg": name}, payload))
    refused(joined(HEADER, payload, sign=lambda _: b""))
    refused(joined(HEADER, payload, sign=lambda _: bytes(64)))


def test_the_public_key_is_no_shared_secret():
    """HS256 with the public key as its secret, the classic confusion, is refused."""
    for secret in (PEM, PEM.strip(), PEM.replace(b"\n", b"\r\n")):
        jws = joined(
            {**HEADER, "alg": "HS256"},
            wire.encode(RATED),
            sign=lambda content, secret=secret: hmac.digest(secret, content, hashlib.sha256),
        )
        refused(jws)


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"crit": []},
        {"jwk": {"kty": "EC"}},
        {"jku": "http://127.0.0.1/key"},
        {"x5c": ["AAAA"]},
        {"zip": "DEF"},
        {"typ": "JWT"},
        {"typ": None},
        {"kid": None},
        {"kid": ["k1"]},
        {"alg": "ES256K"},
        {"alg": "ES384"},
        {"alg": ["ES256"]},
        {"cty": ""},
    ],
)
def test_a_header_says_just_what_it_has_to(extra):
    """Even the right key cannot sign with another header: three fields, one value each."""
    refused(joined({**HEADER, **extra}, wire.encode(RATED)))


@pytest.mark.parametrize("lacking", ["alg", "typ", "kid"])
def test_a_header_lacks_nothing(lacking):
    """A missing field is not guessed."""
    refused(joined({key: HEADER[key] for key in HEADER if key != lacking}, wire.encode(RATED)))


@pytest.mark.parametrize(
    "header", [b"", b"null", b"[]", b'"ES256"', b"\xff", b"{", b"[" * 5000, b"9" * 5000, b"NaN"]
)
def test_a_header_that_is_none_is_refused(header):
    """Whatever stands in place of a header is an invalid signature, not a crash."""
    refused(joined(header, wire.encode(RATED)))


def test_the_content_cannot_be_changed():
    """Another payload or header under an old signature is refused."""
    header, payload, signature = signing.sign(RATED, KEY).split(b".")
    better = wire.encode(RATED).replace(b'"level":1', b'"level":5').replace(b'"108"', b"")
    refused(b".".join([header, written(better), signature]))
    spaced = json.dumps(HEADER, indent=1).encode()
    refused(b".".join([written(spaced), payload, signature]))


def test_only_the_compact_form_is_taken():
    """The JSON serializations of RFC 7515 and lists of signatures are refused."""
    header, payload, signature = signing.sign(RATED, KEY).decode().split(".")
    one = {"protected": header, "signature": signature}
    refused(json.dumps({"payload": payload, **one}).encode())
    refused(json.dumps({"payload": payload, "signatures": [one]}).encode())
    refused(f"{header}..{signature}".encode())
    refused(f"{header}.{payload}.{signature}.".encode())
    refused(f"{header}.{payload}".encode())


def test_a_signature_has_one_spelling():
    """Padding, spaces, foreign signs and unused bits are refused in every part.

    Python's own base64 reader takes all of them, so the same signature would have had
    endless forms, and an auditor's library would have refused what we had kept.
    """
    jws = signing.sign(RATED, KEY)
    assert len(jws.rpartition(b".")[2]) == 86
    parts = jws.split(b".")
    for number in range(3):
        for bad in (b"=", b"==", b"\n", b" ", b"!", b"\x00", "é".encode(), b"+", b"/"):
            for changed in (parts[number] + bad, bad + parts[number], parts[number] + bad * 4):
                refused(b".".join([*parts[:number], changed, *parts[number + 1 :]]))
    last = ALPHABET.index(jws[-1:])
    assert last % 16 == 0
    for unused in range(1, 16):
        refused(jws[:-1] + ALPHABET[last + unused : last + unused + 1])


def test_a_key_holder_cannot_sign_a_loose_spelling_either():
    """A padded payload is refused although the signature is over these very bytes."""
    header = written(json.dumps(HEADER).encode())
    payload = base64.urlsafe_b64encode(wire.encode(RATED) + b" " * 2)
    loose = payload.rstrip(b"=") + b"=" * 4
    content = header + b"." + loose
    refused(content + b"." + written(by_hand(content)))


def test_the_twin_of_a_signature_is_known_by_the_outcomes_id():
    """ES256 itself lets (r, n - s) stand for (r, s): the content is the same to the letter."""
    jws = signing.sign(RATED, KEY)
    content, _, last = jws.rpartition(b".")
    raw = base64.urlsafe_b64decode(last + b"==")
    twin = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert signing.verify(content + b"." + written(twin), "k1", PUBLIC).id == RATED.id


def test_what_is_signed_has_to_be_an_outcome():
    """A signature does not make a message out of something else."""
    with pytest.raises(Malformed):
        signing.verify(joined(HEADER, wire.encode(Slot(version=1))), "k1", PUBLIC)
    with pytest.raises(Malformed):
        signing.verify(joined(HEADER, b"\xff"), "k1", PUBLIC)
    with pytest.raises(WrongVersion):
        signing.verify(joined(HEADER, b'{"v":2}'), "k1", PUBLIC)
    with pytest.raises(Malformed):
        signing.verify(joined(HEADER, wire.encode(RATED).replace(b'"k1"', b'"k2"')), "k1", PUBLIC)


def test_the_limit_is_exact():
    """A signed outcome of more than 64 KiB is refused before anything is reckoned."""
    with pytest.raises(TooLarge):
        signing.verify(b"a" * (wire.LIMIT + 1), "k1", PUBLIC)
    refused(b"a" * wire.LIMIT)


@effort(max_examples=300)
@given(st.data())
def test_a_spoiled_signature_never_verifies(data):
    """Flipped, cut and inserted bytes end in a `ProtocolError`, whatever they hit."""
    jws = signing.sign(RATED, KEY)
    changed = data.draw(spoiled(jws))
    if changed != jws:
        with pytest.raises(ProtocolError):
            signing.verify(changed, "k1", PUBLIC)


@effort(max_examples=200)
@given(
    st.binary(max_size=100)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.tuples(json_values, json_values).map(
        lambda pair: joined(json.dumps(pair[0]).encode(), json.dumps(pair[1]).encode())
    )
    | json_values.map(lambda value: joined(HEADER, json.dumps(value).encode()))
)
def test_nothing_arbitrary_verifies(data):
    """Arbitrary bytes, and arbitrary JSON under a true signature, are refused."""
    with pytest.raises(ProtocolError):
        signing.verify(data, "k1", PUBLIC)
