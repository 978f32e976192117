"""Messages to bytes and back: JSON, at most 64 KiB, of a version that is spoken here."""

from typing import TypeVar

import msgspec

from protocol.errors import Malformed, TooLarge, WrongVersion
from protocol.messages import VERSION

LIMIT = 64 * 1024

T = TypeVar("T")


class _Versioned(msgspec.Struct):
    v: int


_encoder = msgspec.json.Encoder()
_version = msgspec.json.Decoder(_Versioned)
_decoders: dict[object, msgspec.json.Decoder[object]] = {}


def encode(message: object) -> bytes:
    """Return the message as JSON bytes; raises `TooLarge` beyond `LIMIT`."""
    data = _encoder.encode(message)
    if len(data) > LIMIT:
        raise TooLarge(f"a message of {len(data)} bytes; at most {LIMIT} may travel")
    return data


def decode(kind: type[T], data: bytes) -> T:
    """Return the message of type `kind` that `data` holds.

    Raises `TooLarge`, `WrongVersion` or `Malformed`; never anything else, whatever `data` is.
    """
    if len(data) > LIMIT:
        raise TooLarge(f"a message of {len(data)} bytes; at most {LIMIT} may travel")
    try:
        version = _version.decode(data).v
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a message: {error}") from error
    if version != VERSION:
        raise WrongVersion(f"version {version}; this program speaks version {VERSION}")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(data)  # type: ignore[return-value]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Malformed(f"not a valid message: {error}") from error
