"""Whether a certificate chain is this kiosk's own: asked before it is kept, and at each start."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.enrolment.messages import EnrolmentRefused, public_bytes

CHAIN_LIMIT = 2
"""Certificates between the kiosk's own and the CA; the authority uses one."""


def check_chain(chain: str, ca: str, public: bytes, device: str, hall: str) -> str:
    """Return the fingerprint of the first certificate, if it is this kiosk's own.

    It must be for `public`, name `device` and `hall`, be good for connecting as a client, and
    lead by signatures to `ca`. Times are not looked at: a kiosk has no clock battery.
    Raises `EnrolmentRefused`.
    """
    try:
        own, *above = x509.load_pem_x509_certificates(chain.encode())
        anchor = x509.load_pem_x509_certificate(ca.encode())
        if len(above) > CHAIN_LIMIT:
            raise EnrolmentRefused("certificate_invalid")
        for below, issuer in zip((own, *above), (*above, anchor), strict=True):
            below.verify_directly_issued_by(issuer)
            if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
                raise EnrolmentRefused("certificate_invalid")
        usage = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        key = own.public_key()
        names = {part.oid: part.value for part in own.subject}
    except (
        ValueError,
        TypeError,
        InvalidSignature,
        UnsupportedAlgorithm,
        x509.ExtensionNotFound,
        x509.InvalidVersion,
    ) as error:
        raise EnrolmentRefused("certificate_invalid") from error
    if (
        not isinstance(key, ec.EllipticCurvePublicKey)
        or public_bytes(key) != public
        or names != {NameOID.COMMON_NAME: device, NameOID.ORGANIZATION_NAME: hall}
        or ExtendedKeyUsageOID.CLIENT_AUTH not in usage
    ):
        raise EnrolmentRefused("certificate_invalid")
    return own.fingerprint(hashes.SHA256()).hex()
