"""Certificates: what OpenSSL lets them do, and which requests are refused."""

import base64
import ssl
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from world_authority import DAY, NOW, Judge, enrolled, new_authority, request

from protocol import certificates, signing
from protocol.certificates import CertificateError, Purpose, RequestRefused, WrongDevice
from protocol.errors import TopicError

PEM = serialization.Encoding.PEM


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    with new_authority(tmp_path_factory.mktemp("certificates") / "ca") as opened:
        yield opened


@pytest.fixture
def judge(tmp_path, authority):
    return Judge(tmp_path, authority.root_pem)


@pytest.fixture(scope="module")
def kiosk(authority):
    return enrolled(authority, "kiosk-01")


@pytest.fixture(scope="module")
def hub(authority):
    return authority.issue_server(["hub.example", "127.0.0.1"], NOW)


def leaf(chain):
    return x509.load_pem_x509_certificates(chain)[0]


def test_a_device_certificate_connects_and_does_nothing_else(judge, kiosk):
    """OpenSSL takes it as a client's, and refuses it as a server's or a mail certificate."""
    assert judge.verdict(kiosk, "sslclient") == "ok"
    for purpose in ("sslserver", "smimesign", "smimeencrypt", "timestampsign"):
        assert "purpose" in judge.verdict(kiosk, purpose)


def test_a_server_certificate_serves_its_names_and_cannot_be_a_client(judge, hub):
    """OpenSSL takes it as the server of its own names only."""
    chain, _ = hub
    assert judge.verdict(chain, "sslserver", host="hub.example") == "ok"
    assert "hostname mismatch" in judge.verdict(chain, "sslserver", host="other.example")
    assert "purpose" in judge.verdict(chain, "sslclient")


def test_a_device_certificate_signs_no_other(authority, judge):
    """A certificate signed with a kiosk's key is refused, though its chain leads to the root."""
    key = signing.generate_key()
    chain = enrolled(authority, "kiosk-thief", key=key)
    forged = certificates.issue_device(
        signing.generate_key().public_key(),
        device="kiosk-99",
        hall="hall-a",
        issuer=leaf(chain),
        issuer_key=key,
        now=NOW,
    )
    assert judge.verdict(forged.public_bytes(PEM) + chain, "sslclient") != "ok"


def test_each_ca_signs_only_what_it_is_for(tmp_path):
    """A server certificate signed by the CA for devices is refused: its CA is not for that."""
    root_key, key = signing.generate_key(), signing.generate_key()
    root = certificates.root(root_key, name="示例区", now=NOW)
    devices = certificates.authority(
        key.public_key(),
        purpose=Purpose.DEVICE,
        name="示例区",
        issuer=root,
        issuer_key=root_key,
        now=NOW,
    )
    forged = certificates.issue_server(
        key.public_key(), names=["hub.example"], issuer=devices, issuer_key=key, now=NOW
    )
    judge = Judge(tmp_path, root.public_bytes(PEM))
    chain = forged.public_bytes(PEM) + devices.public_bytes(PEM)
    assert "purpose" in judge.verdict(chain, "sslserver")


def test_a_ca_below_the_device_ca_is_refused(authority, judge):
    """The device CA may sign leaves only (pathlen 0)."""
    issuer, issuer_key = authority._devices
    key = signing.generate_key()
    sub = certificates.authority(
        key.public_key(),
        purpose=Purpose.DEVICE,
        name="假",
        issuer=issuer,
        issuer_key=issuer_key,
        now=NOW,
    )
    forged = certificates.issue_device(
        key.public_key(), device="kiosk-98", hall="hall-a", issuer=sub, issuer_key=key, now=NOW
    )
    chain = b"".join(each.public_bytes(PEM) for each in (forged, sub, issuer))
    assert "path length" in judge.verdict(chain, "sslclient")


def test_a_certificate_lives_from_a_day_ago_for_ninety_days(judge, kiosk):
    """A kiosk whose clock is a day behind may connect; one past its expiry may not."""
    assert judge.verdict(kiosk, "sslclient", at=NOW - DAY) == "ok"
    assert judge.verdict(kiosk, "sslclient", at=NOW + 89.99 * DAY) == "ok"
    assert "not yet valid" in judge.verdict(kiosk, "sslclient", at=NOW - DAY * 1.01)
    assert "expired" in judge.verdict(kiosk, "sslclient", at=NOW + 90.01 * DAY)


