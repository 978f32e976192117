"""What the hub says: decoded, judged by versions and by its own time, led to whom it concerns."""

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable

from device import portraits
from device.offers import Offers
from device.orders import Orders
from device.renewal import Renewing
from device.resending import Resending
from device.sender import Sender
from protocol import wire
from protocol.errors import ProtocolError, TopicError
from protocol.messages import Portrait, Receipt, Settings, Slot
from protocol.topics import Leaf

log = logging.getLogger(__name__)

ANSWER_MS = 40_000


class Hearing:
    """Used in the keeper's thread. `now` is monotonic, in ms; `refused` counts by causes.

    `settings` and `portrait` lead to the screen, and are known only from the keeper's start on.
    """

    def __init__(
        self,
        boot: str,
        *,
        orders: Orders,
        offers: Offers,
        resending: Resending,
        sender: Sender,
        renewing: Renewing | None,
        refused: Counter[str],
        now: Callable[[], int],
    ) -> None:
        self._boot = boot
        self._orders = orders
        self._offers = offers
        self._resending = resending
        self._sender = sender
        self._renewing = renewing
        self._refused = refused
        self._now = now
        self._heard_ms: int | None = None
        self._settings_version = -1
        self.settings: Callable[[Settings], None] = lambda _: None
        self.portrait: Callable[[Portrait | None], None] = lambda _: None

    @property
    def lately(self) -> bool:
        """Whether the hub itself has answered within `ANSWER_MS`."""
        heard = self._heard_ms
        return heard is not None and self._now() - heard < ANSWER_MS

    def take(self, leaf: Leaf, payload: bytes) -> None:
        """Take a message; what cannot be understood is counted, and logged the first time."""
        try:
            if leaf is Leaf.RECEIPT:
                self._receipt(wire.decode(Receipt, payload))
            elif leaf is Leaf.INVITATION:
                if not self._offers.take(wire.decode(Slot, payload)):
                    self._refused["old_slot"] += 1
            elif leaf is Leaf.SETTINGS:
                self._settings(wire.decode(Settings, payload))
            elif leaf is Leaf.PORTRAIT:
                self.portrait(portraits.decode(payload))
            elif leaf is Leaf.CERTIFICATE and self._renewing is not None:
                self._renewing.answered(payload)
            else:
                raise TopicError(f"nothing is understood on {leaf}")
        except ProtocolError as error:
            self.reject(error, leaf, len(payload))

    def reject(self, error: ProtocolError, leaf: Leaf, size: int = 0) -> None:
        """Count what is not taken; `size` in bytes."""
        self._refused[error.cause] += 1
        if self._refused[error.cause] == 1:
            log.warning("refused=%s leaf=%s bytes=%d", error.cause, leaf, size)

    def _receipt(self, receipt: Receipt) -> None:
        now = self._now()
        self._heard_ms = now
        if receipt.boot == self._boot and receipt.echo_ms is not None:
            known = self._orders.time
            new = self._orders.time = known.learn(receipt.echo_ms, receipt.hub_at, now)
            if known.contradicts(new):
                log.warning("hub-time=jumped by_ms=%d", (new.at(now) or 0) - (known.at(now) or 0))
            if known.offset_ms is None:
                self._offers.place()
        for refusal in receipt.refused:
            self._refused[f"hub_{refusal.reason}"] += 1
            log.warning("outcome=refused-by-hub id=%s reason=%s", refusal.id, refusal.reason)
        answered = (*receipt.committed, *(refusal.id for refusal in receipt.refused))
        if answered:
            try:
                self._sender.answered(answered, receipt.hub_at)
            except sqlite3.Error as error:
                self._orders.failed(error)
                return
            self._sender.send()

    def _settings(self, settings: Settings) -> None:
        if settings.version < self._settings_version:
            return
        self._settings_version = settings.version
        self._orders.catalogue = settings.catalogue
        self._resending.want(settings.resend)
        self.settings(settings)
