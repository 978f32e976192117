"""Signing in and out, the password, and the page one begins at."""

import hmac
import re
import secrets
from typing import Any

from litestar import Response, get, post

from hub.accounts.door import Person
from hub.accounts.errors import AccountError
from hub.accounts.wording import why
from hub.errors import TooManyTries
from hub.web import auth
from hub.web.pages import forms, render
from hub.web.pages.guard import UNCHANGED, cookie, token
from hub.web.pages.site import Http, TheSite, form, person

_OURS = re.compile(r"/(?:[a-z0-9._-]+(?:/[a-z0-9._-]+)*)?(?:\?[\w=&%.+-]*)?", re.ASCII)
"""Addresses of our own pages, and nothing that a browser would take for another host."""


@get("/sign-in")
async def sign_in_page(request: Http, site: TheSite) -> Response[Any]:
    """Ask for name and password."""
    held = token(request, "session", secure=site.secure)
    if held and isinstance(site.door.who(held, auth.address(request)), Person):
        return render.to("/")
    told = request.query_params.get("why", "")
    return _ask(
        request,
        site,
        then=_then(request.query_params.get("then", "")),
        said=f"您已退出：{why(told)}。请重新登录。" if told in ("idle", "over", "clock") else "",
        done="您已退出登录。" if told == "sign_out" else "",
    )


@post("/sign-in", status_code=200)
async def sign_in(request: Http, site: TheSite) -> Response[Any]:
    """Take name and password; lead to where one wanted to go."""
    forms.check_origin(request, site.hosts)
    asked = await forms.read(request)
    shown = token(request, "form", secure=site.secure)
    if not shown or not hmac.compare_digest(shown.encode(), asked.exact(forms.CSRF).encode()):
        return _ask(
            request, site, status=403, said="登录页面已过期，或浏览器不接受 Cookie：请再登录一次"
        )
    name, then = asked.text("name").lower(), _then(asked.text("then"))
    try:
        made = await site.door.sign_in(
            name,
            asked.exact("password"),
            auth.address(request),
            before=token(request, "session", secure=site.secure),
        )
    except TooManyTries as error:
        return _ask(request, site, status=429, said=str(error), name=name, then=then)
    except AccountError as error:
        return _ask(request, site, status=error.status, said=str(error), name=name, then=then)
    answer = render.to(then)
    answer.set_cookie(cookie("session", made, secure=site.secure))
    answer.set_cookie(cookie("form", "", secure=site.secure))
    return answer


@post("/sign-out", status_code=200, opt={UNCHANGED: True})
async def sign_out(request: Http, site: TheSite) -> Response[Any]:
    """End the session."""
    await site.door.sign_out(person(request))
    answer = render.to("/sign-in?why=sign_out")
    answer.set_cookie(cookie("session", "", secure=site.secure))
    return answer


@get("/password", opt={UNCHANGED: True})
async def password_page(request: Http) -> Response[Any]:
    """Ask for another password."""
    return _ask_password(request, then=_then(request.query_params.get("then", "")))


@post("/password", status_code=200, opt={UNCHANGED: True})
async def change_password(request: Http, site: TheSite) -> Response[Any]:
    """Take another password, typed twice; the browser gets a new session."""
    asked = form(request)
    then = _then(asked.text("then"))
    if asked.exact("new") != asked.exact("again"):
        said = "两次输入的新口令不一样，请重新输入"
        return _ask_password(request, status=422, said=said, then=then)
    try:
        made = await site.door.change_password(
            person(request), asked.exact("old"), asked.exact("new")
        )
    except TooManyTries as error:
        return _ask_password(request, status=429, said=str(error), then=then)
    except AccountError as error:
        said = "原口令不对，请重新输入" if error.status == 401 else str(error)
        return _ask_password(request, status=error.status, said=said, then=then)
    answer = render.to("/?done=password" if then == "/" else then)
    answer.set_cookie(cookie("session", made, secure=site.secure))
    return answer


@get("/")
async def home(request: Http) -> Response[Any]:
    """Lead to the one page somebody uses, or show all they may choose from."""
    roles = person(request).user.roles
    done = request.query_params.get("done") == "password"
    if len(roles) == 1 and not done:
        return render.to(render.DAILY[roles[0]])
    return render.page(
        request,
        "home.html",
        places=render.places(person(request)),
        done="口令已修改。" if done else "",
    )


def _ask(
    request: Http,
    site: TheSite,
    *,
    status: int = 200,
    said: str = "",
    done: str = "",
    name: str = "",
    then: str = "/",
) -> Response[Any]:
    """Return the sign-in page, with a token of its own in form and cookie."""
    shown = token(request, "form", secure=site.secure) or secrets.token_urlsafe(32)
    answer = render.page(
        request,
        "sign_in.html",
        status=status,
        said=said,
        done=done,
        name=name,
        then=then,
        token=shown,
    )
    answer.set_cookie(cookie("form", shown, secure=site.secure))
    return answer


def _ask_password(
    request: Http, *, status: int = 200, said: str = "", then: str = "/"
) -> Response[Any]:
    return render.page(request, "password.html", status=status, said=said, then=then)


def _then(text: str) -> str:
    return text if _OURS.fullmatch(text) else "/"


OPEN = [sign_in_page, sign_in]
GUARDED = [sign_out, password_page, change_password, home]
