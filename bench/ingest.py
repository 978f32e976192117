"""Hub ingest: signed ratings in, until the last receipt is back, beside bare loops.

All of them get the same messages from the same client over the same broker, one after the
other, in every round: the real hub (`pingyi-hub serve`, a fresh database with the open
invitations), the bare loop that only verifies and commits, the same without signatures, and
the same without a disk.
"""

import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from msgspec import Struct

from bench import stand
from bench.children import GROUP
from bench.hall import HALL, hub
from bench.pairs import Alone, Pair
from hub.store import database, invitations, recovery, vault
from hub.store.signet import KEY_FILE
from protocol import signing, topics
from protocol.catalogue import CURRENT, load
from protocol.identifiers import identifier
from protocol.messages import Invitation, Rated, Staff, Stamp, Window
from protocol.topics import Leaf

PER_DEVICE = 20
KINDS = ("hub", "signed", "unsigned", "echo")


class Size(Struct, frozen=True):
    """How much is measured."""

    ratings: int = 5_000
    rounds: int = 7


class _Receipt(msgspec.Struct):
    committed: tuple[str, ...] = ()
    refused: tuple[dict[str, str], ...] = ()


class Prepared(Struct, frozen=True):
    """What is made before any clock starts: keys, invitations in a database, signed ratings."""

    home: Path
    keys: dict[str, Path]
    database: Path
    messages: list[tuple[str, bytes]]
    outcomes: frozenset[str]


class Run(Struct, frozen=True):
    """One run of one kind: ratings a second, and processor seconds for 10,000 ratings."""

    rate: float
    cpu: float


def prepare(home: Path, count: int) -> Prepared:
    """Make `count` invitations at `count / PER_DEVICE` kiosks, and the ratings that answer."""
    names = [f"kiosk-{number:03d}" for number in range(max(1, count // PER_DEVICE))]
    private = {name: signing.generate_key() for name in names}
    (home / "keys").mkdir()
    keys = {name: home / "keys" / f"{name}.pem" for name in names}
    for name, path in keys.items():
        path.write_bytes(
            private[name]
            .public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    file = home / "prepared.db"
    sealing = vault.load_or_create(home / KEY_FILE)
    db = database.connect(file)
    database.migrate(db)
    boot, now = secrets.token_hex(16), time.time_ns() // 1_000_000
    reason = load().reasons(5)[0].code
    messages, outcomes = [], []
    with db.atomic():
        for number in range(count):
            device = names[number % len(names)]
            invitation = Invitation(
                id=identifier(now, secrets.randbits),
                serial=f"BENCH-{number:06d}",
                service_number=1,
                matter="示例事项登记",
                window=Window(name="1号窗口", label="综合受理"),
                staff=Staff(name="示例甲", number="0317"),
                issued_at=now,
                ttl_ms=600_000,
            )
            invitations.issue(db, device, recovery.sealed(sealing, device, invitation))
            rated = Rated(
                id=identifier(now, secrets.randbits),
                device=device,
                seq=number // len(names) + 1,
                invitation=invitation.id,
                stamp=Stamp(boot=boot, mono_ms=5_000_000, offset_ms=now, uncertainty_ms=2),
                level=5,
                reasons=(reason,),
                catalogue=CURRENT,
                elapsed_ms=4_000,
            )
            topic = topics.topic(HALL, device, Leaf.RATING)
            messages.append((topic, signing.sign(rated, private[device])))
            outcomes.append(rated.id)
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return Prepared(home, keys, file, messages, frozenset(outcomes))


def once(kind: str, made: Prepared, port: int, place: Path) -> Run:
    """Run one kind once, in a folder of its own."""
    place.mkdir()
    if kind == "hub":
        (place / "hub").mkdir()
        shutil.copy(made.database, place / "hub" / "hub.db")
        shutil.copy(made.home / KEY_FILE, place / "hub" / KEY_FILE)
        with hub(place, port, made.keys) as running:
            return _flood(made, port, running.pid)
    keys = str(made.home / "keys") if kind == "signed" else ""
    file = "" if kind == "echo" else str(place / "raw.db")
    bare = stand.Child(place / "bare.log", "bench.children", "bare", str(port), keys, file)
    try:
        bare.hear("ready")
        return _flood(made, port, bare.pid)
    finally:
        bare.stop()


def _flood(made: Prepared, port: int, pid: int) -> Run:
    missing = set(made.outcomes)
    complete = threading.Event()
    refused: list[object] = []

    def receipt(_client: object, _userdata: object, message: object) -> None:
        found = msgspec.json.decode(message.payload, type=_Receipt)  # type: ignore[attr-defined]
        refused.extend(found.refused)
        missing.difference_update(found.committed)
        if not missing or refused:
            complete.set()

    client = stand.client(port, "bench-kiosks")
    client.on_message = receipt
    stand.subscribe(client, f"{topics.ROOT}/{HALL}/+/{Leaf.RECEIPT}")
    before = stand.cpu_s(pid)
    start = time.monotonic()
    for topic, jws in made.messages:
        client.publish(topic, jws, qos=1)
    done = complete.wait(stand.LONG_S)
    took = time.monotonic() - start
    used = stand.cpu_s(pid) - before
    client.disconnect()
    client.loop_stop()
    if not done or refused:
        raise stand.BenchError(f"{len(missing)} ratings have no receipt, refused: {refused[:1]}")
    count = len(made.messages)
    return Run(count / took, used * 10_000 / count)


def raw_commits(made: Prepared, file: Path) -> float:
    """Return how many rows a second SQLite takes in groups, with nothing around it."""
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE raw (position INTEGER PRIMARY KEY, body BLOB)")
    rows = [(jws,) for _, jws in made.messages]
    start = time.monotonic()
    for at in range(0, len(rows), GROUP):
        db.execute("BEGIN")
        db.executemany("INSERT INTO raw (body) VALUES (?)", rows[at : at + GROUP])
        db.execute("COMMIT")
    took = time.monotonic() - start
    db.close()
    return len(rows) / took


def measure(home: Path, size: Size) -> Iterator[Pair | Alone]:
    """Measure all kinds in turns; yields the lines of the table."""
    home.mkdir()
    made = prepare(home, size.ratings)
    runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
    raw = []
    with stand.broker(home) as port:
        for number in range(size.rounds):
            for kind in KINDS:
                runs[kind].append(once(kind, made, port, home / f"{kind}-{number}"))
            raw.append(raw_commits(made, home / f"raw-{number}.db"))
    rate = {kind: [run.rate for run in runs[kind]] for kind in KINDS}
    cpu = {kind: [run.cpu for run in runs[kind]] for kind in KINDS}
    size_of = f"{size.ratings:,} signed ratings of {len(made.keys)} kiosks"
    yield Pair(
        what=f"hub ingest: {size_of}, until the last receipt is back",
        peer="bare loop: paho → verify ES256 → group commit (FULL) → receipt; no rules",
        ours=rate["hub"],
        peers=rate["signed"],
        unit="/s",
    )
    yield Pair(
        what="the same, processor time of the hub for 10,000 ratings",
        peer="of the bare loop",
        ours=cpu["hub"],
        peers=cpu["signed"],
        unit="s",
        digits=2,
    )
    yield Pair(
        what="hub ingest",
        peer="the bare loop without signatures",
        ours=rate["hub"],
        peers=rate["unsigned"],
        unit="/s",
    )
    yield Alone("broker and bare client alone (no signature, no disk)", rate["echo"], "/s")
    yield Alone(f"SQLite alone, {GROUP} of the same rows a commit, FULL", raw, "rows/s")
