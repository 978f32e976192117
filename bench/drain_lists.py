"""The same backlog in sealed lists and in single records, from the same hub to the same city.

Two halls, each with the real hub (`pingyi-hub serve`) and a stand-in city that takes envelopes:
each opens and checks what it gets, and has it on disk before it answers. One hub may put up to
`LENGTH` records into a request and makes `FEW` at once, as the manual advises, the other one
record and the usual number at once. They take turns; who has none is stopped (SIGSTOP). Once the
cities answer at once, and once after `FAR_S`, as over a real network.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from bench import hall, stand
from bench.backlog import fill
from bench.drain_city import PARALLEL, accepted, city, play
from bench.pairs import Pair
from demo import city_envelope
from hub.upstream.quirks import pattern

LENGTH, FEW = 20, 2
FAR_S = 0.02
MARK, WORD = "bench", "bench-word"


FEWEST = 1_000
"""With fewer services nothing waits long enough to be measured."""


class Size(Struct, frozen=True):
    """How much is measured.

    Services that wait in each hall, turns of each at each distance, seconds of a turn at most.
    """

    services: int
    turns: int
    turn_s: float


def size(services: int) -> Size:
    """Return how much is measured where a drain of so many services is."""
    return Size(6_000, 4, 1.0) if services >= 6_000 else Size(services, 2, 0.4)


class Side(Struct, frozen=True):
    """A hub, stopped until its turn comes, and its city."""

    hub: hall.RunningHub
    city: str

    def turn(self, seconds: float, share: int) -> float:
        """Return how many records a second came to the city in a turn, `share` at most."""
        os.kill(self.hub.pid, signal.SIGCONT)
        try:
            start, before = time.monotonic(), accepted(self.city)
            while True:
                time.sleep(0.05)  # to be asked costs the city time
                found, took = accepted(self.city) - before, time.monotonic() - start
                if took >= seconds or found >= share:
                    return found / took
        finally:
            os.kill(self.hub.pid, signal.SIGSTOP)


@contextlib.contextmanager
def side(home: Path, services: int, length: int, parallel: int) -> Iterator[Side]:
    """Run a hall whose hub makes `parallel` requests at once of up to `length` records each."""
    home.mkdir()
    public = city_envelope.papers(home / "city", MARK, WORD)
    made = fill(home / "hall", services)
    quirks = pattern("envelope").replace("\nbatch = 1\n", f"\nbatch = {length}\n")
    for name, content in (
        ("city.pub", public),
        ("word", WORD.encode()),
        ("city.toml", quirks.encode()),
    ):
        (home / "hall" / name).touch(mode=0o600)
        (home / "hall" / name).write_bytes(content)
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(stand.broker(home))
        out = home / "city.jsonl"
        address = stack.enter_context(city(out, "--envelopes", str(home / "city")))
        more = (
            f'[upstream]\nurl = "{address}"\ndialect = "envelope"\nquirks = "city.toml"\n'
            f"parallel = {parallel}\n"
            f'[upstream.access]\napp_mark = "{MARK}"\napp_word = "word"\ncity_key = "city.pub"'
        )
        hub = stack.enter_context(hall.hub(home / "hall", port, made.public, more))
        stand.until(lambda: accepted(address), "the hub has found the city")
        os.kill(hub.pid, signal.SIGSTOP)
        try:
            yield Side(hub, address)
        finally:
            os.kill(hub.pid, signal.SIGCONT)


def measure(home: Path, services: int) -> Iterator[Pair]:
    """Let them drain in turns; yields the lines of the table, none where too few wait."""
    if services < FEWEST:
        return
    home.mkdir()
    much = size(services)
    with (
        side(home / "lists", much.services, LENGTH, FEW) as lists,
        side(home / "single", much.services, 1, PARALLEL) as single,
    ):
        waiting = 2 * much.services - accepted(lists.city)
        share = waiting // (2 * much.turns + 1)
        for far_s in (0.0, FAR_S):
            for each in (lists, single):
                play(each.city, "slow" if far_s else "ok", seconds=far_s or None)
            rates = [
                (lists.turn(much.turn_s, share), single.turn(much.turn_s, share))
                for _ in range(much.turns)
            ]
            yield Pair(
                what=(
                    f"a backlog drained in envelopes, {LENGTH} records in each, {FEW} at once;"
                    f" the city answers {f'after {1e3 * far_s:.0f} ms' if far_s else 'at once'}"
                ),
                peer=f"the same hub, city and backlog, one record in each, {PARALLEL} at once",
                ours=[ours for ours, _ in rates],
                peers=[theirs for _, theirs in rates],
                unit="/s",
            )
