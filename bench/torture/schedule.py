"""Which fault when: all of it from one seed, before anything starts."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.torture.faults import (
    HARMS,
    BadCity,
    BadWire,
    ClockJump,
    Fault,
    Freeze,
    FullDisk,
    Kill,
    ReadOnly,
)
from bench.torture.truncation import TruncatedHub, TruncatedOutbox

CITY = ("down", "error", "html", "empty", "busy", "bytes", "huge", "redirect")
CITY_TAKEN = ("drop", "drip", "repeat", "slow")

MOMENTS = ("", "invited", "thanks", "thanks", "reasons")

Make = Callable[[random.Random, Sequence[str]], Fault]


def schedule(
    seed: int, count: int, kiosks: Sequence[str], *, disks: bool, clocks: bool
) -> list[Fault]:
    """Return `count` faults. `disks`, `clocks`: what this machine lets us do.

    Each kind that is possible comes at least once where `count` allows it.
    """
    rng = random.Random(seed)
    makers = [
        (make, weight) for make, weight, needs in KINDS if needs in ("", *_able(disks, clocks))
    ]
    first = [make for make, _ in makers]
    rng.shuffle(first)
    names, weights = zip(*makers, strict=True)
    rest = rng.choices(names, weights, k=max(0, count - len(first)))
    chosen = [*first[:count], *rest]
    rng.shuffle(chosen)
    return [_timed(make(rng, kiosks), rng) for make in chosen]


def _timed(fault: Fault, rng: random.Random) -> Fault:
    """Let most faults come while somebody rates, some at any moment."""
    return replace(fault, moment=rng.choice(MOMENTS), late_s=round(rng.uniform(0, 0.6), 3))


def _able(disks: bool, clocks: bool) -> list[str]:
    return [name for name, can in (("disks", disks), ("clocks", clocks)) if can]


def _gap(rng: random.Random) -> float:
    return round(rng.uniform(0.05, 0.5), 3)


def _kill(who: str | None) -> Make:
    def make(rng: random.Random, kiosks: Sequence[str]) -> Fault:
        return Kill(_gap(rng), round(rng.uniform(0, 1.0), 3), (who or rng.choice(kiosks),))

    return make


def _power_cut(rng: random.Random, kiosks: Sequence[str]) -> Fault:
    parts = ["hub", "broker", *kiosks]
    return Kill(
        _gap(rng), rng.uniform(0, 1.0), tuple(rng.sample(parts, rng.randint(2, len(parts))))
    )


def _freeze(who: str | None) -> Make:
    def make(rng: random.Random, kiosks: Sequence[str]) -> Fault:
        target = who or rng.choice(kiosks)
        return Freeze(_gap(rng), round(rng.uniform(0.3, 2.5), 3), (target,), rng.random() < 0.3)

    return make


def _wire(which: str | None) -> Make:
    def make(rng: random.Random, kiosks: Sequence[str]) -> Fault:
        target = which or f"{rng.choice(kiosks)}-broker"
        how = rng.choice(sorted(HARMS))
        return BadWire(_gap(rng), round(rng.uniform(0.2, 2.5), 3), (target,), how, rng.random())

    return make


def _city(rng: random.Random, _: Sequence[str]) -> Fault:
    mode = rng.choice((*CITY, *CITY_TAKEN))
    after = mode in CITY[1:] and rng.random() < 0.5
    return BadCity(_gap(rng), round(rng.uniform(0.2, 2.0), 3), ("city-answers",), mode, after)


def _full(who: str | None) -> Make:
    def make(rng: random.Random, kiosks: Sequence[str]) -> Fault:
        target = who or rng.choice(kiosks)
        return FullDisk(_gap(rng), round(rng.uniform(0.3, 3.0), 3), (target,), rng.random() < 0.25)

    return make


def _read_only(rng: random.Random, kiosks: Sequence[str]) -> Fault:
    return ReadOnly(_gap(rng), 0.1, (rng.choice(("hub", *kiosks)),))


def _clock(who: str | None) -> Make:
    def make(rng: random.Random, kiosks: Sequence[str]) -> Fault:
        hours = rng.choice((-9, -3, -1, 1, 4, 9))
        target = who or rng.choice(kiosks)
        return ClockJump(_gap(rng), round(rng.uniform(0.3, 2.0), 3), (target,), hours)

    return make


def _outbox(rng: random.Random, kiosks: Sequence[str]) -> Fault:
    left = rng.choice((0.0, rng.random(), 0.5, 0.999))
    return TruncatedOutbox(_gap(rng), 0.0, (rng.choice(kiosks),), left, rng.random() < 0.5)


def _hub_file(rng: random.Random, _: Sequence[str]) -> Fault:
    left = rng.choice((0.0, rng.random(), 0.5, 0.999))
    return TruncatedHub(_gap(rng), rng.uniform(0, 1.0), ("hub",), left, rng.random() < 0.5)


KINDS: tuple[tuple[Make, float, str], ...] = (
    (_kill(None), 14, ""),
    (_kill("hub"), 8, ""),
    (_kill("broker"), 7, ""),
    (_kill("city"), 5, ""),
    (_power_cut, 2, ""),
    (_freeze(None), 5, ""),
    (_freeze("hub"), 4, ""),
    (_freeze("broker"), 3, ""),
    (_freeze("city"), 2, ""),
    (_wire(None), 18, ""),
    (_wire("hub-broker"), 10, ""),
    (_wire("hub-city"), 8, ""),
    (_city, 12, ""),
    (_full(None), 4, "disks"),
    (_full("hub"), 4, "disks"),
    (_read_only, 1, "disks"),
    (_clock("hub"), 3, "clocks"),
    (_clock(None), 2, "clocks"),
    (_outbox, 1.5, ""),
    (_hub_file, 0.8, ""),
)
"""What makes a fault, how often it comes by weight, and what of this machine it needs."""
