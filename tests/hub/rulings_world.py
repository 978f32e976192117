"""A hall with an office that rules: real store, ingest and rulings, documents of each kind."""

import asyncio
import io
import zlib
from struct import pack

from PIL import Image
from world_hall import KEYS, NOW, VAULT, Hall, an_invitation, rated

from hub.rules.access import Caller, Role, Scope
from hub.rulings import Rulings
from hub.store import audit, deliveries, invitations, ledger, users
from protocol import signing
from protocol.messages import Staff

OFFICE = Caller(name="user:bangong", scopes=frozenset({Scope.RULE}), address="10.0.0.9")
CLERK_IN_OFFICE = Caller(
    name="user:jia", scopes=frozenset({Scope.RULE}), staff=Staff(name="示例甲", number="")
)
REASON = "经核实，办事人误按，已电话确认，\n附通话记录。"


def _jpeg():
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    return out.getvalue()


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
JPEG = _jpeg()


def _chunk(kind, data):
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\0"))
    + _chunk(b"IEND", b"")
)


class RulingHall(Hall):
    """The hall with its rulings; `vault` seals the documents."""

    def __init__(self, folder, vault=VAULT, **options):
        super().__init__(folder, **options)
        self.writer.call(
            lambda db: users.add(db, "bangong", [Role.OFFICE], None, password="-", now=NOW)
        )
        self.poked = 0
        self.vault = vault
        self.rulings = Rulings(
            self.path,
            self.writer,
            vault,
            verify=lambda device, jws: signing.verify(jws, device, KEYS[device].public_key()),
            now=self.clock,
            queued=self._poke,
        )

    def _poke(self):
        self.poked += 1

    def rate(self, serial="SL0001", number=1, **change):
        """Invite a citizen and rate; return the invitation's id."""
        invitation = self.invite(serial=serial, number=number).status.id
        self.send(rated(invitation, **change))
        return invitation

    def keep(self, data=PDF, by=OFFICE):
        return self.ask(self.rulings.keep(data, by)).digest

    def rule(self, invitation, reason=REASON, evidence=None, by=OFFICE):
        evidence = [self.keep()] if evidence is None else evidence
        return self.ask(self.rulings.rule(invitation, reason, evidence, by))

    def at_once(self, *requests):
        """Let several requests run at the same moment; return what each gave or raised."""

        async def all_of_them():
            return await asyncio.gather(*requests, return_exceptions=True)

        answers = asyncio.run(all_of_them())
        self.quiet()
        return answers

    def acts(self, *actions):
        """The audit trail, the oldest first."""
        found = reversed(audit.entries(self.reader, limit=1000))
        return [act for act in found if act.action in actions]

    def deliveries(self, kind):
        return self.rows(
            "SELECT serial, service_number, position, state FROM deliveries WHERE kind = ?", kind
        )


def enter_rating(db, key, serial="SL0001", number=1, device="kiosk-01", **change):
    """Enter what desk and ingest would: an invitation and its rating; return the invitation."""
    invitation = an_invitation(serial, number)
    invitations.issue(db, device, invitation)
    outcome = rated(invitation.id, device, **change)
    entry = ledger.Entry(
        kind="rated",
        recorded_at=NOW,
        device=device,
        invitation=invitation.id,
        outcome=outcome.id,
        seq=outcome.seq,
        body=signing.sign(outcome, key),
    )
    position = ledger.append(db, entry)
    invitations.close(db, invitation.id, outcome.id, "rated")
    deliveries.queue(db, "rating", (serial, number), position, NOW)
    return invitation.id
