"""Both clients over TLS: they believe their broker only, and take up a renewed certificate."""

import contextlib
import random
import shutil
import socket
import ssl
import threading

import brokers
import pytest
from brokers import LOOPBACK, eventually
from tls_world import HALL, Papers, SecureMosquitto, knock, refusal, self_signed

from device.link import DeviceLink
from device.tls import of_state
from hub.link import tls
from hub.link.client import HubLink

BOOT = "c" * 32


class Impatient(random.Random):
    def uniform(self, a, b):  # noqa: ARG002 - as chance has it
        return min(0.01, b)


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    made = Papers(tmp_path_factory.mktemp("papers"))
    made.device("k1")
    made.device(f"hub-{HALL}")
    made.server()
    return made


@pytest.fixture
def state(tmp_path, papers):
    """A kiosk's state directory as enrolment leaves it."""
    (tmp_path / "identity").mkdir()
    shutil.copy(papers.folder / "k1.pem", tmp_path / "identity" / "device.pem")
    shutil.copy(papers.folder / "root.pem", tmp_path / "identity" / "ca.pem")
    shutil.copy(papers.folder / "k1.key", tmp_path / "device-key.pem")
    return tmp_path


class Impostor:
    """Something that takes TLS connections under a certificate; notes what it is told."""

    def __init__(self, papers, name, *, version=None):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(papers.folder / f"{name}.pem", papers.folder / f"{name}.key")
        if version is not None:
            self._context.set_ciphers("ALL:@SECLEVEL=0")
            self._context.minimum_version = version
            self._context.maximum_version = version
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self.callers = 0
        self.told = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.callers += 1
            plain.settimeout(5)
            with (
                plain,
                contextlib.suppress(OSError),
                self._context.wrap_socket(plain, server_side=True) as line,
            ):
                self.told.append(line.recv(1000))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


def device_link(port, state, host=LOOPBACK):
    return DeviceLink(HALL, "k1", host, port, boot=BOOT, rng=Impatient(), tls=of_state(state))


@contextlib.contextmanager
def running_device(port, state):
    connections = []
    link = device_link(port, state)
    link.start(connected=connections.append, lost=lambda: None, receive=lambda *_: None)
    try:
        yield connections
    finally:
        link.stop()


@contextlib.contextmanager
def running_hub(port, papers):
    folder = papers.folder
    make = tls.maker(folder / "root.pem", folder / f"hub-{HALL}.pem", folder / f"hub-{HALL}.key")
    link = HubLink(
        HALL,
        LOOPBACK,
        port,
        receive=lambda *_: None,
        connected=lambda: None,
        rng=Impatient(),
        tls=make,
    )
    link.start()
    try:
        yield link
    finally:
        link.stop()


@pytest.mark.parametrize("certificate", ["k1", "self", "elsewhere", f"hub-{HALL}"])
def test_nobody_can_pose_as_the_broker(papers, state, certificate):
    """A kiosk's certificate, a self-signed one, one for another host: no word is said to it."""
    self_signed(papers.folder, "server")
    papers.server("elsewhere", names=["elsewhere.example", "192.0.2.7"])
    with Impostor(papers, certificate) as impostor:
        with running_device(impostor.port, state) as connections:
            eventually(lambda: impostor.callers >= 2, "attempts of the kiosk")
        with running_hub(impostor.port, papers) as link:
            count = impostor.callers
            eventually(lambda: impostor.callers >= count + 2, "attempts of the hub")
            assert not link.up
    assert impostor.told == []
    assert connections == []


def test_a_true_broker_is_told(papers, state):
    """The same stand-in hears both once it has the server's certificate."""
    with Impostor(papers, "server") as broker:
        with running_device(broker.port, state):
            eventually(lambda: broker.told, "the kiosk's word")
        broker.told.clear()
        with running_hub(broker.port, papers):
            eventually(lambda: broker.told, "the hub's word")
    assert f"hub-{HALL}".encode() in broker.told[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_neither_speaks_tls_1_1(papers, state):
    """A server that offers nothing better is left."""
    with Impostor(papers, "server", version=ssl.TLSVersion.TLSv1_1) as old:
        with running_device(old.port, state):
            eventually(lambda: old.callers >= 2, "attempts of the kiosk")
        with running_hub(old.port, papers):
            count = old.callers
            eventually(lambda: old.callers >= count + 2, "attempts of the hub")
    assert old.told == []


def test_a_renewed_certificate_is_taken_up(papers, state, tmp_path):
    """Files that change while the kiosk runs are read at its next connection, damage included."""
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = SecureMosquitto(folder, papers)
    broker.start()
    try:
        papers.device("k1", file="renewed")
        with running_device(broker.port, state) as connections:
            eventually(lambda: len(connections) == 1, "the first connection")
            (state / "identity" / "device.pem").write_text("half a file", encoding="ascii")
            broker.kill()
            broker.start()
            (state / "device-key.pem").write_bytes((papers.folder / "renewed.key").read_bytes())
            new = state / "identity" / "device.new"
            new.write_bytes((papers.folder / "renewed.pem").read_bytes())
            new.rename(state / "identity" / "device.pem")
            eventually(lambda: len(connections) == 2, "a connection with the new certificate")
    finally:
        broker.kill()


def test_a_list_that_is_over_locks_out_until_there_is_a_new_one(papers, tmp_path):
    """What the alarm is for; after a reload with a fresh list everybody may come again."""
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    broker = SecureMosquitto(tmp_path, papers)
    (broker.out / "crl.pem").write_bytes(papers.crl("over", days=0).read_bytes())
    broker.start()
    try:
        assert refusal(broker.port, papers.context("k1")) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"
        (broker.out / "crl.pem").write_bytes(papers.crl().read_bytes())
        broker.reload()
        assert knock(broker.port, papers.context("k1"))
    finally:
        broker.kill()
