import importlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from gmssl import sm3 as gm_sm3
from gmssl import sm4 as gm_sm4
from upstream_cities import PUBLIC, SECRET, gm_open, gm_seal, gm_verifies

from hub.upstream.sm import CityKey, HallKey, SmError, encode, sm3, sm4_encrypt

# GB/T 32918.5: text, and what it became with the standard's own random number.
TEXT = b"encryption standard"
SEALED = bytes.fromhex(
    "0404EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
    "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
    "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
    "21886CA989CA9C7D58087307CA93092D651EFA"
)
SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
LONG = ("示例：" + "办" * 700).encode()
ORDERS = [(order, prefix) for order in ("C1C3C2", "C1C2C3") for prefix in (True, False)]


def der(sealed):
    """C1C3C2 with 04 as the DER that Tongsuo reads."""

    def item(tag, content):
        size = len(content)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    def number(side):
        return item(2, (b"\0" if side[0] & 0x80 else b"") + side.lstrip(b"\0"))

    return item(
        0x30,
        number(sealed[1:33])
        + number(sealed[33:65])
        + item(4, sealed[65:97])
        + item(4, sealed[97:]),
    )


def test_the_examples_of_the_standards():
    """GB/T 32918.5 (SM2), 32905 (SM3) and 32907 (SM4): the check itself reads them, and we do."""
    assert gm_open(SEALED) == TEXT
    assert HallKey(SECRET.encode())._key.decrypt(der(SEALED)) == TEXT
    assert gm_verifies(SIGNATURE, b"message digest")
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert (
        sm3(b"abcd" * 16).hex()
        == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    sealed = sm4_encrypt(key, key, mode="ECB", pad="zeros", iv=b"")
    assert sealed.hex() == "681edf34d206965e86b3e94f536e4246"


@pytest.mark.parametrize(("order", "prefix"), ORDERS)
@pytest.mark.parametrize("plain", [b"x", TEXT, LONG], ids=["one byte", "short", "long"])
def test_what_we_seal_an_independent_library_opens(plain, order, prefix):
    """Both orders, with and without 04; and never the same bytes twice."""
    key = CityKey(PUBLIC.encode())
    sealed = key.encrypt(plain, order=order, prefix=prefix)
    assert len(sealed) == len(plain) + 96 + prefix
    assert gm_open(sealed, order=order, prefix=prefix) == plain
    assert sealed != key.encrypt(plain, order=order, prefix=prefix)
    other = "C1C2C3" if order == "C1C3C2" else "C1C3C2"
    with pytest.raises(ValueError, match="digest"):
        gm_open(sealed, order=other, prefix=prefix)


@pytest.mark.parametrize(("order", "prefix"), ORDERS)
def test_what_an_independent_library_seals_our_library_opens(order, prefix):
    """The other way round, after bringing the pieces into Tongsuo's order."""
    sealed = gm_seal(LONG, order=order, prefix=prefix)
    sealed = sealed if prefix else b"\x04" + sealed
    if order == "C1C2C3":
        sealed = sealed[:65] + sealed[-32:] + sealed[65:-32]
    assert HallKey(SECRET.encode())._key.decrypt(der(sealed)) == LONG


def test_our_signatures_are_believed_by_an_independent_library():
    """With SM3 and the customary user id; for what was signed and for nothing else."""
    key = HallKey(SECRET.encode())
    for n in range(5):
        data = f"示例{n}".encode()
        signature = key.sign(data, der=False)
        assert len(signature) == 64
        assert gm_verifies(signature, data)
        assert not gm_verifies(signature, data + b"!")
    long = key.sign(TEXT, der=True)
    r, s = int.from_bytes(long[4 : 4 + long[3]], "big"), long[-32:]
    assert long[0] == 0x30
    assert gm_verifies(r.to_bytes(32, "big") + s, TEXT)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1400])
