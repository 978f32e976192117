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

from device import events
from device.asked import Asked
from device.events import Effect
from device.hearing import ANSWER_MS, Hearing
from device.offers import Offers
from device.orders import Orders
from device.outbox import Full, Outbox
from device.renewal import Renewing
from device.resending import Resending
from device.sender import Publisher, Sender
from device.state import Screen
from device.timekeeping import HubTime
from protocol import wire
from protocol.errors import ProtocolError
from protocol.messages import Portrait, Settings, Shown, State
from protocol.topics import Leaf

log = logging.getLogger(__name__)

__all__ = ["ANSWER_MS", "HEARTBEAT_MS", "STORAGE_MS", "TIDY_MS", "Keeper"]

HEARTBEAT_MS = 15_000
TICK_S = 0.25

STORAGE_MS = 5_000
"""How often it is looked whether there is place for more outcomes."""

TIDY_MS = 3_600_000
"""How often the archive is tidied, and how long after the start at first.

By then a hub that has lost its disk, and may have a wrong clock, has asked for what it lacks.
"""

WITH_A_CITIZEN = frozenset({Screen.INVITED, Screen.SAVING, Screen.THANKS, Screen.ENDING})


class Keeper:
    """Owns outbox and key. `now` is monotonic, `wall` since 1970 and maybe wrong, both in ms.

    `renewing` is an enrolled kiosk's.
    """

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
        renewing: Renewing | None = None,
    ) -> None:
        self._boot = boot
        self._outbox = outbox
        self._link = link
        self._now = now
        self._asked = Asked()
        self._resending = Resending(outbox, self._asked)
        self._orders = Orders(
            device,
            boot,
            outbox,
            key,
            now=now,
            wall=wall,
            rng=rng,
            asked=self._asked,
            post=self._tell,
            ended=self._on_ended,
            already_ended=lambda: self.refused.update(("already_ended",)),
        )
        self._offers = Offers(outbox, self._orders, self._asked, post=self._tell, now=now)
        self._software = software
        self._renewing = renewing
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._post: Callable[[events.Event], None] = lambda _: None
        self._connection = 0
        self._connected = False
        self._beat_ms = 0
        self._tidied_ms = now()
        self._looked_ms = now()
        self._sender = Sender(outbox, link, now)
        self._ticked_ms = 0
        self._screen = "starting"
        self.refused: Counter[str] = Counter()
        self._hearing = Hearing(
            boot,
            orders=self._orders,
            offers=self._offers,
            resending=self._resending,
            sender=self._sender,
            renewing=renewing,
            refused=self.refused,
            now=now,
        )

    # ------------------------------------------------------------ from other threads

    def start(
        self,
        *,
        post: Callable[[events.Event], None],
        settings: Callable[[Settings], None],
        portrait: Callable[[Portrait | None], None] = lambda _: None,
    ) -> None:
        """Release what a power cut left as drafts, then start the thread.

        `portrait` gets the photograph of the clerk, None when there is none any more.
        """
        self._post = post
        self._hearing.settings, self._hearing.portrait = settings, portrait
        self._inbox.put(self._orders.recover)
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
        self._inbox.put(lambda: self._orders.carry_out(effect))

    def shown(self, invitation: str, at_ms: int) -> None:
        """Note that the screen really shows an invitation since `at_ms`."""
        self._inbox.put(lambda: self._shown(invitation, at_ms))

    def screen(self, name: str) -> None:
        """Note which screen is shown, for the state that the hub gets."""
        self._screen = name

    def refuse(self, cause: str, count: int = 1) -> None:
        """Count what was refused elsewhere, for the same state."""
        self._inbox.put(lambda: self.refused.update({cause: count}))

    def answer(self, alive: Callable[[], None]) -> None:
        """Call `alive` in the keeper's thread when what was handed in before is done."""
        self._inbox.put(alive)

    def connected(self, connection: int) -> None:
        """The link is up."""
        self._inbox.put(lambda: self._on_connected(connection))

    def lost(self) -> None:
        """The link is down."""
        self._inbox.put(self._on_lost)

    def receive(self, leaf: Leaf, payload: bytes, retained: bool) -> None:
        """Take a message of the hub."""
        del retained  # what it means is decided by versions and by the hub's time
        self._inbox.put(lambda: self._hearing.take(leaf, payload))

    @property
    def hub_is_there(self) -> bool:
        """Whether the hub itself, not only a broker, has answered lately."""
        return self._connected and self._hearing.lately

    @property
    def hub_time(self) -> HubTime:
        """What is known of the hub's time."""
        return self._orders.time

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
        except sqlite3.Error as error:  # also one of a disk that was only to be read
            if not self._orders.broken:
                self._orders.failed(error)
        except Exception:  # the thread has to live
            log.exception("keeper=failed")

    def _tick(self) -> None:
        now = self._ticked_ms = self._now()
        if self._orders.mended():
            self._offers.place()
        if self._connected and (self._resending.news or now - self._beat_ms >= HEARTBEAT_MS):
            self._beat()
        self._sender.tick()
        self._look_after_storage(now)
        self._send()
        self._renew()

    def _look_after_storage(self, now: int) -> None:
        """Stop asking before there is no place for an answer; keep the archive short."""
        if self._orders.broken:
            return
        try:
            self._resending.say_again()
            at = self.hub_time.at(now)
            if now - self._tidied_ms >= TIDY_MS and at is not None:
                self._tidied_ms = now
                self._outbox.tidy(at)
        except sqlite3.Error as error:
            self._orders.failed(error)
            return
        if now - self._looked_ms >= STORAGE_MS and self._screen not in WITH_A_CITIZEN:
            self._looked_ms = now
            if self._outbox.storage() == "full":
                self._orders.failed(Full("no place for outcomes"))

    # ------------------------------------------------------------ the hub

    def _on_connected(self, connection: int) -> None:
        self._connection = connection
        self._connected = True
        self._sender.begin()
        if self._renewing is not None:
            self._renewing.begin()
        self._beat(birth=True)
        self._send()

    def _on_lost(self) -> None:
        self._connected = False

    def _tell(self, event: events.Event) -> None:
        self._post(event)  # which is known only from `start` on

    def _on_ended(self, invitation: str) -> None:
        self._asked.forget(invitation)
        self._send()

    def _beat(self, *, birth: bool = False) -> None:
        self._beat_ms = self._now()
        certificate = None
        # Also while no hub answers: the one that was down at birth has not heard it.
        if self._renewing is not None and (birth or not self.hub_is_there):
            certificate = self._renewing.certificate
        state = State(
            boot=self._boot,
            connection=self._connection,
            online=True,
            mono_ms=self._beat_ms,
            screen=self._screen,
            outbox=self._outbox.depth(),
            refused=sum(self.refused.values()),
            software=self._software,
            certificate=certificate,
            storage=self._outbox.storage(),
            resent=self._resending.tell(),
        )
        self._link.publish(Leaf.STATE, wire.encode(state), retain=True)

    def _shown(self, invitation: str, at_ms: int) -> None:
        self._asked.shown(invitation)
        stamp = self.hub_time.stamp(self._boot, at_ms)
        self._link.publish(Leaf.SHOWN, wire.encode(Shown(invitation=invitation, stamp=stamp)))

    def _send(self) -> None:
        if self._connected:
            self._sender.send()

    def _renew(self) -> None:
        """Let the renewal do what is due; a new connection only when nobody would notice."""
        if self._renewing is None or not self._connected:
            return
        quiet = (
            self._screen not in WITH_A_CITIZEN
            and self._offers.nothing_wanted
            and not self._orders.waiting
            and self._sender.quiet
        )
        try:
            self._renewing.tick(self.hub_time.at(self._now()), quiet=quiet)
        except ProtocolError as error:
            self._hearing.reject(error, Leaf.CERTIFICATE)
