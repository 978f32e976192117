"""The bare programs that ours are measured against, each a process of its own.

`bare` has the hub's shape and none of its rules: a paho subscriber, one writing thread that
commits what is waiting in one go, one receipt a device and group.
"""

import contextlib
import queue
import signal
import sqlite3
import sys
import threading
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from jwt.utils import base64url_decode
from paho.mqtt.client import MQTTMessage

from bench.stand import LOOPBACK, client, say, subscribe
from hub.link.broker import EmbeddedBroker

GROUP = 200
RATINGS = "pingyi/v1/bench/+/rating"
_ES256 = ec.ECDSA(hashes.SHA256())


class _Named(msgspec.Struct):
    id: str


class Receipt(msgspec.Struct):
    """The least that a receipt can say."""

    committed: list[str]


class Bare:
    """Receives, verifies, commits, answers; `keys` None = no signature, `file` None = no disk."""

    def __init__(self, port: int, keys: Path | None, file: Path | None) -> None:
        self._keys = self._read(keys) if keys else None
        self._db = sqlite3.connect(file, check_same_thread=False) if file else None
        if self._db is not None:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("CREATE TABLE raw (position INTEGER PRIMARY KEY, body BLOB)")
            self._db.isolation_level = None
        self._waiting: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._named = msgspec.json.Decoder(_Named)
        self._client = client(port, "hub-bench")
        self._client.on_message = self._take
        threading.Thread(target=self._write, daemon=True).start()
        subscribe(self._client, RATINGS)
        say(ready=True)

    @staticmethod
    def _read(folder: Path) -> dict[str, ec.EllipticCurvePublicKey]:
        found = {}
        for path in folder.glob("*.pem"):
            key = serialization.load_pem_public_key(path.read_bytes())
            assert isinstance(key, ec.EllipticCurvePublicKey)
            found[path.stem] = key
        return found

    def _take(self, _client: object, _userdata: object, message: MQTTMessage) -> None:
        device = message.topic.split("/")[3]
        if self._keys is not None:
            content, _, signature = message.payload.rpartition(b".")
            raw = base64url_decode(signature)
            r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
            try:
                self._keys[device].verify(utils.encode_dss_signature(r, s), content, _ES256)
            except InvalidSignature:
                return
        self._waiting.put((device, message.payload))

    def _write(self) -> None:
        while True:
            group = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while len(group) < GROUP:
                    group.append(self._waiting.get_nowait())
            if self._db is not None:
                self._db.execute("BEGIN")
                self._db.executemany("INSERT INTO raw (body) VALUES (?)", [(g[1],) for g in group])
                self._db.execute("COMMIT")
            by_device: dict[str, list[str]] = {}
            for device, body in group:
                outcome = self._named.decode(base64url_decode(body.split(b".")[1]))
                by_device.setdefault(device, []).append(outcome.id)
            for device, ids in by_device.items():
                topic = f"pingyi/v1/bench/{device}/receipt"
                self._client.publish(topic, msgspec.json.encode(Receipt(ids)), qos=1)


def _echo(port: int) -> None:
    """Send every message back, as two plain clients would."""
    made = client(port, "bench-echo")
    made.on_message = lambda _c, _u, m: made.publish("bench/back", m.payload, qos=1)
    subscribe(made, "bench/there")
    say(ready=True)


def main(kind: str, port: str, keys: str = "", file: str = "") -> None:
    """Run one of them until it is stopped."""
    if kind == "amqtt":
        EmbeddedBroker(LOOPBACK, int(port)).start()
    elif kind == "echo":
        _echo(int(port))
    else:
        Bare(int(port), Path(keys) if keys else None, Path(file) if file else None)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