def test_sm3_and_sm4_agree_with_an_independent_library(size):
    """CBC and ECB, padded by PKCS#7 and by zeros."""
    key, iv, plain = os.urandom(16), os.urandom(16), b"\x07" * size
    assert sm3(plain).hex() == gm_sm3.sm3_hash(list(plain))
    cipher = gm_sm4.CryptSM4()
    cipher.set_key(key, gm_sm4.SM4_ENCRYPT)
    for mode, theirs in (
        ("CBC", lambda what: cipher.crypt_cbc(iv, what)),
        ("ECB", cipher.crypt_ecb),
    ):
        assert sm4_encrypt(key, plain, mode=mode, pad="pkcs7", iv=iv) == theirs(plain)
        # The other library always adds a block of its own to what is full.
        zeros = sm4_encrypt(key, plain, mode=mode, pad="zeros", iv=iv)
        assert zeros == theirs(plain + bytes(-size % 16))[:-16]


def test_keys_are_taken_in_the_forms_in_which_they_are_handed_out():
    """Hexadecimal digits with and without 04, small and capital, and PEM."""
    tongsuo = importlib.import_module("tongsuopy.crypto.serialization")
    private = HallKey(SECRET.lower().encode())._key
    public_pem = private.public_key().public_bytes(
        tongsuo.Encoding.PEM, tongsuo.PublicFormat.SubjectPublicKeyInfo
    )
    private_pem = private.private_bytes(
        tongsuo.Encoding.PEM, tongsuo.PrivateFormat.PKCS8, tongsuo.NoEncryption()
    )
    for form in (PUBLIC.encode(), PUBLIC.lower().encode(), b"04" + PUBLIC.encode(), public_pem):
        assert gm_open(CityKey(form).encrypt(TEXT, order="C1C3C2", prefix=True)) == TEXT
    assert gm_verifies(HallKey(private_pem).sign(TEXT, der=False), TEXT)


P256 = ec.generate_private_key(ec.SECP256R1())
NO_PUBLIC_KEYS = {
    "nothing": b"",
    "no digits": b"zz" * 64,
    "not on the curve": b"01" * 64,
    "zeros": b"00" * 64,
    "too short": PUBLIC[:-2].encode(),
    "a private key": SECRET.encode(),
    "broken pem": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    "another curve": P256.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ),
    "bytes": bytes(range(256)),
}
NO_PRIVATE_KEYS = {
    "nothing": b"",
    "zero": b"00" * 32,
    "beyond the order": b"ff" * 32,
    "a public key": PUBLIC.encode(),
    "another curve": P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "locked": P256.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x" * 8)
    ),
}


@pytest.mark.parametrize("name", NO_PUBLIC_KEYS)
def test_what_is_no_public_key_is_not_taken_for_one(name):
    """Nobody is sent to encrypt for a key that is none."""
    with pytest.raises(SmError, match="不是 SM2 公钥"):
        CityKey(NO_PUBLIC_KEYS[name])


@pytest.mark.parametrize("name", NO_PRIVATE_KEYS)
def test_what_is_no_private_key_is_refused_without_repeating_it(name):
    """The message holds nothing of the file."""
    with pytest.raises(SmError, match="不是 SM2 私钥") as caught:
        HallKey(NO_PRIVATE_KEYS[name])
    assert PUBLIC[:8] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_one_key_serves_many_threads():
    """The forwarder reckons beside the loop, several at once."""
    key = CityKey(PUBLIC.encode())
    with ThreadPoolExecutor(8) as threads:
        sealed = list(
            threads.map(
                lambda n: key.encrypt(f"{n:04}".encode(), order="C1C3C2", prefix=True), range(400)
            )
        )
    for n in range(0, 400, 57):
        assert gm_open(sealed[n]) == f"{n:04}".encode()


def test_bytes_as_text():
    """The three ways in which cities write them."""
    assert [encode(b"\xab\xff", coding) for coding in ("hex", "HEX", "base64")] == [
        "abff",
        "ABFF",
        "q/8=",
    ]


def test_a_hub_without_the_sm2_component_says_what_to_install(monkeypatch):
    """Only whoever uses SM2 needs it, and is told before anything is sent."""
    monkeypatch.setitem(sys.modules, "tongsuopy.crypto.serialization", None)
    with pytest.raises(SmError, match="没有安装国密 SM2 组件"):
        CityKey(PUBLIC.encode())
    assert len(sm4_encrypt(bytes(16), b"x", mode="CBC", pad="pkcs7", iv=bytes(16))) == 16
