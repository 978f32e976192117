"""The real kiosk beside its peers: invitation to pixels, tap to disk and thanks, start, idle."""

import contextlib
import json
import os
import queue
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench import hall, stand
from bench.empty import TOPIC
from bench.pairs import Pair

SIZE = (1024, 600)
DEVICE = "kiosk-01"
ARMED_S = 0.45
"""A new invitation takes no tap for its first 0.4 s."""
READ_NS = 800_000_000
"""So long after the thanks it is pressed; before 700 ms the kiosk takes no press there."""
PAYLOAD = 420
"""Bytes of an invitation on the wire, to which the bare messages are filled up."""


class Size(Struct, frozen=True):
    """How much is measured."""

    rounds: int = 100
    starts: int = 5
    idle_s: float = 6.0


class Round(Struct, frozen=True, kw_only=True):
    """One citizen, all in milliseconds: `bare` are the peers, measured in the same round."""

    invited: float
    round_trip: float
    label: float
    committed: float
    kept: float
    thanks: float
    fsync: float
    tapped_label: float


def configure(home: Path, port: int) -> tuple[Path, Path]:
    """Make a kiosk's configuration and key; return the file and the public key's."""
    file, public = home / "kiosk.toml", home / f"{DEVICE}.pem"
    file.write_text(
        f'hall = "{hall.HALL}"\ndevice = "{DEVICE}"\nstate = "kiosk"\n'
        f'[hub]\nhost = "{stand.LOOPBACK}"\nport = {port}\n'
        f"[screen]\nwidth = {SIZE[0]}\nheight = {SIZE[1]}\nfullscreen = false\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "device", "enrol", "--config", str(file)]
    public.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return file, public


class Peers:
    """The bare round trip and the empty window, and the wire to both of them."""

    def __init__(self, home: Path, port: int, stack: contextlib.ExitStack) -> None:
        self._echo = stand.Child(home / "echo.log", "bench.children", "echo", str(port))
        stack.callback(self._echo.stop)
        sides = [str(side) for side in SIZE]
        self.window = stand.Child(home / "empty.log", "bench.empty", str(port), *sides)
        stack.callback(self.window.stop)
        self._echo.hear("ready")
        self.window.hear("ready")
        self._back: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._client = stand.client(port, "bench-peers")
        self._client.on_message = lambda *_: self._back.put(time.monotonic_ns())
        stand.subscribe(self._client, "bench/back")
        stack.callback(self._client.loop_stop)
        stack.callback(self._client.disconnect)
        self._count = 0

    def round_trip(self) -> float:
        """Return how long a message takes to the other client and back."""
        start = time.monotonic_ns()
        self._client.publish("bench/there", b"x" * PAYLOAD, qos=1)
        return (self._back.get(timeout=stand.LONG_S) - start) / 1e6

    def label(self) -> float:
        """Return how long a message takes until the empty window shows a label for it."""
        self._count += 1
        line = json.dumps({"text": str(self._count)}).ljust(PAYLOAD).encode()
        start = time.monotonic_ns()
        self._client.publish(TOPIC, line, qos=1)
        return _since(start, self.window.hear("label"))

    def tapped(self) -> float:
        """Return how long a touch takes until the empty window shows a label for it."""
        self._count += 1
        start = time.monotonic_ns()
        self.window.tell(tap=str(self._count))
        return _since(start, self.window.hear("label"))


def rounds(home: Path, count: int) -> list[Round]:
    """Let `count` citizens be invited, and rate 非常满意; the peers take their turn with each."""
    found = []
    home.mkdir()
    rng = random.Random(1)
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(stand.broker(home))
        file, public = configure(home, port)
        hub = stack.enter_context(hall.hub(home / "hall", port, {DEVICE: public}))
        kiosk = stand.Child(home / "kiosk.log", "bench.probe", str(file))
        stack.callback(kiosk.stop)
        kiosk.hear("idle")
        peers = Peers(home, port, stack)
        disk = stack.enter_context((home / "fsync").open("wb", buffering=0))
        warm = 3
        for number in range(warm + count):
            # Kivy looks for news once a frame: start anywhere within one
            time.sleep(0.2 + rng.uniform(0, 1 / 30))
            start = time.monotonic_ns()
            invitation = hub.invite()
            seen = kiosk.hear("invited")
            assert seen["invited"] == invitation
            invited = _since(start, seen)
            round_trip = peers.round_trip()
            label = peers.label()
            time.sleep(ARMED_S + rng.uniform(0, 1 / 30))
            start = time.monotonic_ns()
            kiosk.tell(tap="level-5")
            kept = kiosk.hear("committed")
            committed = (kept["committed"] - start) / 1e6
            thanked = kiosk.hear("thanks")
            thanks = _since(start, thanked)
            fsync = _fsync(disk.fileno())
            tapped_label = peers.tapped()
            readable = thanked["at"] + READ_NS
            stand.until(lambda since=readable: time.monotonic_ns() > since, "the thanks are read")
            kiosk.tell(tap="done")
            kiosk.hear("idle")
            stand.until(lambda name=invitation: hub.state(name) == "rated", "the hub has it")
            if number >= warm:
                found.append(
                    Round(
                        invited=invited,
                        round_trip=round_trip,
                        label=label,
                        committed=committed,
                        kept=kept["took"] / 1e6,
                        thanks=thanks,
                        fsync=fsync,
                        tapped_label=tapped_label,
                    )
                )
    return found


def _since(start: int, line: dict[str, Any]) -> float:
    return float(line["at"] - start) / 1e6


def _fsync(file: int) -> float:
    start = time.monotonic_ns()
    os.write(file, b"\0" * 4096)
    os.fsync(file)
    return (time.monotonic_ns() - start) / 1e6


def invitation(found: list[Round]) -> Iterator[Pair]:
    """Give the lines on the way of an invitation."""
    invited = [each.invited for each in found]
    yield Pair(
        what="window system's request → invitation on the kiosk's screen (first frame flipped)",
        peer="bare MQTT round trip, same size, two paho clients",
        ours=invited,
        peers=[each.round_trip for each in found],
        unit="ms",
        digits=1,
        tail=True,
    )
    yield Pair(
        what="the same",
        peer="MQTT message → one label in an empty Kivy window (same maxfps)",
        ours=invited,
        peers=[each.label for each in found],
        unit="ms",
        digits=1,
        tail=True,
    )


def tap(found: list[Round]) -> Iterator[Pair]:
    """Give the lines on the way of a tap."""
    yield Pair(
        what="tap → signed and on the kiosk's disk",
        peer="touch → one label in an empty Kivy window",
        ours=[each.committed for each in found],
        peers=[each.tapped_label for each in found],
        unit="ms",
        digits=1,
        tail=True,
    )
    yield Pair(
        what="tap → 谢谢 on the screen (first frame flipped), after the disk has it",
        peer="touch → one label in an empty Kivy window",
        ours=[each.thanks for each in found],
        peers=[each.tapped_label for each in found],
        unit="ms",
        digits=1,
        tail=True,
    )
    yield Pair(
        what="of which: sign the rating and commit it to the outbox (FULL)",
        peer="bare append of 4 KiB with fsync, same disk",
        ours=[each.kept for each in found],
        peers=[each.fsync for each in found],
        unit="ms",
        digits=2,
        tail=True,
    )


class Idle(Struct, frozen=True):
    """One start: seconds to the first picture, and to the first frame of the screen itself.

    MB resident, percent of a core when idle. The empty window has no picture before its own.
    """

    picture: float
    first: float
    memory: float
    cpu: float


def starts(home: Path, size: Size) -> Iterator[Pair]:
    """Start kiosk and empty window in turns, then let both idle."""
    ours: list[Idle] = []
    peers: list[Idle] = []
    home.mkdir()
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(stand.broker(home))
        file, public = configure(home, port)
        stack.enter_context(hall.hub(home / "hall", port, {DEVICE: public}))
        first = stand.Child(home / "first.log", "bench.probe", str(file))
        first.hear("frame")  # the first start of all takes the typeface out of its collection
        first.stop()
        for _ in range(size.starts):
            mine, other = _both(home, file, size.idle_s)
            ours.append(mine)
            peers.append(other)
    empty = "empty Kivy window, same size and maxfps"
    still = "empty Kivy window, same size, maxfps 30 (the kiosk at rest: 15)"
    for what, peer, field, unit, digits in (
        ("kiosk: start of the process → first picture (请稍候)", empty, "picture", "s", 2),
        ("kiosk: start of the process → first frame of its own screen", empty, "first", "s", 2),
        ("kiosk: resident memory", empty, "memory", "MB", 0),
        ("kiosk: processor when idle, of one core", still, "cpu", "%", 1),
    ):
        yield Pair(
            what=what,
            peer=peer,
            ours=[getattr(each, field) for each in ours],
            peers=[getattr(each, field) for each in peers],
            unit=unit,
            digits=digits,
        )


def _both(home: Path, file: Path, idle_s: float) -> tuple[Idle, Idle]:
    sides = [str(side) for side in SIZE]
    children, picture, first = [], [], []
    try:
        for early, *arguments in (
            ("splash", "bench.probe", str(file)),
            ("frame", "bench.empty", "0", *sides),
        ):
            child = stand.Child(home / f"{arguments[0]}.log", *arguments)
            children.append(child)
            seen = [child.hear(early)[early]]
            if early != "frame":
                seen.append(child.hear("frame")["frame"])
            picture.append((seen[0] - child.started_ns) / 1e9)
            first.append((seen[-1] - child.started_ns) / 1e9)
            time.sleep(2)  # until settings have come and all is still
        before = [stand.cpu_s(child.pid) for child in children]
        start = time.monotonic()
        time.sleep(idle_s)
        span = time.monotonic() - start
        cpu = [100 * (stand.cpu_s(c.pid) - b) / span for c, b in zip(children, before, strict=True)]
        memory = [stand.resident_mb(child.pid) for child in children]
    finally:
        for child in children:
            child.stop()
    mine, other = map(Idle, picture, first, memory, cpu)
    return mine, other
