"""The kiosk's side of enrolment: what it keeps, what it tries, what it says while it waits."""

import os
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cables import Cable
from cryptography.hazmat.primitives import serialization

from device import enrolment, identity
from device.enrolment import EnrolmentFailed, Hands
from device.identity import IdentityError
from device.line import Line, LineError
from protocol import certificates, signing
from protocol.certificates import Purpose
from protocol.enrolment.conversation import KioskConversation
from protocol.enrolment.messages import Terms
from protocol.enrolment.texts import KIOSK_BABBLE, KIOSK_DEAD

ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """A root with a CA for devices and one for servers, in memory."""

    def __init__(self):
        self._root_key = signing.generate_key()
        self.root = certificates.root(self._root_key, name="示例", now=NOW)
        self._cas = {purpose: self._ca(purpose) for purpose in Purpose}

    def _ca(self, purpose):
        key = signing.generate_key()
        return key, certificates.authority(
            key.public_key(),
            purpose=purpose,
            name="示例",
            issuer=self.root,
            issuer_key=self._root_key,
            now=NOW,
        )

    def device(self, key, device="kiosk-01", hall="hall-1"):
        ca_key, ca = self._cas[Purpose.DEVICE]
        own = certificates.issue_device(
            key.public_key(), device=device, hall=hall, issuer=ca, issuer_key=ca_key, now=NOW
        )
        return pem(own) + pem(ca)

    def server(self, name="127.0.0.1"):
        key = signing.generate_key()
        ca_key, ca = self._cas[Purpose.SERVER]
        own = certificates.issue_server(
            key.public_key(), names=[name], issuer=ca, issuer_key=ca_key, now=NOW
        )
        plain = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return pem(own) + pem(ca) + plain.decode()

    def terms(self, **changes):
        usual = {"device": "kiosk-01", "hall": "hall-1", "host": "127.0.0.1", "port": 8883}
        return Terms(**{**usual, "ca": pem(self.root), **changes})


AUTHORITY = Authority()


@pytest.fixture
def state(tmp_path):
    """The state directory of an enrolled kiosk."""
    place = tmp_path / "state"
    key = identity.load_or_create(place / "device-key.pem")
    identity.store(place, AUTHORITY.device(key), AUTHORITY.terms())
    return place


# ---------------------------------------------------------------- what is kept


def test_what_was_given_is_found_again(state):
    """Certificate, CA and terms; nobody else may read them."""
    found = identity.enrolled(state)
    assert found.terms == AUTHORITY.terms()
    assert found.ca.read_text() == pem(AUTHORITY.root)
    assert found.certificate == state / "identity" / "device.pem"
    assert found.certificate.stat().st_mode & 0o077 == 0
    assert found.certificate.resolve().parent.stat().st_mode & 0o077 == 0


def test_a_kiosk_that_was_never_enrolled_has_no_identity(tmp_path):
    """With or without a key."""
    assert identity.enrolled(tmp_path) is None
    identity.load_or_create(tmp_path / "device-key.pem")
    assert identity.enrolled(tmp_path) is None


def test_a_second_enrolment_takes_the_place_of_the_first(state):
    """And leaves nothing else behind, not even what an old power cut had left."""
    (state / "identity-0123").mkdir()
    key = identity.load(state / "device-key.pem")
    identity.store(state, AUTHORITY.device(key), AUTHORITY.terms(port=1))
    assert identity.enrolled(state).terms.port == 1
    assert len(list(state.glob("identity*"))) == 2


@pytest.mark.parametrize("name", ["device.pem", "terms.json"])
def test_a_damaged_identity_is_not_used(state, name):
    """The error says what to do."""
    file = (state / "identity" / name).resolve()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(IdentityError, match="重新入网"):
        identity.enrolled(state)


def test_a_card_copied_without_its_key_is_no_identity(state):
    """The certificate belongs to another key: another machine."""
    (state / "device-key.pem").unlink()
    identity.load_or_create(state / "device-key.pem")
    with pytest.raises(IdentityError, match="不属于本机"):
        identity.enrolled(state)


def test_a_write_that_fails_leaves_the_old_identity(state, monkeypatch):
    """At each of its syncs in turn; and nothing half is left lying about."""
    key = identity.load(state / "device-key.pem")
    real = os.fsync
    for last in range(1, 5):
        count = [0]

        def fails(handle, last=last, count=count):
            count[0] += 1
            if count[0] == last:
                raise OSError(28, "No space left on device")
            real(handle)

        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="No space"):
            identity.store(state, AUTHORITY.device(key), AUTHORITY.terms(port=last))
        monkeypatch.undo()
        assert identity.enrolled(state).terms.port == 8883
        assert len(list(state.glob("identity-*"))) == 1


# ---------------------------------------------------------------- what is tried


