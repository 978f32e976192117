"""The kiosks that the hub knows: online or not, at which window, until when certified."""

from typing import Any

from litestar import Response, get
from msgspec import Struct

from hub.rules.access import Scope
from hub.web.pages import render
from hub.web.pages.listing import Filters, listing
from hub.web.pages.site import Http, TheSite, person
from protocol.messages import Staff

_SOON_MS = 30 * 86_400_000


class Kiosk(Struct, frozen=True, kw_only=True):
    """A kiosk as IT sees it. Times: milliseconds since 1970.

    `since` when it is away (0: never heard, None: not known), `until` when its certificate ends.
    `label`, `staff`: of its window.
    """

    name: str
    online: bool
    revoked: bool
    since: int | None
    window: str | None
    label: str
    staff: Staff | None
    until: int | None
    ending: bool
    renewal_at: int | None


@get("/kiosks", scope=Scope.DEVICES)
async def kiosks(request: Http, site: TheSite) -> Response[Any]:
    """Show all kiosks, those that need somebody first."""
    windows = {each.device: each for each in await site.bindings.windows() if each.device}
    waiting = {each.device: each.asked_at for each in await site.renewals.waiting()}
    held, revoked, now = site.roster.held(), site.revoked(), site.now()
    found = []
    for name in site.roster:
        window, certificate = windows.get(name), held.get(name)
        kiosk = Kiosk(
            name=name,
            online=site.online(name),
            revoked=name in revoked,
            since=site.away_since(name),
            window=window.name if window else None,
            label=window.label if window else "",
            staff=window.staff if window else None,
            until=certificate.not_after if certificate else None,
            ending=certificate is not None and certificate.not_after - now < _SOON_MS,
            renewal_at=waiting.get(name),
        )
        found.append(kiosk)
    return render.page(
        request,
        "kiosks.html",
        kiosks=listing(request, found, words=_words, filters=_FILTERS, order=_order),
        online=sum(each.online for each in found),
        waiting=len(waiting),
        may_pair=person(request).caller.may(Scope.PAIR),
        done="配对完成，评价器已换上窗口画面。"
        if request.query_params.get("done") == "paired"
        else "",
    )


def _order(kiosk: Kiosk) -> tuple[int, str]:
    """What needs somebody comes first: a clerk without a kiosk before all."""
    away = not kiosk.online
    urgency = (
        (kiosk.revoked, 6),
        (away and kiosk.staff is not None, 0),
        (kiosk.ending, 1),
        (away and kiosk.window is not None, 2),
        (not away and kiosk.window is None, 3),
        (away, 5),
    )
    return next((rank for is_so, rank in urgency if is_so), 4), kiosk.name


def _words(kiosk: Kiosk) -> tuple[str | None, ...]:
    staff = (kiosk.staff.name, kiosk.staff.number) if kiosk.staff else ()
    return (kiosk.name, kiosk.window, kiosk.label, *staff)


_FILTERS: Filters[Kiosk] = {
    "away": ("离线", lambda kiosk: not kiosk.online and not kiosk.revoked),
    "unpaired": ("未配对", lambda kiosk: kiosk.window is None and not kiosk.revoked),
    "ending": ("证书将到期", lambda kiosk: kiosk.ending and not kiosk.revoked),
    "renewal": ("等待续期", lambda kiosk: kiosk.renewal_at is not None),
    "revoked": ("已吊销", lambda kiosk: kiosk.revoked),
}

PAGES = [kiosks]
