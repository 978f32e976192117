"""The hub's front without its wires: roster, reception, renewals and guard on a real file."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from tls_world import HALL, Papers, now
from world_counter import CounterWorld
from world_hall import SEATS, bind

from hub.config import WindowConfig
from hub.counter.windows import Windows
from hub.ingest import Ingest
from hub.kiosks.guard import Guard
from hub.kiosks.guard import Papers as Watched
from hub.kiosks.keys import remembered
from hub.kiosks.presence import Presence
from hub.kiosks.renewal import Renewals
from hub.kiosks.roster import Roster
from hub.reception import Reception
from hub.store import certificates
from protocol import certificates as x509
from protocol import signing, wire
from protocol.messages import Renewal, State
from protocol.topics import Leaf

BOOT = "a" * 32
DAY_MS = 86_400_000


def text(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def request(key, device):
    """A new PKCS #10 request; no two are the same bytes."""
    return text(x509.request(key, device))


class Front(CounterWorld):
    """One start of a hub in `folder`; a second one there is the same hub started again."""

    turns = 4  # reception hands on what the others commit

    def __init__(self, folder: Path, papers: Papers | None, configured=None) -> None:
        super().__init__(folder, int(now().timestamp() * 1000))
        self.dismissed = []
        self.learnt = {}
        device_ca = text(papers.device_ca) if papers else None
        self.roster = Roster(HALL, configured or {}, certificates.of_all(self.db), device_ca)
        self.past_keys = remembered(self.db, self.roster, self.now)
        with self.db.atomic():
            bind(self.db, SEATS, self.now)
        self.presence = Presence(self.clock)
        self.guard = Guard(
            self.path,
            self.roster,
            Watched(),
            dismiss=self.dismissed.append,
            kick=None,
            now=lambda: datetime.fromtimestamp(self.now / 1000, UTC),
        )
        windows = Windows([WindowConfig(name=window) for window in SEATS])
        self.open_counter("示例大厅", windows, self.roster, self.presence.online)
        self.renewals = Renewals(self.writer, self.roster, now=self.clock, publish=self._publish)
        self.ingest = Ingest(
            self.writer,
            self.roster,
            now=self.clock,
            acknowledge=self._acknowledge,
            settled=lambda _: None,
        )
        self.reception = Reception(
            writer=self.writer,
            roster=self.roster,
            guard=self.guard,
            presence=self.presence,
            ingest=self.ingest,
            renewals=self.renewals,
            now=self.clock,
            acknowledge=self._acknowledge,
            arrived=lambda device: self.board.refresh([device]),
            learnt=self.learnt.__setitem__,
        )
        self.writer.start()
        self.guard.look()

    def beat(self, device, certificate=None, *, connection=1, mono_ms=1):
        """Say what a kiosk says when it has connected."""
        state = State(
            boot=BOOT,
            connection=connection,
            online=True,
            mono_ms=mono_ms,
            certificate=certificate and text(certificate),
        )
        self.receive(device, Leaf.STATE, wire.encode(state))

    def receive(self, device, leaf, payload):
        self.reception.receive(device, leaf, payload, retained=False)
        self.quiet()

    def renew(self, device, key):
        self.receive(device, Leaf.RENEWAL, wire.encode(Renewal(request=request(key, device))))

    def rate(self, outcome, key):
        self.receive(outcome.device, Leaf.RATING, signing.sign(outcome, key))

    def refused(self):
        """How often each device was refused, by cause."""
        return {
            (device, cause): n
            for device, cause, n in self.rows("SELECT device, cause, times FROM refusals")
        }

    def acts(self):
        return self.rows("SELECT actor, action, target, allowed FROM audit ORDER BY position")
