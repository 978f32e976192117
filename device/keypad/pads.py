"""All pads of a kiosk: found by port, opened, and opened again after they were pulled out."""

import glob
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable

from device.keypad.lamp import Lamp
from device.keypad.model import Model
from device.keypad.pad import Pad
from device.keypad.port import PortError, SerialPort
from device.keypad.reader import Press
from device.keypad.settings import KeypadConfig
from device.keypad.standing import PadStatus, Standing

log = logging.getLogger(__name__)

LOOK_S = 0.25
BACKOFF_CAP_S = 2.0
STEADY_MS = 5_000
MOST = 16
"""Ports that are ever looked at; a glob that matches more is too wide."""


class _Slot:
    """One port and the thread that serves it, if any."""

    def __init__(self, name: str) -> None:
        self.standing = Standing(name)
        self.thread: threading.Thread | None = None
        self.failures = 0
        self.again_ms = 0

    @property
    def busy(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Pads:
    """Serves every pad of the configuration, each in a thread of its own.

    `press` is called in these threads. `now` is the kiosk's monotonic clock, in milliseconds.
    """

    def __init__(
        self,
        config: KeypadConfig,
        model: Model,
        *,
        press: Callable[[Press], None],
        now: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self._port = config.port
        self._model = model
        self._press = press
        self._now = now
        self._rng = rng
        self._lamp = Lamp.IDLE
        self._slots: dict[str, _Slot] = {}
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="pads", daemon=True)

    def start(self) -> None:
        """Start looking for pads; there need not be any yet. Nothing is done without a port."""
        if self._port:
            self._thread.start()

    def stop(self) -> None:
        """Close every port; `press` is not called any more afterwards."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        for slot in self._slots.values():
            if slot.thread is not None:
                slot.thread.join(timeout=10)

    def indicate(self, lamp: Lamp) -> None:
        """Let all pads show this; returns at once, and repeating it costs nothing."""
        self._lamp = lamp

    def status(self) -> list[PadStatus]:
        """Return how each pad stands that has been seen since the start."""
        return [slot.standing.status() for slot in list(self._slots.values())]

    def take_counts(self) -> Counter[str]:
        """Return what all pads have counted since the last call."""
        counts: Counter[str] = Counter()
        for slot in list(self._slots.values()):
            counts.update(slot.standing.take_counts())
        return counts

    def _look(self) -> None:
        while not self._stop.is_set():
            names = self._names()
            if not names:
                self._tell("none")
            for name in names:
                self._serve_if_free(name)
            self._stop.wait(LOOK_S)

    def _names(self) -> list[str]:
        if "://" in self._port or not any(sign in self._port for sign in "*?["):
            return [self._port]
        return sorted(glob.glob(self._port))  # noqa: PTH207 - a pattern from the root on

    def _tell(self, word: str) -> None:
        if word not in self._told:
            self._told.add(word)
            log.warning("keypad=%s port=%s", word, self._port)

    def _serve_if_free(self, name: str) -> None:
        if name not in self._slots:
            if len(self._slots) >= MOST:
                self._tell("too-many")
                return
            self._slots[name] = _Slot(name)
        slot = self._slots[name]
        if slot.busy or self._now() < slot.again_ms:
            return
        slot.thread = threading.Thread(
            target=self._serve, args=(name, slot), name=f"pad {name}", daemon=True
        )
        slot.thread.start()

    def _serve(self, name: str, slot: _Slot) -> None:
        began = self._now()
        try:
            self._talk(name, slot.standing)
        except PortError as error:
            slot.standing.gone(str(error))
        except Exception:
            log.exception("keypad=failed pad=%s", name)
            slot.standing.gone("failed")
        slot.failures = 1 if self._now() - began >= STEADY_MS else slot.failures + 1
        wait = self._rng.uniform(0, min(BACKOFF_CAP_S, 0.2 * 1.5 ** min(slot.failures, 30)))
        slot.again_ms = self._now() + int(wait * 1000)

    def _talk(self, name: str, standing: Standing) -> None:
        port = SerialPort.open(name, self._model.line)
        try:
            pad = Pad(
                name,
                self._model,
                port,
                standing,
                now=self._now,
                press=self._press,
                lamp=lambda: self._lamp,
            )
            pad.run(self._stop)
        finally:
            port.close()
