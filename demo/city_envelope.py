"""How the stand-in city opens what comes in envelopes; with Tongsuo, not with the hub's code.

A folder holds what such a city has: `city.pem` (its SM2 private key), `mark` and `word` (the
name and the password that it gave to the hall). The variant is that of the pattern which the
hub ships: everything sealed as C1C3C2 with 04 in front, in hexadecimal digits.
"""

import importlib
import json
from pathlib import Path
from typing import Any

from demo.city_rules import Refusal

LISTS = {False: "serviceData", True: "evaluate"}
"""What the list is called: of service records, of ratings."""


def papers(folder: Path, mark: str, word: str) -> bytes:
    """Make a city's folder; return its public key, as PEM."""
    folder.mkdir()
    serialization, ec = _tongsuo("serialization"), _tongsuo("asymciphers.ec")
    key = ec.generate_private_key(ec.SM2())
    secret: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for name, content in (("city.pem", secret), ("mark", mark.encode()), ("word", word.encode())):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


class Envelopes:
    """Opens them, and checks who sent them."""

    def __init__(self, folder: Path) -> None:
        secret = (folder / "city.pem").read_bytes()
        self._key = _tongsuo("serialization").load_pem_private_key(secret, password=None)
        self._mark = (folder / "mark").read_text(encoding="utf-8")
        self._word = (folder / "word").read_text(encoding="utf-8")

    def open(self, body: bytes, *, rating: bool) -> list[dict[str, str]]:
        """Return the records of an envelope; raises `Refusal`."""
        try:
            sent = json.loads(body)["txnBodyCom"]
            phrase = f"{sent['time']}{self._mark}{self._word}".encode()
            if sent["appMark"] != self._mark or self._unseal(sent["sign"]) != phrase:
                raise Refusal("sign", "签名不符")
            ((name, sealed),) = sent["params"].items()
            records = [json.loads(self._unseal(each)) for each in sealed]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Refusal("format", "报文不合信封的格式") from error
        if name != LISTS[rating] or not all(isinstance(each, dict) for each in records):
            raise Refusal("format", "列表与地址不符")
        return records

    def _unseal(self, text: str) -> bytes:
        sealed = bytes.fromhex(text)
        if len(sealed) < 98 or sealed[0] != 4:
            raise Refusal("sign", "无法解密")
        x, y, digest, cipher = sealed[1:33], sealed[33:65], sealed[65:97], sealed[97:]
        parts = _number(x) + _number(y) + _element(4, digest) + _element(4, cipher)
        try:
            plain: bytes = self._key.decrypt(_element(0x30, parts))
        except Exception as error:
            raise Refusal("sign", "无法解密") from error
        return plain


def said(*, success: bool, code: str, message: str) -> dict[str, Any]:
    """Return the city's word for a whole envelope."""
    word = {"success": "true", "code": "0"} if success else {"success": "false", "code": code}
    return word | {"message": message}


def _tongsuo(name: str) -> Any:
    """Return a part of the binding, which has no types; only this kind of city needs it."""
    return importlib.import_module(f"tongsuopy.crypto.{name}")


def _number(data: bytes) -> bytes:
    plain = data.lstrip(b"\0") or b"\0"
    return _element(2, b"\0" + plain if plain[0] & 0x80 else plain)


def _element(tag: int, content: bytes) -> bytes:
    """Return an element of DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
