"""A TCP cable between two programs: it can be cut, clogged in one direction, slowed, halved."""

import asyncio
import contextlib
from dataclasses import dataclass, field

UP, DOWN = "up", "down"
"""From who connects to who listens, and back."""

CHUNK = 16_384


@dataclass
class Way:
    """What holds for the bytes of one direction.

    `open`: cleared, nothing passes (packets are lost, and sent again once it heals).
    `delay_s` is waited before each piece of at most `piece` bytes; after `left` bytes more
    (None: no limit) the whole connection is reset, in the middle of whatever that is.
    """

    open: asyncio.Event = field(default_factory=asyncio.Event)
    delay_s: float = 0.0
    piece: int = CHUNK
    left: int | None = None

    def __post_init__(self) -> None:
        self.open.set()


class Wire:
    """Listens on `port` of the loopback and leads each connection to `target`."""

    def __init__(self, name: str, port: int, target: int) -> None:
        self.name = name
        self.port = port
        self.passed = {UP: 0, DOWN: 0}
        self._target = target
        self._ways = {UP: Way(), DOWN: Way()}
        self._dead = False
        self._mute = False
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Reset every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    # ------------------------------------------------------------ what can befall it

    def cut(self) -> None:
        """Reset what is connected and take no connection until `heal`."""
        self._dead = True
        self.reset()

    def mute(self) -> None:
        """Take connections and pass nothing on, as a firewall with a full table does."""
        self._mute = True
        self.reset()

    def clog(self, *directions: str) -> None:
        """Let no byte pass in these directions until `heal`; the connection stays."""
        for each in directions:
            self._ways[each].open.clear()

    def slow(self, delay_s: float, *, piece: int = CHUNK) -> None:
        """Let every piece of at most `piece` bytes wait, in both directions."""
        for way in self._ways.values():
            way.delay_s, way.piece = delay_s, piece

    def break_after(self, direction: str, left: int) -> None:
        """Reset the connection once so many more bytes have passed in one direction."""
        self._ways[direction].left = left

    def halve(self) -> None:
        """End the way up of every connection, and leave the way down open."""
        for writers in self._tasks.values():
            if len(writers) > 1 and writers[1].can_write_eof() and not writers[1].is_closing():
                with contextlib.suppress(OSError):
                    writers[1].write_eof()

    def heal(self) -> None:
        """Be a good cable again; what waited in it goes on its way."""
        if self._mute:
            self.reset()
        self._dead = self._mute = False
        for way in self._ways.values():
            way.delay_s, way.piece, way.left = 0.0, CHUNK, None
            way.open.set()

    def reset(self) -> None:
        """Reset every connection."""
        for task, writers in list(self._tasks.items()):
            for writer in writers:
                writer.transport.abort()
            task.cancel()

    # ------------------------------------------------------------ the bytes

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._dead or task is None:
            writer.transport.abort()
            return
        writers = self._tasks[task] = [writer]
        try:
            if self._mute:
                await asyncio.Event().wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(back)
            await self._both(reader, writer, there, back)
        except (OSError, RuntimeError, asyncio.CancelledError):
            pass  # either end is gone, or the cable was cut: the others learn it below
        finally:
            del self._tasks[task]
            for each in writers:
                each.transport.abort()

    async def _both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.create_task(self._pass(UP, reader, back)),
            asyncio.create_task(self._pass(DOWN, there, writer)),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(
        self, direction: str, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        way = self._ways[direction]
        while data := await source.read(CHUNK):
            while data:
                await way.open.wait()
                piece, data = data[: way.piece], data[way.piece :]
                if way.delay_s:
                    await asyncio.sleep(way.delay_s)
                    await way.open.wait()
                if way.left is not None and way.left < len(piece):
                    piece = piece[: way.left]
                    target.write(piece)
                    await target.drain()
                    way.left = None
                    raise ConnectionResetError
                target.write(piece)
                self.passed[direction] += len(piece)
                if way.left is not None:
                    way.left -= len(piece)
                await target.drain()
        if target.can_write_eof() and not target.is_closing():
            target.write_eof()
