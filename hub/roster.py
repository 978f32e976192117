"""The kiosks that this hub knows, with their public keys: by configuration, or by certificate.

An enrolled kiosk shows its certificate when it connects; the device CA has vouched for its key.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from hub.store.certificates import Held
from protocol.certificates import HUB
from protocol.enrolment.chain import check_chain
from protocol.enrolment.messages import EnrolmentRefused, public_bytes
from protocol.errors import ProtocolError

_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What cryptography raises over a certificate that somebody made up."""


class NotBelieved(ProtocolError):
    """A certificate by which this kiosk is not known; `cause` says why."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Roster(Mapping[str, EllipticCurvePublicKey]):
    """The present key of every kiosk; for any thread.

    `device_ca` (PEM) is what certificates must come from; without it none is believed.
    """

    def __init__(
        self,
        hall: str,
        configured: Mapping[str, EllipticCurvePublicKey],
        held: Mapping[str, Held],
        device_ca: str | None,
    ) -> None:
        self._hall = hall
        self._configured = frozenset(configured)
        self._device_ca = device_ca
        self._lock = threading.Lock()
        self._held = {name: each for name, each in held.items() if name not in configured}
        self._keys = {name: key_of(each) for name, each in self._held.items()} | dict(configured)

    def __getitem__(self, device: str) -> EllipticCurvePublicKey:
        return self._keys[device]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._keys))

    def __len__(self) -> int:
        return len(self._keys)

    def held(self) -> dict[str, Held]:
        """Return the certificates that kiosks are known by."""
        with self._lock:
            return dict(self._held)

    def knows(self, device: str, pem: str) -> bool:
        """Whether this very certificate is what the kiosk is known by."""
        held = self._held.get(device)
        return held is not None and held.pem == pem

    def judge(self, device: str, pem: str, now: int) -> Held | None:
        """Return a certificate that takes the place of what is known; None if it need not.

        `now` in milliseconds since 1970. Raises `NotBelieved`: not from the device CA, not
        this kiosk's or hall's, not valid now, older than what replaced it, or of another key
        than the one in the configuration.
        """
        if self._device_ca is None and device in self._configured:
            return None
        if self._device_ca is None or device.startswith(HUB):
            raise NotBelieved("certificate_not_asked")
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            key = _key(certificate)
            check_chain(pem, self._device_ca, public_bytes(key), device, self._hall)
        except (*_UNREADABLE, EnrolmentRefused) as error:
            raise NotBelieved("certificate_invalid") from error
        held = Held(
            device=device,
            pem=pem,
            not_before=_milliseconds(certificate.not_valid_before_utc),
            not_after=_milliseconds(certificate.not_valid_after_utc),
            seen_at=now,
        )
        if not held.not_before <= now < held.not_after:
            raise NotBelieved("certificate_not_valid_now")
        known = self._keys.get(device)
        if device in self._configured:
            if known != key:
                raise NotBelieved("certificate_of_another_key")
            return None
        before = self._held.get(device)
        if before is not None and held.not_before <= before.not_before:
            if known != key:
                raise NotBelieved("certificate_replaced")
            return None  # an older one of the same key: the newer is on its way to the kiosk
        return held

    def leaf(self, chain: str) -> str:
        """Return the kiosk's own certificate of a chain (PEM) that ends with the device CA's.

        Raises `NotBelieved` for anything else: a kiosk would refuse it, and ask for ever.
        """
        if self._device_ca is None:
            raise NotBelieved("certificate_not_asked")
        try:
            issuer = x509.load_pem_x509_certificate(self._device_ca.encode())
            leaf, *above = x509.load_pem_x509_certificates(chain.encode())
        except _UNREADABLE as error:
            raise NotBelieved("certificate_invalid") from error
        if above != [issuer]:
            raise NotBelieved("certificate_without_issuer")
        return leaf.public_bytes(Encoding.PEM).decode("ascii")

    def same_key(self, held: Held) -> bool:
        """Whether a certificate is of the key that its kiosk is known by."""
        return self._keys.get(held.device) == key_of(held)

    def add(self, held: Held) -> EllipticCurvePublicKey:
        """Know a kiosk by a certificate that `judge` has returned; return its key."""
        key = key_of(held)
        with self._lock:
            self._held = {**self._held, held.device: held}
            self._keys = {**self._keys, held.device: key}
        return key


def key_of(held: Held) -> EllipticCurvePublicKey:
    """Return the key that a certificate vouches for."""
    return _key(x509.load_pem_x509_certificate(held.pem.encode()))


def _key(certificate: x509.Certificate) -> EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise NotBelieved("certificate_invalid")
    return key


def _milliseconds(when: datetime) -> int:
    return int(when.astimezone(UTC).timestamp() * 1000)
