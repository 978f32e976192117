"""A real keeper with a real outbox and key; the test holds the clock and hears what is sent."""

import contextlib
import random
import threading

from session_world import invitation

from device.events import Draft, Keep, Offer
from device.keeper import TICK_S, Keeper
from device.outbox import Outbox
from protocol import signing, wire
from protocol.catalogue import CURRENT
from protocol.messages import Receipt, Settings, Slot, State
from protocol.topics import Leaf

HUB_AHEAD_MS = 1_700_000_000_000
BOOT = "b" * 32
TURN_MS = int(TICK_S * 1000)


def rating(invitation, level=5, **more):
    """The order to keep a draft."""
    draft = Draft(invitation=invitation, level=level, elapsed_ms=2_000, tapped_ms=5_000, **more)
    return Keep(draft)


class Line:
    """A publisher: notes what is said, while it is up, and how often it was to connect anew."""

    def __init__(self):
        self.up = True
        self.said = []
        self.renewed = 0

    def publish(self, leaf, payload, *, retain=False):  # noqa: ARG002 - as the link has it
        if self.up:
            self.said.append((leaf, payload))
        return self.up

    def reconnect(self):
        self.renewed += 1


class World:
    """One kiosk's keeper from start to stop.

    `renewing(line, now)` makes the renewal of a kiosk that is enrolled; `limits` are the
    outbox's. `wall` and `ahead` are the kiosk's own idea of the time and the hub's lead.
    """

    def __init__(self, path, key, *, now=10_000, renewing=None, **limits):
        self.clock = now
        self.wall = 0
        self.ahead = HUB_AHEAD_MS
        self.line = Line()
        self.key = key
        self.events = []
        self.settings = []
        self.portraits = []
        self.outbox = Outbox.open(path, **limits)
        self.keeper = Keeper(
            "k1",
            BOOT,
            self.outbox,
            key,
            self.line,
            now=lambda: self.clock,
            wall=lambda: self.wall,
            rng=random.SystemRandom(),
            software="1",
            renewing=renewing and renewing(self.line, lambda: self.clock),
        )

    def start(self):
        self.keeper.start(
            post=self.events.append,
            settings=self.settings.append,
            portrait=self.portraits.append,
        )
        self.settle()
        return self

    def settle(self):
        """Return when all that was handed in is done, and what time demanded with it."""
        for _ in range(2):  # the tick follows the job in which the time is seen
            done = threading.Event()
            self.keeper._inbox.put(done.set)
            assert done.wait(10)

    def passes(self, ms):
        """Let time go by in the keeper's own steps."""
        end = self.clock + ms
        while self.clock < end:
            self.clock = min(end, self.clock + max(TURN_MS, ms // 20))
            self.settle()

    def connect(self, *, hub=True):
        """The line comes up; with a hub behind it, its time is learnt at once."""
        self.keeper.connected(1)
        self.settle()
        if hub:
            self.receipt()

    def hub_at(self):
        return self.clock + self.ahead

    def receipt(self, *committed, refused=()):
        told = Receipt(
            hub_at=self.hub_at(),
            committed=committed,
            refused=refused,
            boot=BOOT,
            echo_ms=self.clock,
        )
        self.tell(Leaf.RECEIPT, wire.encode(told))

    def settings_of(self, version, resend=None):
        """The hub says how this kiosk is to present itself, and what it wants again."""
        message = Settings(version=version, hall_name="示例大厅", catalogue=CURRENT, resend=resend)
        self.tell(Leaf.SETTINGS, wire.encode(message))

    def slot(self, version, invitation=None, unsettled=(), link=""):
        message = Slot(version=version, invitation=invitation, unsettled=unsettled, link=link)
        self.tell(Leaf.INVITATION, wire.encode(message))

    def tell(self, leaf, payload):
        self.keeper.receive(leaf, payload, False)
        self.settle()

    def orders(self, *effects):
        for effect in effects:
            self.keeper.carry_out(effect)
        self.settle()

    def outcomes(self):
        """Every signed outcome that was sent, in order, repeats included."""
        return [
            signing.verify(payload, "k1", self.key.public_key())
            for leaf, payload in self.line.said
            if leaf is Leaf.RATING
        ]

    def states(self):
        return [wire.decode(State, said) for leaf, said in self.line.said if leaf is Leaf.STATE]

    def happened(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def breaks(self, *, broken=True):
        """The disk takes nothing any more, or takes it again."""
        self.outbox._db.execute(f"PRAGMA query_only = {int(broken)}").fetchall()


@contextlib.contextmanager
def kiosk(path, key, **more):
    """A started world; stopping it is a clean end, like the end of the day."""
    world = World(path, key, **more).start()
    try:
        yield world
    finally:
        world.keeper.stop()


def offered(world):
    return [offer.invitation and offer.invitation.id for offer in world.happened(Offer)]


def live(world, number, **more):
    """An invitation that the hub has issued just now."""
    return invitation(number, issued_at=world.hub_at(), **more)
