"""What a page says when something is not possible: what it is, what to do, and a way back."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response

from hub.accounts.errors import AccountError
from hub.web import problems
from hub.web.pages import render
from hub.web.pages.guard import ChangeNeeded, SignInNeeded
from hub.web.pages.site import Http

BACK = "back"
"""Where a route says, in its `opt`, from which page its form comes."""


def answer(request: Http, error: Exception) -> Response[Any]:
    """Answer any error of a page with a page."""
    if isinstance(error, SignInNeeded | ChangeNeeded):
        asked = {"then": error.then} if error.then != "/" else {}
        if isinstance(error, ChangeNeeded):
            return render.to("/password" + ("?" + urlencode(asked) if asked else ""))
        asked |= {"why": error.why} if error.why else {}
        return render.to("/sign-in" + ("?" + urlencode(asked) if asked else ""))
    title, detail, status, headers = explain(request, error)
    back = "/"
    if handler := request.scope.get("route_handler"):
        back = str(handler.opt.get(BACK, "/")).format_map(request.path_params)
    return render.page(
        request,
        "trouble.html",
        status=status,
        headers=headers,
        title=title,
        detail=detail,
        back=back,
    )


def explain(request: Http, error: Exception) -> tuple[str, str, int, dict[str, str]]:
    """Return title, text, status and headers for an error; what nobody foresaw is logged."""
    if isinstance(error, AccountError):
        return "没有完成", str(error), error.status, {}
    body, headers = problems.translate(error)
    problems.log_unforeseen(request, error, body)
    detail = body.detail
    if body.errors:
        detail = "；".join(bad.message for bad in body.errors)
    elif body.status == 404 and body.type.endswith("unknown_route"):
        return "没有这个页面", "请核对地址，或从首页进入", 404, headers
    return body.title, detail, body.status, headers
