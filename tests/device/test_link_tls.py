"""The kiosk's connection under TLS holds, whoever publishes and whatever comes."""

import random
import subprocess
import threading

import brokers
import pytest
from brokers import LOOPBACK, eventually, free_port
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from test_enrolment_kiosk import Authority

from device import identity, tls
from device.link import DeviceLink
from protocol import topics
from protocol.topics import Leaf

AUTHORITY = Authority()
EACH = 300
ROUNDS = 8


@pytest.fixture
def broker(tmp_path):
    """A mosquitto with two doors: certificates on one, anybody of this machine on the other."""
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    (tmp_path / "server.pem").write_text(AUTHORITY.server(), encoding="ascii")
    terms = AUTHORITY.terms()
    (tmp_path / "root.pem").write_text(terms.ca, encoding="ascii")
    secure, plain = free_port(), free_port()
    (tmp_path / "mosquitto.conf").write_text(
        f"per_listener_settings true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
        f"listener {secure} {LOOPBACK}\ncafile {tmp_path}/root.pem\n"
        f"certfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.pem\n"
        f"require_certificate true\nuse_identity_as_username true\n"
        f"listener {plain} {LOOPBACK}\nallow_anonymous true\nuser root\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [brokers.MOSQUITTO, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.DEVNULL
    )
    eventually(lambda: brokers.listens(plain), "mosquitto listens")
    yield secure, plain
    process.kill()
    process.wait(10)


@pytest.fixture
def state(tmp_path):
    place = tmp_path / "state"
    key = identity.load_or_create(place / "device-key.pem")
    identity.store(place, AUTHORITY.device(key), AUTHORITY.terms())
    return place


class Peer:
    """Whoever is at the other end, by the door without certificates."""

    def __init__(self, port):
        self.heard = []
        ready, self._gone = threading.Event(), threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(0)
        self._client.on_connect = lambda client, *_: client.subscribe("pingyi/#", 0)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_disconnect = lambda *_: self._gone.set()
        self._client.on_message = lambda _, __, message: self.heard.append(bytes(message.payload))
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        assert ready.wait(10)

    def say(self, payload):
        self._client.publish(topics.topic("hall-1", "kiosk-01", Leaf.SETTINGS), payload, 1)

    def stop(self):
        self._client.disconnect()
        self._gone.wait(10)
        self._client.loop_stop()
        self._client._reset_sockets()


def test_the_line_holds_while_several_threads_speak_and_the_other_side_too(broker, state):
    """Under TLS a socket that two threads write to at once is broken; here one thread writes."""
    secure, plain = broker
    connections, losses, received = [], [], []
    link = DeviceLink(
        "hall-1",
        "kiosk-01",
        LOOPBACK,
        secure,
        boot="b" * 32,
        rng=random.Random(1),
        tls=tls.of_state(state),
    )
    peer = Peer(plain)
    link.start(
        connected=connections.append,
        lost=lambda: losses.append(1),
        receive=lambda _leaf, payload, _retained: received.append(payload),
    )
    try:
        eventually(lambda: connections, "the kiosk connects")

        def speak(who):
            for number in range(EACH):
                link.publish(Leaf.SHOWN, b"%d-%d" % (who, number) + b"." * 200)

        for turn in range(1, ROUNDS + 1):
            speakers = [threading.Thread(target=speak, args=(who,)) for who in range(3)]
            for speaker in speakers:
                speaker.start()
            for number in range(2 * EACH):
                peer.say(b"%d" % number + b"." * 200)
            for speaker in speakers:
                speaker.join(30)
            eventually(
                lambda turn=turn: (
                    losses
                    or (len(peer.heard) >= 5 * EACH * turn and len(received) >= 2 * EACH * turn)
                ),
                "all that was said arrives, both ways",
                20,
            )
        assert losses == []
        assert len(connections) == 1
    finally:
        link.stop()
        peer.stop()
