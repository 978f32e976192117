"""How one pad stands: there or gone, said once each, and what was counted on its line."""

import logging
import threading
from collections import Counter

from msgspec import Struct

log = logging.getLogger(__name__)


class PadStatus(Struct, frozen=True):
    """One pad, by its port. `present`: it can be used now, as far as can be known.

    That is: its port is open, and a pad that reports itself has done so in time. `counts` holds
    what was not taken, by cause, since the kiosk's start.
    """

    pad: str
    present: bool
    counts: dict[str, int]


class Standing:
    """Written by the pad's threads, read by others."""

    def __init__(self, pad: str) -> None:
        self._pad = pad
        self._lock = threading.Lock()
        self._present = False
        self._told: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._fresh: Counter[str] = Counter()

    def here(self) -> None:
        """The pad can be used."""
        if not self._present:
            self._told = set()
            log.info("keypad=here pad=%s", self._pad)
            self._present = True

    def gone(self, cause: str) -> None:
        """The pad cannot be used; each cause is told once until it is back."""
        expected = cause == "no-such-port" and "unplugged" in self._told
        if cause not in self._told and not expected:
            self._told.add(cause)
            log.warning("keypad=gone pad=%s cause=%s", self._pad, cause)
        self._present = False

    def count(self, counts: Counter[str]) -> None:
        """Add what was counted."""
        with self._lock:
            for cause in counts.keys() - self._counts.keys():
                log.info("keypad=refused pad=%s cause=%s", self._pad, cause)
            self._counts.update(counts)
            self._fresh.update(counts)

    def take_counts(self) -> Counter[str]:
        """Return what was counted since the last call."""
        with self._lock:
            fresh, self._fresh = self._fresh, Counter()
        return fresh

    def status(self) -> PadStatus:
        """Return how the pad stands now."""
        with self._lock:
            return PadStatus(self._pad, self._present, dict(self._counts))
