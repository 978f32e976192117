"""A hub's database as it is after an outage: days of cases and ratings that wait for the city."""

import contextlib
import secrets
import time
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from msgspec import Struct
from sqlite_utils import Database

from bench import hall
from hub.kiosks.keys import pem_of
from hub.rules.case import Case
from hub.rules.records import rating_record, service_record
from hub.store import cases, database, deliveries, invitations, ledger, recovery, tree, vault
from hub.store.vault import Vault
from protocol import signing
from protocol.catalogue import CURRENT, load
from protocol.identifiers import identifier
from protocol.messages import Invitation, Rated, Stamp, Window

WINDOWS, EACH = 30, 80
"""A hall: so many windows, and services of each on a day; every one of them is rated."""
SPAN_MS = 7 * 86_400_000
"""Over this time what waits has come in."""
_case = msgspec.json.Decoder(Case)


class Order(Struct, frozen=True):
    """One service as the city gets it: its record, then its rating."""

    service: bytes
    rating: bytes


class Backlog(Struct, frozen=True):
    """What was made: the public keys' files, the keys, and what has to come to the city."""

    public: dict[str, Path]
    private: dict[str, EllipticCurvePrivateKey]
    orders: list[Order]


class Kiosk:
    """Signs the ratings of one kiosk, under numbers without gaps."""

    def __init__(self, name: str, key: EllipticCurvePrivateKey, seq: int = 0) -> None:
        self.name = name
        self._key = key
        self._seq = seq
        self._boot = secrets.token_hex(16)
        self._reason = load().reasons(5)[0].code

    def rate(self, invitation: str, at: int) -> tuple[Rated, bytes]:
        """Rate at `at` (ms since 1970); return the rating, and as it is signed."""
        self._seq += 1
        rated = Rated(
            id=identifier(at, secrets.randbits),
            device=self.name,
            seq=self._seq,
            invitation=invitation,
            stamp=Stamp(boot=self._boot, mono_ms=5_000, offset_ms=at - 5_000, uncertainty_ms=2),
            level=5,
            reasons=(self._reason,),
            catalogue=CURRENT,
            elapsed_ms=4_000,
        )
        return rated, signing.sign(rated, self._key)


def fill(home: Path, services: int) -> Backlog:
    """Make `home/hub` with so many services that were rated, and wait with their ratings."""
    private = {f"kiosk-{number:02d}": signing.generate_key() for number in range(1, WINDOWS + 1)}
    (home / "keys").mkdir(parents=True)
    public = {name: home / "keys" / f"{name}.pem" for name in private}
    for name, path in public.items():
        path.write_bytes(pem_of(private[name].public_key()))
    state = home / "hub"
    state.mkdir()
    sealing = vault.load_or_create(state / "citizens.key")
    kiosks = [Kiosk(name, key) for name, key in private.items()]
    now = time.time_ns() // 1_000_000
    step = SPAN_MS // services
    with contextlib.closing(database.connect(state / "hub.db")) as db:
        database.migrate(db)
        with db.atomic():
            orders = [
                _enter(db, sealing, kiosks[number % WINDOWS], number, now - number * step)
                for number in range(services, 0, -1)
            ]
            while tree.grow(db, 2048):
                pass
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Backlog(public, private, orders)


def _enter(db: Database, sealing: Vault, kiosk: Kiosk, number: int, at: int) -> Order:
    """Enter a service that was invited for and rated at `at`, as desk and ingest do."""
    fields = hall.CASE | {"serial": f"DRAIN-{number:07d}", "service_number": 1}
    case = _case.decode(msgspec.json.encode(fields))
    cases.put(db, sealing, case, at)
    invitation = Invitation(
        id=identifier(at, secrets.randbits),
        serial=case.serial,
        service_number=1,
        matter=case.matter,
        window=Window(name=hall.WINDOW, label="综合受理"),
        staff=hall.CLERK,
        issued_at=at,
        ttl_ms=60_000,
    )
    invitation = recovery.sealed(sealing, kiosk.name, invitation)
    invitations.issue(db, kiosk.name, invitation)
    rated, jws = kiosk.rate(invitation.id, at)
    entry = ledger.Entry(
        kind="rated",
        recorded_at=at,
        device=kiosk.name,
        invitation=invitation.id,
        outcome=rated.id,
        seq=rated.seq,
        body=jws,
    )
    position = ledger.append(db, entry)
    invitations.close(db, invitation.id, rated.id, "rated")
    deliveries.queue(db, "rating", (case.serial, 1), position, at)
    return Order(
        msgspec.json.encode(service_record(case)),
        msgspec.json.encode(rating_record(case, invitation, rated, at)),
    )
