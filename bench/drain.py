"""A hall whose city was away for days: how fast what waits goes out, and who notices.

The real hub (`pingyi-hub serve`) starts on a database in which all those services and ratings
wait, while the stand-in city is down; all the time a window system goes on inviting and
kiosks go on rating, at a steady pace. Then the city is back. The floor is a bare client that
posts the very same bodies to a second city of the same program, in the same order within a
case, as many at a time. The two take turns: after each slice of the drain the hub is stopped
(SIGSTOP) until the bare client has brought the same slice; nobody rates meanwhile.
"""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

from bench import drain_lists, hall, stand
from bench.backlog import EACH, WINDOWS, Kiosk, Order, fill
from bench.drain_city import PARALLEL, accepted, city, play
from bench.pairs import Alone, Pair, percentile
from hub.store import database, deliveries
from protocol import topics
from protocol.topics import Leaf

PACE = 10.0
"""Live ratings a second. Such a hall has one in ten seconds."""
SLICES, SMALLEST = 12, 200
"""So many turns at most, and so many services at least in each."""
HIGH = 1_000_000
"""Where a kiosk's numbers go on that has rated before."""


class Size(Struct, frozen=True):
    """How much is measured: services that wait, and seconds of watching without a drain."""

    services: int = 7 * WINDOWS * EACH
    calm_s: float = 30.0


class Live:
    """Those who go on meanwhile: every 1/`PACE` s a case, its invitation and its rating.

    Nothing is said twice: a rating without a receipt is a fault.
    """

    def __init__(self, port: int, hub: hall.RunningHub, kiosk: Kiosk) -> None:
        self._hub = hub
        self._kiosk = kiosk
        self._topic = topics.topic(hall.HALL, kiosk.name, Leaf.RATING)
        self._sent: dict[str, float] = {}
        self._took: list[tuple[float, float]] = []
        self._faults: list[object] = []
        self._end = threading.Event()
        self._turn = threading.Lock()
        self._client = stand.client(port, "bench-kiosks")
        self._client.on_message = self._receipt
        stand.subscribe(self._client, f"{topics.ROOT}/{hall.HALL}/+/{Leaf.RECEIPT}")
        self._thread = threading.Thread(target=self._run, name="live")
        self._thread.start()

    def took(self, since: float, until: float) -> list[float]:
        """Return in ms how long the ratings took that were sent in this span (monotonic)."""
        return [1e3 * span for at, span in list(self._took) if since <= at < until]

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Have nobody rate for a while, once every rating has its receipt."""
        with self._turn:
            self._all_kept()
            yield

    def close(self) -> None:
        """End; raises `BenchError` if a rating was refused or has no receipt."""
        self._end.set()
        self._thread.join()
        try:
            self._all_kept()
        finally:
            self._client.disconnect()
            self._client.loop_stop()
        if self._faults:
            raise stand.BenchError(f"live traffic: {self._faults[0]}")

    def _all_kept(self) -> None:
        stand.until(lambda: len(self._took) >= len(self._sent), "each live rating has its receipt")

    def _run(self) -> None:
        at = time.monotonic()
        while not self._end.wait(max(0.0, at + 1 / PACE - time.monotonic())):
            with self._turn:
                at = time.monotonic()
                try:
                    invitation = self._hub.invite()
                except Exception as error:  # noqa: BLE001 - told at the end
                    self._faults.append(error)
                    return
                rated, jws = self._kiosk.rate(invitation, time.time_ns() // 1_000_000)
                self._sent[rated.id] = time.monotonic()
                self._client.publish(self._topic, jws, qos=1)

    def _receipt(self, _client: object, _userdata: object, message: object) -> None:
        now = time.monotonic()
        found = msgspec.json.decode(message.payload)  # type: ignore[attr-defined]
        self._faults.extend(found.get("refused", ()))
        for name in found.get("committed", ()):
            self._took.append((self._sent[name], now - self._sent[name]))


async def _post(address: str, orders: list[Order]) -> None:
    waiting = iter(orders)
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:

        async def carry() -> None:
            for order in waiting:
                for way, body in (("service", order.service), ("evaluate", order.rating)):
                    async with session.post(f"{address}/{way}", data=body) as answer:
                        said = msgspec.json.decode(await answer.read())
                        if said.get("code") != "ok":
                            raise stand.BenchError(f"the city refuses the floor: {said}")

        await asyncio.gather(*(carry() for _ in range(PARALLEL)))


def floor(address: str, orders: list[Order]) -> float:
    """Return how many records a second a bare client brings to a city."""
    start = time.monotonic()
    asyncio.run(_post(address, orders))
    return 2 * len(orders) / (time.monotonic() - start)


class Drained(Struct, frozen=True):
    """Records a second of both, slice by slice, the hub's processor time, begin and end."""

    ours: list[float]
    floors: list[float]
    cpu: float
    begin: float
    end: float


