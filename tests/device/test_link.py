"""The kiosk's connection against the real brokers: it comes, it goes, it comes again."""

import random
import socket
import threading
from queue import SimpleQueue

import pytest
from brokers import LOOPBACK, eventually
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from device.link import BACKOFF_CAP_S, DeviceLink
from protocol import topics, wire
from protocol.messages import State
from protocol.topics import Leaf

BOOT = "b" * 32


class Impatient(random.Random):
    """Chance that always draws a very short wait, and remembers the longest it could have."""

    longest = 0.0
    shortest = 0.01  # none at all, and a port of the loopback may get connected to itself

    def uniform(self, a, b):  # noqa: ARG002 - as chance has it
        self.longest = max(self.longest, b)
        return min(self.shortest, b)


class Kiosk:
    """A link, and all that it has told."""

    def __init__(self, port, device="k1"):
        self.connections = []
        self.losses = 0
        self.received = SimpleQueue()
        self.link = DeviceLink("h1", device, LOOPBACK, port, boot=BOOT, rng=Impatient())

    def start(self):
        self.link.start(connected=self.connections.append, lost=self.lost, receive=self.receive)
        return self

    def lost(self):
        self.losses += 1

    def receive(self, leaf, payload, retained):
        self.received.put((leaf, payload, retained))
        if payload == b"explode":
            raise ArithmeticError("a handler that fails")

    @property
    def socket(self):
        return self.link._client.socket()


