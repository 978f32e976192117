"""The ledger verified from its first entry, beside a bare loop over the same signatures.

Each time in a process of its own, so that its memory is its own: once more over a ledger that
is `LONGER` times as long, for what it needs must not grow with the ledger.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from sqlite_utils import Database

from bench import stand
from bench.pairs import Alone, Pair
from hub.kiosks.keys import pem_of
from hub.rules import tree
from hub.rules.checkpoint import Checkpoint, Verifier, sign
from hub.store import database, invitations, keys, ledger, recovery
from hub.store import tree as store
from hub.store.vault import Vault
from hub.verification import report, sources
from protocol import signing
from protocol.catalogue import CURRENT
from protocol.identifiers import identifier
from protocol.messages import Invitation, Rated, Staff, Stamp, Window

DEVICE, ORIGIN, NOW = "kiosk-001", "pingyi/bench", 1_767_664_800_000
STAMP = Stamp(boot="0" * 32, mono_ms=5_000, offset_ms=NOW, uncertainty_ms=2)
LONGER = 10
_SEED = b"b" * 32
SEALING = Vault(b"k" * 32)


class Size(Struct, frozen=True):
    """How much is measured."""

    ratings: int = 10_000
    rounds: int = 5


def prepare(path: Path, count: int) -> tuple[list[bytes], EllipticCurvePublicKey]:
    """Write a ledger of so many invitations and ratings, signed and with a checkpoint."""
    key = signing.generate_key()
    with closing(database.connect(path)) as db:
        database.migrate(db)
        with db.atomic():
            keys.remember(db, DEVICE, pem_of(key.public_key()), NOW)
            made = [_one(db, key, number) for number in range(1, count + 1)]
            while store.grow(db, 2048):
                pass
            size = ledger.size(db)
            root = tree.root(size, store.Nodes(db))
            own = Ed25519PrivateKey.from_private_bytes(_SEED)
            checkpoint = Checkpoint(ORIGIN, size, root)
            store.publish(db, checkpoint, sign(checkpoint, own), NOW)
    return made, key.public_key()


def _one(db: Database, key: EllipticCurvePrivateKey, number: int) -> bytes:
    invitation = Invitation(
        id=identifier(NOW + number, lambda _: number),
        serial=f"BENCH-{number:07d}",
        service_number=1,
        matter="示例事项登记",
        window=Window(name="1号窗口"),
        staff=Staff(name="示例甲", number="0317"),
        issued_at=NOW,
        ttl_ms=60_000,
    )
    invitation = recovery.sealed(SEALING, DEVICE, invitation)
    invitations.issue(db, DEVICE, invitation)
    rated = Rated(
        id=identifier(NOW + number, lambda _: number + (1 << 60)),
        device=DEVICE,
        seq=number,
        invitation=invitation.id,
        stamp=STAMP,
        level=5,
        catalogue=CURRENT,
        elapsed_ms=2_000,
    )
    jws = signing.sign(rated, key)
    ledger.append(
        db,
        ledger.Entry(
            kind="rated",
            recorded_at=NOW,
            device=DEVICE,
            invitation=invitation.id,
            outcome=rated.id,
            seq=number,
            body=jws,
        ),
    )
    invitations.close(db, invitation.id, rated.id, "rated")
    return jws


class Run(Struct, frozen=True):
    """One verification: entries a second, and the most memory that its process had, in MB."""

    rate: float
    memory: float


def once(path: Path) -> Run:
    """Verify a ledger in a process of its own; raises if anything is found, or it fails."""
    command = [sys.executable, "-m", "bench.ledger", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Run(**json.loads(done.stdout))


def main(path: Path) -> None:
    """Verify, and print what it took as JSON."""
    own = Ed25519PrivateKey.from_private_bytes(_SEED)
    by = Verifier(ORIGIN, own.public_key().public_bytes_raw())
    found: list[object] = []
    begun = time.perf_counter()
    with closing(database.connect(path)) as db:
        result = report.verify(sources.live(db, by, SEALING), found.append)
    took = time.perf_counter() - begun
    assert not found
    assert result.checkpoints == 1
    print(json.dumps({"rate": result.entries / took, "memory": stand.peak_mb("self")}))


def measure(home: Path, size: Size) -> Iterator[Pair | Alone]:
    """Verify the same ledger and the same signatures in turns, then a longer ledger."""
    home.mkdir()
    made, key = prepare(home / "hub.db", size.ratings)
    ours, bare = [], []
    for _ in range(size.rounds):
        begun = time.perf_counter()
        for jws in made:
            signing.verify(jws, DEVICE, key)
        bare.append(2 * len(made) / (time.perf_counter() - begun))
        ours.append(once(home / "hub.db"))
    rates = [run.rate for run in ours]
    yield Pair(
        what="ledger verified, entries (every other one a signed rating)",
        peer="a bare loop that only verifies the same signatures",
        ours=rates,
        peers=bare,
        unit="/s",
    )
    prepare(home / "long.db", LONGER * size.ratings)
    long = once(home / "long.db")
    what = f"{2 * LONGER * size.ratings:,} entries verified"
    peer = f"{2 * size.ratings:,} entries"
    yield Pair(what=what, peer=peer, ours=[long.rate], peers=[statistics.median(rates)], unit="/s")
    yield Pair(
        what=f"{what}, most memory of the process",
        peer=peer,
        ours=[long.memory],
        peers=[max(run.memory for run in ours)],
        unit="MB",
    )
    yield Alone("a million entries, at the rate of the longer ledger", [1e6 / long.rate], "s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