def _reach(address: str, wanted: int) -> int:
    """Return how many records a city has once it has so many."""
    end = time.monotonic() + 10 * stand.LONG_S
    while (found := accepted(address)) < wanted:
        if time.monotonic() > end:
            raise stand.BenchError(f"the city has {found} of {wanted} records")
        time.sleep(0.05)  # to be asked costs the city time
    return found


def drain(
    hub: hall.RunningHub, live: Live, cities: tuple[str, str], orders: list[Order]
) -> Drained:
    """Let the city be back, and watch until it has every slice; the floor goes to the other."""
    address, other = cities
    play(address, "ok")
    stand.until(lambda: accepted(address), "the hub has found the city", 2 * stand.LONG_S)
    cpu, begin = stand.cpu_s(hub.pid), time.monotonic()
    ours, floors = [], []
    slices = max(1, min(SLICES, len(orders) // SMALLEST))
    for number in range(slices):
        low, high = (len(orders) * at // slices for at in (number, number + 1))
        start, before = time.monotonic(), accepted(address)
        ours.append((_reach(address, 2 * high) - before) / (time.monotonic() - start))
        with live.paused():
            os.kill(hub.pid, signal.SIGSTOP)
            try:
                floors.append(floor(other, orders[low:high]))
            finally:
                os.kill(hub.pid, signal.SIGCONT)
    return Drained(ours, floors, stand.cpu_s(hub.pid) - cpu, begin, time.monotonic())


def whole(out: Path, orders: list[Order]) -> None:
    """Raise `BenchError` unless the city has every record of the backlog, once and unaltered."""
    with out.open("rb") as file:
        lines = [msgspec.json.encode(msgspec.json.decode(line)) for line in file]
    there = set(lines)
    missing = sum(each.service not in there or each.rating not in there for each in orders)
    if missing or len(there) != len(lines):
        raise stand.BenchError(f"{missing} cases are not with the city, or some came twice")


def _waiting(home: Path) -> int:
    with contextlib.closing(database.connect(home / "hall" / "hub" / "hub.db")) as db:
        return deliveries.counts(db).waiting


class Watched(Struct, frozen=True):
    """Milliseconds from a live rating to its receipt: before, during and after the drain."""

    outage: list[float]
    during: list[float]
    after: list[float]


def measure(home: Path, size: Size) -> Iterator[Pair | Alone]:
    """Drain once, the floor in turns with it, then in lists; yields the lines of the table."""
    home.mkdir()
    made = fill(home / "hall", size.services)
    out = home / "city.jsonl"
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(stand.broker(home))
        address = stack.enter_context(city(out))
        other = stack.enter_context(city(home / "floor.jsonl"))
        play(address, "down")
        more = f'[upstream]\nurl = "{address}"\nparallel = {PARALLEL}'
        hub = stack.enter_context(hall.hub(home / "hall", port, made.public, more))
        name, key = next(iter(made.private.items()))
        live = Live(port, hub, Kiosk(name, key, HIGH))
        try:
            time.sleep(size.calm_s)
            found = drain(hub, live, (address, other), made.orders)
            # What came in meanwhile went to the end of the queue.
            stand.until(lambda: _waiting(home) <= PARALLEL, "the hub has caught up")
            calm = time.monotonic()
            time.sleep(size.calm_s)
        finally:
            live.close()
    watched = Watched(
        live.took(found.begin - size.calm_s, found.begin),
        live.took(found.begin, found.end),
        live.took(calm, calm + size.calm_s),
    )
    whole(out, made.orders)
    yield from _lines(size, found, watched)
    yield from drain_lists.measure(home / "lists", size.services)


def _lines(size: Size, found: Drained, watched: Watched) -> Iterator[Pair | Alone]:
    days, records = size.services / (WINDOWS * EACH), 2 * size.services
    yield Pair(
        what=(
            f"{days:,.1f} days without the city ({WINDOWS} windows × {EACH} services a day, each"
            f" rated: {records:,} records) drained, slice by slice, while {PACE:.0f} /s are rated"
        ),
        peer=f"bare aiohttp client: the same bodies and city, {PARALLEL} at a time; hub stopped",
        ours=found.ours,
        peers=found.floors,
        unit="/s",
    )
    for share in (50, 99):
        yield Pair(
            what=f"during it, live ratings: published → receipt, p{share}",
            peer="the same hub when nothing waits",
            ours=[percentile(watched.during, share)],
            peers=[percentile(watched.after, share)],
            unit="ms",
            digits=1,
        )
    yield Alone("live ratings while the city is down", watched.outage, "ms", 1, tail=True)
    took = records / len(found.ours) * sum(1 / rate for rate in found.ours)
    yield Alone("the drain took, without the turns of its floor", [took], "s", 1)
    each = found.cpu * 10_000 / records
    yield Alone("processor time of the hub for 10,000 records drained", [each], "s", 1)
