"""Plays a cases file through a whole hall, with interruptions, and counts what arrived."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from demo import citizen
from demo.bindings import MISSING, Bindings
from demo.cases import Row
from demo.citizen import Pressed
from demo.hall import Hall, Size, places
from demo.hops import Hops
from demo.interruptions import Interruptions
from demo.parts import Away, KioskPart, PartError, first_error
from demo.pictures import Camera
from demo.tally import Played, Summary, count
from demo.timeline import Timeline
from demo.window_system import Rejected, WindowSystem

KIOSKS = 3
ANSWER_S = 120
WALK_AWAY_S = 1
SHOWN_S = 15.0
SETTLED_S = 60.0
DRAIN_S = 120.0
TOLD_S = 5.0
TRIES = 12


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to play. `kills`: so many programs are killed at random moments, by `seed`."""

    out: Path
    headless: bool = True
    interruptions: bool = True
    kills: int = 0
    seed: int = 1
    size: Size = Size()
    quiet: bool = False
    mosquitto: str | None = None
    pace_s: float = 0.0


async def play(rows: list[Row], plan: Plan) -> Summary:
    """Play all rows once; the summary says whether every promise held. Raises `PartError`."""
    began = time.monotonic()
    line = Timeline(quiet=plan.quiet)
    plan.out.mkdir(parents=True, exist_ok=True)
    windows = places(rows, KIOSKS)
    kiosks = min(KIOSKS, len(windows))
    line.say("演示", f"启动城市平台（替身）、大厅服务器和 {kiosks} 台评价器 …")
    hall = Hall(
        plan.out / "hall",
        plan.out / "city.jsonl",
        windows,
        headless=plan.headless,
        size=plan.size,
        mosquitto=plan.mosquitto,
    )
    stage = _Stage(hall, rows, plan, line)
    try:
        await hall.start(lambda part: line.say("演示", f"{part.name}已就绪"))
        await stage.play()
        drained = await stage.drain()
    except BaseExceptionGroup as group:
        raise first_error(group) from group
    finally:
        await stage.close()
        await hall.stop()
    summary = count(stage.played, hall.database, hall.city_file, hall.public_keys)
    if not drained:
        summary.problems.append(f"{DRAIN_S:.0f} 秒内没有全部送达")
    summary.kills = sum(part.kills for part in hall.parts)
    summary.seconds = round(time.monotonic() - began, 1)
    return summary


