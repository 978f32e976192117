"""What every certificate of pingyi looks like: X.509 (RFC 5280), P-256, SHA-256.

    root            20 years, may have CAs below it, kept offline
    ├── device CA   10 years, EKU clientAuth: nothing below it can serve
    │   └── device  90 days, CN = device name, O = hall, clientAuth only
    └── server CA   10 years, EKU serverAuth: nothing below it can pose as a device
        └── server  2 years, SAN = its host names and addresses, serverAuth only

The extended key usage of a CA binds all that it signs: OpenSSL, and so mosquitto, refuses the
whole chain when the purpose is not in each of its certificates. Objects in, objects out: no
files and no clock; every `now` is a datetime with a time zone.
"""

import ipaddress
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol import topics
from protocol.errors import ProtocolError

ROOT_DAYS = 20 * 365
AUTHORITY_DAYS = 10 * 365
DEVICE_DAYS = 90
SERVER_DAYS = 2 * 365
CRL_DAYS = 30

BACKDATE = timedelta(days=1)
"""Everything is valid a day early: a kiosk has no clock battery and may be behind."""

REQUEST_LIMIT = 8 * 1024
"""A request of a P-256 key has some 500 bytes; more than this many are not looked at."""

_SHA256 = hashes.SHA256()
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)


class CertificateError(ProtocolError):
    """A certificate that cannot be issued like this; the text says what to do, in Chinese."""

    cause = "certificate"


class RequestRefused(CertificateError):
    """A certificate request (CSR) that is not this device's, or not one of ours."""

    cause = "request"


class WrongDevice(RequestRefused):
    """A proper request, but of another device."""


class Purpose(StrEnum):
    """What a CA and all below it are for."""

    DEVICE = "device"
    SERVER = "server"


_USAGE = {
    Purpose.DEVICE: ExtendedKeyUsageOID.CLIENT_AUTH,
    Purpose.SERVER: ExtendedKeyUsageOID.SERVER_AUTH,
}


