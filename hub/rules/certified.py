"""Whose key a certificate vouches for: the device CA's word, judged without any clock."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from protocol.enrolment.chain import check_chain
from protocol.enrolment.messages import EnrolmentRefused, public_bytes
from protocol.topics import HUB

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What cryptography raises over a certificate that somebody made up."""


class NotCertified(Exception):
    """A certificate by which the device CA vouches for nothing here."""


def certified(pem: str, device_ca: str, device: str, hall: str) -> EllipticCurvePublicKey:
    """Return the key that the device CA (PEM) has certified as this kiosk's of this hall.

    Whether the certificate is valid today is not asked: what was signed while it was, stays
    signed. It has to begin within the life of the CA (RFC 5280, 6.1.3, at the time of issue).
    Raises `NotCertified`.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        issuer = x509.load_pem_x509_certificate(device_ca.encode())
        key = key_of(certificate)
        check_chain(pem, device_ca, public_bytes(key), device, hall)
    except (*UNREADABLE, EnrolmentRefused) as error:
        raise NotCertified(f"no certificate of {device}") from error
    begin = certificate.not_valid_before_utc
    if not issuer.not_valid_before_utc <= begin <= issuer.not_valid_after_utc:
        raise NotCertified(f"{device}: issued outside the life of its CA")
    if device.startswith(HUB):
        raise NotCertified(f"{device} is the name of a hub")
    return key


def key_of(certificate: x509.Certificate) -> EllipticCurvePublicKey:
    """Return the P-256 key of a certificate; raises `NotCertified` for any other."""
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise NotCertified("not a key of P-256")
    return key
