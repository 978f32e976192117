"""The citizen's own page, for a phone: no sign-in, no cookie, no script; its address is the key.

It never tells the level, nor repeats what was written: somebody may look over the shoulder, and
the clerk may have read the QR before the citizen did.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from datetime import datetime
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

import jinja2
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import SkipValidation
from litestar.response import Redirect
from msgspec import Struct

from hub.citizens.receipts import PLACE, Receipt, Receipts
from hub.config import HubConfig
from hub.rules.days import CHINA
from hub.rules.pace import Pace
from hub.store.database import Swallowed
from hub.store.vault import VaultError
from hub.store.writer import Busy, Stopped
from hub.web import auth, problems
from hub.web.pages import forms
from hub.web.problems import Refused
from protocol.messages import readable

Http = Request[Any, Any, Any]

LONGEST = 150
"""Characters that may be written, as on the kiosk (domain table 2)."""
ROUTE = f"{PLACE}{{token:path}}"
HEADERS = {
    # The address opens the page: no other site may learn it, no search engine may keep it.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
_UNKNOWN = (
    "请重新扫描评价器上的二维码，不要手工输入网址。刚刚评价过还是查不到，请过几分钟再试，"
    "或到大厅服务台询问。"
)
_TWICE = "已经提交过，每次评价只能补充一次。"
_CLOSED = "现在不能再补充了，您写的内容没有保存。"
_AGAIN = "您写的内容还没有保存，请稍等片刻，再点一次。"

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("hub.web.pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def moment(at: int) -> str:
    """Return a time (ms since 1970) as people here write it."""
    local = datetime.fromtimestamp(at / 1000, CHINA)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def masked(serial: str) -> str:
    """Return a serial of which its owner knows it again: the last four, at most half of it."""
    keep = min(4, len(serial) // 2)
    return "＊＊＊＊" + serial[len(serial) - keep :]


_ENVIRONMENT.filters |= {"moment": moment, "masked": masked}


class Front(Struct, frozen=True, kw_only=True):
    """What stands behind the pages.

    `hosts`: names, with the port, by which people reach them. `each_address` and `each_page`
    bound how often they may be asked for, `monotonic` is their clock (ms).
    """

    receipts: Receipts
    hall_name: str
    hosts: Collection[str]
    monotonic: Callable[[], int]
    each_address: Pace
    each_page: Pace


TheFront = NamedDependency[SkipValidation[Front]]


def front(config: HubConfig, receipts: Receipts, *, monotonic: Callable[[], int]) -> Front | None:
    """Return what stands behind the pages of a hub; None without a public address.

    A whole hall may stand behind one address (its Wi-Fi, a carrier), a page is one citizen's.
    """
    if not config.public.url:
        return None
    return Front(
        receipts=receipts,
        hall_name=config.hall_name,
        hosts=frozenset({urlsplit(config.public.url).netloc}),
        monotonic=monotonic,
        each_address=Pace(burst=300, each_ms=200),
        each_page=Pace(burst=30, each_ms=2_000),
    )


@get(ROUTE)
async def page(request: Http, front: TheFront) -> Response[Any]:
    """Tell a citizen how it stands with their rating."""
    token = _admit(request, front)
    found = await asyncio.to_thread(front.receipts.look, token)
    return _unknown(front) if found is None else _page(front, found)


@post(ROUTE, status_code=200)
async def write(request: Http, front: TheFront) -> Response[Any]:
    """Take what a citizen adds: shown to them once more, then entered."""
    token = _admit(request, front)
    _check_origin(request, front)
    asked = await forms.read(request)
    step = asked.exact("do")
    words = readable(asked.exact("text").replace("\r\n", "\n")).strip()
    found = await asyncio.to_thread(front.receipts.look, token)
    if found is None:
        return _unknown(front)
    if step != "look" and (found.added or not found.open):
        return _page(front, found, status=409, said=_TWICE if found.added else _CLOSED)
    wrong = _wrong(words) if step in ("check", "send") else ""
    if wrong:
        return _page(front, found, status=422, said=wrong, text=words)
    if step == "send":
        return await _add(request, front, found, token, words)
    return _page(front, found, text=words, confirm=step == "check")


async def _add(
    request: Http, front: Front, found: Receipt, token: str, words: str
) -> Response[Any]:
    try:
        answer = await front.receipts.add(token, words)
    except (Busy, Stopped, Swallowed, VaultError, sqlite3.Error) as error:
        kept, headers = problems.translate(error)
        problems.log_unforeseen(request, error, kept)
        status = kept.status if kept.status in (503, 507) else 503
        said = f"系统正忙，{_AGAIN}" if status == 503 else f"系统暂时不能保存，{_AGAIN}"
        return _page(
            front, found, status=status, said=said, text=words, confirm=True, headers=headers
        )
    if answer == "added":
        # Relative: the public address may have a path of its own before ours.
        return Redirect(token, status_code=303, headers=HEADERS)
    now = await asyncio.to_thread(front.receipts.look, token)
    if now is None:
        return _unknown(front)
    return _page(front, now, status=409, said=_CLOSED if answer == "closed" else _TWICE)


def _wrong(words: str) -> str:
    if not words:
        return "还没有写内容。"
    if len(words) > LONGEST:
        return f"最多 {LONGEST} 个字，现在有 {len(words)} 个，请删减一些。"
    return ""


def _admit(request: Http, front: Front) -> str:
    """Return the token in the address; raises `Refused` where somebody asks too often."""
    token = str(request.path_params["token"]).removeprefix("/")
    now = front.monotonic()
    wait = front.each_address.wait_ms(auth.address(request), now)
    wait = wait or front.each_page.wait_ms(token[:64], now)
    if wait:
        seconds = -(-wait // 1000)
        raise Refused(
            "too_many_tries",
            f"打开得太频繁了，请过 {seconds} 秒再试。",
            {"Retry-After": str(seconds)},
        )
    return token


def _check_origin(request: Http, front: Front) -> None:
    """Refuse what a page of another site sends.

    Under `no-referrer` browsers say `Origin: null` for our own forms, too; older ones say
    nothing else. Such a request is taken: whoever can make it knows the address, the only key.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "null")
    ours = {request.headers.get("host", ""), *front.hosts}
    if (site or "same-origin") != "same-origin" or (
        site is None and origin != "null" and urlsplit(origin).netloc not in ours
    ):
        raise Refused("forbidden", "这次提交不是从本页发出的，没有保存：请重新扫码打开。")


