"""An authority in memory, and an enrolled kiosk under it whose hub's time the test holds."""

import contextlib
import random
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding
from keeper_world import HUB_AHEAD_MS, TURN_MS, kiosk

from device import identity
from device.renewal import Renewing
from protocol import certificates, signing, wire
from protocol.certificates import Purpose
from protocol.enrolment.messages import Terms
from protocol.messages import Certificate, Renewal
from protocol.topics import Leaf

DAY = timedelta(days=1)
NOW = datetime.fromtimestamp(HUB_AHEAD_MS / 1000, UTC)
"""When the kiosk starts, by the hub's time."""

DAY_MS = 86_400_000


def pem(thing):
    return thing.public_bytes(Encoding.PEM).decode()


class Authority:
    """A root and its CA for devices, a year old."""

    def __init__(self):
        born = NOW - 365 * DAY
        root_key, self._key = signing.generate_key(), signing.generate_key()
        self.root = certificates.root(root_key, name="示例", now=born)
        self.ca = certificates.authority(
            self._key.public_key(),
            purpose=Purpose.DEVICE,
            name="示例",
            issuer=self.root,
            issuer_key=root_key,
            now=born,
        )

    def chain(self, key, *, at=NOW, device="k1", hall="h1", days=90):
        own = certificates.issue_device(
            key.public_key(),
            device=device,
            hall=hall,
            issuer=self.ca,
            issuer_key=self._key,
            now=at,
            days=days,
        )
        return pem(own) + pem(self.ca)

    def terms(self, **changes):
        usual = {"device": "k1", "hall": "h1", "host": "hub.example", "port": 8883}
        return Terms(**{**usual, "ca": pem(self.root), **changes})


AUTHORITY = Authority()


class Enrolled:
    """The state directory of a kiosk whose certificate was issued `age` days ago."""

    def __init__(self, state, age):
        self.state = state
        self.key = identity.load_or_create(state / "device-key.pem")
        self.first = AUTHORITY.chain(self.key, at=NOW - age * DAY)
        identity.store(state, self.first, AUTHORITY.terms())

    def renewing(self, line, now):
        found = identity.enrolled(self.state)
        return Renewing(self.state, self.key, found, line, now=now, rng=random.Random(1))

    def next(self, at=NOW, **changes):
        """The chain that the desk would sign now."""
        return AUTHORITY.chain(self.key, at=at, **changes)

    def stored(self):
        """The chain that lies on the disk; raises for anything that is not whole."""
        return identity.enrolled(self.state).certificate.read_text("ascii")

    @contextlib.contextmanager
    def started(self):
        with kiosk(self.state / "outbox.db", self.key, renewing=self.renewing) as world:
            yield world


def leaf_of(chain):
    return pem(identity.leaf(chain))


def turn(world):
    """Let the kiosk do what is due."""
    world.passes(TURN_MS)


def give(world, chain):
    """The hub hands over what the desk has signed."""
    world.tell(Leaf.CERTIFICATE, wire.encode(Certificate(chain=chain)))
    turn(world)


def asked(world):
    """Every request for renewal that was sent, in order."""
    return [
        wire.decode(Renewal, said).request for leaf, said in world.line.said if leaf is Leaf.RENEWAL
    ]
