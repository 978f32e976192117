"""Plays a cases file through a whole hall, with interruptions, and counts what arrived."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from demo import citizen
from demo.cases import Row
from demo.citizen import Pressed
from demo.hall import Hall, Size
from demo.parts import Away, KioskPart, Part
from demo.tally import Played, Summary, count, read_city
from demo.timeline import Timeline
from demo.window_system import Rejected, WindowSystem

KIOSKS = 3
ANSWER_S = 120
WALK_AWAY_S = 1
SHOWN_S = 15.0
SETTLED_S = 60.0
DRAIN_S = 120.0
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
    """Play all rows once; the summary says whether every promise held."""
    began = time.monotonic()
    line = Timeline(quiet=plan.quiet)
    plan.out.mkdir(parents=True, exist_ok=True)
    city_file = plan.out / "city.jsonl"
    names = list(dict.fromkeys(row.window for row in rows)) or ["1号窗口"]
    windows = {name: index % min(KIOSKS, len(names)) for index, name in enumerate(names)}
    hall = Hall(
        plan.out / "hall",
        city_file,
        windows,
        headless=plan.headless,
        size=plan.size,
        mosquitto=plan.mosquitto,
    )
    stage = _Stage(hall, rows, plan, line)
    line.say("演示", f"启动城市平台（替身）、大厅服务器和 {len(hall.kiosks)} 台评价器 …")
    try:
        await hall.start()
        await stage.play()
        drained = await stage.drain()
    finally:
        await stage.close()
        await hall.stop()
    summary = count(stage.played, hall.database, city_file, hall.public_keys)
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
        self.played = [Played(row=row, pressed=[]) for row in rows]
        self._finished: dict[str, int] = defaultdict(int)
        self._turn = asyncio.Condition()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close what is open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._desk.close()

    async def play(self) -> None:
        """Each kiosk's windows take their rows in order; all of one case keep their order."""
        if not self._plan.quiet:
            self._background(self.watch_city())
        lanes: dict[int, list[int]] = defaultdict(list)
        earlier: dict[int, int] = {}
        seen: dict[str, int] = defaultdict(int)
        for index, each in enumerate(self.played):
            lanes[self._hall.windows[each.row.window]].append(index)
            earlier[index] = seen[each.row.serial]
            seen[each.row.serial] += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(self._chaos())
            for number, indices in lanes.items():
                group.create_task(self._lane(number, indices, earlier))

    async def _lane(self, number: int, indices: list[int], earlier: dict[int, int]) -> None:
        for index in indices:
            each = self.played[index]
            async with self._turn:
                while self._finished[each.row.serial] < earlier[index]:
                    await self._turn.wait()
                self._count += 1
                self._turn.notify_all()
            await self._case(self._hall.kiosks[number], each, first=index == 0)
            async with self._turn:
                self._finished[each.row.serial] += 1
                self._turn.notify_all()
            await asyncio.sleep(self._plan.pace_s)

    async def _case(self, kiosk: KioskPart, each: Played, *, first: bool) -> None:
        """One citizen at one window; whoever is cut off is invited again, as a clerk would."""
        row, line = each.row, self._line
        snap = self._camera(kiosk) if first else _no_picture
        line.case(row, self._count, len(self.played))
        await self._desk.register(row)
        await snap("idle")
        for _ in range(TRIES):
            try:
                status = await self._desk.invite(
                    row, WALK_AWAY_S if row.level is None else ANSWER_S
                )
            except Rejected as error:
                if "already_rated" in error.code:
                    each.done = True
                    return
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
        if pressed.thanked:
            self._later(row, pressed)
            return True
        end = time.monotonic() + SETTLED_S
        while time.monotonic() < end:
            status = await self._desk.status(pressed.invitation)
            if status["state"] == "rated":
                self._line.say("大厅", "评价核验无误，已入台账")
                return True
            if status["state"] != "open":
                if row.level is None:
                    self._line.say("大厅", f"未评：{row.serial} 过期，不产生任何评价")
                return row.level is None
            if kiosk.seen.get("invitation") == pressed.invitation and row.level is not None:
                return False
            await asyncio.sleep(0.05)
        return False

    def _later(self, row: Row, pressed: Pressed) -> None:
        """Tell of the further hops when they happen; nobody at the window waits for them."""

        async def follow() -> None:
            end = time.monotonic() + SETTLED_S
            while time.monotonic() < end:
                status = await self._desk.status(pressed.invitation)
                if status["state"] == "rated":
                    self._line.say("大厅", f"…{row.serial[-6:]} 核验无误，已入台账，回执已发")
                    break
                await asyncio.sleep(0.1)

        if not self._plan.quiet:
            self._background(follow())

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def watch_city(self) -> None:
        """Tell what the city accepts, as it comes."""
        told = 0
        while True:
            records = read_city(self._hall.city_file)
            for record in records[told:]:
                what = "评价" if "satisfaction" in record else "办件服务数据"
                self._line.say("城市平台", f"…{record['projectNo'][-6:]} 的{what}已接收")
            told = len(records)
            await asyncio.sleep(0.3)

    def _camera(self, kiosk: KioskPart) -> citizen.Snap:
        taken = 0

        async def snap(step: str) -> None:
            nonlocal taken
            taken += 1
            path = self._plan.out / f"{taken:02d}-{step}.png"
            await kiosk.order("shot", path=str(path.resolve()))

        return snap

    # ------------------------------------------------------------ interruptions

    async def _chaos(self) -> None:
        if self._plan.kills:
            await self._random_kills()
        elif self._plan.interruptions and len(self.played) >= 6:
            await self._until_case(len(self.played) // 3)
            await self._interrupt(self._hall.hub, 2.0)
            await self._until_case(len(self.played) * 2 // 3)
            await self._interrupt(self._hall.city, 4.0)

    async def _until_case(self, number: int) -> None:
        async with self._turn:
            while self._count < number:
                await self._turn.wait()

    async def _interrupt(self, part: Part, seconds: float) -> None:
        self._line.say("演示", f"✂ {part.name}突然断电 {seconds:.1f} 秒（kill -9）")
        await part.kill()
        await asyncio.sleep(seconds)
        await part.start()
        self._line.say("演示", f"✔ {part.name}恢复")

    async def _random_kills(self) -> None:
        """Kill something at random moments, spread over all cases; now and then two at once."""
        rng = random.Random(self._plan.seed)
        parts = self._hall.parts
        left = self._plan.kills
        while left:
            done = self._plan.kills - left
            await self._until_case(done * len(self.played) // self._plan.kills)
            await asyncio.sleep(rng.uniform(0.0, 0.8))
            victims = rng.sample(parts, k=min(left, 2 if rng.random() < 0.25 else 1))
            async with asyncio.TaskGroup() as group:
                for victim in victims:
                    group.create_task(self._interrupt(victim, rng.uniform(0.0, 1.0)))
            left -= len(victims)

    async def drain(self) -> bool:
        """Wait until every kiosk's outbox is empty and the city has it all."""
        self._line.say("演示", "全部办完，等待最后的评价送达 …")
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            summary = count(
                self.played,
                self._hall.database,
                self._plan.out / "city.jsonl",
                self._hall.public_keys,
            )
            if not summary.open and not summary.waiting:
                return True
            await asyncio.sleep(0.3)
        return False


async def _no_picture(step: str) -> None:
    del step
