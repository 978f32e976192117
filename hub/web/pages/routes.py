"""The pages put together: who is let in, what goes with every answer."""

from importlib.resources import files
from typing import Any

from litestar import Response, Router, get
from litestar.di import Provide
from litestar.types import Message, Scope

from hub.web.pages import (
    accounts,
    counter,
    entry,
    keys,
    kiosks,
    portraits,
    records,
    rulings,
    trail,
    troubles,
    windows,
)
from hub.web.pages.guard import guard
from hub.web.pages.site import Site

_STATIC = files("hub.web.pages") / "static"

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: with it browsers send `Origin: null`, by which no form could be told
    # from that of another site where `Sec-Fetch-Site` is missing.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""What goes with every answer: kept by nobody, nothing from elsewhere, no script,
in no frame, not guessed at. Where an answer says otherwise, that holds."""


@get("/style.css", sync_to_thread=False)
def style() -> Response[bytes]:
    """Return our stylesheet."""
    return _file("style.css", "text/css")


@get("/icon.svg", sync_to_thread=False)
def icon() -> Response[bytes]:
    """Return the sign in the browser's tab."""
    return _file("icon.svg", "image/svg+xml")


def router(site: Site) -> list[Any]:
    """Return the routes of all pages."""
    guarded = Router(
        "/",
        route_handlers=[
            *entry.GUARDED,
            *counter.PAGES,
            *windows.PAGES,
            *rulings.PAGES,
            *kiosks.PAGES,
            *accounts.PAGES,
            *portraits.PAGES,
            *keys.PAGES,
            *trail.PAGES,
            *records.PAGES,
        ],
        guards=[guard(site)],
    )
    pages = Router(
        "/",
        route_handlers=[guarded, *entry.OPEN],
        dependencies={"site": Provide(lambda: site, use_cache=True, sync_to_thread=False)},
        exception_handlers={Exception: troubles.answer},
    )
    return [pages, style, icon]


async def add_headers(message: Message, scope: Scope) -> None:
    """Add `HEADERS` to an answer, also to one that tells of an error."""
    del scope
    if message["type"] == "http.response.start":
        there = {name.lower() for name, _ in message["headers"]}
        message["headers"] = [
            *message["headers"],
            *(
                (name.encode(), value.encode())
                for name, value in HEADERS.items()
                if name.encode() not in there
            ),
        ]


def _file(name: str, kind: str) -> Response[bytes]:
    return Response(
        (_STATIC / name).read_bytes(),
        media_type=kind,
        headers={"Cache-Control": "public, max-age=300"},
    )