class Listener:
    """A client that hears everything on the broker, as the hub would."""

    def __init__(self, port):
        self.heard = []
        self.ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self.client.username_pw_set("listener")
        self.client.on_connect = lambda client, *_: client.subscribe("pingyi/#", 1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.gone = threading.Event()
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_message = lambda _, __, message: self.heard.append(
            (message.topic, bytes(message.payload))
        )
        self.client.connect(LOOPBACK, port)
        self.client.loop_start()
        assert self.ready.wait(10)

    def say(self, leaf, payload, device="k1", *, retain=False):
        told = self.client.publish(topics.topic("h1", device, leaf), payload, 1, retain)
        told.wait_for_publish(10)

    def states(self):
        return [wire.decode(State, said) for topic, said in self.heard if topic.endswith("/state")]

    def stop(self):
        self.client.disconnect()
        self.gone.wait(10)
        self.client.loop_stop()
        del self.client  # paho closes its inner sockets when nobody holds it any more


@pytest.fixture
def kiosk(broker):
    kiosk = Kiosk(broker.port).start()
    eventually(lambda: kiosk.connections, "the kiosk connects")
    yield kiosk
    kiosk.link.stop()


@pytest.fixture
def listener(broker):
    listener = Listener(broker.port)
    yield listener
    listener.stop()


def test_both_ways_are_open(kiosk, listener):
    """What the kiosk publishes is heard; its own down leaves reach it, others do not."""
    assert kiosk.link.publish(Leaf.RATING, b"a.b.c")
    heard = ("pingyi/v1/h1/k1/rating", b"a.b.c")
    eventually(lambda: heard in listener.heard, "the rating arrives")
    listener.say(Leaf.INVITATION, b"not ours", device="k2")
    for leaf in sorted(topics.DOWN):
        listener.say(leaf, leaf.encode())
    told = [kiosk.received.get(timeout=10) for _ in topics.DOWN]
    assert sorted(told) == [(leaf, leaf.encode(), False) for leaf in sorted(topics.DOWN)]


def test_a_retained_message_is_there_after_connecting(broker, listener):
    """An invitation that was made while the kiosk was away reaches it, marked as retained."""
    listener.say(Leaf.INVITATION, b"waiting", retain=True)
    kiosk = Kiosk(broker.port).start()
    try:
        assert kiosk.received.get(timeout=10) == (Leaf.INVITATION, b"waiting", True)
    finally:
        kiosk.link.stop()


def test_small_messages_are_not_held_back(kiosk):
    """TCP_NODELAY is really set on the socket in use."""
    assert kiosk.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_broker_that_was_killed_is_found_again(broker, kiosk):
    """The loss is told once, nothing is sent into the void, and the next connection works."""
    broker.kill()
    eventually(lambda: kiosk.losses, "the loss is noticed")
    assert kiosk.link.publish(Leaf.RATING, b"x") is False
    broker.start()
    eventually(lambda: len(kiosk.connections) == 2, "the kiosk connects again")
    assert kiosk.connections[1] > kiosk.connections[0]
    assert kiosk.losses == 1
    listener = Listener(broker.port)
    try:
        assert kiosk.link.publish(Leaf.RATING, b"y")
        eventually(lambda: listener.heard, "the new connection carries")
        listener.say(Leaf.RECEIPT, b"z")
        assert kiosk.received.get(timeout=10)[:2] == (Leaf.RECEIPT, b"z")
    finally:
        listener.stop()


def test_a_new_connection_is_made_on_demand(kiosk, listener):
    """With a goodbye, so that no will is told, and with its own leaves subscribed again."""
    first = kiosk.connections[0]
    kiosk.link.reconnect()
    eventually(lambda: len(kiosk.connections) == 2, "the kiosk connects anew")
    assert kiosk.connections[1] > first
    assert kiosk.losses == 1
    assert kiosk.link.publish(Leaf.SHOWN, b"after")
    eventually(lambda: listener.heard, "the new connection carries")
    listener.say(Leaf.RECEIPT, b"down")
    assert kiosk.received.get(timeout=10)[:2] == (Leaf.RECEIPT, b"down")
    assert listener.states() == []


def test_a_new_connection_that_is_wanted_while_there_is_none_is_made_once(broker):
    """The next one has the new certificate anyhow."""
    broker.kill()
    kiosk = Kiosk(broker.port).start()
    try:
        eventually(lambda: kiosk.link._count >= 2, "it has tried in vain")
        kiosk.link.reconnect()
        broker.start()
        eventually(lambda: kiosk.connections, "the kiosk connects")
        kiosk.link.reconnect()
        eventually(lambda: len(kiosk.connections) == 2, "and anew")
        assert kiosk.losses <= 2
    finally:
        kiosk.link.stop()


def test_a_broker_that_comes_later_is_found(broker):
    """A kiosk that starts before the hall's server waits for it."""
    broker.kill()
    kiosk = Kiosk(broker.port).start()
    try:
        eventually(lambda: kiosk.link._count >= 2, "it has tried in vain")
        assert kiosk.losses == 0
        broker.start()
        eventually(lambda: kiosk.connections, "the kiosk connects")
    finally:
        kiosk.link.stop()


def test_a_long_outage_does_not_end_the_link(free_port, monkeypatch):
    """Two thousand attempts, a night and more of them, and the kiosk still tries."""
    monkeypatch.setattr(Impatient, "shortest", 0.0)
    kiosk = Kiosk(free_port).start()
    try:
        eventually(
            lambda: kiosk.link._count > 2_000 or not kiosk.link._thread.is_alive(),
            "it goes on trying",
            30,
        )
        assert kiosk.link._thread.is_alive()
        assert kiosk.link._rng.longest == BACKOFF_CAP_S
    finally:
        kiosk.link.stop()


def test_the_last_will_names_its_connection(kiosk, listener):
    """A line that is cut is told by the broker, for this boot and this connection only."""
    first = kiosk.connections[0]
    kiosk.socket.shutdown(socket.SHUT_RDWR)
    (death,) = eventually(listener.states, "the broker tells the death")
    assert death == State(boot=BOOT, connection=first, online=False)
    eventually(lambda: len(kiosk.connections) == 2, "the kiosk connects again")
    assert kiosk.connections[1] > death.connection


def test_a_clean_end_leaves_no_will(kiosk, listener):
    """A kiosk that says goodbye has said so itself; the broker adds nothing."""
    kiosk.link.stop()
    assert not kiosk.link._thread.is_alive()
    listener.say(Leaf.STATE, wire.encode(State(boot=BOOT, connection=9, online=False)))
    eventually(listener.states, "what was said after the goodbye arrives")
    assert [state.connection for state in listener.states()] == [9]


def test_a_failing_handler_does_not_end_the_line(kiosk, listener):
    """An exception in what takes the messages is logged; the next message still comes."""
    listener.say(Leaf.RECEIPT, b"explode")
    listener.say(Leaf.RECEIPT, b"after")
    assert kiosk.received.get(timeout=10)[1] == b"explode"
    assert kiosk.received.get(timeout=10)[1] == b"after"


NONSENSE = (
    b"",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x20\x00",
    b"\x20\x02\x00\x05",
    b"\x20\x01\x00",
    b"\x20\x02\x00\x00\x30\x00",
    b"\x20\x02\x00\x00\x30\x01\x00",
    b"\x20\x02\x00\x00\x32\x02\xff\xff",
    b"\x20\x02\x00\x00\x30\x04\x00\x02\xff\xfe",
    b"\x20\x02\x00\x00\x40\x01\x00",
    b"\x20\x02\x00\x00\x90\x00",
    b"\x20\x02\x00\x00\x90\x01\x00",
    b"\x20\x02\x00\x00\x50\x00",
    b"\x20\x02\x00\x00\x62\x00",
    b"\x20\x02\x00\x00\xff\xff\xff\xff\xff\xff",
    b"\x20\x02\x00\x00\xf0\x00",
    b"\x20\x02\x00\x00\x00\x00",
)


def test_something_that_is_no_broker_does_not_end_the_link():
    """Whatever answers on that port, the kiosk goes on trying."""
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(10)
        kiosk = Kiosk(server.getsockname()[1]).start()
        try:
            for nonsense in NONSENSE:
                line, _ = server.accept()
                with line:
                    line.settimeout(10)
                    assert line.recv(1000)
                    line.sendall(nonsense)
                    line.shutdown(socket.SHUT_WR)
                assert kiosk.link._thread.is_alive(), nonsense
            line, _ = server.accept()
            line.close()
        finally:
            kiosk.link.stop()
