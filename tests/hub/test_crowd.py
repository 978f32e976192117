"""Whoever only opens connections keeps nobody else out, and fills no log."""

import asyncio
import contextlib
import logging
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import uvicorn
from litestar import Litestar, get

from hub.web.crowd import Crowd, make_room
from hub.web.server import Server

ROOT = Path(__file__).resolve().parents[2]


@get("/healthz", sync_to_thread=False)
def healthz() -> str:
    return "ok"


@contextlib.asynccontextmanager
async def served(crowd):
    port = socket.create_server(("127.0.0.1", 0))
    app = Litestar([healthz], openapi_config=None)
    config = uvicorn.Config(app, http=crowd.protocol(), log_config=None, access_log=False)
    stop = asyncio.Event()
    running = asyncio.create_task(Server(config).until(stop, port))
    try:
        yield port.getsockname()[1]
    finally:
        stop.set()
        await running


async def asked(port) -> bytes:
    """The answer to one request on a connection of its own; empty: there was no place."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    writer.close()
    return answer


async def opened(port, count, say=b""):
    there = []
    for _ in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(say)
        there.append(writer)
    return there


def test_silent_connections_give_way_to_whoever_asks_something():
    """Also those that begin a request and never end it; what keeps asking is served."""

    async def story():
        async with served(Crowd(total=20, patience_s=0.4)) as port:
            silent = await opened(port, 10)
            halves = await opened(port, 5, b"GET /healthz HTTP/1.1\r\nHost:")
            halves += await opened(port, 5, b"POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            began = time.monotonic()
            while not (answer := await asked(port)):
                assert time.monotonic() - began < 5
                await asyncio.sleep(0.02)
            assert answer.startswith(b"HTTP/1.1 200")
            for each in (*silent, *halves):
                each.close()
            assert (await asked(port)).startswith(b"HTTP/1.1 200")

    asyncio.run(story())


def test_a_connection_that_keeps_asking_is_kept():
    """Whichever moments are looked at: a window system asks often, and each time for a moment."""

    async def story():
        async with served(Crowd(patience_s=0.3)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            began = time.monotonic()
            while time.monotonic() - began < 1.5:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n")
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
                length = int(head.lower().split(b"content-length:")[1].split()[0])
                assert await reader.readexactly(length) == b"ok"
                await asyncio.sleep(0.05)
            assert await asyncio.wait_for(reader.read(), 5) == b""  # and closed once it is silent
            writer.close()

    asyncio.run(story())


def test_one_address_takes_no_more_than_its_share():
    """A proxy on this machine may stand for many; another address may not."""
    crowd = Crowd(total=10, each=3)
    assert [crowd.enter("192.0.2.7") for _ in range(5)] == [True, True, True, False, False]
    assert [crowd.enter("127.0.0.1") for _ in range(5)] == [True] * 5
    assert crowd.enter("192.0.2.8")
    crowd.leave("192.0.2.7")
    assert crowd.enter("192.0.2.7")
    assert [crowd.enter("192.0.2.9") for _ in range(3)] == [True, False, False]


def test_a_crowd_is_told_of_once(caplog):
    with caplog.at_level(logging.WARNING):
        crowd = Crowd(total=0)
        assert not any(crowd.enter("127.0.0.1") for _ in range(100))
    assert [each.getMessage() for each in caplog.records] == ["http=crowded connections=0"]


def test_the_hub_opens_as_many_files_as_it_may_and_keeps_some_for_itself():
    """Where it may open few, HTTP gets fewer connections, not the database."""
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))\n"
    ask = "from hub.web.crowd import make_room\nprint(make_room(), resource.getrlimit(7)[0])"
    found = []
    for hard in (400, 4096):
        ran = subprocess.run(
            [sys.executable, "-c", few.format(hard=hard) + ask],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found.append(ran.stdout.split())
    assert found == [["144", "400"], ["1000", "4096"]]
    assert resource.RLIMIT_NOFILE == 7


def test_complaints_about_missing_descriptors_come_once_a_minute(caplog):
    make_room()
    with caplog.at_level(logging.ERROR):
        for _ in range(1_000):
            logging.getLogger("asyncio").error("socket.accept() out of system resource")
        logging.getLogger("asyncio").error("something else")
    assert [each.getMessage() for each in caplog.records][-1] == "something else"
    assert len(caplog.records) <= 2
