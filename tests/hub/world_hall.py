"""A hall without its wires: real store, desk, ingest and board, and kiosks that really sign."""

import contextlib
import itertools
import sqlite3
from collections import Counter
from pathlib import Path

from world_counter import CounterWorld

from hub.config import DeviceConfig, HubConfig, WindowConfig
from hub.counter.desk import Desk
from hub.counter.windows import Windows
from hub.ingest import Ingest
from hub.rules.access import Caller, Scope
from hub.rules.case import Applicant, Case
from hub.store import bindings, invitations
from hub.store.vault import Vault
from hub.store.writer import Busy
from protocol import signing
from protocol.catalogue import CURRENT
from protocol.messages import Expired, Invitation, Rated, Staff, Stamp, Window, Withdrawn

NOW = 1_790_000_000_000
TTL_MS = 60_000
DEVICES = ("k1", "k2")
WINDOW = "1号窗口"
OTHER_WINDOW = "2号窗口"
EMPTY_WINDOW = "3号窗口"
VAULT = Vault(b"k" * 32)
KEYS = {device: signing.generate_key() for device in DEVICES}
STAMP = Stamp(boot="0" * 32, mono_ms=5_000, offset_ms=NOW, uncertainty_ms=20)
CONFIG = HubConfig(
    hall="demo",
    hall_name="示例大厅",
    state="state",
    devices=tuple(DeviceConfig(name=name, public_key=f"{name}.pem") for name in DEVICES),
    windows=(
        WindowConfig(name=WINDOW),
        WindowConfig(name=OTHER_WINDOW),
        WindowConfig(name=EMPTY_WINDOW),
    ),
)
SEATS = {WINDOW: ("k1", Staff(name="示例甲")), OTHER_WINDOW: ("k2", Staff(name="示例乙"))}
CALLER = Caller(name="key:0", scopes=frozenset(Scope))

_ids = itertools.count(1)


def new_id():
    return f"{next(_ids):032x}"


def a_case(serial="SL0001", number=1):
    return Case(
        serial=serial,
        service_number=number,
        matter="示例事项",
        task_code="T" * 31,
        task_type="01",
        status="2",
        org_code="ORG1",
        org_name="示例局",
        area_code="120116",
        accepted_at="2026-11-20 09:00:00",
        service_name="申报",
        service_time="2026-11-20 09:05:00",
        applicant=Applicant(name="示例甲", certificate_number="ID-JIA"),
    )


def an_invitation(serial="SL0001", number=1, **change):
    fields = {
        "id": new_id(),
        "serial": serial,
        "service_number": number,
        "matter": "示例事项",
        "window": Window(name=WINDOW),
        "staff": Staff(name="示例甲"),
        "issued_at": NOW,
        "ttl_ms": TTL_MS,
    }
    return Invitation(**(fields | change))


def _outcome(kind, invitation, device, change, **fields):
    number = next(_ids)
    base = {
        "id": f"{number:032x}",
        "device": device,
        "seq": number,
        "invitation": invitation,
        "stamp": STAMP,
    }
    return kind(**(base | fields | change))


def rated(invitation, device="k1", **change):
    return _outcome(Rated, invitation, device, change, level=5, catalogue=CURRENT, elapsed_ms=1_000)


def expired(invitation, device="k1", **change):
    return _outcome(Expired, invitation, device, change, elapsed_ms=TTL_MS)


def withdrawn(invitation, device="k1", **change):
    return _outcome(Withdrawn, invitation, device, change, reason="withdrawn")


def bind(db, seats=SEATS, now=NOW):
    """Pair kiosks with windows and sign clerks on, as if that had been done before."""
    for window, (device, staff) in seats.items():
        bindings.pair(db, window, device, by="console", now=now)
        if staff is not None:
            bindings.sign_on(db, window, staff, by="console", now=now)


class Hall(CounterWorld):
    """One hub's store and rules on a real file; what would be sent is kept in lists."""

    def __init__(self, folder: Path, **options) -> None:
        super().__init__(folder, NOW, **options)
        self.settled = []
        with self.db.atomic():
            bind(self.db)
        self.online = set(DEVICES)
        windows = Windows(CONFIG.windows)
        self.open_counter(CONFIG.hall_name, windows, DEVICES, self.online.__contains__)
        self.ingest = Ingest(
            self.writer,
            {device: key.public_key() for device, key in KEYS.items()},
            now=self.clock,
            acknowledge=self._acknowledge,
            settled=self._settle,
            vault=VAULT,
        )
        self.desk = Desk(
            self.writer,
            VAULT,
            windows,
            now=self.clock,
            changed=self.board.refresh,
        )
        self.writer.start()

    def _settle(self, devices):
        self.settled.append(devices)
        self.board.refresh(devices, settings=False)

    def invite(self, window=WINDOW, serial="SL0001", number=1, **more):
        case = a_case(serial, number)
        return self.ask(self.desk.invite(window, serial, number, case=case, **more))

    def issue(self, *invited, device="k1"):
        """Enter invitations as they are."""

        def job(db):
            for invitation in invited:
                invitations.issue(db, device, invitation)

        self.writer.call(job)

    def issue_for_ever(self, matter):
        """Enter one after another until it fails."""
        while True:
            self.issue(an_invitation(f"SL{new_id()}", matter=matter))

    def quiet_or_broken(self):
        """Wait until all is done or has failed, as on a full disk or with a full queue."""
        for _ in range(self.turns):
            with contextlib.suppress(sqlite3.Error, Busy):
                self.writer.call(lambda _: None)

    def send(self, outcome, key=None, device=None):
        """Sign an outcome and hand it in as the link does; return the bytes."""
        jws = signing.sign(outcome, key or KEYS[outcome.device])
        self.hand_in(jws, device or outcome.device)
        return jws

    def hand_in(self, payload, device="k1"):
        self.ingest.outcome(device, payload)
        self.quiet()

    def committed(self, device="k1"):
        return [name for to, receipt in self.receipts if to == device for name in receipt.committed]

    def refused(self, device="k1"):
        return [
            (refusal.id, str(refusal.reason))
            for to, receipt in self.receipts
            if to == device
            for refusal in receipt.refused
        ]

    def ledger(self, invitation=None):
        """The kinds of entries after the invitation itself, in order."""
        return [
            kind
            for kind, of in self.rows("SELECT kind, invitation FROM ledger ORDER BY position")
            if of and kind != "invited" and invitation in (None, of)
        ]

    def counted(self):
        """How often each device was refused, by cause."""
        return Counter(
            {(d, c): n for d, c, n in self.rows("SELECT device, cause, times FROM refusals")}
        )

    def evidence(self):
        return self.rows("SELECT device, cause, body FROM evidence ORDER BY at, digest")

    def account(self, device=None):
        return invitations.account(self.reader, device)
