"""How the HTTP interface and the pages are served: one port, uvicorn, ended by the hub alone."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from litestar import Litestar

from hub.config import ApiConfig, ConfigError
from hub.web.crowd import Crowd, make_room

BACKLOG = 128
"""How many connections may wait to be taken; so often asyncio tries in one go."""
GRACE_S = 5
"""How long requests that are under way may take once the hub is to end."""


def listen(api: ApiConfig) -> socket.socket:
    """Take the port of the HTTP interface; raises `ConfigError` if it cannot be had."""
    family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
    try:
        return socket.create_server((api.host, api.port), family=family)
    except OSError as error:
        raise ConfigError(
            f"接口地址 {api.host}:{api.port} 无法使用：{error}。"
            "请检查端口是否被占用（服务器是否已在运行），或修改配置的 api.host、api.port"
        ) from error


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the command decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def until(self, stop: asyncio.Event, port: socket.socket) -> None:
        """Serve on `port` until `stop` is set, or until it ends by itself."""
        serving = asyncio.create_task(self.serve([port]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self.should_exit = True
        stopping.cancel()
        await serving


def server(app: Litestar, api: ApiConfig, base: Path) -> Server:
    """Return what serves `app`, with the hall's certificate where one is configured."""
    return Server(
        uvicorn.Config(
            app,
            ssl_certfile=base / api.certificate if api.certificate else None,
            ssl_keyfile=base / api.key if api.key else None,
            access_log=False,  # addresses hold serial numbers
            log_config=None,
            lifespan="on",
            http=Crowd(total=make_room()).protocol(),
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
