"""Our own open frame for makers of pads (docs/keypads.md describes it byte by byte).

    sync 2 | version 1 | length 1 | type 1 | sequence 1 | payload 0..32 | CRC-16 2

The CRC is that of Modbus (low byte first) and covers version to payload. Types below 0x80 come
from the pad, the others from the kiosk.
"""

import struct
from enum import IntEnum

from msgspec import Struct

from device.keypad.checksums import MODBUS
from device.keypad.lamp import Lamp

SYNC = b"\xf7\x50"
VERSION = 1
PAYLOAD_LIMIT = 32
OVERHEAD = 8

GAP_MS = 50
ALIVE_MS = 5_000
"""A pad says ALIVE, and the kiosk repeats INDICATE, at least so often."""
SAME_MS = 2_000
"""The same sequence number again within this time is the same press."""
TOO_OLD = 0xFFFF
"""An age that says: older than can be said."""

_PRESS = struct.Struct("<BH")
_LAMPS = {Lamp.IDLE: 0, Lamp.INVITED: 1, Lamp.ACCEPTED: 2}


class Kind(IntEnum):
    """What a frame is for."""

    PRESS = 0x01
    ALIVE = 0x02
    ACK = 0x81
    INDICATE = 0x82


class OpenFrame(Struct, frozen=True):
    """One frame taken apart; `kind` may be one that is not known here."""

    version: int
    kind: int
    sequence: int
    payload: bytes = b""


def encode(kind: int, sequence: int, payload: bytes = b"", version: int = VERSION) -> bytes:
    """Return the frame as it travels; at most `OVERHEAD + PAYLOAD_LIMIT` bytes."""
    body = bytes((version, len(payload), kind, sequence & 0xFF)) + payload
    return SYNC + body + MODBUS(body).to_bytes(2, "little")


def decode(frame: bytes) -> OpenFrame:
    """Take a sound frame apart."""
    return OpenFrame(frame[2], frame[4], frame[5], frame[6:-2])


def press(sequence: int, level: int, age_ms: int = 0) -> bytes:
    """Return what a pad sends for a key that went down `age_ms` ago."""
    return encode(Kind.PRESS, sequence, _PRESS.pack(level, min(age_ms, TOO_OLD)))


def pressed(payload: bytes) -> tuple[bytes, int] | None:
    """Return a press's code and its age in milliseconds; None for a payload of another form."""
    if len(payload) != _PRESS.size:
        return None
    code, age = _PRESS.unpack(payload)
    return bytes((code,)), age


def alive(sequence: int) -> bytes:
    """Return what a pad sends to be known as alive."""
    return encode(Kind.ALIVE, sequence)


def ack(sequence: int) -> bytes:
    """Return the kiosk's answer to a press; the same for every level, taken or not."""
    return encode(Kind.ACK, sequence)


def indicate(sequence: int, lamp: Lamp) -> bytes:
    """Return the kiosk's word on what the pad's lamps are to show."""
    return encode(Kind.INDICATE, sequence, bytes((_LAMPS[lamp],)))


class OpenShape:
    """How an open frame is found in a stream; length and CRC stand there in every version."""

    start = SYNC

    @staticmethod
    def size(data: bytes | bytearray, at: int) -> int | None:
        """Return how long the frame that begins at `at` is: None = not known, 0 = it is none."""
        if at + 4 > len(data):
            return None
        payload = data[at + 3]
        return OVERHEAD + payload if payload <= PAYLOAD_LIMIT else 0

    @staticmethod
    def fault(frame: bytes) -> str:
        """Say why these bytes are no sound frame; empty if they are."""
        sound = MODBUS(frame[2:-2]) == int.from_bytes(frame[-2:], "little")
        return "" if sound else "bad_checksum"
