"""What befalls the hall: each fault holds what it strikes, does its harm and makes it good."""

import asyncio
import contextlib
import signal
from dataclasses import dataclass, field

import aiohttp

from bench.torture.field import Field
from bench.torture.wire import DOWN, UP
from demo.parts import PartError


@dataclass(frozen=True)
class Fault:
    """One fault. `gap_s` passes before it, `seconds` while it lasts; all follows from the seed.

    With a `moment` it waits, a while, until some kiosk shows that screen, and `late_s` more: most
    of what can be lost is on its way in the half second after the tap.
    """

    gap_s: float
    seconds: float
    targets: tuple[str, ...]
    moment: str = field(default="", kw_only=True)
    late_s: float = field(default=0.0, kw_only=True)

    @property
    def kind(self) -> str:
        """The name under which it is counted."""
        return type(self).__name__.lower()

    async def strike(self, where: Field) -> None:
        """Do it, and make it good again."""
        async with where.alone(*self.targets):
            where.counts[self.kind] += 1
            await self.harm(where)

    async def harm(self, field: Field) -> None:
        """What it is about."""
        raise NotImplementedError


@dataclass(frozen=True)
class Kill(Fault):
    """kill -9 of one program, or of several at once, and a start after `seconds`."""

    @property
    def kind(self) -> str:
        """Counted by program; several at once are a power cut."""
        return f"kill-{_who(self.targets[0])}" if len(self.targets) == 1 else "power-cut"

    async def harm(self, field: Field) -> None:
        units = [field.unit(name) for name in self.targets]
        await asyncio.gather(*(unit.part.kill() for unit in units))
        await asyncio.sleep(self.seconds)
        await asyncio.gather(*(unit.part.start() for unit in units))


@dataclass(frozen=True)
class Freeze(Fault):
    """A program that hangs: SIGSTOP, later SIGCONT, or kill -9 out of its sleep."""

    killed: bool = False

    @property
    def kind(self) -> str:
        """Counted by program."""
        return f"freeze-{_who(self.targets[0])}"

    async def harm(self, field: Field) -> None:
        unit = field.unit(self.targets[0])
        unit.part.send(signal.SIGSTOP)
        await asyncio.sleep(self.seconds)
        if self.killed:
            await unit.part.kill()
            await unit.part.start()
        else:
            unit.part.send(signal.SIGCONT)


@dataclass(frozen=True)
class BadWire(Fault):
    """Something happens to a cable."""

    how: str = "cut"
    amount: float = 0.0

    @property
    def kind(self) -> str:
        """Counted by cable and harm."""
        return (
            f"wire-{'kiosk' if self.targets[0].startswith('kiosk') else self.targets[0]}-{self.how}"
        )

    async def harm(self, field: Field) -> None:
        wire = field.wire(self.targets[0])
        HARMS[self.how](wire, self.amount)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            wire.heal()


HARMS = {
    "cut": lambda wire, _: wire.cut(),
    "mute": lambda wire, _: wire.mute(),
    "clog-up": lambda wire, _: wire.clog(UP),
    "clog-down": lambda wire, _: wire.clog(DOWN),
    "clog-both": lambda wire, _: wire.clog(UP, DOWN),
    "delay": lambda wire, amount: wire.slow(0.05 + 0.6 * amount),
    "drip": lambda wire, amount: wire.slow(0.004, piece=1 + int(amount * 40)),
    "break-up": lambda wire, amount: wire.break_after(UP, int(amount * 1500)),
    "break-down": lambda wire, amount: wire.break_after(DOWN, int(amount * 1500)),
    "halve": lambda wire, _: wire.halve(),
    "reset": lambda wire, _: wire.reset(),
}


@dataclass(frozen=True)
class BadCity(Fault):
    """The city answers badly for a while; `after`: though it has accepted the record."""

    mode: str = "error"
    after: bool = False

    @property
    def kind(self) -> str:
        """Counted by answer."""
        return f"city-{self.mode}{'-after' if self.after else ''}"

    async def harm(self, field: Field) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            pace = {"slow": 0.2 + self.seconds, "drip": 4.0}.get(self.mode)
            await field.hall.city_mode(mode=self.mode, seconds=pace, after=self.after)
        await asyncio.sleep(self.seconds)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await field.hall.city_mode(mode="ok")


@dataclass(frozen=True)
class FullDisk(Fault):
    """No free byte; with `killed` the program has to start on the full disk, or say why not."""

    killed: bool = False

    @property
    def kind(self) -> str:
        """Counted by program."""
        return f"full-disk-{_who(self.targets[0])}{'-start' if self.killed else ''}"

    async def harm(self, field: Field) -> None:
        unit = field.unit(self.targets[0])
        if unit.disk is None:
            raise PartError(f"{unit.part.name} has no disk of its own")
        await asyncio.to_thread(unit.disk.fill, full=True)
        try:
            if self.killed:
                await unit.part.kill()
                words = await field.refuses_to_start(unit, self.kind)
                field.notes[f"{self.kind}: {'runs' if words is None else 'says why not'}"] += 1
            await asyncio.sleep(self.seconds)
        finally:
            await asyncio.to_thread(unit.disk.fill, full=False)
        await field.ensure(unit)


@dataclass(frozen=True)
class ReadOnly(Fault):
    """After a kill the disk is read-only: the program says so and ends."""

    @property
    def kind(self) -> str:
        """Counted by program."""
        return f"read-only-{_who(self.targets[0])}"

    async def harm(self, field: Field) -> None:
        unit = field.unit(self.targets[0])
        if unit.disk is None:
            raise PartError(f"{unit.part.name} has no disk of its own")
        await unit.part.kill()
        await asyncio.to_thread(unit.disk.read_only, on=True)
        try:
            if await field.refuses_to_start(unit, self.kind) is None:
                field.problems.append(f"{unit.part.name} runs on a read-only disk")
                await unit.part.kill()
            await asyncio.sleep(self.seconds)
        finally:
            await asyncio.to_thread(unit.disk.read_only, on=False)
        await field.ensure(unit)


@dataclass(frozen=True)
class ClockJump(Fault):
    """The wall clock of a program jumps by `hours`, and back after a while."""

    hours: int = 1

    @property
    def kind(self) -> str:
        """Counted by program and direction."""
        return f"clock-{_who(self.targets[0])}-{'forward' if self.hours > 0 else 'back'}"

    async def harm(self, field: Field) -> None:
        unit = field.unit(self.targets[0])
        if unit.clock is None:
            raise PartError(f"{unit.part.name} has no clock of its own")
        unit.clock.set(self.hours * 3600)
        await asyncio.sleep(self.seconds)
        unit.clock.set(0)


def _who(name: str) -> str:
    return "kiosk" if name.startswith("kiosk") else name