def test_no_certificate_outlives_its_issuer(authority):
    """Near the end of the CA's life leaves get shorter; after it nothing is signed."""
    issuer, issuer_key = authority._devices
    public = signing.generate_key().public_key()

    def issue(now):
        return certificates.issue_device(
            public, device="k", hall="h", issuer=issuer, issuer_key=issuer_key, now=now
        )

    end = issuer.not_valid_after_utc
    assert issue(end - 5 * DAY).not_valid_after_utc == end
    with pytest.raises(CertificateError, match="到期"):
        issue(end)
    with pytest.raises(CertificateError, match="校准本机时间"):
        issue(NOW - 2 * DAY)


def test_the_same_names_signed_by_another_authority_are_refused(judge, tmp_path):
    """Names prove nothing: only our own root counts."""
    with new_authority(tmp_path / "other") as other:
        stranger = enrolled(other, "kiosk-01")
    assert judge.verdict(stranger, "sslclient") != "ok"


def test_the_name_and_the_hall_are_in_the_certificate_and_only_the_key_is_the_kiosks(kiosk):
    """CN = device, O = hall, an end entity with a P-256 key; the request could add nothing."""
    certificate = leaf(kiosk)
    assert certificate.subject.rfc4514_string() == "O=hall-a,CN=kiosk-01"
    extensions = {extension.oid._name for extension in certificate.extensions}
    assert extensions == {
        "basicConstraints",
        "keyUsage",
        "extendedKeyUsage",
        "subjectKeyIdentifier",
        "authorityKeyIdentifier",
    }
    for device, hall in (("KIOSK", "hall-a"), ("kiosk-01", "a/b"), ("+", "hall-a")):
        with pytest.raises(TopicError):
            certificates.issue_device(
                certificate.public_key(),
                device=device,
                hall=hall,
                issuer=certificate,
                issuer_key=signing.generate_key(),
                now=NOW,
            )


def test_a_kiosk_and_a_hub_shake_hands_over_tls(tmp_path, authority):
    """Python's ssl module, both sides verifying, agrees on TLS 1.3 and on the kiosk's name."""
    from datetime import UTC, datetime  # noqa: PLC0415 - the one test at the real time

    now = datetime.now(UTC)
    key = signing.generate_key()
    chain = enrolled(authority, "kiosk-tls", key=key, now=now)
    server_chain, server_key = authority.issue_server(["127.0.0.1"], now)
    for name, data in (
        ("ca.pem", authority.root_pem),
        ("kiosk.pem", chain),
        ("kiosk.key", signing_pem(key)),
        ("hub.pem", server_chain),
        ("hub.key", server_key),
    ):
        (tmp_path / name).write_bytes(data)
    hub_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    hub_side.verify_mode = ssl.CERT_REQUIRED
    hub_side.load_cert_chain(tmp_path / "hub.pem", tmp_path / "hub.key")
    kiosk_side = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    kiosk_side.load_cert_chain(tmp_path / "kiosk.pem", tmp_path / "kiosk.key")
    kiosk_end, hub_end = shake_hands(kiosk_side, hub_side)
    assert kiosk_end.version() == "TLSv1.3"
    assert (("commonName", "kiosk-tls"),) in hub_end.getpeercert()["subject"]


def signing_pem(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def shake_hands(client_side, server_side):
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for end in [client, server] * 5:
        try:
            if end in waiting:
                end.do_handshake()
                waiting.remove(end)
        except ssl.SSLWantReadError:
            pass
    assert not waiting
    return client, server


def test_renewal_is_due_at_two_thirds(kiosk):
    """Of 91 days (one of them in the past) 60 and two thirds pass before it is due."""
    certificate = leaf(kiosk)
    due = NOW - DAY + (91 * DAY) * 2 / 3
    second = timedelta(seconds=1)
    assert not certificates.due_for_renewal(certificate, NOW)
    assert not certificates.due_for_renewal(certificate, due - second)
    assert certificates.due_for_renewal(certificate, due)
    assert certificates.due_for_renewal(certificate, NOW + 1000 * DAY)


def test_a_request_gives_its_key_to_the_device_it_names():
    """The key of a genuine request comes back."""
    key = signing.generate_key()
    assert certificates.check_request(request("kiosk-01", key), "kiosk-01") == key.public_key()


def other_key(kind):
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048), hashes.SHA256()
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate(), None
    return ec.generate_private_key(getattr(ec, kind)()), hashes.SHA256()


