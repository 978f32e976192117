"""A hub that has lost its disk asks again for what it lacks: said once, told when it is done."""

import logging
import sqlite3

from device.asked import Asked
from device.outbox import Outbox
from protocol.messages import Resend

log = logging.getLogger(__name__)


class Resending:
    """Used in the keeper's thread."""

    def __init__(self, outbox: Outbox, asked: Asked) -> None:
        self._outbox = outbox
        self._asked = asked
        self._wanted: Resend | None = None
        self._said: int | None = None
        self._told: int | None = None

    def want(self, resend: Resend | None) -> None:
        """Note what the hub asks for, None when it asks for nothing any more."""
        self._wanted = resend

    def say_again(self) -> None:
        """Let the hub have what it asks for, once; raises sqlite3.Error."""
        wanted = self._wanted
        if wanted is not None and wanted.since != self._said:
            count = self._outbox.resend(wanted.since, wanted.after)
            self._said = wanted.since
            log.warning("outbox=says-again count=%d after=%d", count, wanted.after)

    @property
    def news(self) -> bool:
        """Whether there is something to tell that the hub waits for."""
        return self._done() != self._told

    def tell(self) -> int | None:
        """Return what the next `state` says of it: the recovery that is fulfilled, if any."""
        self._told = self._done()
        return self._told

    def _done(self) -> int | None:
        """Return the recovery for which all is said and answered, also who is answering now."""
        wanted = self._wanted
        if wanted is None:
            return None
        if self._told == wanted.since:
            return wanted.since
        if self._outbox.depth() or self._asked.issued_before(wanted.since):
            return None  # what waits may be of an invitation that only this kiosk remembers
        try:
            return wanted.since if self._outbox.resent(wanted.since) else None
        except sqlite3.Error:
            return None  # a kiosk with a broken disk still says how it stands
