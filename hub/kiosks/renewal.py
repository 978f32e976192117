"""Certificates renewed over the kiosk's own connection: the hub carries, the IT desk signs.

A kiosk at two thirds of its certificate's life sends a request; the desk, which alone holds the
CA's key, collects the requests and hands back what it signed; the hub gives it to the kiosk.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Future

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from sqlite_utils import Database

from hub.errors import CertificateUnfit, NoRequest
from hub.kiosks.roster import NotBelieved, Roster
from hub.rules.access import HUB, Caller
from hub.store import audit, certificates, revocations
from hub.store.certificates import Request
from hub.store.writer import Busy, Stopped, Writer
from protocol import wire
from protocol.certificates import check_request
from protocol.errors import SignatureInvalid
from protocol.messages import Certificate, Renewal
from protocol.topics import Leaf

log = logging.getLogger(__name__)

Publish = Callable[[str, Leaf, bytes], None]

AGAIN_MS = 24 * 3_600_000
"""How long what the desk has signed is sent again to a kiosk that asks."""


class Renewals:
    """Requests on their way to the desk, certificates on their way to the kiosks.

    `publish` sends one retained message; an empty one takes back what was retained.
    """

    def __init__(
        self, writer: Writer, roster: Roster, *, now: Callable[[], int], publish: Publish
    ) -> None:
        self._writer = writer
        self._roster = roster
        self._now = now
        self._publish = publish

    def asked(self, device: str, key: EllipticCurvePublicKey, payload: bytes) -> None:
        """Take the payload of leaf `renewal` of a device that is believed.

        Raises `ProtocolError` for anything but its own request for its own present `key`. What
        the desk has signed already is sent again; only when the kiosk still asks a day later
        could it not use that, and the desk is asked anew. Dropped when the writer is full or
        stopping: the kiosk asks again.
        """
        renewal = wire.decode(Renewal, payload)
        if check_request(renewal.request.encode(), device) != key:
            raise SignatureInvalid(f"{device} asks for another key")

        def job(db: Database) -> str | None:
            now, before = self._now(), certificates.asked(db, device)
            if before is not None:
                held, issued_at = before
                # No two requests are the same bytes (ECDSA): the key tells them apart.
                same = check_request(held.request.encode(), device) == key
                if same and (held.chain is None or now < issued_at + AGAIN_MS):
                    return held.chain
            certificates.ask(db, device, renewal.request, now)
            audit.note(db, now, HUB.name, "renewal_asked", device)
            return None

        with contextlib.suppress(Busy, Stopped):
            self._writer.submit(job, lambda done: self._again(device, done))

    def _again(self, device: str, done: "Future[str | None]") -> None:
        if done.exception() is None and (chain := done.result()) is not None:
            self._hand_over(device, chain)

    async def waiting(self) -> list[Request]:
        """Return the requests that the desk has not answered, the oldest first.

        Those of revoked kiosks are not among them: nobody should sign for a thief.
        """

        def job(db: Database) -> list[Request]:
            return [
                each
                for each in certificates.requests(db)
                if each.chain is None and not self._revoked(db, each.device)
            ]

        return await asyncio.wrap_future(self._writer.submit(job))

    async def answer(self, device: str, chain: str, caller: Caller) -> None:
        """Take from the desk what it signed, and send it to the kiosk.

        Raises `NoRequest`; `CertificateUnfit` for a chain that is not this kiosk's, of its
        present key, or not newer than what it has, and for a kiosk that is revoked.
        """
        try:
            held = self._roster.judge(device, self._roster.leaf(chain), self._now())
        except NotBelieved as error:
            raise CertificateUnfit(f"这不是 {device} 可用的证书（{error.cause}）") from error
        if held is None or self._roster.get(device) is None:
            raise CertificateUnfit(f"{device} 已有同样新或更新的证书，或不靠证书登记")
        if not self._roster.same_key(held):
            raise CertificateUnfit(f"证书不是给 {device} 现在的密钥的：换密钥须用线缆重新入网")

        def job(db: Database) -> None:
            if self._revoked(db, device):
                raise CertificateUnfit(f"{device} 已吊销，不能续期：请用线缆重新入网")
            if not certificates.answer(db, device, chain, self._now()):
                raise NoRequest(f"{device} 没有申请续期")
            audit.note(db, self._now(), caller, "renew", device, detail={"until": held.not_after})

        future = self._writer.submit(job)
        await asyncio.wrap_future(future)
        self._hand_over(device, chain)

    def repeat(self) -> None:
        """Say again what waits for its kiosk: the broker has forgotten it, or never got it."""

        def then(done: "Future[list[Request]]") -> None:
            if done.exception() is None:
                for each in done.result():
                    if each.chain is not None:
                        self._hand_over(each.device, each.chain)

        with contextlib.suppress(Busy, Stopped):
            self._writer.submit(certificates.requests, then)

    def fulfilled(self, device: str) -> None:
        """Take back the retained certificate: its kiosk has it."""
        self._publish(device, Leaf.CERTIFICATE, b"")

    def _revoked(self, db: Database, device: str) -> bool:
        key = self._roster.get(device)
        return key is not None and (device, revocations.digest(key)) in revocations.current(db)

    def _hand_over(self, device: str, chain: str) -> None:
        self._publish(device, Leaf.CERTIFICATE, wire.encode(Certificate(chain=chain)))
        log.info("renewal=handed-over device=%s", device)
