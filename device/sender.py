"""Says each final outcome to the hub, again and again, until the hub has answered for it."""

from collections.abc import Callable
from typing import Protocol

from device.outbox import Outbox
from protocol.topics import Leaf

RESEND_MS = 5_000
RESEND_CAP_MS = 60_000
IN_FLIGHT = 64
"""How many may be under way: a bound of our own, for no broker keeps to its."""


class Publisher(Protocol):
    """The one thing that is wanted of the link."""

    def publish(self, leaf: Leaf, payload: bytes, *, retain: bool = False) -> bool:
        """Send, if connected."""
        ...


class Sender:
    """Used in the keeper's thread. `now` is monotonic, in milliseconds."""

    def __init__(self, outbox: Outbox, link: Publisher, now: Callable[[], int]) -> None:
        self._outbox = outbox
        self._link = link
        self._now = now
        self._under_way: dict[str, int] = {}
        self._quiet_rounds = 0

    def begin(self) -> None:
        """Start over on a new connection: nothing is known of what was under way."""
        self._under_way.clear()
        self._quiet_rounds = 0

    @property
    def quiet(self) -> bool:
        """Whether all that was sent is answered for."""
        return not self._under_way

    def send(self) -> None:
        """Send the oldest of what is final and not under way.

        A draft may become final after outcomes with higher numbers have gone out, so the
        numbers do not tell what was sent.
        """
        if len(self._under_way) >= IN_FLIGHT:
            return
        for kept in self._outbox.waiting(limit=IN_FLIGHT):
            if kept.id in self._under_way:
                continue
            if not self._link.publish(Leaf.RATING, kept.jws):
                return
            self._under_way[kept.id] = self._now()

    def tick(self) -> None:
        """Take what has waited too long for under way no more, each time with more patience."""
        if not self._under_way:
            return
        patience = min(RESEND_CAP_MS, RESEND_MS * 2**self._quiet_rounds)
        if self._now() - min(self._under_way.values()) >= patience:
            self._quiet_rounds = min(self._quiet_rounds + 1, 10)
            self._under_way.clear()

    def answered(self, identifiers: tuple[str, ...], at: int) -> None:
        """Put aside what the hub has answered for at `at` (ms since 1970, the hub's clock).

        Raises sqlite3.Error if the disk does not take it: then it is said again, which does no
        harm.
        """
        self._outbox.receipt(identifiers, at)
        self._quiet_rounds = 0
        for name in identifiers:
            self._under_way.pop(name, None)
