"""SM2 and SM4 in the shapes that cities ask for (GB/T 32918, GB/T 32907).

SM3 and SM4 come from cryptography, which has no SM2; SM2 comes from the binding of Tongsuo,
loaded only where a dialect needs it. Tongsuo speaks DER, cities speak bare bytes one after
another in one of two orders: the translation is here, and nothing here reads what a city sent.
"""

import base64
import importlib
from collections.abc import Iterator
from typing import Any, Literal

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Order = Literal["C1C3C2", "C1C2C3"]
Coding = Literal["hex", "HEX", "base64"]
Sm4Mode = Literal["CBC", "ECB"]
Padding = Literal["pkcs7", "zeros"]

_BLOCK = 16
_SIDE = 32
# SubjectPublicKeyInfo of an uncompressed point on sm2p256v1, as far as the point.
_PUBLIC = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
_N = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123


class SmError(Exception):
    """A key that cannot be used, or SM2 is not installed; in Chinese."""


class CityKey:
    """A city's public key, from PEM or hexadecimal digits (x and y, with or without 04)."""

    def __init__(self, data: bytes) -> None:
        serialization = _tongsuo("serialization")
        try:
            if b"-----BEGIN" in data:
                self._key = serialization.load_pem_public_key(data)
            else:
                self._key = serialization.load_der_public_key(_PUBLIC + _point(data))
        except Exception as error:  # noqa: BLE001 - the binding has errors of its own for each
            raise SmError(
                f"不是 SM2 公钥（PEM，或 128、130 位十六进制）：{type(error).__name__}"
            ) from None

    def encrypt(self, plain: bytes, *, order: Order, prefix: bool) -> bytes:
        """Return the ciphertext of at least one byte (GB/T 32918.4), 96 bytes longer than it.

        `order` is that of point, digest (C3) and text (C2); `prefix`: the point begins with 04.
        """
        if not plain:
            raise ValueError("SM2 cannot encrypt nothing")
        x, y, digest, text = _elements(self._key.encrypt(plain))
        point = (b"\x04" if prefix else b"") + _side(x) + _side(y)
        return point + (digest + text if order == "C1C3C2" else text + digest)


class HallKey:
    """A hall's own private key, from PEM (unencrypted) or 64 hexadecimal digits."""

    def __init__(self, data: bytes) -> None:
        serialization, ec = _tongsuo("serialization"), _tongsuo("asymciphers.ec")
        self._how = ec.ECDSA(_tongsuo("hashes").SM3())  # the binding's name for SM2 with SM3
        try:
            if b"-----BEGIN" in data:
                self._key = serialization.load_pem_private_key(data, password=None)
            else:
                self._key = ec.derive_private_key(_secret(data), ec.SM2())
        except Exception as error:  # noqa: BLE001 - the binding has errors of its own for each
            # Nothing of the file's content may reach the message.
            raise SmError(
                f"不是 SM2 私钥（不加密的 PEM，或 64 位十六进制）：{type(error).__name__}"
            ) from None

    def sign(self, data: bytes, *, der: bool) -> bytes:
        """Return the signature of `data` (GB/T 32918.2): r and s, 64 bytes, or as DER.

        With SM3 and the customary user id 1234567812345678 (GB/T 35276).
        """
        signature: bytes = self._key.sign(data, self._how)
        return signature if der else b"".join(_side(each) for each in _elements(signature))


def sm3(data: bytes) -> bytes:
    """Return the digest, 32 bytes (GB/T 32905)."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def sm4_encrypt(key: bytes, plain: bytes, *, mode: Sm4Mode, pad: Padding, iv: bytes) -> bytes:
    """Return the ciphertext under a key of 16 bytes; `iv` (16 bytes) is not part of it."""
    if pad == "pkcs7":
        padder = padding.PKCS7(8 * _BLOCK).padder()
        plain = padder.update(plain) + padder.finalize()
    else:
        plain += b"\0" * (-len(plain) % _BLOCK)
    # ECB is what some cities ask for; the quirks file says so where they do.
    how = modes.CBC(iv) if mode == "CBC" else modes.ECB()  # noqa: S305
    encryptor = Cipher(algorithms.SM4(key), how).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def encode(data: bytes, coding: Coding) -> str:
    """Return bytes as text: hexadecimal digits (small or capital) or base64."""
    if coding == "base64":
        return base64.b64encode(data).decode()
    return data.hex() if coding == "hex" else data.hex().upper()


def _tongsuo(name: str) -> Any:
    try:
        return importlib.import_module(f"tongsuopy.crypto.{name}")
    except ImportError as error:
        raise SmError(
            "没有安装国密 SM2 组件 tongsuopy-crayon：请安装大厅服务器的全部依赖后再启动"
        ) from error


def _point(digits: bytes) -> bytes:
    """Return x and y."""
    point = bytes.fromhex(digits.decode("ascii"))
    if len(point) == 2 * _SIDE + 1 and point[0] == 4:
        point = point[1:]
    if len(point) != 2 * _SIDE:
        raise ValueError("no point of the curve")
    return point


def _secret(digits: bytes) -> int:
    secret = bytes.fromhex(digits.decode("ascii"))
    number = int.from_bytes(secret, "big")
    if len(secret) != _SIDE or not 0 < number < _N - 1:
        raise ValueError("no SM2 key")
    return number


def _side(number: bytes) -> bytes:
    return int.from_bytes(number, "big").to_bytes(_SIDE, "big")


def _elements(der: bytes) -> list[bytes]:
    """Return the contents of what stands in a DER sequence."""
    (sequence,) = _walk(der)
    return list(_walk(sequence))


def _walk(der: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(der):
        length, start = der[at + 1], at + 2
        if length & 0x80:
            more = length & 0x7F
            length, start = int.from_bytes(der[start : start + more], "big"), start + more
        at = start + length
        yield der[start:at]
