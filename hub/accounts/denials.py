"""What strangers and the not-so-strange are denied, in the audit trail without flooding it.

The same denial again within a minute is counted, and told as one entry when the minute is over.
What goes beyond `MOST` entries a minute is only counted, for each who is denied apart: strangers
cannot hide by their noise what a user tries.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable

from msgspec import Struct
from sqlite_utils import Database

from hub.store import audit
from hub.store.writer import Busy, Stopped, Writer

MINUTE_MS = 60_000
MOST = 60
"""Entries a minute of one user or key, and of all who are unknown together."""

Detail = dict[str, str | int | bool | None]


class Denial(Struct, frozen=True, kw_only=True):
    """What was denied to whom; `why` is a stable word."""

    actor: str
    action: str
    target: str
    why: str
    address: str


class Denials:
    """For any thread. `monotonic` in milliseconds; `now`: milliseconds since 1970."""

    def __init__(
        self, writer: Writer, *, now: Callable[[], int], monotonic: Callable[[], int]
    ) -> None:
        self._writer = writer
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._minute = monotonic()
        self._written: Counter[str] = Counter()
        self._again: Counter[Denial] = Counter()
        self._beyond: Counter[tuple[str, str]] = Counter()

    def note(self, denial: Denial, *, each: bool = False, detail: Detail | None = None) -> None:
        """Tell of a denial: at once if it is the first of its kind in this minute.

        `each`: the same again is told on its own, too; something else bounds how often.
        """
        self.tend()
        with self._lock:
            if denial in self._again and not each:
                self._again[denial] += 1
                return
            if self._written[denial.actor] >= MOST:
                self._beyond[denial.actor, denial.action] += 1
                return
            self._written[denial.actor] += 1
            self._again.setdefault(denial, 0)
            self._write([(denial, detail or {})])

    def tend(self, *, closing: bool = False) -> None:
        """Tell what was counted, once a minute (or now, before the writer stops)."""
        with self._lock:
            if self._monotonic() - self._minute < MINUTE_MS and not closing:
                return
            self._minute = self._monotonic()
            told: list[tuple[Denial, Detail]] = [
                (denial, {"times": times}) for denial, times in self._again.items() if times
            ]
            told += [
                (
                    Denial(actor=actor, action=action, target="", why="many", address=""),
                    {"times": times},
                )
                for (actor, action), times in self._beyond.items()
            ]
            self._written.clear()
            self._again.clear()
            self._beyond.clear()
            if told:
                self._write(told)

    def _write(self, told: list[tuple[Denial, Detail]]) -> None:
        now = self._now()

        def job(db: Database) -> None:
            for denial, more in told:
                audit.note(
                    db,
                    now,
                    denial.actor,
                    denial.action,
                    denial.target,
                    allowed=False,
                    detail={"why": denial.why, "address": denial.address, **more},
                )

        with contextlib.suppress(Busy, Stopped):
            self._writer.submit(job)
