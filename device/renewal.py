"""The kiosk's certificate: asked for at two thirds of its life, checked, kept, taken up in quiet.

The kiosk's own clock counts for nothing here: all is reckoned by the hub's time. The same request
serves all tries of a run, for hub and IT desk tell a repetition by its bytes; one that was lost
with the power is made anew, and the desk hands out the same certificate for it.
"""

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from device import identity
from device.identity import Enrolled, IdentityError
from device.sender import Publisher
from protocol import certificates, wire
from protocol.enrolment.chain import check_chain
from protocol.enrolment.messages import EnrolmentRefused, public_bytes
from protocol.errors import ProtocolError
from protocol.messages import Certificate, Renewal
from protocol.topics import Leaf

log = logging.getLogger(__name__)

ASK_MS = 6 * 3_600_000
"""How long an answer is waited for, before jitter of a quarter to either side."""

RETRY_DISK_MS = 60_000
"""How soon a disk that did not take the new certificate is tried again."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PEM = serialization.Encoding.PEM


class Line(Publisher, Protocol):
    """What is wanted of the link."""

    def reconnect(self) -> None:
        """Connect anew, with the certificate that is on the disk now."""
        ...


class Unfit(ProtocolError):
    """A chain that cannot take the place of this kiosk's certificate."""

    cause = "certificate"


class Renewing:
    """Used in the keeper's thread. `now` is monotonic, in milliseconds.

    `state` is the directory of `identity`, whose key is `key` and where `enrolled` was found.
    """

    def __init__(
        self,
        state: Path,
        key: EllipticCurvePrivateKey,
        enrolled: Enrolled,
        link: Line,
        *,
        now: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self._state = state
        self._public = public_bytes(key.public_key())
        self._link = link
        self._now = now
        self._rng = rng
        self._held = enrolled
        self._request = _text(certificates.request(key, enrolled.terms.device))
        self._ask_ms = now()
        self._offered: str | None = None
        self._store_ms = 0
        self._to_take_up = False

    @property
    def certificate(self) -> str:
        """The kiosk's own certificate (PEM), without its CA's."""
        return _text(self._held.leaf)

    def begin(self) -> None:
        """Start over on a new connection, by what is on the disk: it may have been enrolled."""
        self._ask_ms = self._now()
        self._look()

    def answered(self, payload: bytes) -> None:
        """Take the payload of leaf `certificate`, to be kept as soon as the time is known.

        Raises `ProtocolError` for anything but a newer certificate of this kiosk and key. The
        one that it has, and nothing (the hub takes back what was retained), are no news.
        """
        if not payload:
            return
        chain = wire.decode(Certificate, payload).chain
        self._look()
        leaf = self._checked(chain)
        if leaf == self._held.leaf:
            return
        if leaf.not_valid_before_utc <= self._held.leaf.not_valid_before_utc:
            raise Unfit("not newer than the kiosk's certificate")
        self._offered, self._store_ms = chain, self._now()

    def tick(self, hub_ms: int | None, *, quiet: bool) -> None:
        """Do what is due by the hub's time, if it is known (milliseconds since 1970).

        `quiet`: nobody would notice a new connection. Raises `ProtocolError` when a certificate
        that was taken is not valid at this time.
        """
        if hub_ms is None:
            return
        at = _moment(hub_ms)
        if self._offered is not None and self._now() >= self._store_ms:
            self._keep(self._offered, at)
        if self._now() >= self._ask_ms and certificates.due_for_renewal(self._held.leaf, at):
            self._ask()
        if self._to_take_up and quiet:
            self._to_take_up = False
            self._link.reconnect()

    def _ask(self) -> None:
        if self._link.publish(Leaf.RENEWAL, wire.encode(Renewal(request=self._request))):
            self._ask_ms = self._now() + int(ASK_MS * self._rng.uniform(0.75, 1.25))
            log.info("renewal=asked until=%s", self._held.leaf.not_valid_after_utc.date())

    def _keep(self, chain: str, at: datetime) -> None:
        """Store the offered chain: whole, or the old one stays."""
        leaf = self._checked(chain)
        if not leaf.not_valid_before_utc <= at < leaf.not_valid_after_utc:
            self._offered = None
            raise Unfit("not valid now by the hub's time")
        try:
            identity.store(self._state, chain, self._held.terms)
        except OSError as error:
            self._store_ms = self._now() + RETRY_DISK_MS
            log.warning("renewal=not-stored error=%s", error)
            return
        self._offered = None
        self._look()
        self._to_take_up = True
        log.info("renewal=stored until=%s", leaf.not_valid_after_utc.date())

    def _checked(self, chain: str) -> x509.Certificate:
        terms = self._held.terms
        try:
            check_chain(chain, terms.ca, self._public, terms.device, terms.hall)
            return identity.leaf(chain)
        except (EnrolmentRefused, x509.InvalidVersion, UnsupportedAlgorithm) as error:
            raise Unfit("not a certificate of this kiosk") from error

    def _look(self) -> None:
        """See what identity is on the disk; without a whole one, the one before counts."""
        try:
            found = identity.enrolled(self._state)
        except IdentityError as error:
            log.warning("identity=unusable error=%s", error)
            return
        if found is not None:
            self._held = found


def _text(thing: x509.Certificate | x509.CertificateSigningRequest) -> str:
    return thing.public_bytes(_PEM).decode("ascii")


def _moment(ms: int) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:  # a hub whose clock is beyond the year 9999
        return datetime.max.replace(tzinfo=UTC)
