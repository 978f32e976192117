"""Frames out of a stream of bytes, found again after any noise; every byte is accounted for.

`Scanner` finds frames by their look, `Alone` by the silence around them. Both are fed with the
moment since which bytes may have come in (`came_ms`) and the moment at which they were read
(`heard_ms`), and are told until when the line is known to have been silent, all in
milliseconds. Silence is only believed where it is certain, so a program that was held up takes
fewer presses and never one that was not there.

bytes fed = framed + `noise_bytes` + pending, at any moment.
"""

from collections import Counter
from typing import Protocol

from msgspec import Struct


class Framed(Struct, frozen=True):
    """A sound frame, with the earliest moment at which its first byte can have come in."""

    data: bytes
    came_ms: int
    heard_ms: int


class Shape(Protocol):
    """What a frame looks like."""

    @property
    def start(self) -> bytes:
        """The bytes that every frame begins with."""

    def size(self, data: bytes | bytearray, at: int) -> int | None:
        """Return a frame's length: None while it is not known, 0 where none begins."""

    def fault(self, frame: bytes) -> str:
        """Return a stable word for what is wrong with a frame of the right length, or nothing."""


class Framer(Protocol):
    """Bytes in, sound frames out; never raises. What is no frame is counted by cause."""

    counts: Counter[str]
    framed: int

    def feed(self, data: bytes, came_ms: int, heard_ms: int) -> list[Framed]:
        """Return the frames that `data` completes, in order."""

    def silence(self, until_ms: int) -> list[Framed]:
        """Take note that nothing more came in until then; return what that completes."""

    @property
    def pending(self) -> int:
        """Bytes that may still become a frame."""


class Scanner:
    """Finds frames that begin with fixed bytes and prove themselves.

    A frame is found after any noise, except where the noise forms a whole sound frame together
    with its first bytes. Noise that looks like a frame's beginning holds it back until more
    bytes or a silence of `gap_ms` have shown that it is none.
    """

    def __init__(self, shape: Shape, gap_ms: int) -> None:
        self.counts: Counter[str] = Counter()
        self.framed = 0
        self._shape = shape
        self._gap_ms = gap_ms
        self._buffer = bytearray()
        self._came: list[int] = []
        self._heard_ms = 0

    @property
    def pending(self) -> int:
        """Bytes that may still become a frame."""
        return len(self._buffer)

    def feed(self, data: bytes, came_ms: int, heard_ms: int) -> list[Framed]:
        """Return the frames that `data` completes, in order."""
        if not data:
            return []
        found = self.silence(came_ms)
        self._buffer += data
        self._came += [came_ms] * len(data)
        self._heard_ms = heard_ms
        return found + self._scan(final=False)

    def silence(self, until_ms: int) -> list[Framed]:
        """Give up on what was left half for `gap_ms`; a whole frame may hide behind it."""
        if not self._buffer or until_ms - self._heard_ms <= self._gap_ms:
            return []
        self.counts["half_frame"] += self._buffer.startswith(self._shape.start)
        return self._scan(final=True)

    def _scan(self, *, final: bool) -> list[Framed]:
        buffer, start, at = self._buffer, self._shape.start, 0
        found = []
        while (hit := buffer.find(start, at)) >= 0:
            self._noise(hit - at)
            at = hit
            size = self._shape.size(buffer, at)
            if size is None or at + size > len(buffer):
                if not final:
                    break
                size = 0
            frame = bytes(buffer[at : at + size])
            cause = self._shape.fault(frame) if size else ""
            if size and not cause:
                found.append(Framed(frame, self._came[at], self._heard_ms))
                self.framed += size
                at += size
            else:
                if cause:
                    self.counts[cause] += 1
                self._noise(1)
                at += 1
        if hit < 0:
            rest = 0 if final else self._beginning(at)
            self._noise(len(buffer) - rest - at)
            at = len(buffer) - rest
        del buffer[:at], self._came[:at]
        return found

    def _beginning(self, at: int) -> int:
        """How many of the last bytes, from `at` on, may be the first part of a start."""
        start = self._shape.start
        longest = min(len(start) - 1, len(self._buffer) - at)
        ends = self._buffer.endswith
        return next((n for n in range(longest, 0, -1) if ends(start[:n])), 0)

    def _noise(self, count: int) -> None:
        if count:
            self.counts["noise_bytes"] += count


class Alone:
    """Finds frames that stand alone: `quiet_ms` of silence before and after.

    For pads that send little more than the key's code. What comes in between two silences has
    to be one sound frame, or the same one several times over (a key that bounces or is held);
    else all of it is noise.
    """

    def __init__(self, shape: Shape, size: int, quiet_ms: int, opened_ms: int) -> None:
        self.counts: Counter[str] = Counter()
        self.framed = 0
        self._shape = shape
        self._size = size
        self._quiet_ms = quiet_ms
        self._heard_ms = opened_ms
        self._first = bytearray()
        self._total = 0
        self._came_ms = 0
        self._uniform = self._after_silence = True

    @property
    def pending(self) -> int:
        """Bytes that may still become a frame."""
        return self._total

    def feed(self, data: bytes, came_ms: int, heard_ms: int) -> list[Framed]:
        """Return the frame that the silence before `data` completes, if any."""
        if not data:
            return []
        quiet = came_ms - self._heard_ms >= self._quiet_ms
        found = self._finish() if quiet else []
        if not self._total:
            self._came_ms = came_ms
            self._uniform, self._after_silence = True, quiet
        need = self._size - len(self._first)
        self._first += data[:need]
        if len(self._first) == self._size:
            self._uniform &= data == self._more(len(data))
        self._total += len(data)
        self._heard_ms = heard_ms
        return found

    def silence(self, until_ms: int) -> list[Framed]:
        """Take note of silence; return the frame that it completes, if any."""
        return self._finish() if until_ms - self._heard_ms >= self._quiet_ms else []

    def _more(self, count: int) -> bytes:
        """What the next `count` bytes are, if the first frame goes on and on."""
        place = self._total % self._size
        frame = bytes(self._first)
        return (frame * (count // self._size + 2))[place : place + count]

    def _finish(self) -> list[Framed]:
        total, self._total = self._total, 0
        frame = bytes(self._first)
        self._first.clear()
        if not total:
            return []
        if self._uniform and self._after_silence and total % self._size == 0:
            cause = self._shape.fault(frame)
        else:
            cause = "half_frame" if total < self._size else "not_alone"
        if not cause:
            self.framed += total
            return [Framed(frame, self._came_ms, self._heard_ms)]
        self.counts[cause] += 1
        self.counts["noise_bytes"] += total
        return []
