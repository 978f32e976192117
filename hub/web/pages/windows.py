"""All windows at a glance, and one of them with its history: pause, resume, unpair, move."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post

from hub.counter.bindings import WindowStatus
from hub.rules.access import Scope
from hub.web.pages import render
from hub.web.pages.listing import Filters, listing
from hub.web.pages.site import Http, TheSite, form, person
from hub.web.values import PauseRequest
from protocol import strict

_DONE = {
    "paused": "窗口已暂停，评价器正显示原因。",
    "resumed": "窗口已恢复。",
    "unpaired": "评价器已解除，它会重新显示配对码。",
    "moved": "评价器已移到本窗口。",
}


@get("/windows", scope=Scope.BINDINGS)
async def overview(request: Http, site: TheSite) -> Response[Any]:
    """Show who sits where, which kiosks answer, what is paused."""
    windows = await site.bindings.windows()
    return render.page(
        request,
        "windows.html",
        windows=windows,
        list=listing(request, windows, words=searched, filters=_FILTERS, order=_order),
    )


@get("/window", scope=Scope.BINDINGS, back="/windows")
async def window(request: Http, site: TheSite) -> Response[Any]:
    """Show one window and what was changed there, by position in the ledger."""
    name = request.query_params.get("name", "")
    status = await site.bindings.status(name)
    caller = person(request).caller
    return render.page(
        request,
        "window.html",
        window=status,
        history=await site.bindings.history(name),
        free=[each.name for each in await site.bindings.windows() if each.device is None],
        may_pause=caller.may(Scope.PAUSE),
        may_rebind=caller.may(Scope.REBIND),
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )


@post("/window/pause", scope=Scope.PAUSE, back="/windows", status_code=200)
async def pause(request: Http, site: TheSite) -> Response[Any]:
    """Close a window for citizens, with the reason that they read."""
    asked = form(request)
    reason = strict.convert({"reason": asked.text("reason")}, PauseRequest).reason
    await site.desk.pause(asked.text("window"), reason, person(request).caller)
    return _back(asked.text("window"), "paused")


@post("/window/resume", scope=Scope.PAUSE, back="/windows", status_code=200)
async def resume(request: Http, site: TheSite) -> Response[Any]:
    """Open a window again."""
    await site.desk.pause(form(request).text("window"), None, person(request).caller)
    return _back(form(request).text("window"), "resumed")


@post("/window/unpair", scope=Scope.REBIND, back="/windows", status_code=200)
async def unpair(request: Http, site: TheSite) -> Response[Any]:
    """Take the kiosk off a window."""
    await site.bindings.unpair(form(request).text("window"), person(request).caller)
    return _back(form(request).text("window"), "unpaired")


@post("/window/move", scope=Scope.REBIND, back="/windows", status_code=200)
async def move(request: Http, site: TheSite) -> Response[Any]:
    """Have the kiosk of a window serve another one."""
    asked = form(request)
    await site.bindings.move(asked.text("window"), asked.text("to"), person(request).caller)
    return _back(asked.text("to"), "moved")


def searched(window: WindowStatus) -> tuple[str | None, ...]:
    """Return by what words a window is found."""
    staff = (window.staff.name, window.staff.number) if window.staff else ()
    return (window.name, window.label, window.device, *staff)


def _stuck(window: WindowStatus) -> bool:
    """Whether a clerk works there and nobody can rate."""
    return window.staff is not None and window.paused is None and not window.device_online


def _away(window: WindowStatus) -> bool:
    return window.device is not None and not window.device_online


def _order(window: WindowStatus) -> int:
    """What needs somebody comes first; the rest as in the configuration."""
    urgency = (_stuck(window), window.paused is not None, _away(window))
    return next((rank for rank, is_so in enumerate(urgency) if is_so), len(urgency))


_FILTERS: Filters[WindowStatus] = {
    "stuck": ("不能评价", _stuck),
    "away": ("评价器离线", _away),
    "bare": ("没有评价器", lambda window: window.device is None),
    "paused": ("已暂停", lambda window: window.paused is not None),
    "free": ("无人签到", lambda window: window.staff is None),
}


def _back(name: str, done: str) -> Response[Any]:
    return render.to("/window?" + urlencode({"name": name, "done": done}))


PAGES = [overview, window, pause, resume, unpair, move]
