"""One pad's line, from bytes to presses. Pure: the clock and the port are the caller's.

What is counted, by cause: `noise_bytes` (bytes of no frame), `half_frame`, `bad_form`,
`bad_checksum`, `not_alone`, `unknown_code`, `ignored_code`, `repeated_key`, and of the open frame
`repeated_sequence`, `reused_sequence`, `too_old`, `unknown_version`, `unknown_type`.
"""

from collections import Counter

from msgspec import Struct

from device.keypad import openframe
from device.keypad.lamp import Lamp
from device.keypad.model import Model
from device.keypad.openframe import Kind
from device.keypad.scanner import Alone, Framed, Framer, Scanner


class Press(Struct, frozen=True):
    """A key was pressed: a level 5..1 and not one key more is known.

    `at_ms`: the earliest moment, on the monotonic clock in milliseconds, at which it can have
    been pressed; so it is never taken for later than it was. `pad` names the port.
    """

    level: int
    at_ms: int
    pad: str


class Reader:
    """Reads one connection. `opened_ms`: since when the line is listened to."""

    def __init__(self, model: Model, pad: str, opened_ms: int) -> None:
        self._model = model
        self._pad = pad
        self._framer = self._framer_of(model, opened_ms)
        self._counts: Counter[str] = Counter()
        self._answers = bytearray()
        self._said_ms: dict[int, int] = {}
        self._last: tuple[int, bytes, int] | None = None
        self._sequence = 0
        self.frames = 0

    @staticmethod
    def _framer_of(model: Model, opened_ms: int) -> Framer:
        if model.pattern is None:
            return Scanner(openframe.OpenShape(), model.gap_ms)
        if model.quiet_ms:
            return Alone(model.pattern, model.pattern.length, model.quiet_ms, opened_ms)
        return Scanner(model.pattern, model.gap_ms)

    @property
    def pending(self) -> int:
        """Bytes that may still become a frame."""
        return self._framer.pending

    @property
    def framed(self) -> int:
        """Bytes that belonged to sound frames."""
        return self._framer.framed

    def feed(self, data: bytes, came_ms: int, heard_ms: int) -> list[Press]:
        """Return the presses that `data` completes; `scanner` says what the times mean."""
        return self._presses(self._framer.feed(data, came_ms, heard_ms))

    def silence(self, until_ms: int) -> list[Press]:
        """Take note that nothing more came in until then; return what that completes."""
        return self._presses(self._framer.silence(until_ms))

    def take_answers(self) -> bytes:
        """Return what is to be sent to the pad at once, and forget it."""
        answers = bytes(self._answers)
        self._answers.clear()
        return answers

    def take_counts(self) -> Counter[str]:
        """Return what was counted since the last call, and forget it."""
        counts, self._counts = self._counts + self._framer.counts, Counter()
        self._framer.counts.clear()
        return counts

    def command(self, lamp: Lamp) -> bytes:
        """Return the bytes that set the pad's lamps; nothing where the model has no command."""
        if self._model.pattern is not None:
            return self._model.commands[lamp]
        self._sequence = (self._sequence + 1) & 0xFF
        return openframe.indicate(self._sequence, lamp)

    def _presses(self, found: list[Framed]) -> list[Press]:
        take = self._patterned if self._model.pattern else self._open
        return [press for frame in found if (press := take(frame)) is not None]

    def _patterned(self, frame: Framed) -> Press | None:
        self.frames += 1
        pattern = self._model.pattern
        assert pattern is not None  # noqa: S101 - chosen by it
        return self._key(frame.data[pattern.key], frame.came_ms, frame.heard_ms)

    def _open(self, frame: Framed) -> Press | None:
        said = openframe.decode(frame.data)
        if said.version != openframe.VERSION:
            self._counts["unknown_version"] += 1
            return None
        self.frames += 1
        press = openframe.pressed(said.payload) if said.kind == Kind.PRESS else None
        if press is None:
            self._counts["unknown_type"] += said.kind != Kind.ALIVE
            return None
        # The answer says nothing but "heard": the same for each level, taken or not.
        self._answers += openframe.ack(said.sequence)
        code, age = press
        if self._heard_before(said.sequence, code, frame.heard_ms):
            return None
        if age == openframe.TOO_OLD:
            self._counts["too_old"] += 1
            return None
        return self._key(code, frame.came_ms - age, frame.heard_ms)

    def _heard_before(self, sequence: int, code: bytes, heard_ms: int) -> bool:
        last, self._last = self._last, (sequence, code, heard_ms)
        if last is None or last[0] != sequence or heard_ms - last[2] > openframe.SAME_MS:
            return False
        self._counts["repeated_sequence" if last[1] == code else "reused_sequence"] += 1
        return True

    def _key(self, code: bytes, came_ms: int, heard_ms: int) -> Press | None:
        level = self._model.keys.get(code)
        if level is None:
            known = code in self._model.ignored
            self._counts["ignored_code" if known else "unknown_code"] += 1
            return None
        before, self._said_ms[level] = self._said_ms.get(level), heard_ms
        if before is not None and came_ms - before < self._model.repeat_ms:
            self._counts["repeated_key"] += 1
            return None
        return Press(level, came_ms, self._pad)
