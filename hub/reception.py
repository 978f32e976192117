"""Where the messages of the kiosks come in: each is led to who deals with it, or refused."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from sqlite_utils import Database

from hub.ingest import UNKNOWN_DEVICE, Ingest
from hub.kiosks.guard import Guard
from hub.kiosks.keys import pem_of
from hub.kiosks.presence import Presence
from hub.kiosks.renewal import Renewals
from hub.kiosks.roster import Roster, key_of
from hub.rules.access import HUB
from hub.store import audit, certificates, revocations
from hub.store.certificates import Held
from hub.store.keys import remember
from hub.store.writer import Busy, Stopped, Writer
from protocol import wire
from protocol.errors import ProtocolError
from protocol.messages import Receipt, State
from protocol.topics import Leaf

log = logging.getLogger(__name__)

HELD = 200
"""Messages of one device that wait while its certificate is being kept: a few milliseconds."""

REVOKED = "revoked"
"""The cause of refusal of whatever a revoked device signs."""


class Reception:
    """Takes what the link receives, in the link's thread.

    `acknowledge(device, receipt)` answers a heartbeat; `arrived(device)` is told of each new
    connection of a kiosk; `learnt(device, key)` of a key that its certificate has brought.
    """

    def __init__(
        self,
        *,
        writer: Writer,
        roster: Roster,
        guard: Guard,
        presence: Presence,
        ingest: Ingest,
        renewals: Renewals,
        now: Callable[[], int],
        acknowledge: Callable[[str, Receipt], None],
        arrived: Callable[[str], None],
        learnt: Callable[[str, EllipticCurvePublicKey], None],
    ) -> None:
        self._writer = writer
        self._roster = roster
        self._guard = guard
        self._presence = presence
        self._ingest = ingest
        self._renewals = renewals
        self._now = now
        self._acknowledge = acknowledge
        self._arrived = arrived
        self._learnt = learnt
        self._lock = threading.Lock()
        self._learning: dict[str, list[tuple[Leaf, bytes, bool]]] = {}
        """What devices have said since the certificate that is being kept."""

    def receive(self, device: str, leaf: Leaf, payload: bytes, retained: bool) -> None:
        """Take one message; what follows a certificate waits until that is kept."""
        with self._lock:
            held = self._learning.get(device)
            if held is not None and len(held) < HELD:
                held.append((leaf, payload, retained))
                return
        self._lead(device, leaf, payload, retained)

    def _lead(self, device: str, leaf: Leaf, payload: bytes, retained: bool) -> None:
        """Lead a message to who deals with it, or refuse it."""
        if leaf is Leaf.STATE:
            if not retained:  # what was once so says nothing of now
                self._state(device, payload)
        elif device not in self._roster:
            self._ingest.refuse(device, UNKNOWN_DEVICE, payload)
        elif self._guard.revoked(device):
            self._guard.heard(device)
            if leaf in (Leaf.RATING, Leaf.RENEWAL):
                self._ingest.refuse(device, REVOKED, payload)
        elif leaf is Leaf.RATING:
            self._ingest.outcome(device, payload)
        elif leaf is Leaf.SHOWN:
            self._ingest.shown(device, payload)
        elif leaf is Leaf.RENEWAL:
            try:
                self._renewals.asked(device, self._roster[device], payload)
            except ProtocolError as error:
                self._ingest.refuse(device, error.cause, payload)

    def _state(self, device: str, payload: bytes) -> None:
        """Answer a heartbeat with the hub's time; tell a new connection everything."""
        try:
            state = wire.decode(State, payload)
            if state.certificate is not None and self._learn(device, state.certificate, payload):
                return
        except ProtocolError as error:
            self._ingest.refuse(device, error.cause, payload)
            return
        if device not in self._roster:
            self._ingest.refuse(device, UNKNOWN_DEVICE, payload)
        elif self._guard.revoked(device):
            self._guard.heard(device)
        else:
            self._heard(device, state)

    def _heard(self, device: str, state: State) -> None:
        away = not self._presence.online(device)
        new = self._presence.note(device, state)
        if state.online:
            self._acknowledge(
                device, Receipt(hub_at=self._now(), boot=state.boot, echo_ms=state.mono_ms)
            )
            if state.resent is not None:
                self._ingest.resent(device, state.resent)
        if new or (away and self._presence.online(device)):  # a code is not kept for who is away
            log.info("kiosk=here device=%s connection=%d", device, state.connection)
            self._arrived(device)

    def _learn(self, device: str, pem: str, payload: bytes) -> bool:
        """Know a kiosk by its certificate; True if it is being kept, and heard after that."""
        if self._roster.knows(device, pem):
            return False
        held = self._roster.judge(device, pem, self._now())
        if held is None:
            return False

        with self._lock:
            self._learning[device] = []
        try:
            self._writer.submit(
                lambda db: self._keep(db, held), lambda done: self._kept(held, payload, done)
            )
        except (Busy, Stopped):
            with self._lock:
                del self._learning[device]
            return False
        return True

    def _keep(self, db: Database, held: Held) -> bool:
        """Keep a certificate, unless its key is revoked."""
        device, key = held.device, key_of(held)
        if (device, revocations.digest(key)) in revocations.current(db):
            return False
        certificates.keep(db, held)
        certificates.fulfilled(db, device)
        remember(db, device, pem_of(key), self._now(), held.pem)
        detail = {"until": held.not_after}
        audit.note(db, self._now(), HUB.name, "learn_device", device, detail=detail)
        return True

    def _kept(self, held: Held, payload: bytes, done: "Future[bool]") -> None:
        """Go on with what the device has said since; without a commit it says it all again."""
        device = held.device
        known = done.exception() is None and done.result()
        if known:
            self._learnt(device, self._roster.add(held))
            log.info("device=known name=%s until=%d", device, held.not_after)
            self._renewals.fulfilled(device)
        elif done.exception() is None:
            self._ingest.refuse(device, REVOKED, payload)
        with self._lock:
            waiting = self._learning.pop(device, [])
        if known:
            for message in ((Leaf.STATE, payload, False), *waiting):
                self.receive(device, *message)
