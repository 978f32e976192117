"""Real certificates, the generated configuration, the real mosquitto, and knocks on its door."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

from brokers import LOOPBACK, MOSQUITTO, eventually, free_port, listens
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from hub.__main__ import main as hub_command
from protocol import certificates, topics
from protocol.certificates import Purpose

HALL = "demo"
ACCEPTED = b"\x20\x02\x00\x00"


def now():
    return datetime.now(UTC)


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def pem(*things):
    return b"".join(thing.public_bytes(serialization.Encoding.PEM) for thing in things)


class Papers:
    """A root, its two CAs (made `at`), and what they sign, as files in `folder`."""

    def __init__(self, folder: Path, at: datetime | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.root_key, self.device_key, self.server_key = new_key(), new_key(), new_key()
        self.at = at or now()
        self.root = certificates.root(self.root_key, name="demo", now=self.at)
        self.device_ca = self._authority(self.device_key, Purpose.DEVICE)
        self.server_ca = self._authority(self.server_key, Purpose.SERVER)
        self.revoked = []
        self.write("root", self.root)
        self.write("device-ca", self.device_ca)
        self.crl()

    def _authority(self, key, purpose):
        return certificates.authority(
            key.public_key(),
            purpose=purpose,
            name="demo",
            issuer=self.root,
            issuer_key=self.root_key,
            now=self.at,
        )

    def device(self, name, *, file=None, key=None, at=None, days=90):
        """Issue a device's certificate; `NAME.pem` (with its CA's) and `NAME.key` are written."""
        key = key or new_key()
        leaf = certificates.issue_device(
            key.public_key(),
            device=name,
            hall=HALL,
            issuer=self.device_ca,
            issuer_key=self.device_key,
            now=at or now(),
            days=days,
        )
        return self.write(file or name, leaf, self.device_ca, key=key)

    def server(self, file="server", names=(LOOPBACK, "localhost")):
        key = new_key()
        leaf = certificates.issue_server(
            key.public_key(),
            names=names,
            issuer=self.server_ca,
            issuer_key=self.server_key,
            now=now(),
        )
        return self.write(file, leaf, self.server_ca, key=key)

    def crl(self, file="list", *, days=30):
        """Write the list of what is in `revoked`."""
        made = certificates.revocation_list(
            self.device_ca, self.device_key, [(n, now()) for n in self.revoked], now(), days
        )
        self.write(file, made)
        return self.folder / f"{file}.pem"

    def write(self, name, *things, key=None):
        (self.folder / f"{name}.pem").write_bytes(pem(*things))
        if key is not None:
            path = self.folder / f"{name}.key"
            path.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
            path.chmod(0o600)
        return things[0]

    def context(self, name=None):
        """What a client with this certificate uses towards the broker."""
        context = ssl.create_default_context(cafile=self.folder / "root.pem")
        if name is not None:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


def issue(papers, device="kiosk-01", *, hall=HALL, key=None, at=None, days=90, by=None):
    """A real certificate; `by` another authority's papers."""
    authority = by or papers
    return certificates.issue_device(
        (key or new_key()).public_key(),
        device=device,
        hall=hall,
        issuer=authority.device_ca,
        issuer_key=authority.device_key,
        now=at or now(),
        days=days,
    )


