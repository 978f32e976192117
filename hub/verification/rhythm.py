"""Whether there should have been a checkpoint, by the ledger's own times.

A hub that works signs at a steady rhythm. Who takes checkpoints away leaves entries that the
hub entered at work, hour by hour, and that it never signed.
"""

from collections import deque
from statistics import median

IDLE_MS = 300_000
"""So much of a pause between two entries counts at most: a hub that was off signed nothing."""

OLD_MS = 3_600_000
"""A ledger that began so long ago has a checkpoint: the first comes within a minute."""

SELDOM_MS = 1_200_000
MOST_MS = 86_400_000
"""The rarest rhythm that can be configured."""

GENEROUS = 3
PRACTISED = 64
ENOUGH = 3


class Rhythm:
    """Takes the times of entries and checkpoints, in order; all in milliseconds.

    `each_ms`: how often the hub is to sign, None: not known, and taken from what it did.
    """

    def __init__(self, each_ms: int | None) -> None:
        self._each_ms = each_ms
        self._practised: deque[int] = deque(maxlen=PRACTISED)
        self._first: int | None = None
        self._started: int | None = None
        self._latest = 0
        self._worked = 0

    def entered(self, at: int, *, started: bool = False) -> None:
        """Take the time of an entry (ms since 1970); times that go back count nothing.

        `started`: it is one by which a hub tells that it runs.
        """
        if started and self._started is None:
            self._started = at
        if self._first is None:
            self._first = self._latest = at
        self._worked += min(max(at - self._latest, 0), IDLE_MS)
        self._latest = max(self._latest, at)

    def signed(self) -> None:
        """Take a checkpoint of all entries so far."""
        self._practised.append(self._worked)
        self._worked = 0

    def overdue(self) -> bool:
        """Whether the hub worked so long behind the last checkpoint that one must be missing."""
        return self._worked > self._bound()

    def old(self, now: int | None) -> bool:
        """Whether a ledger without any checkpoint should have one, at the latest by `now`.

        `now` (ms since 1970) counts where a hub has run: it signs within a minute of its start.
        """
        lived = 0 if self._first is None else self._latest - self._first
        run = 0 if now is None or self._started is None else now - self._started
        return max(lived, run) > OLD_MS

    def _bound(self) -> float:
        if self._each_ms is None and len(self._practised) < ENOUGH:
            return MOST_MS
        each = median(self._practised) if self._each_ms is None else self._each_ms
        return GENEROUS * max(each, SELDOM_MS)
