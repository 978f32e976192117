"""One connection of one pad: reads its line, answers it, sets its lamps."""

import threading
from collections import Counter
from collections.abc import Callable

from device.keypad import openframe
from device.keypad.lamp import Lamp
from device.keypad.model import Model
from device.keypad.port import NotTaken, SerialPort
from device.keypad.reader import Press, Reader
from device.keypad.standing import Standing

SETTLE_MS = 200
"""What comes in so soon after opening may have been pressed by another citizen: dropped."""

FLOOD = 1024
BREATH_S = 0.02
"""After so many bytes at once, which no pad says, the thread rests: a line that babbles as fast
as USB can must not take the processor from the screen."""

MUTE_MS = 5_000
"""A pad that did not take what was written is left alone for so long."""


class Pad:
    """Serves an open port until it goes away. `now` is monotonic, in milliseconds."""

    def __init__(
        self,
        name: str,
        model: Model,
        port: SerialPort,
        standing: Standing,
        *,
        now: Callable[[], int],
        press: Callable[[Press], None],
        lamp: Callable[[], Lamp],
    ) -> None:
        self._name = name
        self._model = model
        self._port = port
        self._standing = standing
        self._now = now
        self._press = press
        self._lamp = lamp
        self._shown: Lamp | None = None
        self._shown_ms = 0
        self._muted_until = 0
        self._since = 0
        self._heard_ms = 0

    def run(self, stop: threading.Event) -> None:
        """Read until `stop`, then put the lamps out; raises `PortError` when the port goes away."""
        self._settle(stop)
        self._heard_ms = self._now()
        reader = Reader(self._model, self._name, self._heard_ms)
        try:
            self._light(reader, self._lamp())
            if not self._model.alive_ms:
                self._standing.here()
            while not stop.is_set():
                if self._turn(reader) >= FLOOD:
                    stop.wait(BREATH_S)
            self._light(reader, Lamp.IDLE)
        finally:
            cut_off = Counter(noise_bytes=reader.pending)
            self._standing.count(reader.take_counts() + cut_off)

    def _settle(self, stop: threading.Event) -> None:
        stale = self._port.stale
        opened = self._since = self._now()
        while self._now() - opened < SETTLE_MS and not stop.is_set():
            self._since = self._now()
            stale += len(self._port.read())
        self._standing.count(+Counter(stale_bytes=stale))

    def _turn(self, reader: Reader) -> int:
        """Read and answer once; return how many bytes came in."""
        began, frames = self._now(), reader.frames
        data = self._port.read()
        heard = reader.feed(data, self._since, self._now()) if data else reader.silence(began)
        if len(data) < FLOOD:
            # The line was read empty: what comes in the next call was not there when this began.
            self._since = began
        self._mark(heard=reader.frames > frames)
        for press in heard:
            self._press(press)
        self._write(reader.take_answers())
        self._light(reader, self._lamp())
        counts = reader.take_counts()
        if counts:
            self._standing.count(counts)
        return len(data)

    def _mark(self, *, heard: bool) -> None:
        """Note whether the pad lives, where its model lets one know."""
        if not self._model.alive_ms:
            return
        now = self._now()
        if heard:
            self._heard_ms = now
            self._standing.here()
        elif now - self._heard_ms > self._model.alive_ms:
            self._standing.gone("silent")

    def _light(self, reader: Reader, lamp: Lamp) -> None:
        again = self._model.pattern is None and (self._now() - self._shown_ms >= openframe.ALIVE_MS)
        if lamp is self._shown and not again:
            return
        if self._write(reader.command(lamp)):
            self._shown, self._shown_ms = lamp, self._now()

    def _write(self, data: bytes) -> bool:
        """Whether the pad took it; one that does not read is left alone for a while."""
        if not data:
            return True
        if self._now() < self._muted_until:
            return False
        try:
            self._port.write(data)
        except NotTaken:
            self._standing.count(Counter(not_taken=1))
            self._muted_until = self._now() + MUTE_MS
            return False
        return True
