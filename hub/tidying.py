"""What the hub looks after all day at short intervals, so that no hand has to."""

import asyncio
import contextlib

from hub.accounts.door import Door
from hub.clock import monotonic_ms
from hub.clockwatch import ClockWatch
from hub.counter.bindings import Bindings
from hub.counter.board import Board
from hub.counter.seats import Seats
from hub.store import database
from hub.store.writer import Busy, Stopped, Writer

TIDY_S = 0.25
"""How often the slots of ended invitations are cleared on the broker."""

LOOK_MS = 1_000
"""How often it is looked whether a command has signed somebody off."""

SEATS_MS = 30_000
"""How often it is looked whether somebody is signed on since yesterday, a session is over, or a row
was forged that gives rights."""


class Tidying:
    """The job that goes round; `run` it in the event loop."""

    def __init__(
        self,
        *,
        writer: Writer,
        board: Board,
        bindings: Bindings,
        seats: Seats,
        clock: ClockWatch,
        door: Door,
    ) -> None:
        self._writer = writer
        self._board = board
        self._bindings = bindings
        self._seats = seats
        self._clock = clock
        self._door = door

    async def run(self) -> None:
        """Go on until cancelled."""
        seats_at = looked_at = 0
        while True:
            self._board.tidy()
            if monotonic_ms() - looked_at >= LOOK_MS:
                looked_at = monotonic_ms()
                self._seats.look()
            if monotonic_ms() - seats_at >= SEATS_MS:
                seats_at = monotonic_ms()
                await self._now_and_then()
            await asyncio.sleep(TIDY_S)

    async def _now_and_then(self) -> None:
        with contextlib.suppress(Busy, Stopped):
            self._bindings.end_of_day()
            if self._writer.trouble:
                self._writer.submit(database.probe)
        await asyncio.to_thread(self._clock.look)
        await asyncio.to_thread(self._door.forgeries.look)
        self._door.tend()
