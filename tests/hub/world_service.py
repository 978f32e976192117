"""The real hub as a process of its own, and a small MQTT client that plays a kiosk."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgspec
import world_file
from brokers import LOOPBACK, eventually, free_port
from cryptography.hazmat.primitives import serialization
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from world_hall import DEVICES, KEYS, SEATS, WINDOW, a_case, bind

from hub.rules.access import KEY_SCOPES
from hub.store import api_keys
from protocol import signing, topics, wire
from protocol.messages import Certificate, Receipt, Settings, Slot, State
from protocol.topics import Leaf

ROOT = Path(__file__).resolve().parents[2]
HALL = "demo"
KINDS = {
    Leaf.RECEIPT: Receipt,
    Leaf.SETTINGS: Settings,
    Leaf.INVITATION: Slot,
    Leaf.CERTIFICATE: Certificate,
}


def furnish(path, seats=None):
    """Bind kiosks and clerks in a hub's file that does not run yet; return an interface key."""
    path.parent.mkdir(exist_ok=True)
    now = time.time_ns() // 1_000_000
    with closing(world_file.opened(path)) as db, db.atomic():
        bind(db, seats or {WINDOW: SEATS[WINDOW]}, now)
        return api_keys.create(db, "示例系统", KEY_SCOPES, now)[1]


class HubProcess:
    """`pingyi-hub serve` with a configuration of its own in `folder`."""

    def __init__(self, folder: Path, *, embedded: bool, broker_port: int) -> None:
        self.folder = folder
        self.broker_port = broker_port
        self.port = free_port()
        for device in DEVICES:
            pem = (
                KEYS[device]
                .public_key()
                .public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
            (folder / f"{device}.pem").write_bytes(pem)
        self.config = folder / "hub.toml"
        devices = "".join(
            f'[[devices]]\nname = "{name}"\npublic_key = "{name}.pem"\n' for name in DEVICES
        )
        self.config.write_text(
            f'hall = "{HALL}"\nhall_name = "示例大厅"\nstate = "state"\n'
            f"[api]\nport = {self.port}\n"
            f"[broker]\nembedded = {str(embedded).lower()}\nport = {broker_port}\n{devices}"
            f'[[windows]]\nname = "{WINDOW}"\n',
            encoding="utf-8",
        )
        self.key = furnish(self.db)
        self.log = folder / "hub.log"
        self.process: subprocess.Popen | None = None

    @property
    def db(self) -> Path:
        return self.folder / "state" / "hub.db"

    def start(self, *, until: str = "broker=connected") -> None:
        """Start it, and wait until its log says so."""
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hub", "serve", "--config", str(self.config)],
                cwd=ROOT,
                env=os.environ | {"PYTHONWARNINGS": "error::ResourceWarning"},
                stderr=log,
            )
        eventually(lambda: until in self.says() or self.ended(), f"the hub says {until}", 20)
        assert until in self.says(), self.says()

    def says(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def ended(self) -> bool:
        return self.process.poll() is not None

    def run_to_the_end(self) -> int:
        """Start it where it cannot go on; return its exit code."""
        self.start(until="")
        return self.process.wait(20)

    def end(self, number=signal.SIGTERM, seconds=10) -> int:
        """Send a signal; return the exit code, which must come within the bound."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process is not None and not self.ended():
            self.end(signal.SIGKILL)

    def ask(self, method, path, body=None):
        """Send one request of a window system; return status and decoded body."""
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)) as connection:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def invite(self, serial="SL0001"):
        facts = msgspec.to_builtins(a_case(serial))
        del facts["serial"], facts["service_number"]
        return self.ask(
            "POST",
            f"/api/v1/windows/{quote(WINDOW)}/invitations",
            {"serial": serial, "service_number": 1, "case": facts},
        )

    def invitation(self, name):
        return self.ask("GET", f"/api/v1/invitations/{name}")[1]


class Kiosk:
    """One connection of a kiosk: what it heard is kept in order."""

    def __init__(self, port: int, device="k1", *, boot="a" * 32, connection=1) -> None:
        self.device = device
        self.boot = boot
        self.connection = connection
        self.heard = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=device)
        self._client.max_inflight_messages_set(1000)
        self._client.will_set(self._topic(Leaf.STATE), wire.encode(self._state(False)), 1, True)
        self._client.on_socket_open = lambda _client, _data, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(topic, 1) for topic in topics.device_subscriptions(HALL, device)]
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def _topic(self, leaf):
        return topics.topic(HALL, self.device, leaf)

    def _state(self, online, mono_ms=0):
        return State(boot=self.boot, connection=self.connection, online=online, mono_ms=mono_ms)

    def _on_message(self, _client, _data, message):
        topic = topics.parse(message.topic)
        # amqtt may hand over what it retained for others, or on leaves that go up
        if topic.device == self.device and topic.leaf in KINDS:
            taken_back = not message.payload  # of what was retained
            said = None if taken_back else wire.decode(KINDS[topic.leaf], message.payload)
            self.heard.append((topic.leaf, said))

    def say(self, leaf, payload, *, retain=False):
        self._client.publish(self._topic(leaf), payload, qos=1, retain=retain)

    def beat(self, mono_ms=1):
        self.say(Leaf.STATE, wire.encode(self._state(True, mono_ms)), retain=True)

    def rate(self, outcome):
        self.say(Leaf.RATING, signing.sign(outcome, KEYS[self.device]))

    def cut(self):
        """Lose the connection without a goodbye."""
        self._client.loop_stop()
        self._client.socket().close()

    def all(self, leaf):
        return [message for of, message in list(self.heard) if of is leaf and message is not None]

    def committed(self):
        return {name for receipt in self.all(Leaf.RECEIPT) for name in receipt.committed}

    def echoes(self):
        return [r.echo_ms for r in self.all(Leaf.RECEIPT) if r.boot == self.boot]

    def slot(self):
        """The slot of the highest version, as the device understands it, or None."""
        slots = self.all(Leaf.INVITATION)
        return max(slots, key=lambda slot: slot.version) if slots else None

    def shows(self):
        slot = self.slot()
        return slot.invitation.id if slot and slot.invitation else None
