"""A real hub behind its real HTTP interface, on a free loopback port."""

import contextlib
import json
import secrets
from pathlib import Path
from urllib.parse import quote

import world_file
import world_http
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from world_hall import bind

from hub.config import WindowConfig
from hub.counter.bindings import Bindings
from hub.counter.desk import Desk
from hub.counter.pairing import Codes
from hub.counter.windows import Windows
from hub.feed import Feeds
from hub.kiosks.renewal import Renewals
from hub.kiosks.roster import Roster
from hub.rules.access import KEY_SCOPES
from hub.rules.checkpoint import Verifier
from hub.rulings import Rulings
from hub.store import api_keys
from hub.store.vault import Vault
from hub.store.writer import Writer
from hub.web import app, auth
from hub.web.ledger import PublicLedger
from hub.web.values import Health
from protocol import signing
from protocol.messages import Staff

KIOSK_KEY = signing.generate_key()
LEDGER_KEY = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LEDGER = Verifier("pingyi/demo", LEDGER_KEY.public_key().public_bytes_raw())
CITIZEN = "示例办事人"
CERTIFICATE = "120000190001010000"
CASE = {
    "matter": "示例事项",
    "task_code": "1" * 31,
    "task_type": "01",
    "status": "2",
    "org_code": "示例编码",
    "org_name": "示例局",
    "area_code": "120000",
    "accepted_at": "2026-01-31 09:30:00",
    "service_name": "申报",
    "service_time": "2026-01-31 09:30:00",
    "applicant": {"name": CITIZEN, "certificate_number": CERTIFICATE},
}
WINDOW = "1号窗口"
EMPTY_WINDOW = "2号窗口"
WINDOWS = (
    WindowConfig(name=WINDOW),
    WindowConfig(name=EMPTY_WINDOW),
)
SEATS = {WINDOW: ("k1", Staff(name="示例甲")), EMPTY_WINDOW: ("k2", None)}


def case_path(serial="津示例0001", number=1):
    return f"/api/v1/cases/{quote(serial, safe='')}/{number}"


def window_path(rest, window=WINDOW):
    return f"/api/v1/windows/{quote(window)}/{rest}"


class Answer(world_http.Answer):
    """An answer as a window system has it."""

    @property
    def body(self):
        return json.loads(self.text)

    @property
    def kind(self):
        """The kind of problem, after checking that it is a whole RFC 9457 one."""
        assert self.headers["Content-Type"] == "application/problem+json"
        body = self.body
        assert body["status"] == self.status
        assert body["title"]
        assert body["detail"]
        return body["type"].removeprefix("urn:pingyi:problem:")

    @property
    def faults(self):
        return {bad["field"]: bad["message"] for bad in self.body["errors"]}


class Hall:
    """What a test holds in hand: the writer, the clock, and a window system's client."""

    def __init__(self, base: Path, limit: int, device_ca: str | None):
        self.base = base
        self.now = 1_700_000_000_000
        self.changed = []
        self.online = set()
        self.health = Health(ready=True)
        self.broken = False
        self.roster = Roster("demo", {}, {}, device_ca)
        self.published = []
        db = world_file.opened(base / "hub.db")
        with db.atomic():
            bind(db, SEATS, self.now)
            _, self.key = api_keys.create(db, "示例系统", KEY_SCOPES, self.now)
        self.writer = Writer(db, limit=limit)
        self.port = 0

    def presence(self, device):
        if self.broken:
            raise RuntimeError(f"示例故障：{CITIZEN}")
        return device in self.online

    def app(self):
        windows = Windows(WINDOWS)
        self.codes = Codes(now=lambda: self.now, random_below=secrets.randbelow)
        rooms = app.Rooms(
            desk=Desk(
                self.writer,
                Vault(b"k" * 32),
                windows,
                now=lambda: self.now,
                changed=self.changed.extend,
            ),
            bindings=Bindings(
                self.writer,
                windows,
                self.codes,
                now=lambda: self.now,
                online=self.presence,
                changed=self.changed.extend,
            ),
            renewals=Renewals(
                self.writer,
                self.roster,
                now=lambda: self.now,
                publish=lambda *sent: self.published.append(sent),
            ),
            rulings=Rulings(
                self.base / "hub.db",
                self.writer,
                Vault(b"k" * 32),
                verify=lambda device, jws: signing.verify(jws, device, KIOSK_KEY.public_key()),
                now=lambda: self.now,
            ),
            feeds=Feeds(self.writer, Vault(b"k" * 32), now=lambda: self.now),
            keys=auth.Keys(self.base / "hub.db", now=lambda: self.now),
            ledger=PublicLedger(self.base / "hub.db", LEDGER),
        )
        return app.create(rooms, presence=self.presence, health=lambda: self.health)

    def ask(self, method, path, body=None, **headers):
        """Send one request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.key}"}
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        return world_http.ask(self.port, method, path, data, sent, kind=Answer)

    def invite(self, serial="津示例0001", number=1, window=WINDOW, **more):
        return self.ask(
            "POST",
            window_path("invitations", window),
            {"serial": serial, "service_number": number} | more,
        )


@contextlib.contextmanager
def open_hall(base: Path, limit: int = 100, device_ca: str | None = None):
    """Serve until the block ends; nothing is left running. `limit` is the writer's."""
    hall = Hall(base, limit, device_ca)
    hall.writer.start()
    try:
        with world_http.served(hall.app()) as hall.port:
            yield hall
    finally:
        hall.writer.stop()
