"""What the hub wants shown, led to the screen; and answers for what never was."""

from collections.abc import Callable

from device import events
from device.asked import Asked
from device.events import Close
from device.orders import Orders
from device.outbox import Outbox
from device.state import service
from protocol.messages import Invitation, Slot


class Offers:
    """Used in the keeper's thread. `now` is monotonic, in ms; `post` leads to the session.

    Whatever the outbox raises of sqlite3.Error comes through; then nothing was offered, and
    `place` has to be called again.
    """

    def __init__(
        self,
        outbox: Outbox,
        orders: Orders,
        asked: Asked,
        *,
        post: Callable[[events.Event], None],
        now: Callable[[], int],
    ) -> None:
        self._outbox = outbox
        self._orders = orders
        self._asked = asked
        self._post = post
        self._now = now
        self._slot: Slot | None = None

    @property
    def nothing_wanted(self) -> bool:
        """Whether the hub wants nothing shown, as far as it has said."""
        return self._slot is None or self._slot.invitation is None

    def take(self, slot: Slot) -> bool:
        """Take what the hub says now; False for an older word than the last one."""
        if self._slot is not None and slot.version < self._slot.version:
            return False
        self._slot = slot
        self.place()
        return True

    def place(self) -> None:
        """Lead the session to what the hub wants shown, and answer for what never was."""
        slot = self._slot
        if slot is None or self._orders.time.offset_ms is None or self._orders.broken:
            return  # without the hub's time an old invitation cannot be told from a new one
        for name in slot.unsettled:
            if name not in self._asked and not self._outbox.ended(name):
                self._never_shown(name)
        now = self._now()
        invitation = slot.invitation
        if invitation is not None and invitation.id not in self._asked:
            left = invitation.issued_at + invitation.ttl_ms - (self._orders.time.at(now) or 0)
            if self._may_be_shown(invitation, left):
                self._asked.offer(invitation)
                ttl = min(left, invitation.ttl_ms)
                self._post(events.Offer(now, invitation, ttl, slot.link))
                return
            invitation = None
        if invitation is None:
            self._post(events.Offer(now, None))

    def _may_be_shown(self, invitation: Invitation, left: int) -> bool:
        """Whether there is somebody to ask: its time is not over, nor its service rated here.

        The hub may not know yet of a rating that still waits in the outbox: whoever gave it is
        not asked again.
        """
        if self._outbox.ended(invitation.id):
            return False
        if left > 0 and not self._outbox.rated(service(invitation)):
            return True
        self._never_shown(invitation.id)
        return False

    def _never_shown(self, name: str) -> None:
        self._orders.carry_out(Close(name, kind="withdrawn", reason="never_shown"))
