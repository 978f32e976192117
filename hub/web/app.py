"""The HTTP interface and the pages put together; they are served by whoever calls `create`."""

from collections.abc import Callable
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import ResponseHeader, State
from litestar.di import Provide
from msgspec import Struct

from hub.counter.bindings import Bindings
from hub.counter.desk import Desk
from hub.feed import Feeds
from hub.kiosks.renewal import Renewals
from hub.rulings import Rulings
from hub.web import api, auth, body, counters, feed, ledger, openapi, problems, receipt, rulings
from hub.web.auth import Keys
from hub.web.ledger import PublicLedger
from hub.web.pages import routes, troubles
from hub.web.pages.site import Site
from hub.web.values import Health

_FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/ledger/")


class Rooms(Struct, frozen=True, kw_only=True):
    """What decides behind the routes of the interface."""

    desk: Desk
    bindings: Bindings
    renewals: Renewals
    rulings: Rulings
    feeds: Feeds
    keys: Keys
    ledger: PublicLedger


def create(
    rooms: Rooms,
    *,
    presence: Callable[[str], bool],
    health: Callable[[], Health],
    site: Site | None = None,
    front: receipt.Front | None = None,
) -> Litestar:
    """Return the ASGI application.

    `presence(device)` says whether a kiosk is seen now, `health()` whether the hub can work;
    both are called on the event loop and must not wait. Without `site` there are no pages, and
    without `front` none for citizens.
    """

    def hand_in(value: Any) -> Provide:
        return Provide(lambda: value, use_cache=True, sync_to_thread=False)

    return Litestar(
        route_handlers=[
            Router(
                "/api/v1",
                route_handlers=[*api.API, *counters.API, *rulings.API, *feed.API],
                guards=[auth.guard(rooms.keys)],
            ),
            *api.MACHINES,
            *ledger.PUBLIC,
            *(routes.router(site) if site else ()),
            *(receipt.router(front) if front else ()),
        ],
        dependencies={
            "desk": hand_in(rooms.desk),
            "bindings": hand_in(rooms.bindings),
            "renewals": hand_in(rooms.renewals),
            "rulings": hand_in(rooms.rulings),
            "feeds": hand_in(rooms.feeds),
            "public": hand_in(rooms.ledger),
            "presence": hand_in(presence),
            "health": hand_in(health),
            "page": hand_in(openapi.page()),
        },
        state=State({"hall_name": site.hall_name if site else ""}),
        on_shutdown=[rooms.keys.close, *([site.door.close] if site else [])],
        before_send=[routes.add_headers],
        exception_handlers={Exception: _answer if site else problems.answer},
        request_max_body_size=body.LIMIT,
        response_headers=[ResponseHeader(name="Cache-Control", value="no-store")],
        openapi_config=None,
        logging_config=None,
    )


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer people with a page and programs with a problem."""
    path = request.url.path
    if path.startswith(_FOR_PROGRAMS) or "text/html" not in request.headers.get("accept", ""):
        return problems.answer(request, error)
    return troubles.answer(request, error)
