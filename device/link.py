"""The kiosk's MQTT connection: its own leaves, renewed with jitter for as long as it lives.

A new client for each connection: paho keeps a queue of its own in memory, and what it would
send again after a reconnection is the outbox's to decide. All of its reading and writing happens
in one thread: paho's own loop lets whoever publishes write to the socket as well, and a TLS
socket does not survive two threads at once.
"""

import contextlib
import logging
import random
import select
import socket
import ssl
import threading
from collections.abc import Callable

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device.tls import MakeContext
from protocol import topics, wire
from protocol.errors import TopicError
from protocol.messages import State
from protocol.topics import Leaf

log = logging.getLogger(__name__)

BACKOFF_CAP_S = 30.0
LOOK_S = 1.0
"""How often the keep-alive is looked at, at least."""


class DeviceLink:
    """Connects as the device.

    `connected(n)`, `lost()` and `receive(leaf, payload, retained)` are called in the link's
    thread; n counts the connections of this run. `tls` makes the context of each connection;
    without it the connection is plain, for trials on loopback.
    """

    def __init__(
        self,
        hall: str,
        device: str,
        host: str,
        port: int,
        *,
        boot: str,
        rng: random.Random,
        tls: MakeContext | None = None,
    ) -> None:
        self._tls = tls
        self._hall = hall
        self._device = device
        self._address = (host, port)
        self._boot = boot
        self._rng = rng
        self._stop = threading.Event()
        self._client: Client | None = None
        self._up = False
        self._count = 0
        self._first = 0
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._bell, self._rope = socket.socketpair()
        for end in (self._bell, self._rope):
            end.setblocking(False)
        self._connected: Callable[[int], None] = lambda _: None
        self._lost: Callable[[], None] = lambda: None
        self._receive: Callable[[Leaf, bytes, bool], None] = lambda *_: None

    def start(
        self,
        *,
        connected: Callable[[int], None],
        lost: Callable[[], None],
        receive: Callable[[Leaf, bytes, bool], None],
    ) -> None:
        """Start connecting."""
        self._connected, self._lost, self._receive = connected, lost, receive
        self._thread.start()

    def stop(self) -> None:
        """Disconnect and end."""
        self._stop.set()
        client = self._client
        if client is not None:
            client.disconnect()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._rope.close()
        self._bell.close()

    def reconnect(self) -> None:
        """Say goodbye and connect anew at once, with a new TLS context; from any thread.

        A TLS connection cannot change its certificate, nor paho its context.
        """
        self._first = self._count + 1
        client = self._client
        if client is not None and self._up:
            client.disconnect()

    def publish(self, leaf: Leaf, payload: bytes, *, retain: bool = False) -> bool:
        """Send, if connected; False where there is no connection and nothing was sent."""
        client = self._client
        if client is None or not self._up or not client.is_connected():
            return False
        client.publish(topics.topic(self._hall, self._device, leaf), payload, qos=1, retain=retain)
        self._ring()
        return True

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._count += 1
            client = None
            try:
                client = self._client = self._new_client(self._count)
                client.connect(*self._address, keepalive=20)
                if not self._stop.is_set():
                    self._serve(client)
                if not self._up:
                    self._tell("closed-the-door", "certificate revoked or expired?")
            except OSError as error:
                self._tell("unreachable", error)
            if client is not None:
                _close(client)
            was_up, self._up = self._up, False
            failures = 1 if was_up else failures + 1
            if was_up and not self._stop.is_set():
                if self._count < self._first:
                    log.info("hub=connecting-anew")
                else:
                    log.warning("hub=lost")
                self._lost()
            self._stop.wait(
                self._rng.uniform(0, min(BACKOFF_CAP_S, 0.2 * 1.5 ** min(failures, 30)))
            )
        self._client = None  # paho closes its inner sockets when nobody holds it any more

    def _serve(self, client: Client) -> None:
        """Read and write until the connection ends."""
        rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        while rc == MQTTErrorCode.MQTT_ERR_SUCCESS and (sock := client.socket()) is not None:
            decrypted = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
            writing = [sock] if client.want_write() else []
            ready = select.select([sock, self._bell], writing, [], 0.0 if decrypted else LOOK_S)
            if self._bell in ready[0]:
                self._bell.recv(4096)
            if client.want_write():
                client.loop_write()
            if sock in ready[0] or decrypted:
                client.loop_read()
            rc = client.loop_misc()

    def _ring(self, *_: object) -> None:
        """Wake the thread that writes."""
        with contextlib.suppress(OSError):  # it is ringing already, or the link has ended
            self._rope.send(b".")

    def _tell(self, problem: str, why: object) -> None:
        """Log why there is no connection: once, until there was one or another reason."""
        if problem != self._told and not self._stop.is_set():
            log.warning("hub=%s address=%s:%d error=%s", problem, *self._address, why)
            self._told = problem

    def _new_client(self, connection: int) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=self._device, reconnect_on_failure=False
        )
        client.username_pw_set(self._device)
        if self._tls is not None:
            client.tls_set_context(self._tls())
        client.max_inflight_messages_set(100)
        client.max_queued_messages_set(1000)
        client.will_set(
            topics.topic(self._hall, self._device, Leaf.STATE),
            wire.encode(State(boot=self._boot, connection=connection, online=False)),
            qos=1,
            retain=True,
        )
        client.on_socket_open = _no_delay
        client.on_socket_register_write = self._ring  # without it, `publish` would write at once
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del userdata, flags, properties
        if reason.is_failure:
            log.error("hub=refused reason=%s", reason)
            client.disconnect()
            return
        self._up = True
        if self._count < self._first:  # it was asked for while this one was being made
            client.disconnect()
            return
        patterns = topics.device_subscriptions(self._hall, self._device)
        client.subscribe([(pattern, 1) for pattern in patterns])
        self._told = ""
        log.info("hub=connected connection=%d", self._count)
        self._safely(self._connected, self._count)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        del client, userdata
        try:
            topic = topics.parse(message.topic)
        except (TopicError, UnicodeDecodeError):
            return
        mine = (topic.hall, topic.device) == (self._hall, self._device)
        if mine and topic.leaf in topics.DOWN:  # amqtt hands out retained messages of others too
            self._safely(self._receive, topic.leaf, bytes(message.payload), message.retain)

    @staticmethod
    def _safely(call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception:  # paho's thread dies of an exception in a callback
            log.exception("link=handler-failed")


def _close(client: Client) -> None:
    """Paho leaves its socket open where it was told to disconnect before its loop ran."""
    sock = client.socket()
    if sock is not None:
        sock.close()


def _no_delay(client: Client, userdata: object, sock: object) -> None:
    """Without it every push waits 40 ms for Nagle's algorithm and a delayed acknowledgement."""
    del client, userdata
    if isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
