"""The checksums that pads in the field use, by the names that a model file gives them.

The CRCs are described in the usual way (width, polynomial, start value, reflection); their
results are compared with the published check values of "123456789" in the tests.
"""

from collections.abc import Callable
from functools import cache, reduce
from operator import xor
from typing import Literal

from msgspec import Struct

Kind = Literal[
    "none", "sum8", "lrc8", "xor8", "crc8", "crc8-maxim", "crc16-modbus", "crc16-ccitt",
    "crc16-xmodem",
]  # fmt: skip


class Crc(Struct, frozen=True):
    """One CRC; `reflected`: the lowest bit goes first, and `polynomial` is written that way."""

    width: int
    polynomial: int
    start: int = 0
    reflected: bool = False

    def __call__(self, data: bytes) -> int:
        """Return the CRC of `data`."""
        table, value = _table(self), self.start
        if self.reflected:
            for byte in data:
                value = value >> 8 ^ table[(value ^ byte) & 0xFF]
        else:
            for byte in data:
                value = (value << 8 & (1 << self.width) - 1) ^ table[value >> self.width - 8 ^ byte]
        return value


@cache
def _table(crc: Crc) -> tuple[int, ...]:
    """What each byte does to the value, so that a babbling line costs little."""
    top, every = 1 << crc.width - 1, (1 << crc.width) - 1
    table = []
    for byte in range(256):
        value = byte if crc.reflected else byte << crc.width - 8
        for _ in range(8):
            if crc.reflected:
                value = value >> 1 ^ (crc.polynomial if value & 1 else 0)
            else:
                value = (value << 1 ^ (crc.polynomial if value & top else 0)) & every
        table.append(value)
    return tuple(table)


MODBUS = Crc(16, 0xA001, start=0xFFFF, reflected=True)

SUMS: dict[str, Callable[[bytes], int]] = {
    "sum8": lambda data: sum(data) & 0xFF,
    "lrc8": lambda data: -sum(data) & 0xFF,
    "xor8": lambda data: reduce(xor, data, 0),
    "crc8": Crc(8, 0x07),
    "crc8-maxim": Crc(8, 0x8C, reflected=True),
    "crc16-modbus": MODBUS,
    "crc16-ccitt": Crc(16, 0x1021, start=0xFFFF),
    "crc16-xmodem": Crc(16, 0x1021),
}
"""Each over the bytes that it covers. crc16-ccitt is the one with the start value FFFF."""


def width(kind: str) -> int:
    """Return how many bytes a checksum takes: 0, 1 or 2."""
    return 0 if kind == "none" else 2 if kind.startswith("crc16") else 1