class _Stage:
    """The state of one play."""

    def __init__(self, hall: Hall, rows: list[Row], plan: Plan, line: Timeline) -> None:
        self._hall = hall
        self._plan = plan
        self._line = line
        self._desk = WindowSystem(hall.api_port, hall.api_key)
        self._camera = Camera(plan.out, rows)
        self._bindings = Bindings(hall, self._desk, line, self._camera, back=True)
        self._hops = Hops(line, hall.city_file, rows)
        self.played = [Played(row=row, pressed=[]) for row in rows]
        self._services = Counter(row.serial for row in rows)
        self._finished: Counter[str] = Counter()
        self._turn = asyncio.Condition()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Close what is open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._desk.close()

    async def play(self) -> None:
        """Each kiosk's windows take their rows in order; all of one case keep their order."""
        if not self._plan.quiet:
            self._watch = self._background(self.watch_city())
        lanes: dict[int, list[int]] = defaultdict(list)
        earlier: dict[int, int] = {}
        seen: Counter[str] = Counter()
        for index, each in enumerate(self.played):
            lanes[self._hall.windows[each.row.window]].append(index)
            earlier[index] = seen[each.row.serial]
            seen[each.row.serial] += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(self._chaos())
            async with asyncio.TaskGroup() as pairing:
                for number, indices in lanes.items():
                    pairing.create_task(self._bindings.pair(number, self.played[indices[0]].row))
            for number, indices in lanes.items():
                group.create_task(self._lane(number, indices, earlier))

    async def _lane(self, number: int, indices: list[int], earlier: dict[int, int]) -> None:
        before: Played | None = None
        for index in indices:
            each = self.played[index]
            serial = each.row.serial
            async with self._turn:
                while self._finished[serial] < earlier[index]:
                    await self._turn.wait()
            try:
                if before is not None and before.row.window != each.row.window:
                    await self._until_settled(before)  # the kiosk is to leave
                async with self._bindings.clerk(each.row.staff):
                    await self._case(number, each)
                if self._services[serial] > self._finished[serial] + 1:
                    await self._until_settled(each)
            except Rejected as error:
                text = f"办件文件第 {each.row.line} 行被大厅服务器拒绝：{error}"
                raise PartError(text) from error
            async with self._turn:
                self._finished[serial] += 1
                self._turn.notify_all()
            before = each
            await asyncio.sleep(self._plan.pace_s)

    async def _until_settled(self, each: Played) -> None:
        """Wait until the hub knows how this service ended: it may still be in an outbox."""
        end = time.monotonic() + SETTLED_S
        for press in each.pressed:
            while time.monotonic() < end:
                if (await self._desk.status(press.invitation))["state"] != "open":
                    break
                await asyncio.sleep(0.05)

    async def _case(self, number: int, each: Played) -> None:
        """One citizen at one window; whoever is cut off is invited again, as a clerk would."""
        row, line, kiosk = each.row, self._line, self._hall.kiosks[number]
        snap = self._camera.of(kiosk, row)
        await self._bindings.prepare(number, row)
        async with self._turn:
            self._count += 1
            line.case(row, self._count, len(self.played))
            self._turn.notify_all()
        await self._desk.register(row)
        await snap("idle")
        for _ in range(TRIES):
            try:
                status = await self._desk.invite(
                    row, WALK_AWAY_S if row.level is None else ANSWER_S
                )
            except Rejected as error:
                if error.code == "already_rated":
                    each.done = True
                    return
                if error.code in MISSING:  # signed off at midnight
                    await self._bindings.prepare(number, row)
                    continue
                raise
            pressed = Pressed(invitation=status["id"])
            each.pressed.append(pressed)
            try:
                await self._answer(kiosk, row, pressed, snap)
            except Away:
                line.say("评价器", f"{kiosk.name}断电，已写入磁盘的评价不会丢")
            if await self._settled(kiosk, row, pressed):
                each.done = True
                await snap("end")
                return

    async def _answer(
        self, kiosk: KioskPart, row: Row, pressed: Pressed, snap: citizen.Snap
    ) -> None:
        def is_shown(seen: dict[str, Any]) -> bool:
            return bool(seen.get("invitation") == pressed.invitation)

        shown = await kiosk.until(is_shown, SHOWN_S)
        if not shown:
            return
        await snap("invitation")
        self._line.say("评价器", f"{kiosk.name}显示事项、流水号和工作人员 {row.staff}")
        if row.level is None:
            self._line.say("群众", "没有评价就离开了")
            return
        await citizen.rate(kiosk, row, pressed, snap)
        self._line.pressed(row)
        self._line.say("评价器", f"{kiosk.name}先写入磁盘，再显示“谢谢”")

    async def _settled(self, kiosk: KioskPart, row: Row, pressed: Pressed) -> bool:
        """Wait for the hub's word on the invitation; True if this citizen is done."""
        if pressed.promised:
            if not self._plan.quiet:
                self._background(self._follow(row, pressed))
            return True
        end = time.monotonic() + SETTLED_S
        while time.monotonic() < end:
            status = await self._desk.status(pressed.invitation)
            if status["state"] == "rated":
                self._hops.ledger(row.serial, row.service_number)
                return True
            if status["state"] != "open":
                if row.level is None:
                    name = self._hops.name(row.serial, row.service_number)
                    self._line.say("大厅", f"{name}过期未评，不产生任何评价")
                return row.level is None
            if kiosk.seen.get("invitation") == pressed.invitation and row.level is not None:
                return False
            await asyncio.sleep(0.05)
        return False

    async def _follow(self, row: Row, pressed: Pressed) -> None:
        """Tell of the ledger when it happens; nobody at the window waits for it."""
        end = time.monotonic() + SETTLED_S
        while time.monotonic() < end:
            status = await self._desk.status(pressed.invitation)
            if status["state"] == "rated":
                self._hops.ledger(row.serial, row.service_number)
                return
            await asyncio.sleep(0.1)

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def watch_city(self) -> None:
        """Tell what the city accepts, as it comes."""
        while True:
            self._hops.city()
            await asyncio.sleep(0.3)

    async def _chaos(self) -> None:
        cuts = Interruptions(self._hall, self._line, self._hops, self._until_case)
        cases = len(self.played)
        if self._plan.kills:
            await cuts.at_random(self._plan.kills, self._plan.seed, cases)
        elif self._plan.interruptions:
            await cuts.shown(cases)

    async def _until_case(self, number: int) -> None:
        async with self._turn:
            while self._count < number:
                await self._turn.wait()

    async def drain(self) -> bool:
        """Wait until every kiosk's outbox is empty and the city has it all, and tell so."""
        self._line.say("演示", "全部办完，等待最后的评价送达 …")
        end = time.monotonic() + DRAIN_S
        drained = False
        while not drained and time.monotonic() < end:
            hall = self._hall
            summary = count(self.played, hall.database, hall.city_file, hall.public_keys)
            drained = not summary.open and not summary.waiting
            await asyncio.sleep(0 if drained else 0.3)
        if self._watch is not None:
            self._watch.cancel()
            if follows := self._tasks - {self._watch}:
                await asyncio.wait(follows, timeout=TOLD_S)
            self._hops.city()
        return drained
