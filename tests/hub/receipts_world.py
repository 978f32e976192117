"""A hall whose citizens have phones: real store, ingest and pages behind real HTTP."""

import contextlib
from urllib.parse import urlencode

import world_http
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs
from world_hall import CONFIG, KEYS, NOW, VAULT, Hall, rated

from hub.citizens import receipts
from hub.citizens.receipts import Receipts
from hub.config import PublicConfig
from hub.feed import Feeds
from hub.kiosks.renewal import Renewals
from hub.kiosks.roster import Roster
from hub.rules import tree
from hub.rules.checkpoint import Checkpoint, Verifier, sign
from hub.rulings import Rulings
from hub.store import ledger
from hub.store import tree as store
from hub.web import app, auth, receipt
from hub.web.ledger import PublicLedger
from hub.web.values import Health
from protocol import signing

LEDGER_KEY = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LEDGER = Verifier("pingyi/demo", LEDGER_KEY.public_key().public_bytes_raw())
URL = "https://pj.example.cn"
WORDS = "窗口的同志很耐心，就是取号排队时间长了些。"


class Receiving(Hall):
    """The hall; `mono` is the clock by which askers are counted."""

    def __init__(self, folder, **options):
        super().__init__(folder, **options)
        self.mono = 0
        self.poked = 0
        self.citizens = Receipts(
            self.path, self.writer, VAULT, LEDGER, now=self.clock, queued=self._poke
        )
        self.front = receipt.front(
            structs.replace(CONFIG, public=PublicConfig(url=URL)),
            self.citizens,
            monotonic=lambda: self.mono,
        )
        self.port = 0

    def _poke(self):
        self.poked += 1

    def app(self):
        rooms = app.Rooms(
            desk=self.desk,
            bindings=self.bindings,
            renewals=Renewals(
                self.writer, Roster("demo", {}, {}, None), now=self.clock, publish=lambda *_: None
            ),
            rulings=Rulings(
                self.path,
                self.writer,
                VAULT,
                verify=lambda device, jws: signing.verify(jws, device, KEYS[device].public_key()),
                now=self.clock,
            ),
            feeds=Feeds(self.writer, VAULT, now=self.clock),
            keys=auth.Keys(self.path, now=self.clock),
            ledger=PublicLedger(self.path, LEDGER),
        )
        return app.create(
            rooms, presence=lambda _: True, health=lambda: Health(ready=True), front=self.front
        )

    # ------------------------------------------------------------ what happens at a window

    def asked(self, serial="SL00012345", number=1, **more):
        """Invite a citizen; return the invitation's id."""
        return self.invite(serial=serial, number=number, **more).status.id

    def rate(self, invitation, **change):
        return self.send(rated(invitation, **change))

    def checkpoint(self):
        """Sign what there is, as the notary does."""

        def job(db):
            while store.grow(db, 512):
                pass
            size = ledger.size(db)
            made = Checkpoint(LEDGER.name, size, tree.root(size, store.Nodes(db)))
            store.publish(db, made, sign(made, LEDGER_KEY), self.now)

        self.writer.call(job)

    # ------------------------------------------------------------ what a phone does

    def token(self, invitation):
        return receipts.token(VAULT, invitation)

    def send_http(self, method, path, body=None, address="127.0.0.1", **headers):
        sent = {"Accept": "text/html"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return world_http.ask(
            self.port, method, path, body, sent, kind=world_http.Page, address=address
        )

    def get(self, token, **more):
        return self.send_http("GET", f"/r/{token}", **more)

    def post(self, token, data, **headers):
        """Send a form as a phone does under `no-referrer`."""
        body = urlencode(data) if isinstance(data, dict) else data
        told = {
            "Content_Type": "application/x-www-form-urlencoded",
            "Origin": "null",
            "Sec_Fetch_Site": "same-origin",
        } | headers
        told = {name: value for name, value in told.items() if value}
        return self.send_http("POST", f"/r/{token}", body, **told)

    def add(self, token, text=WORDS):
        return self.post(token, {"do": "send", "text": text})

    def added(self):
        return self.rows("SELECT invitation, body FROM ledger WHERE kind = 'added' ORDER BY 1")


@contextlib.contextmanager
def open_receiving(folder, **options):
    """Serve until the block ends; nothing is left running."""
    with Receiving(folder, **options) as hall, world_http.served(hall.app()) as hall.port:
        yield hall


__all__ = ["LEDGER", "NOW", "URL", "WORDS", "Receiving", "open_receiving"]
