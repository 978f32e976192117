"""The rulings for who audits (认定记录): read only, by pages; which level was given is not told."""

from typing import Any

from litestar import Response, get

from hub.rules.access import Scope
from hub.web.pages import render
from hub.web.pages.site import Http, TheSite

PAGE = 50


@get("/ruling-records", scope=Scope.AUDIT)
async def records(request: Http, site: TheSite) -> Response[Any]:
    """Show the rulings below a ledger position, the newest first."""
    before = position(request.query_params.get("before", ""))
    found = await site.rulings.made(before, PAGE + 1)
    return render.page(
        request,
        "ruling_records.html",
        rulings=found[:PAGE],
        older=found[PAGE - 1].position if len(found) > PAGE else None,
        newest=before is not None,
    )


def position(text: str) -> int | None:
    """Return the ledger position that an address names, None: none that could be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None


PAGES = [records]
