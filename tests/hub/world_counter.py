"""What every hall without wires stands on: a real file, its writer, and the counter's rooms."""

import asyncio
import time
from pathlib import Path

import world_file

from hub.counter.bindings import Bindings
from hub.counter.board import Board
from hub.counter.pairing import Codes
from hub.store.database import connect
from hub.store.writer import Busy, Writer
from protocol.topics import Leaf


class CounterWorld:
    """One start of a hub in `folder`; what would be sent to kiosks is kept in `published`.

    Who derives from it furnishes the file, calls `open_counter`, and starts the writer last.
    `options` are the writer's.
    """

    turns = 3  # a job, what follows its commit, and what that set off

    def __init__(self, folder: Path, now: int, **options) -> None:
        self.path = folder / "hub.db"
        self.now = now
        self.published, self.receipts = [], []
        self.db = world_file.opened(self.path)
        self.writer = Writer(self.db, **options)
        self.reader = connect(self.path)
        self.digits = iter(range(100_000, 1_000_000))
        self.codes = Codes(now=self.clock, random_below=lambda _: next(self.digits))

    def open_counter(self, hall_name, windows, devices, online):
        """Board and bindings for these `windows` and `devices`; `online(device)` is asked."""
        self.board = Board(
            self.writer,
            hall_name,
            windows,
            devices,
            self.codes,
            now=self.clock,
            online=online,
            publish=self._publish,
        )
        self.bindings = Bindings(
            self.writer,
            windows,
            self.codes,
            now=self.clock,
            online=online,
            changed=self.board.refresh,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.writer.stop()
        self.reader.close()

    def clock(self):
        return self.now

    def _publish(self, device, leaf, payload):
        self.published.append((device, leaf, payload))

    def _acknowledge(self, device, receipt):
        self.receipts.append((device, receipt))

    def ask(self, request):
        """Let one of the rooms answer one request; what follows from it is done as well."""

        async def one():
            return await request

        answer = asyncio.run(one())
        self.quiet()
        return answer

    def quiet(self):
        """Wait until all that was handed in is committed and all that follows is sent."""
        for _ in range(self.turns):
            self._turn()

    def _turn(self):
        """Be one job of the writer, once it has room for one."""
        end = time.monotonic() + 10
        while True:
            try:
                return self.writer.call(lambda _: None)
            except Busy:
                assert time.monotonic() < end, "the writer's queue stayed full"
                time.sleep(0.001)

    def rows(self, sql, *values):
        return self.reader.conn.execute(sql, values).fetchall()

    def sent(self, device, leaf):
        """The payloads published on one leaf of a device, in order."""
        return [data for to, of, data in self.published if (to, of) == (device, Leaf(leaf))]
