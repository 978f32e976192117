"""Pictures of any origin: how large one says it is, before it is decoded, and how to shrink it."""

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

MOST_BYTES = 8 << 20
MOST_PIXELS = 16_000_000
SCREEN = (1920, 1920)
"""What is decoded is shrunk until it is less than twice as large as this in each direction."""


class NotShown(Exception):
    """A file that is no picture for this screen, and why."""


class Picture(NamedTuple):
    """The size in pixels that a file promises."""

    width: int
    height: int


class Pixels(NamedTuple):
    """A decoded picture, the upper row first; `form` is "rgb" or "rgba"."""

    width: int
    height: int
    form: str
    data: bytes


def measure(path: Path) -> Picture:
    """Return the size that a PNG or JPEG promises, reading no more than its head.

    Raises `NotShown` for what is neither, is damaged there, or would fill the memory.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise NotShown(f"{size >> 20} MB, at most {MOST_BYTES >> 20}")
    with path.open("rb") as file:
        return promised(file)


def promised(file: BinaryIO) -> Picture:
    """Return the size that an open file promises, as `measure` does."""
    picture = _png(file) or _jpeg(file)
    if picture is None:
        raise NotShown("neither PNG nor JPEG")
    if not 0 < picture.width * picture.height <= MOST_PIXELS:
        raise NotShown(f"{picture.width} x {picture.height} pixels")
    return picture


def _png(file: BinaryIO) -> Picture | None:
    """ISO/IEC 15948, 5.2 and 11.2.2: the signature, then the header's width and height."""
    file.seek(0)
    head = file.read(24)
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR":
        return None
    return Picture(*struct.unpack(">II", head[16:24]))


def _jpeg(file: BinaryIO) -> Picture | None:
    """ITU-T T.81, annex B: segments up to the frame header, which holds height and width."""
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        return None
    for _ in range(1000):
        marker = file.read(2)
        while len(marker) == 2 and marker[1] == 0xFF:  # fill bytes
            marker = marker[1:] + file.read(1)
        head = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF or len(head) < 2:
            return None
        (length,) = struct.unpack(">H", head)
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
            frame = file.read(5)
            if len(frame) < 5:
                return None
            high, wide = struct.unpack(">HH", frame[1:])
            return Picture(wide, high)
        file.seek(length - 2, 1)
    return None


def shrink(pixels: Pixels, promised: Picture) -> Pixels:
    """Return the picture with every n-th pixel of every n-th row, small enough for the screen.

    Raises `NotShown` if it is not what its head promised.
    """
    if (pixels.width, pixels.height) != tuple(promised):
        raise NotShown("another size than promised")
    depth = len(pixels.form)
    row = pixels.width * depth
    if len(pixels.data) != row * pixels.height:
        raise NotShown("rows of another length")
    step = max(1, pixels.width // SCREEN[0], pixels.height // SCREEN[1])
    if step == 1:
        return pixels
    wide, high = -(-pixels.width // step), -(-pixels.height // step)
    out = bytearray(wide * high * depth)
    for number in range(high):
        start = number * step * row
        line = memoryview(pixels.data)[start : start + row]
        target = number * wide * depth
        for channel in range(depth):
            out[target + channel : target + wide * depth : depth] = line[channel :: depth * step]
    return Pixels(wide, high, pixels.form, bytes(out))


def crop(pixels: Pixels, step: int, shape: float) -> Pixels:
    """Return the part that a face is in: the middle, of a tall picture rather the top.

    `step` is after how many bytes the next row begins, `shape` what width to height shall be.
    """
    wide = max(1, min(pixels.width, round(pixels.height * shape)))
    high = max(1, min(pixels.height, round(pixels.width / shape)))
    left, top = (pixels.width - wide) // 2, (pixels.height - high) // 4
    depth = len(pixels.form)
    starts = (row * step + left * depth for row in range(top, top + high))
    data = b"".join(pixels.data[start : start + wide * depth] for start in starts)
    return Pixels(wide, high, pixels.form, data)


def halve(pixels: Pixels) -> Pixels:
    """Return the picture half as large: each pixel is the mean of four.

    The means are reckoned of whole pictures at once, as of two long numbers, byte by byte.
    """
    depth = len(pixels.form)
    wide, high = pixels.width // 2, pixels.height // 2
    row = pixels.width * depth
    lines = [pixels.data[at * row : at * row + 2 * wide * depth] for at in range(2 * high)]
    mixed = _mean(b"".join(lines[0::2]), b"".join(lines[1::2]))
    out = bytearray(wide * high * depth)
    for channel in range(depth):
        one, other = mixed[channel :: 2 * depth], mixed[channel + depth :: 2 * depth]
        out[channel::depth] = _mean(one, other)
    return Pixels(wide, high, pixels.form, bytes(out))


def _mean(one: bytes, other: bytes) -> bytes:
    """Return the mean of each byte of two rows: what both have, and half of what one has."""
    a, b = int.from_bytes(one, "big"), int.from_bytes(other, "big")
    low = int.from_bytes(b"\x7f" * len(one), "big")
    return ((a & b) + (((a ^ b) >> 1) & low)).to_bytes(len(one), "big")