class SecureMosquitto:
    """The real broker under the configuration that `pingyi-hub broker-config` writes."""

    def __init__(self, folder: Path, papers: Papers) -> None:
        self.host = LOOPBACK
        self.folder = folder
        self.papers = papers
        self.port, self.kick_port = free_port(), free_port()
        self.out = folder / "mosquitto"
        papers.server()
        if not (papers.folder / f"hub-{HALL}.pem").exists():
            papers.device(f"hub-{HALL}")
        self.section = (
            f'[broker]\nembedded = false\nhost = "{LOOPBACK}"\nport = {self.port}\ntls = true\n'
            f'ca = "{papers.folder}/root.pem"\ndevice_ca = "{papers.folder}/device-ca.pem"\n'
            f'certificate = "{papers.folder}/hub-{HALL}.pem"\n'
            f'key = "{papers.folder}/hub-{HALL}.key"\ncrl = "{self.out}/crl.pem"\n'
            f'kick_port = {self.kick_port}\nkick_password = "{folder}/kick.password"\n'
        )
        config = folder / "broker-only.toml"
        config.write_text(
            f'hall = "{HALL}"\nhall_name = "示例大厅"\nstate = "none"\n{self.section}',
            encoding="utf-8",
        )
        asked = ["broker-config", "--config", str(config), "--out", str(self.out)]
        asked += ["--certificate", str(papers.folder / "server.pem")]
        asked += ["--key", str(papers.folder / "server.key")]
        asked += ["--crl", str(papers.folder / "list.pem"), "--bind", LOOPBACK]
        ran = CliRunner().invoke(hub_command, asked)
        assert ran.exit_code == 0, ran.output
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen | None = None

    def start(self):
        conf = self.out / "mosquitto.conf"
        text = conf.read_text(encoding="utf-8").replace("log_dest syslog", "log_dest stderr")
        root = "user root\n" if os.geteuid() == 0 else ""
        tried = self.folder / "tried.conf"
        tried.write_text(root + text, encoding="utf-8")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [MOSQUITTO, "-c", str(tried)], stdin=subprocess.DEVNULL, stderr=log
            )
        eventually(
            lambda: self._process.poll() is not None or listens(self.kick_port), "mosquitto listens"
        )
        assert self._process.poll() is None, self.says()

    def says(self):
        return self._log.read_text(encoding="utf-8")

    def reload(self):
        """Have it read its files again, as `systemctl reload mosquitto` does."""
        before = self.says().count("Reloading config")
        self._process.send_signal(signal.SIGHUP)
        eventually(lambda: self.says().count("Reloading config") > before, "the reload")

    def revoke(self, certificate):
        """Put a certificate on the list, and have the broker read it."""
        self.papers.revoked.append(certificate.serial_number)
        (self.out / "crl.pem").write_bytes(self.papers.crl().read_bytes())
        self.reload()

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def peer(self, name, **more):
        return Peer(self, name, **more)


class Peer:
    """An MQTT client with a certificate; what it gets is kept in order."""

    def __init__(self, broker, name, *, client_id=None, will=None, user=None, subscribe=()):
        self.heard = []
        self.gone = threading.Event()
        here = threading.Event()
        answers = []
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id or name, reconnect_on_failure=False
        )
        self.client.tls_set_context(broker.papers.context(name))
        if user is not None:
            self.client.username_pw_set(user)
        if will is not None:
            self.client.will_set(*will)

        def on_connect(client, _data, _flags, reason, _properties):
            answers.append(reason)
            if subscribe and not reason.is_failure:
                client.subscribe([(topic, 1) for topic in subscribe])
            else:
                here.set()

        self.client.on_connect = on_connect
        self.client.on_subscribe = lambda *_: here.set()
        self.client.on_disconnect = lambda *_: (self.gone.set(), here.set())
        self.client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, bytes(message.payload))
        )
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        assert here.wait(10)
        assert [answer.is_failure for answer in answers] == [False]

    def say(self, device, leaf, payload, *, retain=False):
        told = self.client.publish(topics.topic(HALL, device, leaf), payload, 1, retain)
        told.wait_for_publish(10)

    def cut(self):
        """Lose the connection without a goodbye."""
        self.client.loop_stop()
        self.client._reset_sockets()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()
        self.client._reset_sockets()  # this object is part of a circle; gc may find it too late


def connect_packet(client_id):
    """An MQTT 3.1.1 CONNECT with a clean session."""
    name = client_id.encode()
    body = b"\0\4MQTT\4\2\0\x14" + len(name).to_bytes(2, "big") + name
    return bytes((0x10, len(body))) + body


def knock(port, context, client_id="k1", session=None):
    """Connect once; whether the broker accepted it."""
    try:
        with _line(port, context, session) as line:
            line.sendall(connect_packet(client_id))
            return line.recv(4) == ACCEPTED
    except (ssl.SSLError, ConnectionError):
        return False


def refusal(port, context, session=None):
    """Shake hands and say nothing; return the alert by which the broker refuses."""
    try:
        with _line(port, context, session) as line:
            return f"no alert, but {line.recv(4)!r}"
    except ssl.SSLError as error:
        return error.reason


@contextlib.contextmanager
def _line(port, context, session):
    with (
        socket.create_connection((LOOPBACK, port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=LOOPBACK, session=session) as line,
    ):
        yield line


def self_signed(folder, name):
    """A certificate that says it is `name`, signed by nobody but itself."""
    key = new_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now() - certificates.BACKDATE)
        .not_valid_after(now() + certificates.BACKDATE)
        .sign(key, certificates.hashes.SHA256())
    )
    (folder / "self.pem").write_bytes(pem(made))
    (folder / "self.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
