"""Frames on the enrolment cable: found again after any noise, taken only when unharmed.

    magic 2 | version 1 | kind 1 | tag 4 | sequence 2 | length 1 | payload 0..255 | CRC-32 4

Numbers are big-endian; the CRC-32 (that of zlib) covers everything between magic and itself.
The two bytes of the magic never occur in UTF-8, hence in no payload of ours: a frame that is
cut short cannot hide the next one. Frames are small because a line that loses one byte in
twenty never lets a long one through.
"""

import struct
import zlib
from enum import IntEnum

from msgspec import Struct

MAGIC = b"\xf9\xfe"
VERSION = 1
PAYLOAD_LIMIT = 255

_HEADER = struct.Struct(">2sBBIHB")
_CRC = struct.Struct(">I")
OVERHEAD = _HEADER.size + _CRC.size


class Kind(IntEnum):
    """What a frame is for; the high bit says that a kiosk sent it, so that an echo is known."""

    OPEN = 0x01
    DATA_DOWN = 0x03
    ACK_DOWN = 0x04
    ACCEPT = 0x82
    DATA_UP = 0x83
    ACK_UP = 0x84


class Frame(Struct, frozen=True):
    """One frame. `tag` names the connection, `sequence` a place in its stream of bytes."""

    kind: Kind
    tag: int
    sequence: int = 0
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return the frame as it travels; at most `OVERHEAD + PAYLOAD_LIMIT` bytes."""
    body = (
        _HEADER.pack(
            MAGIC, VERSION, frame.kind, frame.tag, frame.sequence & 0xFFFF, len(frame.payload)
        )
        + frame.payload
    )
    return body + _CRC.pack(zlib.crc32(body[len(MAGIC) :]))


class Decoder:
    """Bytes in, whole frames out; never raises, and never holds more than one frame's bytes.

    `heard` counts all bytes, `versions` the frames of each version that is not spoken here.
    """

    def __init__(self) -> None:
        self.heard = 0
        self.versions: dict[int, int] = {}
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes, in order."""
        self.heard += len(data)
        buffer = self._buffer
        buffer += data
        found = []
        done, unfinished = 0, -1
        at = buffer.find(MAGIC)
        while at >= 0:
            end = self._end(at)
            if end > len(buffer):  # a candidate; a whole frame behind it would disprove it
                unfinished = at if unfinished < 0 else unfinished
            elif zlib.crc32(buffer[at + 2 : end - 4]) == _CRC.unpack_from(buffer, end - 4)[0]:
                frame = self._frame(bytes(buffer[at:end]))
                if frame:
                    found.append(frame)
                done, unfinished = end, -1
            at = buffer.find(MAGIC, max(done, at + 1))
        if unfinished < 0:
            unfinished = len(buffer) - buffer.endswith(MAGIC[:1], done)
        del buffer[:unfinished]
        return found

    def _end(self, at: int) -> int:
        """Where the candidate ends; beyond the buffer while its length is not known."""
        length_at = at + _HEADER.size - 1
        if length_at >= len(self._buffer):
            return at + OVERHEAD
        return at + OVERHEAD + self._buffer[length_at]

    def _frame(self, data: bytes) -> Frame | None:
        _, version, kind, tag, sequence, _ = _HEADER.unpack_from(data)
        if version != VERSION:
            # The table is for a person who reads which versions met; 255 is its natural end.
            self.versions[version] = self.versions.get(version, 0) + 1
            return None
        try:
            return Frame(Kind(kind), tag, sequence, data[_HEADER.size : -_CRC.size])
        except ValueError:
            return None
