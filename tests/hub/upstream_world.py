"""A real store, a real stand-in city in its own process, and what happens between them."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import world_file
from cryptography.hazmat.primitives.asymmetric import ec

from hub.rules.case import Applicant, Case, Person
from hub.store import cases, deliveries, invitations
from hub.store.database import connect
from hub.store.vault import Vault
from hub.store.writer import Writer
from hub.upstream.dialects import Plain
from hub.upstream.forwarder import Forwarder
from protocol import signing
from protocol.messages import Invitation, Rated, Staff, Stamp, Window

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_790_000_000_000
KEY = ec.derive_private_key(20_261_123, ec.SECP256R1())  # the same in a child process
BOUND_S = 10.0


def now() -> int:
    return time.time_ns() // 1_000_000


def a_case(serial="SL0001", number=1, **change) -> Case:
    fields = {
        "matter": "示例事项",
        "task_code": "T" * 31,
        "task_type": "01",
        "status": "2",
        "org_code": "ORG1",
        "org_name": "示例局",
        "area_code": "120116",
        "accepted_at": "2026-11-20 09:00:00",
        "service_name": "申报",
        "service_time": "2026-11-20 09:05:00",
        "applicant": Applicant(name="示例甲", certificate_number="ID-JIA", mobile="13000000000"),
        "agent": Person(name="示例乙", certificate_number="ID-YI"),
    }
    return Case(serial=serial, service_number=number, **(fields | change))


def a_rating(seq=1, **change) -> Rated:
    fields = {
        "id": f"{seq:032x}",
        "device": "k1",
        "seq": seq,
        "invitation": f"{seq:032x}",
        "stamp": Stamp(boot="0" * 32, mono_ms=5_000, offset_ms=NOW, uncertainty_ms=20),
        "level": 5,
        "catalogue": "2021.1",
        "elapsed_ms": 1_000,
    }
    return Rated(**(fields | change))


class Hub:
    """The hub's store with its writer, filled as ingest and the API fill it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "hub.db"
        self.vault = Vault(b"k" * 32)
        db = world_file.opened(self.path)
        self.writer = Writer(db)
        self.writer.start()
        self.reader = connect(self.path)
        self._seq = 0

    def case(self, serial="SL0001", number=1, **change) -> None:
        case = a_case(serial, number, **change)
        self.writer.call(lambda db: cases.put(db, self.vault, case, now()))

    def rate(self, serial="SL0001", number=1, **change) -> Rated:
        self._seq += 1
        asked = an_invitation(serial, number, id=f"{self._seq:032x}")
        rated = a_rating(self._seq, **({"asked": asked} | change))
        self.writer.call(lambda db: keep_rating(db, serial, number, rated, now()))
        return rated

    def counts(self) -> deliveries.Counts:
        return deliveries.counts(self.reader)

    def row(self, serial, kind, number=1):
        return self.reader.execute(
            "SELECT state, reason, attempts FROM deliveries "
            "WHERE serial = ? AND service_number = ? AND kind = ?",
            (serial, number, kind),
        ).fetchone()

    def close(self) -> None:
        self.writer.stop()
        self.reader.close()

    def forwarder(self, url, **options) -> Forwarder:
        settings = {
            "verify": verify,
            "base_ms": 20,
            "cap_ms": 100,
            "now": now,
            "random": random.Random(7),
        }
        dialect = options.pop("dialect", None) or Plain(url, timeout_s=options.pop("timeout_s", 5))
        return Forwarder(self.path, self.writer, self.vault, dialect, **(settings | options))

    def forward_until(self, url, condition, **options) -> list[str]:
        """Run a forwarder until the condition holds; return what it reported, in order."""
        events = []

        async def story() -> None:
            forwarder = self.forwarder(
                url, on_event=lambda *what: events.append(what[0]), **options
            )
            forwarder.start()
            try:
                await until(condition)
            finally:
                await forwarder.stop()

        asyncio.run(story())
        return events

    def nothing_waits(self) -> bool:
        return self.counts().waiting == 0


def an_invitation(serial="SL0001", number=1, **change) -> Invitation:
    fields = {
        "id": "f" * 32,
        "serial": serial,
        "service_number": number,
        "matter": "示例事项",
        "window": Window(name="1号窗口"),
        "staff": Staff(name="示例丙"),
        "issued_at": NOW,
        "ttl_ms": 60_000,
    }
    return Invitation(**(fields | change))


def verify(device, jws) -> Rated:
    return signing.verify(jws, device, KEY.public_key())


def keep_rating(db, serial, number, rated, at) -> None:
    """What desk and ingest do when they invite and when they commit a rating."""
    invitations.issue(db, rated.device, an_invitation(serial, number, id=rated.invitation))
    position = db.execute(
        "INSERT INTO ledger (kind, recorded_at, device, invitation, outcome, seq, body) "
        "VALUES ('rated', ?, ?, ?, ?, ?, ?)",
        (at, rated.device, rated.invitation, rated.id, rated.seq, signing.sign(rated, KEY)),
    ).lastrowid
    db.execute(
        "INSERT INTO deliveries (serial, service_number, kind, position, next_at, queued_at) "
        "VALUES (?, ?, 'rating', ?, ?, ?)",
        (serial, number, position, at, at),
    )


def forward_for_ever(folder: str, url: str, **options) -> None:
    """A hub's forwarder as a process of its own, to be killed."""
    hub = Hub(Path(folder))

    async def story() -> None:
        hub.forwarder(url, **options).start()
        await asyncio.Event().wait()

    asyncio.run(story())


async def until(condition) -> None:
    """Wait until a condition holds; fails after a bound."""
    end = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        await asyncio.sleep(0.005)


class City:
    """The stand-in city, a process of its own; `options` of its command."""

    def __init__(self, out: Path, *options) -> None:
        self.out = out
        self._options = options
        self.port = 0
        self._process = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "demo.city", "--port", str(self.port), "--out", self.out]
        command += self._options
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.port = json.loads(self._process.stdout.readline())["port"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, path, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        request = urllib.request.Request(self.url + path, data=body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=BOUND_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def control(self, mode, **options) -> None:
        assert self.post("/control", {"mode": mode, **options})[0] == 200

    def records(self):
        return [json.loads(line) for line in self.out.read_bytes().split(b"\n")[:-1]]

    def kept(self):
        """What was accepted, in order: (serial, service number, kind)."""
        return [
            (r["projectNo"], r["serviceNumber"], "rating" if "satisfaction" in r else "service")
            for r in self.records()
        ]

    def kill(self, number=signal.SIGKILL) -> int:
        self._process.send_signal(number)
        code = self._process.wait(BOUND_S)
        self._process.stdout.close()
        return code

    def close(self) -> None:
        if self._process.poll() is None:
            self.kill(signal.SIGTERM)
