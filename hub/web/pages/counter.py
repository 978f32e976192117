"""What a clerk does at a window: sign on and off, and pair its kiosk (签到、签退、配对)."""

import re
import unicodedata
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post

from hub.counter.bindings import WindowStatus
from hub.errors import KioskWorks, TooManyTries, UnknownWindow, WrongCode
from hub.rules.access import Scope
from hub.store import portraits
from hub.web.pages import render, troubles
from hub.web.pages.listing import Filters, listing
from hub.web.pages.portraits import DONE as PORTRAIT_DONE
from hub.web.pages.site import Http, TheSite, form, person
from hub.web.pages.windows import searched

_DONE = {
    "on": "已签到。群众评价时看到的就是您。",
    "over": "已接替签到。群众评价时看到的就是您。弄错了请签退，原来的人员须自己重新签到。",
    "off": "已签退。",
    "paired": "配对完成，评价器已换上窗口画面。",
    "cancelled": "已取消，那台评价器会换一个新的配对码。请核对后重新输入。",
    **PORTRAIT_DONE,
}
REFRESH_S = 5
_GRID = 48
"""Windows on a page: whole rows of two, three or four."""
_CARDS = 24
"""So many windows are cards to choose from, more of them a list that unfolds."""


@get("/my-window", scope=Scope.SIGN_ON)
async def my_window(request: Http, site: TheSite) -> Response[Any]:
    """Show where the clerk sits, and the windows where they could."""
    windows = await site.bindings.windows()
    staff, name = person(request).caller.staff, person(request).user.name
    mine = _seat_of(windows, request)
    others = [each for each in windows if mine is None or each.name != mine.name]
    return render.page(
        request,
        "my_window.html",
        portrait=await site.register.look(lambda db: portraits.of_user(db, name)),
        mine=mine,
        windows=windows,
        list=listing(request, others, words=searched, filters=_FILTERS, order=_order, page=_GRID),
        staff=staff,
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )


@get("/my-window/take-over", scope=Scope.SIGN_ON, back="/my-window")
async def take_over(request: Http, site: TheSite) -> Response[Any]:
    """Ask before somebody else is signed off."""
    staff = person(request).caller.staff
    window = await site.bindings.status(request.query_params.get("window", ""))
    if staff is None or window.staff in (None, staff):
        return render.to("/my-window")
    return render.page(
        request,
        "take_over.html",
        window=window,
        over=_named(window),
        staff=staff,
        mine=_seat_of(await site.bindings.windows(), request),
    )


@post("/my-window/sign-on", scope=Scope.SIGN_ON, back="/my-window", status_code=200)
async def sign_on(request: Http, site: TheSite) -> Response[Any]:
    """Sign on at a window; who was there is signed off, once that was confirmed (`over`)."""
    name, caller = form(request).text("window"), person(request).caller
    window = await site.bindings.status(name)
    taken = caller.staff is not None and window.staff not in (None, caller.staff)
    if taken and form(request).text("over") != _named(window):
        return render.to("/my-window/take-over?" + urlencode({"window": name}))
    await site.bindings.sign_on(name, None, caller)
    return render.to(f"/my-window?done={'over' if taken else 'on'}")


@post("/my-window/sign-off", scope=Scope.SIGN_ON, back="/my-window", status_code=200)
async def sign_off(request: Http, site: TheSite) -> Response[Any]:
    """Sign off."""
    await site.bindings.sign_off(form(request).text("window"), person(request).caller)
    return render.to("/my-window?done=off")


@get("/pair", scope=Scope.PAIR)
async def pair_page(request: Http, site: TheSite) -> Response[Any]:
    """Ask for window and code; the QR beside the code brings the code along."""
    return await _ask(
        request,
        site,
        window=request.query_params.get("window", ""),
        code=_code(request.query_params.get("code", "")),
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )


@post("/pair", scope=Scope.PAIR, back="/pair", status_code=200)
async def claim(request: Http, site: TheSite) -> Response[Any]:
    """Have the kiosk with that code show the window's name."""
    window, code = form(request).text("window"), _code(form(request).text("code"))
    said, status = "", 422
    if not window:
        said = "请先选择要配对的窗口"
    elif not re.fullmatch("[0-9]{6}", code):
        said = "配对码是六位数字，请照评价器屏幕上的输入"
    else:
        try:
            found = await site.bindings.claim(window, code, person(request).caller)
        except (WrongCode, TooManyTries, KioskWorks, UnknownWindow) as error:
            _, said, status, _ = troubles.explain(request, error)
        else:
            return render.to(
                "/pair/confirm?" + urlencode({"window": window, "device": found.device})
            )
    return await _ask(request, site, status=status, window=window, code=code, said=said)


@get("/pair/confirm", scope=Scope.PAIR, back="/pair")
async def confirm_page(request: Http, site: TheSite) -> Response[Any]:
    """Ask whether the right kiosk shows the window's name; seconds count down by reloading."""
    window = request.query_params.get("window", "")
    device = request.query_params.get("device", "")
    found = site.codes.candidate(device, window, person(request).caller.name)
    return render.page(
        request,
        "confirm.html",
        headers={"Refresh": str(REFRESH_S)},
        window=window,
        device=device,
        left=max(0, -(-(found.until - site.now()) // 1000)),
    )


@post("/pair/confirm", scope=Scope.PAIR, back="/pair", status_code=200)
async def confirm(request: Http, site: TheSite) -> Response[Any]:
    """Pair, or give up: it was another kiosk."""
    asked = form(request)
    window, device, caller = asked.text("window"), asked.text("device"), person(request).caller
    if asked.text("answer") != "yes":
        site.bindings.cancel(window, device, caller)
        return render.to("/pair?" + urlencode({"window": window, "done": "cancelled"}))
    await site.bindings.confirm(window, device, caller)
    return render.to(("/my-window" if caller.may(Scope.SIGN_ON) else "/kiosks") + "?done=paired")


async def _ask(
    request: Http,
    site: TheSite,
    *,
    window: str,
    code: str,
    status: int = 200,
    said: str = "",
    done: str = "",
) -> Response[Any]:
    windows = await site.bindings.windows()
    mine = _seat_of(windows, request)
    caller = person(request).caller
    return render.page(
        request,
        "pair.html",
        status=status,
        windows=windows,
        few=_CARDS,
        chosen=window or (mine.name if mine else ""),
        code=code,
        said=said,
        done=done,
        rebind=caller.may(Scope.REBIND),
        back="/my-window" if caller.may(Scope.SIGN_ON) else "/kiosks",
    )


def _named(window: WindowStatus) -> str:
    """Say who sits there: a confirmation is of one clerk, since one time."""
    staff = window.staff
    return "" if staff is None else f"{staff.name} {staff.number} {window.signed_on_at}"


def _order(window: WindowStatus) -> tuple[bool, bool]:
    """Free windows first, those with a kiosk that answers before all."""
    return window.staff is not None, not window.device_online


_FILTERS: Filters[WindowStatus] = {
    "free": ("无人签到", lambda window: window.staff is None),
    "ready": ("评价器在线", lambda window: window.device_online),
}


def _seat_of(windows: tuple[WindowStatus, ...], request: Http) -> WindowStatus | None:
    staff = person(request).caller.staff
    return next((each for each in windows if staff and each.staff == staff), None)


def _code(text: str) -> str:
    """Return a code without what people type around it; full-width digits become plain ones."""
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text))[:12]


PAGES = [my_window, take_over, sign_on, sign_off, pair_page, claim, confirm_page, confirm]
