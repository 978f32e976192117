"""The HTTP interface put together; it is served by whoever calls `create`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import ResponseHeader
from litestar.di import Provide

from hub.config import ApiConfig
from hub.desk import Desk
from hub.web import api, auth, body, openapi, problems
from hub.web.values import Health


def create(
    desk: Desk,
    config: ApiConfig,
    base: Path,
    *,
    presence: Callable[[str], bool],
    health: Callable[[], Health],
) -> Litestar:
    """Return the ASGI application.

    Key files are read here, once, relative to `base`; raises `ConfigError` for a bad one.
    `presence(device)` says whether a kiosk is seen now, `health()` whether the hub can work;
    both are called on the event loop and must not wait.
    """

    def hand_in(value: Any) -> Provide:
        return Provide(lambda: value, use_cache=True, sync_to_thread=False)

    return Litestar(
        route_handlers=[
            Router(
                "/api/v1",
                route_handlers=api.API,
                guards=[auth.guard(auth.read_keys(config, base))],
            ),
            *api.MACHINES,
        ],
        dependencies={
            "desk": hand_in(desk),
            "presence": hand_in(presence),
            "health": hand_in(health),
            "page": hand_in(openapi.page()),
        },
        exception_handlers={Exception: problems.answer},
        request_max_body_size=body.LIMIT,
        response_headers=[ResponseHeader(name="Cache-Control", value="no-store")],
        openapi_config=None,
        logging_config=None,
    )
