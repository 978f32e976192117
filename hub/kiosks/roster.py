"""The kiosks that this hub knows, with their public keys: by configuration, or by certificate.

An enrolled kiosk shows its certificate when it connects; the device CA has vouched for its key.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from hub.rules import certified as rules
from hub.rules.certified import UNREADABLE, NotCertified, certified
from hub.store.certificates import Held
from protocol.errors import ProtocolError
from protocol.topics import HUB

log = logging.getLogger(__name__)


NAMED = 5
"""Kiosks that one alarm names."""


class NotBelieved(ProtocolError):
    """A certificate by which this kiosk is not known; `cause` says why."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Roster(Mapping[str, EllipticCurvePublicKey]):
    """The present key of every kiosk; for any thread.

    `device_ca` (PEM) is what certificates must come from; without it none is believed. That
    goes for those that are `held` too: whoever writes into the hub's file makes no kiosk. What
    is not believed any more is told in `alarms`, and its kiosk is unknown until its next birth.
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
        self._held: dict[str, Held] = {}
        self._serials: dict[str, int] = {}
        self._keys = dict(configured)
        self._dropped: frozenset[str] = frozenset()
        for each in held.values():
            if each.device not in configured:
                self._take(each)

    def __getitem__(self, device: str) -> EllipticCurvePublicKey:
        return self._keys[device]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._keys))

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def device_ca(self) -> str | None:
        """The CA (PEM) of which certificates must be, if one is configured."""
        return self._device_ca

    @property
    def configured(self) -> frozenset[str]:
        """The kiosks whose keys stand in the configuration."""
        return self._configured

    def vouched(self, device: str, pem: str) -> EllipticCurvePublicKey | None:
        """Return the key that a certificate vouches for as this kiosk's, at whatever time."""
        if self._device_ca is None:
            return None
        try:
            return certified(pem, self._device_ca, device, self._hall)
        except NotCertified:
            return None

    @property
    def alarms(self) -> tuple[str, ...]:
        """What wants attention, in Chinese."""
        dropped = sorted(self._dropped)
        if not dropped:
            return ()
        named = "、".join(dropped[:NAMED])
        if self._device_ca is None:
            text = (
                f"配置中没有 broker.device_ca，凭证书入网的 {len(dropped)} 台评价器（{named}）"
                "一台也不认：请写上签发 CA 后重启"
            )
        else:
            text = (
                f"数据文件里 {len(dropped)} 台评价器（{named}）的证书不是签发 CA 签的，已不再相信："
                "可能有人改动过数据文件，请保留现场并执行 pingyi-hub verify；"
                "真正的评价器重新连上后自动恢复"
            )
        return (text,)

    def held(self) -> dict[str, Held]:
        """Return the certificates that kiosks are known by."""
        with self._lock:
            return dict(self._held)

    def serials(self) -> dict[str, int]:
        """Return the serial numbers of the certificates that kiosks are known by."""
        with self._lock:
            return dict(self._serials)

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
        key = self.vouched(device, pem)
        if key is None:
            raise NotBelieved("certificate_invalid")
        held = _as_written(Held(device=device, pem=pem, not_before=0, not_after=0, seen_at=now))
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
        except UNREADABLE as error:
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
            self._serials = {**self._serials, held.device: _serial(held)}
            self._dropped -= {held.device}
        return key

    def _take(self, held: Held) -> None:
        """Know a kiosk by a certificate out of the hub's file, if the device CA has signed it."""
        key = self.vouched(held.device, held.pem)
        if key is None:
            log.critical("certificate=dropped device=%s", held.device)
            self._dropped |= {held.device}
            return
        self._held[held.device] = _as_written(held)
        self._keys[held.device] = key
        self._serials[held.device] = _serial(held)


def key_of(held: Held) -> EllipticCurvePublicKey:
    """Return the key that a certificate vouches for."""
    return rules.key_of(x509.load_pem_x509_certificate(held.pem.encode()))


def _serial(held: Held) -> int:
    return x509.load_pem_x509_certificate(held.pem.encode()).serial_number


def _as_written(held: Held) -> Held:
    """Return it with the times that stand in the certificate, whatever stands beside it."""
    certificate = x509.load_pem_x509_certificate(held.pem.encode())
    return msgspec.structs.replace(
        held,
        not_before=_milliseconds(certificate.not_valid_before_utc),
        not_after=_milliseconds(certificate.not_valid_after_utc),
    )


def _milliseconds(when: datetime) -> int:
    return int(when.astimezone(UTC).timestamp() * 1000)
