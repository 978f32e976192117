"""What the faults of one run share: the hall, and what has to be remembered for the account."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.torture.hall import TortureHall, Unit
from bench.torture.wire import Wire
from demo.parts import PartError


@dataclass(frozen=True)
class AtRisk:
    """What lay in a kiosk's file, without receipt, when the file was spoiled.

    `alarmed`: the kiosk put the file aside and said so.
    """

    device: str
    how: str
    invitations: frozenset[str]
    alarmed: bool


@dataclass(frozen=True)
class Restored:
    """What the hub's ledger held behind the backup that was put back: gone, and known to be."""

    how: str
    entries: int
    rated: frozenset[str]
    invitations: frozenset[str]
    services: frozenset[tuple[str, int]]


@dataclass
class Field:
    """Where the faults strike. `problems` are promises seen broken on the way."""

    hall: TortureHall
    scratch: Path
    counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    at_risk: list[AtRisk] = field(default_factory=list)
    restored: list[Restored] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _wires: dict[str, asyncio.Lock] = field(default_factory=dict)
    _city: asyncio.Lock = field(default_factory=asyncio.Lock)

    def unit(self, name: str) -> Unit:
        """Return a program by its name: hub, broker, city or a kiosk's."""
        return next(unit for unit in self.hall.units if unit.part.name == name)

    def wire(self, name: str) -> Wire:
        """Return a cable by its name."""
        return next(wire for wire in self.hall.wires if wire.name == name)

    @contextlib.asynccontextmanager
    async def alone(self, *names: str) -> AsyncIterator[None]:
        """Hold programs and cables: no other fault strikes the same one meanwhile."""
        async with contextlib.AsyncExitStack() as held:
            for name in sorted(names):  # always in the same order: nobody waits in a circle
                await held.enter_async_context(self._lock(name))
            yield

    def _lock(self, name: str) -> asyncio.Lock:
        for unit in self.hall.units:
            if unit.part.name == name:
                return unit.lock
        return self._wires.setdefault(name, asyncio.Lock())

    def log_size(self, unit: Unit) -> int:
        """Return how long a program's log is."""
        path = self._log(unit)
        return path.stat().st_size if path.exists() else 0

    def said(self, unit: Unit, since: int) -> str:
        """Return what a program has logged since its log was so long."""
        with self._log(unit).open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def _log(self, unit: Unit) -> Path:
        return self.hall.home / f"{unit.part.name}.log"

    async def refuses_to_start(self, unit: Unit, why: str) -> str | None:
        """Start a program that should not; return its words, None if it runs all the same.

        An end without words, or with a trace in place of them, is a broken promise.
        """
        since = self.log_size(unit)
        try:
            await unit.part.start()
        except PartError:
            await unit.part.kill()
            words = self.said(unit, since)
            if "Traceback" in words or not any(sign > "\u4e00" for sign in words):
                self.problems.append(
                    f"{unit.part.name} ({why}) ended without words: {words[-600:]}"
                )
            return words
        return None

    async def ensure(self, unit: Unit) -> None:
        """Have a program running."""
        if unit.part.pid is None:
            await unit.part.start()