@pytest.mark.parametrize("kind", ["SECP384R1", "SECP256K1", "RSA", "Ed25519"])
def test_a_request_with_another_kind_of_key_is_refused(kind):
    """P-256 is all that certificates are made for."""
    key, digest = other_key(kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kiosk-01")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, digest)
    with pytest.raises(RequestRefused, match="P-256"):
        certificates.check_request(csr.public_bytes(PEM), "kiosk-01")


@pytest.mark.parametrize(
    "subject",
    [
        [],
        [(NameOID.COMMON_NAME, "kiosk-02")],
        [(NameOID.COMMON_NAME, "kiosk-01"), (NameOID.COMMON_NAME, "kiosk-02")],
        [(NameOID.COMMON_NAME, "kiosk-01"), (NameOID.ORGANIZATION_NAME, "hall-b")],
        [(NameOID.ORGANIZATION_NAME, "kiosk-01")],
    ],
    ids=["empty", "another", "two", "with a hall", "no CN"],
)
def test_a_request_in_another_name_is_refused(subject):
    """The subject is CN = the device and nothing besides."""
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    csr = builder.sign(signing.generate_key(), hashes.SHA256())
    with pytest.raises(WrongDevice, match="kiosk-01"):
        certificates.check_request(csr.public_bytes(PEM), "kiosk-01")


def test_a_request_that_was_altered_is_refused():
    """The name changed after signing, or the key swapped for another: the signature shows it."""
    der = x509.load_pem_x509_csr(request("kiosk-02")).public_bytes(serialization.Encoding.DER)
    altered = x509.load_der_x509_csr(der.replace(b"kiosk-02", b"kiosk-01"))
    with pytest.raises(RequestRefused, match="签名"):
        certificates.check_request(altered.public_bytes(PEM), "kiosk-01")


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else_happens(data):
    """Whatever the bytes, the answer is a request refused."""
    armoured = b"-----BEGIN CERTIFICATE REQUEST-----\n%s\n-----END CERTIFICATE REQUEST-----\n"
    for pem in (data, armoured % base64.b64encode(data)):
        with pytest.raises(RequestRefused):
            certificates.check_request(pem, "kiosk-01")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_wrong_byte_brings_another_key(place, flip):
    """It is refused as such, unless nothing that counts was hit (spare bits of the signature)."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    der = bytearray(certificates.request(key, "kiosk-01").public_bytes(serialization.Encoding.DER))
    der[place % len(der)] ^= flip
    armoured = b"-----BEGIN CERTIFICATE REQUEST-----\n%s\n-----END CERTIFICATE REQUEST-----\n"
    try:
        found = certificates.check_request(armoured % base64.b64encode(der), "kiosk-01")
    except RequestRefused:
        return
    assert found == key.public_key()


def test_a_request_beyond_all_measure_is_not_looked_at():
    """A babbling line does not keep the authority busy."""
    with pytest.raises(RequestRefused, match="过长"):
        certificates.check_request(b"x" * 10_000, "kiosk-01")


@pytest.mark.parametrize("name", ["", "a b", "-x.example", "*.example", "1.2.3", "汉字", "a" * 64])
def test_an_impossible_server_name_is_refused(authority, name):
    """Only host names and addresses; nothing that could match more than one host."""
    with pytest.raises(CertificateError, match=r"主机名|IP"):
        authority.issue_server([name], NOW)


def test_the_revocation_list_is_taken_by_openssl_and_names_the_revoked(authority, judge):
    """The revoked kiosk is out, the others stay in, and the list says so by serial number."""
    stays, goes = enrolled(authority, "kiosk-stays"), enrolled(authority, "kiosk-goes")
    authority.revoke("kiosk-goes", "被盗", NOW)
    crl = authority.crl(NOW)
    assert judge.verdict(stays, "sslclient", crl=crl) == "ok"
    assert "revoked" in judge.verdict(goes, "sslclient", crl=crl)
    listed = x509.load_pem_x509_crl(crl)
    found = listed.get_revoked_certificate_by_serial_number(leaf(goes).serial_number)
    assert found.revocation_date_utc == NOW
    assert listed.is_signature_valid(authority._devices.certificate.public_key())


def test_a_list_is_good_until_its_last_day(authority, judge, kiosk):
    """OpenSSL takes it from its start to its end, thirty days, and not outside of them."""
    pem = authority.crl(NOW)
    assert judge.verdict(kiosk, "sslclient", crl=pem, at=NOW + 29 * DAY) == "ok"
    assert "expired" in judge.verdict(kiosk, "sslclient", crl=pem, at=NOW + 31 * DAY)
    assert "not yet valid" in judge.verdict(kiosk, "sslclient", crl=pem, at=NOW - 1.01 * DAY)


def test_lists_are_numbered_upwards_even_when_the_clock_goes_back(authority):
    """RFC 5280, 5.2.3: a later list has a larger number."""

    def number(now):
        crl = x509.load_pem_x509_crl(authority.crl(now))
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    first = number(NOW)
    assert number(NOW) > first
    assert number(NOW - DAY) > first + 1
