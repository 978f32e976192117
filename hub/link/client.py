"""The hub's MQTT client: listens to every device of the hall, speaks to each.

Nothing here is relied on for delivery: what must arrive is said again until its receipt.
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

from hub.link.mosquitto import hub_user
from hub.link.tls import MakeContext
from protocol import topics
from protocol.errors import TopicError
from protocol.topics import Leaf

log = logging.getLogger(__name__)

Receive = Callable[[str, Leaf, bytes, bool], None]
"""Called with device, leaf, payload and whether the broker had retained it."""

BACKOFF_CAP_S = 15.0
LOOK_MS = 1_000
"""How often the keep-alive is looked at, at least."""


class HubLink:
    """One connection, renewed for as long as the hub lives; a new client for each.

    `receive` and `connected` are called in the link's own thread. `tls` makes the context of
    each connection; without it the connection is plain, for trials on loopback.
    """

    def __init__(
        self,
        hall: str,
        host: str,
        port: int,
        *,
        receive: Receive,
        connected: Callable[[], None],
        rng: random.Random,
        tls: MakeContext | None = None,
    ) -> None:
        self._hall = hall
        self._tls = tls
        self._address = (host, port)
        self._receive = receive
        self._connected = connected
        self._rng = rng
        self._stop = threading.Event()
        self._client: Client | None = None
        self._up = False
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="hub-link", daemon=True)
        self._bell, self._rope = socket.socketpair()
        for end in (self._bell, self._rope):
            end.setblocking(False)

    @property
    def up(self) -> bool:
        """Whether the broker has us connected and subscribed."""
        return self._up

    def start(self) -> None:
        """Start connecting."""
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

    def publish(
        self, device: str, leaf: Leaf, payload: bytes, *, retain: bool = False, qos: int = 1
    ) -> None:
        """Send, if connected; otherwise drop: it is said again after the next connection."""
        client = self._client
        if client is not None and self._up:
            client.publish(topics.topic(self._hall, device, leaf), payload, qos=qos, retain=retain)
            self._ring()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                client = self._client = self._new_client()
                client.connect(*self._address, keepalive=20)
                if self._stop.is_set():
                    return
                self._serve(client)
                if not self._up:
                    self._tell("closed-the-door", "certificate revoked or expired?")
            except OSError as error:
                self._tell("unreachable", error)
            failures = 1 if self._up else failures + 1
            if self._up and not self._stop.is_set():
                log.warning("broker=lost")
            self._up = False
            self._stop.wait(
                self._rng.uniform(0, min(BACKOFF_CAP_S, 0.2 * 1.5 ** min(failures, 30)))
            )

    def _serve(self, client: Client) -> None:
        """Read and write until the connection ends, all in this thread.

        paho's own loop lets whoever publishes write to the socket as well, and a TLS socket does
        not survive two threads at once ("bad record mac").
        """
        rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        poll = select.poll()  # a hub may have more files open than `select` can name
        poll.register(self._bell, select.POLLIN)
        while rc == MQTTErrorCode.MQTT_ERR_SUCCESS and (sock := client.socket()) is not None:
            decrypted = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
            poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            ready = dict(poll.poll(0 if decrypted else LOOK_MS))
            if self._bell.fileno() in ready:
                self._bell.recv(4096)
            if client.want_write():
                client.loop_write()
            if decrypted or ready.get(sock.fileno(), 0) & ~select.POLLOUT:
                client.loop_read()
            rc = client.loop_misc()

    def _ring(self, *_: object) -> None:
        """Wake the thread that writes."""
        with contextlib.suppress(OSError):  # it is ringing already, or the link has ended
            self._rope.send(b".")

    def _tell(self, problem: str, why: object) -> None:
        """Log why there is no connection: once, until there was one or another reason."""
        if problem != self._told and not self._stop.is_set():
            log.warning("broker=%s address=%s:%d error=%s", problem, *self._address, why)
            self._told = problem

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=hub_user(self._hall),
            reconnect_on_failure=False,
        )
        client.username_pw_set(hub_user(self._hall))
        if self._tls is not None:
            client.tls_set_context(self._tls())
        client.max_inflight_messages_set(1000)
        client.max_queued_messages_set(20_000)
        client.on_socket_open = _no_delay
        client.on_socket_register_write = self._ring  # without it, `publish` would write at once
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
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
            log.error("broker=refused reason=%s", reason)
            client.disconnect()
            return
        client.subscribe([(pattern, 1) for pattern in topics.hub_subscriptions(self._hall)])

    def _on_subscribe(self, *_: object) -> None:
        """Be connected once the broker listens for us: what kiosks say before is not heard."""
        self._up = True
        self._told = ""
        log.info("broker=connected address=%s:%d", *self._address)
        try:
            self._connected()
        except Exception:
            log.exception("broker=connected handler=failed")

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        del client, userdata
        try:
            topic = topics.parse(message.topic)
        except (TopicError, UnicodeDecodeError):
            return  # a topic that no device of ours has
        try:
            self._receive(topic.device, topic.leaf, bytes(message.payload), message.retain)
        except Exception:  # paho's thread dies of an exception in a callback
            log.exception("receive=failed device=%s leaf=%s", topic.device, topic.leaf)


def _no_delay(client: Client, userdata: object, sock: object) -> None:
    """Without it every push waits 40 ms for Nagle's algorithm and a delayed acknowledgement."""
    del client, userdata
    if isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
