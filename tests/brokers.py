"""Real brokers on loopback for the tests, and waiting that always has an end."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOM = Path(__file__).parents[1]
LOOPBACK = "127.0.0.1"
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
EACH_LOOK_S = 0.01


def eventually(condition, what="what was waited for", seconds=10.0):
    """Return the first true answer of `condition`; fails when it stays untrue for `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"{what}: still not so after {seconds} s"
        time.sleep(EACH_LOOK_S)
    return answer


def free_port():
    """Return a TCP port of the loopback that nobody listens on.

    Below those that Linux gives to outgoing connections: none of these takes it while a program
    that is killed and started again is away.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


def listens(port):
    """Whether somebody takes connections on this port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


class Mosquitto:
    """A mosquitto process of its own; after `kill` it can be started again on the same port."""

    def __init__(self, directory: Path) -> None:
        self.host = LOOPBACK
        self.port = free_port()
        self._log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} {LOOPBACK}\n"
            "allow_anonymous true\n"
            "persistence false\n"
            "set_tcp_nodelay true\n"
            "log_dest stderr\n",
            encoding="ascii",
        )
        self._process: subprocess.Popen | None = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [MOSQUITTO, "-c", str(self._config)], stdin=subprocess.DEVNULL, stderr=log
            )
        eventually(self._listens_or_ended, "mosquitto listens")
        assert self._process.poll() is None, self._log.read_text(encoding="utf-8")

    def kill(self):
        """End it as a power cut does: no goodbye to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _listens_or_ended(self):
        return self._process.poll() is not None or listens(self.port)


class Embedded:
    """The hub's own broker (amqtt) with the same words; in a process, so that it can be killed."""

    def __init__(self) -> None:
        self.host = LOOPBACK
        self.port = free_port()
        self._process: subprocess.Popen | None = None

    def start(self):
        code = (
            "import sys; from hub.link.broker import EmbeddedBroker;"
            f"EmbeddedBroker({self.host!r}, {self.port}).start(); sys.stdin.read()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, cwd=ROOM
        )
        eventually(self._listens_or_ended, "the embedded broker listens", 30)
        assert self._process.poll() is None

    def kill(self):
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.stdin.close()
            self._process.wait(10)
            self._process = None

    def _listens_or_ended(self):
        return self._process.poll() is not None or listens(self.port)


def mosquitto_is_there():
    """Whether the program is installed; a build server without it is broken, not excused."""
    return bool(os.environ.get("CI")) or Path(MOSQUITTO).exists()