def root(key: ec.EllipticCurvePrivateKey, *, name: str, now: datetime) -> x509.Certificate:
    """Return the certificate of the root, signed by itself."""
    subject = _name(f"{name} root")
    return (
        _builder(subject, subject, key.public_key(), _window(now, ROOT_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .sign(key, _SHA256)
    )


def authority(
    public_key: ec.EllipticCurvePublicKey,
    *,
    purpose: Purpose,
    name: str,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    """Return the certificate of the CA for devices or for servers, signed by the root."""
    subject = _name(f"{name} {purpose.value} CA")
    return (
        _builder(subject, issuer.subject, public_key, _inside(issuer, now, AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USAGE[purpose]]), critical=False)
        .add_extension(_authority_key(issuer), critical=False)
        .sign(issuer_key, _SHA256)
    )


def issue_device(
    public_key: ec.EllipticCurvePublicKey,
    *,
    device: str,
    hall: str,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int = DEVICE_DAYS,
) -> x509.Certificate:
    """Return a certificate by which `device` may connect for `days` days, and nothing else.

    It never outlives its issuer. Raises `TopicError` for a name that cannot be a device's or a
    hall's, `CertificateError` when the issuer is not valid at `now`.
    """
    subject = _name(topics.name(device), topics.name(hall))
    builder = _leaf(public_key, subject, Purpose.DEVICE, _inside(issuer, now, days), issuer)
    return builder.sign(issuer_key, _SHA256)


def issue_server(
    public_key: ec.EllipticCurvePublicKey,
    *,
    names: Iterable[str],
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int = SERVER_DAYS,
) -> x509.Certificate:
    """Return a certificate by which a hub serves under `names` (host names, IP addresses).

    Raises `CertificateError` for none or an impossible name, or an issuer not valid at `now`.
    """
    unique = list(dict.fromkeys(names))
    if not unique:
        raise CertificateError("没有给出服务器的名称：请至少写一个主机名或 IP 地址")
    alternatives = x509.SubjectAlternativeName([_server_name(each) for each in unique])
    life = _inside(issuer, now, days)
    return (
        _leaf(public_key, _name("pingyi hub"), Purpose.SERVER, life, issuer)
        .add_extension(alternatives, critical=False)
        .sign(issuer_key, _SHA256)
    )


def request(key: ec.EllipticCurvePrivateKey, device: str) -> x509.CertificateSigningRequest:
    """Return the request by which `device` asks for a certificate (PKCS #10, RFC 2986)."""
    subject = _name(topics.name(device))
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, _SHA256)


def check_request(csr_pem: bytes, device: str) -> ec.EllipticCurvePublicKey:
    """Return the key of a request that is `device`'s own, whatever `csr_pem` holds.

    Only the key is taken from it; hall, purpose and lifetime are for the CA to say.
    Raises `RequestRefused`: not a request, a key other than P-256, not signed with that very
    key; `WrongDevice`: another subject than CN = `device`.
    """
    if len(csr_pem) > REQUEST_LIMIT:
        raise RequestRefused("证书申请过长，不是评价器发出的：请检查连接的是不是评价器")
    try:
        csr = x509.load_pem_x509_csr(csr_pem)
        key = csr.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise RequestRefused("证书申请的密钥不是 P-256：请在评价器上重新生成密钥后再试")
        if not csr.is_signature_valid:
            raise RequestRefused("证书申请的签名不对，传输中可能有误：请在评价器上重新执行入网")
        subject = list(csr.subject)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise RequestRefused("证书申请无法识别：请在评价器上重新执行入网") from error
    if [(part.oid, part.value) for part in subject] != [(NameOID.COMMON_NAME, device)]:
        named = "、".join(str(part.value)[:40] for part in subject) or "（空）"
        raise WrongDevice(f"证书申请里的名称是“{named}”，不是“{device}”：请核对接的是哪一台评价器")
    return key


def due_for_renewal(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether two thirds of the certificate's life are over (or all of it)."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= start + (end - start) * 2 / 3


def revocation_list(
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    revoked: Iterable[tuple[int, datetime]],
    now: datetime,
    days: int = CRL_DAYS,
    *,
    number: int | None = None,
) -> x509.CertificateRevocationList:
    """Return the list of revoked serial numbers with their times; valid for `days` days.

    `number` must grow from list to list (RFC 5280, 5.2.3); without it, it is `now` in
    milliseconds since 1970.
    """
    start, end = _window(now, days)
    count = int(now.timestamp() * 1000) if number is None else number
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(start)
        .next_update(end)
        .add_extension(_authority_key(issuer), critical=False)
        .add_extension(x509.CRLNumber(count), critical=False)
    )
    for serial_number, when in sorted(revoked):
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial_number)
            .revocation_date(when)
            .build()
        )
    return builder.sign(issuer_key, _SHA256)


def _usage(*, leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=leaf,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


_CA_USAGE = _usage(leaf=False)
_LEAF_USAGE = _usage(leaf=True)


def _leaf(
    public_key: ec.EllipticCurvePublicKey,
    subject: x509.Name,
    purpose: Purpose,
    life: tuple[datetime, datetime],
    issuer: x509.Certificate,
) -> x509.CertificateBuilder:
    return (
        _builder(subject, issuer.subject, public_key, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_LEAF_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USAGE[purpose]]), critical=True)
        .add_extension(_authority_key(issuer), critical=False)
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    life: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _window(now: datetime, days: int) -> tuple[datetime, datetime]:
    second = now.replace(microsecond=0)
    return second - BACKDATE, second + timedelta(days=days)


def _inside(issuer: x509.Certificate, now: datetime, days: int) -> tuple[datetime, datetime]:
    start, end = issuer.not_valid_before_utc, issuer.not_valid_after_utc
    if now < start:
        raise CertificateError(f"本机时间 {now:%Y-%m-%d} 早于 CA 的启用日期：请先校准本机时间")
    if now >= end:
        raise CertificateError(
            f"CA 已于 {end:%Y-%m-%d} 到期：请核对本机时间；时间无误时请建立新的 CA"
        )
    first, last = _window(now, days)
    return max(first, start), min(last, end)


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _name(common: str, organisation: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _server_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    host = text.lower()
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise CertificateError(f"“{text[:60]}”不是主机名，也不是 IP 地址：请改正后再试")
    if host.replace(".", "").isdigit():
        raise CertificateError(f"“{text[:60]}”不是完整的 IP 地址：请改正后再试")
    return x509.DNSName(host)
