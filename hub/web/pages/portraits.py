"""The photograph that citizens see beside a clerk's name: one's own, or any clerk's (照片)."""

from typing import Any

from litestar import Response, get, post

from hub.accounts import changes
from hub.counter import portraits
from hub.counter.picture import UPLOAD_LIMIT
from hub.rules.access import Scope
from hub.store import portraits as kept
from hub.web.pages import forms, render
from hub.web.pages.site import Http, TheSite, form, person
from hub.web.problems import Refused

DONE = {
    "portrait": "照片已保存，评价器随即换上。",
    "no_portrait": "照片已删除，评价器不再显示。",
}

_ONE = "/accounts/{name:str}"
_BACK = "/accounts/{name}"
_ROOM = 64 * 1024
"""Of a form beside the file."""

_SENT: dict[str, Any] = {
    "request_max_body_size": forms.patience(UPLOAD_LIMIT + _ROOM),
    forms.FILES: UPLOAD_LIMIT + _ROOM,
    "status_code": 200,
}


@get(_ONE + "/portrait", scope=Scope.ACCOUNTS, back=_BACK)
async def picture(request: Http, site: TheSite) -> Response[Any]:
    """Return the photograph of a user."""
    return await _picture(site, str(request.path_params["name"]))


@post(_ONE + "/portrait", scope=Scope.ACCOUNTS, back=_BACK, **_SENT)
async def add(request: Http, site: TheSite) -> Response[Any]:
    """Take a photograph for a user."""
    name = str(request.path_params["name"])
    await _add(request, site, name)
    return render.to(f"/accounts/{name}?done=portrait")


@post(_ONE + "/portrait/remove", scope=Scope.ACCOUNTS, back=_BACK, status_code=200)
async def remove(request: Http, site: TheSite) -> Response[Any]:
    """Take the photograph of a user away."""
    name = str(request.path_params["name"])
    await _remove(request, site, name)
    return render.to(f"/accounts/{name}?done=no_portrait")


@get("/my-window/portrait", scope=Scope.SIGN_ON, back="/my-window")
async def my_picture(request: Http, site: TheSite) -> Response[Any]:
    """Return one's own photograph."""
    return await _picture(site, person(request).user.name)


@post("/my-window/portrait", scope=Scope.SIGN_ON, back="/my-window", **_SENT)
async def add_mine(request: Http, site: TheSite) -> Response[Any]:
    """Take one's own photograph."""
    await _add(request, site, person(request).user.name)
    return render.to("/my-window?done=portrait")


@post("/my-window/portrait/remove", scope=Scope.SIGN_ON, back="/my-window", status_code=200)
async def remove_mine(request: Http, site: TheSite) -> Response[Any]:
    """Take one's own photograph away."""
    await _remove(request, site, person(request).user.name)
    return render.to("/my-window?done=no_portrait")


async def _picture(site: TheSite, name: str) -> Response[Any]:
    found = await site.register.look(lambda db: kept.picture_of_user(db, name))
    if found is None:
        raise Refused("unknown_route", "这个账号没有照片")
    return Response(found, media_type="image/jpeg")


async def _add(request: Http, site: TheSite, name: str) -> None:
    await site.register.look(lambda db: changes.user(db, name))
    given = form(request).files("portrait")

    async def read() -> bytes:
        return await given[0].read() if given else b""

    made = await site.studio.portrait(read)
    await site.register.change(person(request).caller, lambda job: portraits.add(job, name, made))


async def _remove(request: Http, site: TheSite, name: str) -> None:
    await site.register.change(person(request).caller, lambda job: portraits.remove(job, name))


PAGES = [picture, add, remove, my_picture, add_mine, remove_mine]
