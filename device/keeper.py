"""The kiosk's one thread for disk and wire: keeps what the session orders, tells the hub.

The screen's thread and the link's thread only hand things in; what comes back for the screen
goes through `post`, which the composition root leads to the screen's own thread.
"""

import logging
import queue
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from device import events, outcomes
from device.events import Close, Discard, Effect, Keep, Release
from device.outbox import Ended, Outbox
from device.sender import Publisher, Sender
from device.timekeeping import HubTime
from protocol import signing, wire
from protocol.catalogue import CURRENT
from protocol.errors import ProtocolError, TopicError
from protocol.identifiers import identifier
from protocol.messages import Receipt, Settings, Shown, Slot, State
from protocol.topics import Leaf

log = logging.getLogger(__name__)

HEARTBEAT_MS = 15_000
ANSWER_MS = 40_000
RETRY_DISK_MS = 3_000
TICK_S = 0.25


class Keeper:
    """Owns outbox and key. `now` is monotonic, `wall` since 1970 and maybe wrong, both in ms."""

    def __init__(
        self,
        device: str,
        boot: str,
        outbox: Outbox,
        key: EllipticCurvePrivateKey,
        link: Publisher,
        *,
        now: Callable[[], int],
        wall: Callable[[], int],
        rng: random.Random,
        software: str = "",
    ) -> None:
        self._device = device
        self._boot = boot
        self._outbox = outbox
        self._key = key
        self._link = link
        self._now = now
        self._wall = wall
        self._rng = rng
        self._software = software
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._post: Callable[[events.Event], None] = lambda _: None
        self._settings_changed: Callable[[Settings], None] = lambda _: None
        self._connection = 0
        self._connected = False
        self._heard_ms: int | None = None
        self._beat_ms = 0
        self._time = HubTime()
        self._catalogue = CURRENT
        self._settings_version = -1
        self._slot: Slot | None = None
        self._offered: set[str] = set()
        self._sender = Sender(outbox, link, now)
        self._unkept: list[Close | Release | Discard] = []
        self._broken_ms: int | None = None
        self._drafts_left = False
        self._ticked_ms = 0
        self._screen = "starting"
        self.refused: Counter[str] = Counter()

    # ------------------------------------------------------------ from other threads

    def start(
        self,
        *,
        post: Callable[[events.Event], None],
        settings: Callable[[Settings], None],
    ) -> None:
        """Release what a power cut left as drafts, then start the thread."""
        self._post, self._settings_changed = post, settings
        self._inbox.put(self._recover)
        self._thread.start()

    def stop(self) -> None:
        """Do what was handed in before, then end and close the outbox."""
        if not self._thread.is_alive():  # never started: the screen could not be built
            self._outbox.close()
            return
        self._inbox.put(None)
        self._thread.join(timeout=10)

    def carry_out(self, effect: Effect) -> None:
        """Take an effect of the session."""
        self._inbox.put(lambda: self._carry_out(effect))

    def shown(self, invitation: str, at_ms: int) -> None:
        """Note that the screen really shows an invitation since `at_ms`."""
        self._inbox.put(lambda: self._shown(invitation, at_ms))

    def screen(self, name: str) -> None:
        """Note which screen is shown, for the state that the hub gets."""
        self._screen = name

    def connected(self, connection: int) -> None:
        """The link is up."""
        self._inbox.put(lambda: self._on_connected(connection))

    def lost(self) -> None:
        """The link is down."""
        self._inbox.put(self._on_lost)

    def receive(self, leaf: Leaf, payload: bytes, retained: bool) -> None:
        """Take a message of the hub."""
        del retained  # what it means is decided by versions and by the hub's time
        self._inbox.put(lambda: self._on_message(leaf, payload))

    @property
    def hub_is_there(self) -> bool:
        """Whether the hub itself, not only a broker, has answered lately."""
        heard = self._heard_ms
        return self._connected and heard is not None and self._now() - heard < ANSWER_MS

    @property
    def hub_time(self) -> HubTime:
        """What is known of the hub's time."""
        return self._time

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        while True:
            try:
                job = self._inbox.get(timeout=TICK_S)
            except queue.Empty:
                job = self._tick
            if job is None:
                break
            self._do(job)
            if self._now() - self._ticked_ms >= TICK_S * 1000:  # also when the inbox never empties
                self._do(self._tick)
        self._outbox.close()

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # the thread has to live
            log.exception("keeper=failed")

    def _recover(self) -> None:
        try:
            count = self._outbox.release_all()
        except sqlite3.Error as error:
            self._drafts_left = True
            self._on_broken(error)
            return
        self._drafts_left = False
        if count:
            log.warning("outbox=released-drafts count=%d cause=interrupted", count)

    def _tick(self) -> None:
        now = self._ticked_ms = self._now()
        if self._broken_ms is not None and now - self._broken_ms >= RETRY_DISK_MS:
            self._mend()
        if self._connected and now - self._beat_ms >= HEARTBEAT_MS:
            self._beat()
        self._sender.tick()
        self._send()

    # ------------------------------------------------------------ the session's orders

    def _carry_out(self, effect: Effect) -> None:
        try:
            # In the order of the orders: nothing overtakes what is still to be written.
            if self._broken_ms is not None and (self._unkept or not isinstance(effect, Keep)):
                raise sqlite3.OperationalError("the disk is known to be broken")
            self._write(effect)
        except Ended as error:
            log.warning("outbox=already-ended invitation=%s", error)
            self.refused["already_ended"] += 1
        except sqlite3.Error as error:
            if not isinstance(effect, Keep):
                self._unkept.append(effect)
            self._on_broken(error)

    def _on_broken(self, error: sqlite3.Error) -> None:
        if self._broken_ms is None:
            log.critical("outbox=cannot-write error=%s", error)
        self._broken_ms = self._now()
        self._post(events.SaveFailed(self._now()))

    def _write(self, effect: Effect) -> None:
        if isinstance(effect, Keep):
            stamp = self._time.stamp(self._boot, effect.draft.tapped_ms)
            build = outcomes.rated(effect.draft, self._device, stamp, self._catalogue)
            self._keep(effect.draft.invitation, build, draft=True)
            self._post(events.Saved(self._now(), effect.draft.revision))
        elif isinstance(effect, Release):
            self._outbox.release(effect.invitation)
            self._offered.discard(effect.invitation)
            self._send()
        elif isinstance(effect, Discard):
            self._outbox.discard(effect.invitation)
        else:
            stamp = self._time.stamp(self._boot, self._now())
            build = outcomes.closed(effect, self._device, stamp)
            self._keep(effect.invitation, build, draft=False)
            self._offered.discard(effect.invitation)
            self._send()

    def _keep(self, invitation: str, build: outcomes.Build, *, draft: bool) -> None:
        self._outbox.keep(
            invitation,
            lambda: identifier(self._wall(), self._rng.getrandbits),
            lambda seq, name: signing.sign(build(seq, name), self._key),
            draft=draft,
        )

    def _mend(self) -> None:
        try:
            self._outbox.probe()
        except sqlite3.Error:
            self._broken_ms = self._now()
            return
        self._broken_ms = None
        log.warning("outbox=writes-again")
        if self._drafts_left:
            self._recover()
        late, self._unkept = self._unkept, []
        for effect in late:
            self._carry_out(effect)
        if self._broken_ms is None:
            self._post(events.Recovered(self._now()))
            self._place()

    # ------------------------------------------------------------ the hub

    def _on_connected(self, connection: int) -> None:
        self._connection = connection
        self._connected = True
        self._sender.begin()
        self._beat()
        self._send()

    def _on_lost(self) -> None:
        self._connected = False

    def _beat(self) -> None:
        self._beat_ms = self._now()
        state = State(
            boot=self._boot,
            connection=self._connection,
            online=True,
            mono_ms=self._beat_ms,
            screen=self._screen,
            outbox=self._outbox.depth(),
            refused=sum(self.refused.values()),
            software=self._software,
        )
        self._link.publish(Leaf.STATE, wire.encode(state), retain=True)

    def _shown(self, invitation: str, at_ms: int) -> None:
        stamp = self._time.stamp(self._boot, at_ms)
        self._link.publish(Leaf.SHOWN, wire.encode(Shown(invitation=invitation, stamp=stamp)))

    def _send(self) -> None:
        if self._connected:
            self._sender.send()

    def _on_message(self, leaf: Leaf, payload: bytes) -> None:
        try:
            if leaf is Leaf.RECEIPT:
                self._on_receipt(wire.decode(Receipt, payload))
            elif leaf is Leaf.INVITATION:
                self._on_slot(wire.decode(Slot, payload))
            elif leaf is Leaf.SETTINGS:
                self._on_settings(wire.decode(Settings, payload))
            else:
                raise TopicError(f"nothing is understood on {leaf}")
        except ProtocolError as error:
            self.refused[error.cause] += 1
            if self.refused[error.cause] == 1:
                log.warning("refused=%s leaf=%s bytes=%d", error.cause, leaf, len(payload))

    def _on_receipt(self, receipt: Receipt) -> None:
        now = self._now()
        self._heard_ms = now
        if receipt.boot == self._boot and receipt.echo_ms is not None:
            first = self._time.offset_ms is None
            self._time = self._time.learn(receipt.echo_ms, receipt.hub_at, now)
            if first:
                self._place()
        for refusal in receipt.refused:
            self.refused[f"hub_{refusal.reason}"] += 1
            log.warning("outcome=refused-by-hub id=%s reason=%s", refusal.id, refusal.reason)
        answered = (*receipt.committed, *(refusal.id for refusal in receipt.refused))
        if answered:
            try:
                self._sender.answered(answered)
            except sqlite3.Error as error:
                self._on_broken(error)
                return
            self._send()

    def _on_settings(self, settings: Settings) -> None:
        if settings.version < self._settings_version:
            return
        self._settings_version = settings.version
        self._catalogue = settings.catalogue
        self._settings_changed(settings)

    def _on_slot(self, slot: Slot) -> None:
        if self._slot is not None and slot.version < self._slot.version:
            self.refused["old_slot"] += 1
            return
        self._slot = slot
        self._place()

    def _place(self) -> None:
        """Lead the session to what the hub wants shown, and answer for what never was."""
        slot = self._slot
        if slot is None or self._time.offset_ms is None or self._broken_ms is not None:
            return  # without the hub's time an old invitation cannot be told from a new one
        for name in slot.unsettled:
            if name not in self._offered and not self._outbox.ended(name):
                self._carry_out(Close(name, kind="withdrawn", reason="never_shown"))
        invitation = slot.invitation
        now = self._now()
        if invitation is not None and invitation.id not in self._offered:
            left = invitation.issued_at + invitation.ttl_ms - (self._time.at(now) or 0)
            if self._outbox.ended(invitation.id):
                invitation = None
            elif left <= 0:
                self._carry_out(Close(invitation.id, kind="withdrawn", reason="never_shown"))
                invitation = None
            else:
                self._offered.add(invitation.id)
                ttl = min(left, invitation.ttl_ms)
                self._post(events.Offer(now, invitation, ttl))
                return
        if invitation is None:
            self._post(events.Offer(now, None))
