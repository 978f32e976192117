"""An application behind real HTTP on a free port of the loopback, and what it answers."""

import asyncio
import contextlib
import html
import http.client
import itertools
import re
import threading

import uvicorn
from brokers import LOOPBACK, eventually


class Answer:
    """An answer read to its end; every world's own kind of answer is one."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


class Page(Answer):
    """An answer as a browser has it."""

    @property
    def to(self):
        """Where it sends the browser, or None."""
        return self.headers["Location"]

    @property
    def words(self):
        """What somebody reads."""
        text = re.sub(r"<(head|datalist).*?</\1>", "", self.text, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())

    def field(self, name):
        """What a form's hidden field holds; empty without one."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        return html.unescape(found[1]) if found else ""


class Server(uvicorn.Server):
    """uvicorn that ends when it is told to, not a fifth of a second later."""

    async def main_loop(self):
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        ticks = itertools.count()
        while not await self.on_tick(next(ticks)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 0.1)

    async def shutdown(self, sockets=None):
        if self.server_state.connections:
            await super().shutdown(sockets)
        else:  # nobody to wait for
            for server in self.servers:
                server.close()
            await self.lifespan.shutdown()

    def end(self):
        """Tell it to end; from another thread."""
        self.should_exit = True
        with contextlib.suppress(AttributeError, RuntimeError):  # it never came to serve, or ended
            self._loop.call_soon_threadsafe(self._told.set)


@contextlib.contextmanager
def served(app, **options):
    """Serve until the block ends; gives the port. Nothing is left running.

    `options` are uvicorn's.
    """
    config = {"access_log": False, "log_config": None, "ws": "none"} | options
    server = Server(uvicorn.Config(app, host=LOOPBACK, port=0, **config))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), "the server's start")
        assert server.started, "the server did not start"
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.end()
        thread.join(10)
        assert not thread.is_alive(), "the server did not end"


def ask(port, method, path, body=None, headers=None, *, kind=Answer, address=LOOPBACK):
    """Send one request on a connection of its own, from `address`; return the `kind` of answer."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20, source_address=(address, 0))
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        return kind(connection.getresponse())