@contextmanager
def hub(tmp_path, authority=AUTHORITY, *, name="127.0.0.1", version=None, plain=False):
    """A server that asks for a certificate; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = tmp_path / "server.pem"
    file.write_text(AUTHORITY.server(name))
    context.load_cert_chain(file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pem(authority.root))
    if version is not None:
        context.maximum_version = version
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with server:
            connection, _ = server.accept()
            with connection:
                if plain:
                    connection.sendall(b"SSH-2.0-none\r\n")
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        secured.recv(1)
                except OSError:
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    thread.join(10)
    assert not thread.is_alive()


def tried(state, port, **changes):
    return enrolment.attempt(state, AUTHORITY.terms(port=port, **changes))


@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_2])
def test_a_hub_that_takes_the_certificate_passes(state, tmp_path, version, monkeypatch):
    """Both ways: the kiosk trusts the hub, and the hub the kiosk."""
    monkeypatch.setattr(enrolment, "ALERT_S", 0.2)
    with hub(tmp_path, version=version) as port:
        result = tried(state, port)
    assert result.passed
    assert f"127.0.0.1:{port}" in result.text


@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_2])
def test_a_hub_that_refuses_the_certificate_does_not_pass(state, tmp_path, version):
    """With TLS 1.3 the refusal comes only after the handshake."""
    with hub(tmp_path, Authority(), version=version) as port:
        result = tried(state, port)
    assert not result.passed
    assert "证书" in result.text


def test_a_hub_of_another_name_is_not_trusted(state, tmp_path):
    """Its certificate is for another host."""
    with hub(tmp_path, name="other.example") as port:
        result = tried(state, port)
    assert not result.passed
    assert "不可信" in result.text


def test_what_does_not_speak_tls_does_not_pass(state, tmp_path):
    """Some other service on that port."""
    with hub(tmp_path, plain=True) as port:
        assert not tried(state, port).passed


def test_a_hub_out_of_reach_is_named(state):
    """Nobody listens; the name is unknown."""
    result = tried(state, 1)
    assert not result.passed
    assert "连接不上 127.0.0.1:1" in result.text


def test_the_machine_knows_its_serial_number_or_says_nothing(tmp_path, monkeypatch):
    """As a Raspberry Pi tells it, with its closing zero; elsewhere there is none."""
    monkeypatch.setattr(enrolment, "_SERIAL_NUMBER", tmp_path / "serial-number")
    assert enrolment.hardware() == ""
    (tmp_path / "serial-number").write_bytes(b"10000000abcdef01\0")
    assert enrolment.hardware() == "10000000abcdef01"
    (tmp_path / "serial-number").write_bytes(b"\xff\x1b")
    assert enrolment.hardware() == ""


# ---------------------------------------------------------------- waiting


def conversation(tmp_path):
    key = identity.load_or_create(tmp_path / "device-key.pem")
    return KioskConversation(key, "kiosk-01", "hall-1", os.urandom)


HANDS = Hands(show=lambda _: None, keep=lambda *_: None, attempt=lambda _: None)


@pytest.fixture
def cable(tmp_path):
    cable = Cable(tmp_path)
    yield cable
    cable.close()


@pytest.mark.parametrize(("noise", "words"), [(b"", KIOSK_DEAD), (b"login: ", KIOSK_BABBLE)])
def test_a_kiosk_does_not_wait_for_ever(cable, tmp_path, noise, words):
    """Nobody there, or somebody who is no desk: it says what to check."""

    def open_line():
        line = Line.open(cable.kiosk)  # what lay there before is thrown away
        cable.babble("kiosk", noise)
        return line

    with pytest.raises(EnrolmentFailed) as failed:
        enrolment.run(open_line, conversation(tmp_path), HANDS, wait_ms=300)
    assert str(failed.value) == words


def test_a_port_that_is_not_there_is_named_at_once(tmp_path):
    """No waiting for a typing error."""
    with pytest.raises(LineError, match="没有这个端口"):
        enrolment.run(lambda: Line.open("/dev/none"), conversation(tmp_path), HANDS)


def test_a_port_that_goes_away_is_waited_for(cable, tmp_path):
    """The cable is pulled while the kiosk waits: it opens the port again."""
    opened = []

    def open_line():
        opened.append(1)
        if len(opened) == 1:
            line = Line.open(cable.kiosk)
            cable.replug()
            return line
        return Line.open(cable.kiosk)

    with pytest.raises(EnrolmentFailed):
        enrolment.run(open_line, conversation(tmp_path), HANDS, wait_ms=600)
    assert len(opened) == 2


def test_both_rooms_open_a_port_alike():
    """The rooms do not import each other; the two files differ in their first line only."""
    ours, theirs = (
        (ROOT / room / "line.py").read_text(encoding="utf-8").split("\n", 1)[1]
        for room in ("device", "provisioning")
    )
    assert ours == theirs


def test_without_a_port_the_command_prints_the_public_key(tmp_path):
    """As before there was a cable."""
    config = tmp_path / "kiosk.toml"
    config.write_text('hall = "hall-1"\ndevice = "kiosk-01"\nstate = "state"\n', encoding="utf-8")
    command = [sys.executable, "-m", "device", "enrol", "--config", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    key = identity.load(tmp_path / "state" / "device-key.pem")
    assert done.stdout == identity.public_pem(key).decode()
    done = subprocess.run(
        [*command, "--port", "/dev/none"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "没有这个端口" in done.stderr