def _page(
    front: Front,
    found: Receipt,
    *,
    status: int = 200,
    said: str = "",
    text: str = "",
    confirm: bool = False,
    headers: dict[str, str] | None = None,
) -> Response[Any]:
    return _render(
        front,
        "receipt_confirm.html" if confirm else "receipt.html",
        status,
        headers,
        found=found,
        said=said,
        text=text,
    )


def _unknown(front: Front) -> Response[Any]:
    return _render(front, "receipt_trouble.html", 404, None, title="没有查到评价", detail=_UNKNOWN)


def _render(
    front: Front, template: str, status: int, headers: dict[str, str] | None, **values: Any
) -> Response[Any]:
    text = _ENVIRONMENT.get_template(template).render(
        hall_name=front.hall_name, longest=LONGEST, **values
    )
    return Response(
        text, status_code=status, media_type="text/html", headers=HEADERS | (headers or {})
    )


_TITLES: dict[int, tuple[str, str]] = {
    400: ("没有收到", "提交的内容无法读取，没有保存。请返回上一页，重新填写。"),
    413: ("内容太长", f"提交的内容太长，没有保存。最多写 {LONGEST} 个字，请返回上一页删减。"),
    415: ("没有收到", "请在本页上填写和提交。"),
    503: ("系统正忙", "请过一会儿再打开。"),
    507: ("系统暂时不能保存", "请过一会儿再打开。"),
}


def trouble(request: Http, error: Exception, front: Front) -> Response[Any]:
    """Answer any error with a page for citizens."""
    body, headers = problems.translate(error)
    problems.log_unforeseen(request, error, body)
    title, detail = _TITLES.get(body.status, ("暂时打不开", "请过一会儿再打开。"))
    if isinstance(error, Refused) and error.kind in ("forbidden", "too_many_tries"):
        title, detail = "请稍等" if error.kind == "too_many_tries" else "没有提交", error.detail
    elif isinstance(error, HTTPException) and 400 <= body.status < 500 and body.status != 413:
        title, detail = _TITLES[400]
    return _render(
        front,
        "receipt_trouble.html",
        body.status,
        headers,
        title=title,
        detail=detail,
    )


_Name = Literal["receipt.css", "icon.svg"]


def _file(name: _Name, kind: str) -> Response[bytes]:
    return Response(
        (files("hub.web.pages") / "static" / name).read_bytes(),
        media_type=kind,
        headers={"Cache-Control": "public, max-age=300"},
    )


@get(f"{PLACE}receipt.css", sync_to_thread=False)
def style() -> Response[bytes]:
    """Return the look of the page."""
    return _file("receipt.css", "text/css")


@get(f"{PLACE}icon.svg", sync_to_thread=False)
def icon() -> Response[bytes]:
    """Return the sign in the browser's tab: the public address leads to nothing else of ours."""
    return _file("icon.svg", "image/svg+xml")


def router(behind: Front) -> list[Any]:
    """Return the routes of the page."""
    pages = Router(
        "/",
        route_handlers=[page, write],
        dependencies={"front": Provide(lambda: behind, use_cache=True, sync_to_thread=False)},
        exception_handlers={Exception: _troubles(behind)},
    )
    return [pages, style, icon]


def _troubles(behind: Front) -> Callable[[Http, Exception], Response[Any]]:
    return lambda request, error: trouble(request, error, behind)
