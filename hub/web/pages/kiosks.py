"""The kiosks that the hub knows: online or not, at which window, until when certified."""

from typing import Any

from litestar import Response, get
from msgspec import Struct

from hub.rules.access import Scope
from hub.web.pages import render
from hub.web.pages.site import Http, TheSite, person

_SOON_MS = 30 * 86_400_000


class Kiosk(Struct, frozen=True, kw_only=True):
    """A kiosk as IT sees it. `until`: end of its certificate, milliseconds since 1970."""

    name: str
    online: bool
    revoked: bool
    window: str | None
    until: int | None
    ending: bool
    renewal_at: int | None


@get("/kiosks", scope=Scope.DEVICES)
async def kiosks(request: Http, site: TheSite) -> Response[Any]:
    """Show all kiosks, those that need somebody first."""
    windows = {each.device: each.name for each in await site.bindings.windows() if each.device}
    waiting = {each.device: each.asked_at for each in await site.renewals.waiting()}
    held, revoked = site.roster.held(), site.revoked()
    found = [
        Kiosk(
            name=name,
            online=site.online(name),
            revoked=name in revoked,
            window=windows.get(name),
            until=held[name].not_after if name in held else None,
            ending=name in held and held[name].not_after - site.now() < _SOON_MS,
            renewal_at=waiting.get(name),
        )
        for name in site.roster
    ]
    found.sort(key=lambda each: (each.revoked, each.online and each.window is not None, each.name))
    return render.page(
        request,
        "kiosks.html",
        kiosks=found,
        online=sum(each.online for each in found),
        waiting=len(waiting),
        may_pair=person(request).caller.may(Scope.PAIR),
        done="配对完成，评价器已换上窗口画面。"
        if request.query_params.get("done") == "paired"
        else "",
    )


PAGES = [kiosks]
