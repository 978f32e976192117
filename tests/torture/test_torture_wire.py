"""The cable between two programs does what it says, on real sockets."""

import asyncio
import contextlib
import socket

import pytest

from bench.torture.wire import DOWN, UP, Wire

SOON_S = 5.0
NOT_YET_S = 0.15


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Echo:
    """Says back what it hears; notes when the way to it ended."""

    def __init__(self):
        self.ended = asyncio.Event()
        self.heard = b""

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1024):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ended.set()
            writer.write(b"bye")
        writer.close()


async def with_wire(act):
    port, target = free_ports(2)
    echo, wire = Echo(), Wire("sample", port, target)
    server = await asyncio.start_server(echo.serve, "127.0.0.1", target)
    await wire.start()
    try:
        async with asyncio.timeout(30):
            await act(wire, echo, port)
    finally:
        await wire.stop()
        server.close()
        await server.wait_closed()


def run(act):
    asyncio.run(with_wire(act))


async def call(port):
    return await asyncio.open_connection("127.0.0.1", port)


async def said(reader, count):
    return await asyncio.wait_for(reader.readexactly(count), SOON_S)


async def is_silent(reader):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), NOT_YET_S)


async def is_over(reader):
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(1), SOON_S) == b""


def test_a_good_cable_passes_everything_on():
    async def act(wire, _, port):
        reader, writer = await call(port)
        writer.write(b"x" * 100_000)
        assert await said(reader, 100_000) == b"x" * 100_000
        assert wire.passed == {UP: 100_000, DOWN: 100_000}
        writer.close()

    run(act)


def test_a_cut_cable_ends_its_connections_and_takes_none_until_it_is_healed():
    async def act(wire, _, port):
        reader, writer = await call(port)
        writer.write(b"one")
        assert await said(reader, 3) == b"one"
        wire.cut()
        await is_over(reader)
        late, late_writer = await call(port)
        await is_over(late)
        wire.heal()
        again, again_writer = await call(port)
        again_writer.write(b"two")
        assert await said(again, 3) == b"two"
        for each in (writer, late_writer, again_writer):
            each.close()

    run(act)


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_clogged_direction_holds_what_comes_until_it_is_healed(direction):
    async def act(wire, echo, port):
        reader, writer = await call(port)
        wire.clog(direction)
        writer.write(b"held")
        await is_silent(reader)
        assert echo.heard == (b"" if direction == UP else b"held")
        wire.heal()
        assert await said(reader, 4) == b"held"
        writer.close()

    run(act)


def test_a_mute_cable_takes_connections_and_says_nothing():
    async def act(wire, echo, port):
        wire.mute()
        reader, writer = await call(port)
        writer.write(b"hello")
        await is_silent(reader)
        assert echo.heard == b""
        wire.heal()
        await is_over(reader)
        writer.close()

    run(act)


def test_a_breaking_cable_ends_in_the_middle_of_a_message():
    async def act(wire, echo, port):
        wire.break_after(UP, 4)
        reader, writer = await call(port)
        writer.write(b"12345678")
        with contextlib.suppress(ConnectionError):
            assert len(await asyncio.wait_for(reader.read(), SOON_S)) <= 4
        assert echo.heard in (b"", b"1234")  # a reset may overtake what was sent before it
        writer.close()

    run(act)


def test_a_halved_cable_ends_the_way_up_only():
    async def act(wire, echo, port):
        reader, writer = await call(port)
        writer.write(b"one")
        assert await said(reader, 3) == b"one"
        wire.halve()
        await asyncio.wait_for(echo.ended.wait(), SOON_S)
        assert await said(reader, 3) == b"bye"
        writer.close()

    run(act)


def test_a_dripping_cable_passes_small_pieces_one_after_the_other():
    async def act(wire, _, port):
        wire.slow(0.01, piece=3)
        reader, writer = await call(port)
        began = asyncio.get_running_loop().time()
        writer.write(b"123456789")
        assert await said(reader, 9) == b"123456789"
        assert asyncio.get_running_loop().time() - began >= 0.03
        writer.close()

    run(act)
