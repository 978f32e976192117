"""The session's orders, carried out on the disk: in their order, also over a time when it fails."""

import logging
import random
import sqlite3
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from device import events, outcomes
from device.asked import Asked
from device.events import Close, Discard, Effect, Keep, Release
from device.outbox import Ended, Outbox
from device.state import service
from device.timekeeping import HubTime
from protocol import signing
from protocol.catalogue import CURRENT
from protocol.identifiers import identifier

log = logging.getLogger(__name__)

RETRY_DISK_MS = 3_000


class Orders:
    """Used in the keeper's thread. `now` and `wall` are the keeper's.

    `asked` knows the invitations as they were offered to the screen. `post` gets the words for
    the session; `ended` each invitation whose outcome is final on the disk; `already_ended` is
    called for an order that came too late. `time` and `catalogue` are what the keeper has learnt
    last.
    """

    def __init__(
        self,
        device: str,
        boot: str,
        outbox: Outbox,
        key: EllipticCurvePrivateKey,
        *,
        now: Callable[[], int],
        wall: Callable[[], int],
        rng: random.Random,
        asked: Asked,
        post: Callable[[events.Event], None],
        ended: Callable[[str], None],
        already_ended: Callable[[], None],
    ) -> None:
        self._device = device
        self._boot = boot
        self._outbox = outbox
        self._key = key
        self._now = now
        self._wall = wall
        self._rng = rng
        self._asked = asked
        self._post = post
        self._ended = ended
        self._already_ended = already_ended
        self.time = HubTime()
        self.catalogue = CURRENT
        self._unkept: list[Close | Release | Discard] = []
        self._broken_ms: int | None = None
        self._drafts_left = False

    @property
    def broken(self) -> bool:
        """Whether the disk is known to take nothing."""
        return self._broken_ms is not None

    @property
    def waiting(self) -> bool:
        """Whether orders wait for the disk."""
        return bool(self._unkept)

    def recover(self) -> None:
        """Release what a power cut left as drafts."""
        try:
            count = self._outbox.release_all()
        except sqlite3.Error as error:
            self._drafts_left = True
            self.failed(error)
            return
        self._drafts_left = False
        if count:
            log.warning("outbox=released-drafts count=%d cause=interrupted", count)

    def carry_out(self, effect: Effect) -> None:
        """Carry out one order; one that the disk does not take waits, a draft alone is lost."""
        # In the order of the orders: nothing overtakes what is still to be written.
        if self.broken and (self._unkept or not isinstance(effect, Keep)):
            self._put_off(effect, sqlite3.OperationalError("the disk is known to be broken"))
            return
        try:
            self._write(effect)
        except Ended as error:
            log.warning("outbox=already-ended invitation=%s", error)
            self._already_ended()
            if isinstance(effect, Keep):  # whoever waits for thanks is not left waiting
                self.failed(error)
        except sqlite3.Error as error:
            self._put_off(effect, error)
        except Exception as error:  # tried again it would fail again, and hold up all others
            log.exception("outbox=cannot-keep")
            self.failed(error)

    def _put_off(self, effect: Effect, error: sqlite3.Error) -> None:
        if not isinstance(effect, Keep):
            self._unkept.append(effect)
        self.failed(error)

    def failed(self, error: Exception) -> None:
        """Note that something could not be kept, or read, and tell the session."""
        if self._broken_ms is None:
            log.critical("outbox=cannot-write error=%s", error)
            self._broken_ms = self._now()
        self._post(events.SaveFailed(self._now()))

    def mended(self) -> bool:
        """Look, every now and then, whether a broken disk is well; carry out what has waited.

        True when all of it is done and the session has been told.
        """
        if self._broken_ms is None or self._now() - self._broken_ms < RETRY_DISK_MS:
            return False
        try:
            self._outbox.probe()
        except sqlite3.Error:
            self._broken_ms = self._now()
            return False
        self._broken_ms = None
        log.warning("outbox=writes-again")
        if self._drafts_left:
            self.recover()
        late, self._unkept = self._unkept, []
        for effect in late:
            self.carry_out(effect)
        if self.broken:
            return False
        self._post(events.Recovered(self._now()))
        return True

    def _write(self, effect: Effect) -> None:
        if isinstance(effect, Keep):
            stamp = self.time.stamp(self._boot, effect.draft.tapped_ms)
            name = effect.draft.invitation
            asked, before = self._asked.get(name), self._asked.before(name)
            draft = effect.draft
            build = outcomes.rated(
                draft, self._device, stamp, self.catalogue, asked, asked_before=before
            )
            self._keep(name, build, draft=True, rated=None if asked is None else service(asked))
            self._post(events.Saved(self._now(), effect.draft.revision))
        elif isinstance(effect, Release):
            if effect.draft is not None:
                self._write(Keep(effect.draft))
            self._outbox.release(effect.invitation)
            self._ended(effect.invitation)
        elif isinstance(effect, Discard):
            self._outbox.discard(effect.invitation)
        else:
            stamp = self.time.stamp(self._boot, self._now())
            name = effect.invitation
            asked, before = self._asked.get(name), self._asked.before(name)
            build = outcomes.closed(effect, self._device, stamp, asked, asked_before=before)
            self._keep(effect.invitation, build, draft=False)
            self._ended(effect.invitation)

    def _keep(
        self, invitation: str, build: outcomes.Build, *, draft: bool, rated: str | None = None
    ) -> None:
        self._outbox.keep(
            invitation,
            lambda: identifier(self._wall(), self._rng.getrandbits),
            lambda seq, name: signing.sign(build(seq, name), self._key),
            draft=draft,
            rated=rated,
        )
