"""What every measurement stands on: a real broker, child processes, their processor time."""

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

LOOPBACK = "127.0.0.1"
LONG_S = 60.0


class BenchError(Exception):
    """A program under measurement did not do what it should; the text says where to look."""


def mosquitto() -> str | None:
    """Return the real broker's program, if it is installed."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")


def broker_name() -> str:
    """Say which broker carries all measurements of this run."""
    program = mosquitto()
    if program is None:
        return "embedded amqtt (mosquitto is not installed)"
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    return f"{said.splitlines()[0]}, set_tcp_nodelay true"


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], what: str, seconds: float = LONG_S) -> Any:
    """Return the first true answer of `condition`; raises `BenchError` after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise BenchError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.005)
    return answer


def listens(port: int) -> bool:
    """Whether somebody takes connections on this port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, all threads, in seconds."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), CPUCLOCK_SCHED


def resident_mb(pid: int | str) -> float:
    """Return the resident memory of a process, in MB."""
    return _memory_mb(pid, "VmRSS:")


def peak_mb(pid: int | str) -> float:
    """Return the most memory that a process had since its program began, in MB.

    Not the `ru_maxrss` of getrusage(2): that counts who started it as well.
    """
    return _memory_mb(pid, "VmHWM:")


def _memory_mb(pid: int | str, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise BenchError(f"process {pid} has ended")


class Child:
    """A Python program of its own that speaks JSON lines; what it logs goes to `log`."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.log = log
        self.started_ns = time.monotonic_ns()
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    def hear(self, what: str, seconds: float = LONG_S) -> dict[str, Any]:
        """Return the next line that has the key `what`; those before it are dropped."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._said.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise BenchError(f"no {what!r} within {seconds:.0f} s, see {self.log}") from None
            if line is None:
                raise BenchError(f"it has ended, see {self.log}:\n{self.log.read_text()[-2000:]}")
            if what in line:
                return line

    def tell(self, **order: object) -> None:
        """Give it an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # closed under it
            for line in self.process.stdout:
                self._said.put(json.loads(line))
        self._said.put(None)


def say(**line: object) -> None:
    """Speak to the parent: one line, written at once, from any thread."""
    os.write(1, json.dumps(line).encode() + b"\n")


@contextlib.contextmanager
def broker(home: Path) -> Iterator[int]:
    """Run the broker; yields its port."""
    port = free_port()
    program = mosquitto()
    log = home / "broker.log"
    with log.open("ab") as errors:
        if program is None:
            command = [sys.executable, "-m", "bench.children", "amqtt", str(port)]
        else:
            config = home / "mosquitto.conf"
            config.write_text(
                f"listener {port} {LOOPBACK}\nallow_anonymous true\npersistence false\n"
                "set_tcp_nodelay true\nmax_queued_messages 100000\nlog_dest stderr\n",
                encoding="ascii",
            )
            command = [program, "-c", str(config)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
    try:
        until(lambda: listens(port), f"the broker listens (see {log})")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def client(port: int, name: str) -> Client:
    """Return a plain paho client, not yet started, connected without Nagle's delay."""
    made = Client(CallbackAPIVersion.VERSION2, client_id=name)
    made.max_inflight_messages_set(1000)
    made.max_queued_messages_set(0)
    made.on_socket_open = lambda _client, _userdata, sock: sock.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )
    made.connect(LOOPBACK, port)
    return made


def subscribe(made: Client, *patterns: str) -> None:
    """Start the client's thread and return once the broker has its subscriptions."""
    done = threading.Event()
    made.on_subscribe = lambda *_: done.set()
    made.on_connect = lambda *_: made.subscribe([(pattern, 1) for pattern in patterns])
    made.loop_start()
    if not done.wait(LONG_S):
        raise BenchError("the broker does not confirm the subscription")
