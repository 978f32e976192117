"""The city of a drain: started, played and asked how much it has."""

import contextlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import stand

PARALLEL = 8
"""Requests on their way at once: the hub's own default."""


@contextlib.contextmanager
def city(out: Path, *options: str) -> Iterator[str]:
    """Run the stand-in city, with options of its command; yields its address."""
    child = stand.Child(out.with_suffix(".log"), "demo.city", "--out", str(out), *options)
    try:
        yield f"http://{stand.LOOPBACK}:{child.hear('port')['port']}"
    finally:
        child.stop()


def accepted(address: str) -> int:
    """Return how many records a city has."""
    with urllib.request.urlopen(f"{address}/health", timeout=stand.LONG_S) as answer:
        return int(msgspec.json.decode(answer.read())["accepted"])


def play(address: str, mode: str, seconds: float | None = None) -> None:
    """Have a city play a fault, or none (`ok`); `seconds`: see `demo.city`."""
    wish = msgspec.json.encode({"mode": mode, "seconds": seconds})
    order = urllib.request.Request(f"{address}/control", wish)
    with urllib.request.urlopen(order, timeout=stand.LONG_S):
        pass
