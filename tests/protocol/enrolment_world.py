"""Both halves of the conversation on a line of memory, with a clock that the test turns."""

import random
from collections import deque
from datetime import UTC, datetime

from cryptography.hazmat.primitives import serialization

from protocol import certificates, signing
from protocol.enrolment.conversation import DeskConversation, KioskConversation
from protocol.enrolment.desk import Compare, Confirmed, Denied, Issued, NotIssued, Vouch, Vouched
from protocol.enrolment.kiosk import Kept, Show, Store, Tried, Try
from protocol.enrolment.messages import Terms

NOW = datetime(2030, 1, 1, tzinfo=UTC)
STEP_MS = 5
TURNS_UNDER_WAY = 4  # a byte that is sent takes so long: nobody answers at once


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class SmallAuthority:
    """A real CA in memory that counts its vouchers."""

    def __init__(self):
        self.root_key, self.key = signing.generate_key(), signing.generate_key()
        self.root = certificates.root(self.root_key, name="示例", now=NOW)
        self.ca = certificates.authority(
            self.key.public_key(),
            purpose=certificates.Purpose.DEVICE,
            name="示例",
            issuer=self.root,
            issuer_key=self.root_key,
            now=NOW,
        )
        self.vouchers = []
        self.burnt = []

    def voucher(self):
        self.vouchers.append(f"voucher-{len(self.vouchers)}")
        return self.vouchers[-1]

    def issue(self, request, device, hall, voucher=None):
        self.burnt.append(voucher)
        key = certificates.check_request(request.encode(), device)
        own = certificates.issue_device(
            key, device=device, hall=hall, issuer=self.ca, issuer_key=self.key, now=NOW
        )
        return pem(own) + pem(self.ca)

    def terms(self, **changes):
        usual = {"device": "kiosk-01", "hall": "hall-1", "host": "hub.example", "port": 8883}
        return Terms(**{**usual, "ca": pem(self.root), **changes})


AUTHORITY = SmallAuthority()


class World:
    """`run` passes bytes to and fro until both are done; `down` and `up` are what spoils them."""

    def __init__(self, seed=0, *, device="kiosk-01", key=None, same=True):
        self.random = random.Random(seed)
        self.authority = SmallAuthority.__new__(SmallAuthority)
        self.authority.__dict__ = {**AUTHORITY.__dict__, "vouchers": [], "burnt": []}
        self.desk = DeskConversation(self.authority.terms(), self.random.randbytes)
        self.key = key or signing.generate_key()
        self.device = device
        self.same = same
        self.asked, self.shown, self.kept = [], [], []
        self.now = 1_000
        self.down = self.up = lambda data: data
        self._under_way = deque([(b"", b"")] * TURNS_UNDER_WAY)
        self.restart_kiosk()
        self.desk.start(self.now)

    def restart_kiosk(self):
        self.kiosk = KioskConversation(self.key, self.device, "hall-1", self.random.randbytes)

    def turn(self):
        self.now += STEP_MS
        self.desk.tick(self.now)
        self.kiosk.tick(self.now)
        self._under_way.append((self.down(self.desk.take()), self.up(self.kiosk.take())))
        for side, data in zip((self.kiosk, self.desk), self._under_way.popleft(), strict=True):
            if data:
                self.fulfil(side, side.feed(data, self.now))

    def fulfil(self, side, wishes):
        for wish in wishes:
            answer = self.answer(wish)
            if answer is not None:
                self.fulfil(side, side.answer(answer, self.now))

    def answer(self, wish):
        if isinstance(wish, Show):
            self.shown.append(wish.number)
            return None
        if isinstance(wish, Store):
            self.kept.append((wish.chain, wish.terms))
            return Kept()
        if isinstance(wish, Try):
            return Tried(passed=True, text="已连接")
        return self.desk_answer(wish)

    def desk_answer(self, wish):
        if isinstance(wish, Compare):
            self.asked.append(wish.number)
            return Confirmed() if self.same else Denied()
        if isinstance(wish, Vouch):
            return Vouched(self.authority.voucher())
        if wish.voucher in self.authority.burnt:
            return NotIssued("凭证已用")
        terms = self.authority.terms()
        chain = self.authority.issue(wish.request, terms.device, terms.hall, wish.voucher)
        return Issued(chain)

    def run(self, limit_ms=600_000):
        end = self.now + limit_ms
        while self.now < end and not (self.desk.over and self.kiosk.over):
            self.turn()
        return self

    def enrolled(self):
        return (
            self.desk.over
            and not self.desk.failure
            and self.kiosk.kiosk.stage == "done"
            and self.authority.burnt == self.authority.vouchers == ["voucher-0"]
        )
