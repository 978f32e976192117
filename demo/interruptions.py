"""Power cuts while the demonstration plays: two chosen ones, or many at random moments."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from demo.hall import Hall
from demo.hops import Hops
from demo.parts import KioskPart, Part
from demo.timeline import Timeline

_FEW = 6  # so few cases are over before an interruption could be watched
_HUB_S, _CITY_S = 2.0, 4.0


class Interruptions:
    """Kills programs of a hall and starts them again; `until_case(n)` waits for a case's turn."""

    def __init__(
        self, hall: Hall, line: Timeline, hops: Hops, until_case: Callable[[int], Awaitable[None]]
    ) -> None:
        self._hall = hall
        self._line = line
        self._hops = hops
        self._until_case = until_case

    async def shown(self, cases: int) -> None:
        """Cut off the hub after a third of the cases, and the city after two thirds."""
        if cases < _FEW:
            return
        await self._until_case(cases // 3)
        await self._interrupt(self._hall.hub, _HUB_S)
        await self._until_case(cases * 2 // 3)
        await self._interrupt(self._hall.city, _CITY_S)

    async def at_random(self, kills: int, seed: int, cases: int) -> None:
        """Kill something at random moments, spread over all cases; now and then two at once."""
        rng = random.Random(seed)
        parts = self._hall.parts
        left = kills
        while left:
            await self._until_case((kills - left) * cases // kills)
            await asyncio.sleep(rng.uniform(0.0, 0.8))
            victims = rng.sample(parts, k=min(left, 2 if rng.random() < 0.25 else 1))
            async with asyncio.TaskGroup() as group:
                for victim in victims:
                    group.create_task(self._interrupt(victim, rng.uniform(0.0, 1.0)))
            left -= len(victims)

    async def _interrupt(self, part: Part, seconds: float) -> None:
        told = f"✂ {part.name}突然断电 {seconds:.1f} 秒（kill -9）"
        if isinstance(part, KioskPart):
            self._line.say("演示", told)
            await part.kill()
        else:
            # What had arrived before the cut is told before it, so the cut comes first.
            await part.kill()
            self._hops.city()
            self._line.say("演示", told)
        await asyncio.sleep(seconds)
        await part.start()
        self._line.say("演示", f"✔ {part.name}恢复")
