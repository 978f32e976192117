"""The authority at work: it signs for those who may, and the register knows of it.

What it writes is on the disk when a method returns; a method that raises wrote nothing.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol import certificates, topics
from protocol.certificates import Purpose
from provisioning import keystore, revocation, vouchers
from provisioning.errors import Refused, VoucherForAnother, VoucherUnknown, VoucherUsed
from provisioning.keystore import Issuer, pem
from provisioning.register import Entry, Register, milliseconds


class Authority:
    """The two CAs and the register. Safe to share between threads; also between processes."""

    def __init__(
        self,
        root: x509.Certificate,
        devices: Issuer,
        servers: Issuer,
        register: Register,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.root_pem = pem(root)
        self.device_ca_pem = pem(devices.certificate)
        self.register = register
        self._devices = devices
        self._servers = servers
        self._random_bytes = random_bytes

    @classmethod
    def open(cls, directory: Path, passphrase: str) -> "Authority":
        """Open the directory that `keystore.create` made; root.key is not needed.

        Raises `WrongPassphrase`, or `AuthorityError` for files missing, damaged, readable by
        others.
        """
        register = keystore.open_register(directory)
        try:
            return cls(
                keystore.root_certificate(directory),
                keystore.issuer(directory, Purpose.DEVICE, passphrase),
                keystore.issuer(directory, Purpose.SERVER, passphrase),
                register,
            )
        except BaseException:
            register.close()
            raise

    def close(self) -> None:
        """Close the register."""
        self.register.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def voucher(self, device: str, hall: str, now: datetime, hours: int = vouchers.HOURS) -> str:
        """Return a new voucher; raises as `vouchers.new`."""
        return vouchers.new(
            self.register, device, hall, now, hours=hours, random_bytes=self._random_bytes
        )

    def issue(self, csr_pem: bytes, voucher: str, now: datetime, *, hardware: str = "") -> bytes:
        """Return the device's certificate and its CA's (PEM) for a request and a voucher.

        Recording the certificate and using up the voucher are one commit; in it the device's
        other keys are revoked: one name, one machine. `hardware` is the machine's own serial
        number, for labels. Raises `VoucherError`, `RequestRefused`, `CertificateError` or
        `Refused`.
        """
        digest, at = vouchers.digest(voucher), milliseconds(now)
        with self.register.writing():
            right = vouchers.check(self.register.voucher(digest), at)
            try:
                key = certificates.check_request(csr_pem, right.device)
            except certificates.WrongDevice as error:
                raise VoucherForAnother(f"入网凭证是给 {right.device} 的。{error}") from error
            self._check_key(key, right.device)
            vouchers.check_hall(self.register, right.device, right.hall, at)
            revocation.supersede(self.register, right.device, _digest(key), at)
            certificate = self._sign(key, right.device, now, hall=right.hall, hardware=hardware)
            self.register.use_voucher(digest, _hex(certificate))
        return self._chain(pem(certificate))

    def collect(self, csr_pem: bytes, voucher: str) -> bytes:
        """Return once more what `issue` returned for this voucher, device and key.

        For a line that was cut between signing and delivery. Raises `VoucherUnknown` while
        nothing was issued for it, `VoucherUsed` for another key or a revoked certificate.
        """
        right = self.register.voucher(vouchers.digest(voucher))
        if right is None or right.used_for is None:
            raise VoucherUnknown("这张入网凭证还没有签发过证书：请先完成签发")
        key = certificates.check_request(csr_pem, right.device)
        for entry in self.register.of_key(_digest(key)):
            if entry.serial_number == right.used_for and entry.revoked_at is None:
                return self._chain(entry.pem.encode("ascii"))
        raise VoucherUsed(
            f"{right.device} 的这张入网凭证已经为另一把密钥用过，或证书已被吊销：请重新执行 enrol"
        )

    def renew(self, csr_pem: bytes, device: str, now: datetime) -> bytes:
        """Return a new certificate (as `issue`) for the key that holds a valid one; no voucher.

        The request proves that the device has the key. Raises `RequestRefused`,
        `CertificateError`, or `Refused` when the certificate is expired, revoked or of another
        key: then only a voucher helps.
        """
        vouchers.check_name(device)
        key = certificates.check_request(csr_pem, device)
        with self.register.writing():
            held = self.register.holding(device, milliseconds(now))
            mine = [entry for entry in held if entry.key_digest == _digest(key)]
            if not mine:
                raise Refused(f"{device} 没有可以续期的证书：请开具新的入网凭证，重新入网")
            certificate = self._sign(
                key, device, now, hall=mine[-1].hall, hardware=mine[-1].hardware
            )
        return self._chain(pem(certificate))

    def renewed(self, csr_pem: bytes, device: str, now: datetime) -> bytes | None:
        """Return once more what `renew` returned for this key, while that is not due itself.

        For a way to the kiosk that was cut after signing: whoever asks without end gets one
        certificate. None where there is none; raises `RequestRefused`.
        """
        digest = _digest(certificates.check_request(csr_pem, device))
        for entry in reversed(self.register.holding(device, milliseconds(now))):
            if entry.key_digest == digest:
                if certificates.due_for_renewal(entry.certificate, now):
                    return None
                return self._chain(entry.pem.encode("ascii"))
        return None

    def issue_server(self, names: Iterable[str], now: datetime) -> tuple[bytes, bytes]:
        """Return a hub's certificate with its CA's, and its new key without passphrase (PEM).

        Raises `CertificateError` for a name that is no host name or IP address.
        """
        named = list(names)
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, issuer_key = self._servers
        certificate = certificates.issue_server(
            key.public_key(), names=named, issuer=issuer, issuer_key=issuer_key, now=now
        )
        with self.register.writing():
            self._record(certificate, Purpose.SERVER, " ".join(named), now)
        return pem(certificate) + pem(issuer), keystore.key_pem(key, serialization.NoEncryption())

    def issue_hub(self, hall: str, now: datetime) -> tuple[bytes, bytes]:
        """Return what a hall's hub shows to its broker, as `issue_server`: CN = hub-`hall`.

        To the broker the hub is a client like the kiosks; its server certificate will not do.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = topics.HUB + topics.name(hall)
        with self.register.writing():
            certificate = self._sign(
                key.public_key(), name, now, hall=hall, days=certificates.SERVER_DAYS
            )
        chain = self._chain(pem(certificate))
        return chain, keystore.key_pem(key, serialization.NoEncryption())

    def revoke(self, device: str, reason: str, now: datetime) -> int:
        """Revoke all that a device holds; raises as `revocation.revoke`."""
        return revocation.revoke(self.register, device, reason, now)

    def crl(self, now: datetime, days: int = certificates.CRL_DAYS) -> bytes:
        """Return the list of revoked device certificates (PEM), numbered higher than any before.

        An expired certificate stays listed for the life of one more list (RFC 5280, 3.3).
        """
        with self.register.writing():
            number = self.register.next_crl_number(milliseconds(now))
            entries = self.register.entries()
        gone = milliseconds(now - timedelta(days=days))
        revoked = [
            (int(entry.serial_number, 16), datetime.fromtimestamp(entry.revoked_at // 1000, UTC))
            for entry in entries
            if entry.purpose == Purpose.DEVICE
            and entry.revoked_at is not None
            and entry.not_after > gone
        ]
        issuer, key = self._devices
        crl = certificates.revocation_list(issuer, key, revoked, now, days, number=number)
        return crl.public_bytes(serialization.Encoding.PEM)

    def _check_key(self, key: ec.EllipticCurvePublicKey, device: str) -> None:
        for entry in self.register.of_key(_digest(key)):
            if entry.name != device:
                raise Refused(
                    f"这把密钥已经属于 {entry.name}，存储卡可能被复制过："
                    "请在这台评价器上重新生成密钥后再入网"
                )
            if entry.revoked_at is not None and not entry.superseded:
                raise Refused(f"{device} 的这把密钥已被吊销：请在评价器上重新生成密钥后再入网")

    def _sign(
        self,
        key: ec.EllipticCurvePublicKey,
        device: str,
        now: datetime,
        *,
        hall: str,
        hardware: str = "",
        days: int = certificates.DEVICE_DAYS,
    ) -> x509.Certificate:
        certificate = certificates.issue_device(
            key,
            device=device,
            hall=hall,
            issuer=self._devices.certificate,
            issuer_key=self._devices.key,
            now=now,
            days=days,
        )
        self._record(certificate, Purpose.DEVICE, device, now, hall=hall, hardware=hardware)
        return certificate

    def _record(
        self,
        certificate: x509.Certificate,
        purpose: Purpose,
        name: str,
        now: datetime,
        *,
        hall: str = "",
        hardware: str = "",
    ) -> None:
        entry = Entry(
            serial_number=_hex(certificate),
            purpose=purpose.value,
            name=name,
            hall=hall,
            hardware=hardware,
            key_digest=_digest(certificate.public_key()),
            not_before=milliseconds(certificate.not_valid_before_utc),
            not_after=milliseconds(certificate.not_valid_after_utc),
            pem=pem(certificate).decode("ascii"),
        )
        self.register.add(entry, milliseconds(now))

    def _chain(self, leaf_pem: bytes) -> bytes:
        return leaf_pem + self.device_ca_pem


def _hex(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:040x}"


def _digest(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101 - nothing else is certified
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).digest()
