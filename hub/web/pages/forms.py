"""Forms: how they are read, and how it is made sure that they come from our own pages."""

import hmac
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from litestar.connection import ASGIConnection

from hub.web.problems import Refused

CSRF = "csrf"
"""The field that holds the token of the session."""

FIELDS = 200


class Form:
    """The fields of a form, without the blanks around them."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Return one field, an empty text if it is not there."""
        return self.exact(name).strip()

    def exact(self, name: str) -> str:
        """Return one field just as it was typed: a password."""
        return next((value for key, value in self._fields if key == name), "")

    def every(self, name: str) -> list[str]:
        """Return all fields of that name, as of boxes that are ticked."""
        return [value for key, value in self._fields if key == name]


async def read(request: Any) -> Form:
    """Return the form in the body; raises `Refused` for anything else."""
    if request.content_type[0].lower() != "application/x-www-form-urlencoded":
        raise Refused("unsupported_media_type", "请从页面上提交")
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except ValueError as error:
        raise Refused("malformed_body", "提交的内容无法读取，请返回页面重新填写") from error
    return Form(fields)


def check_token(form: Form, token: str) -> None:
    """Raise `Refused` unless the form is of a page of this session."""
    if not token or not hmac.compare_digest(form.exact(CSRF).encode(), token.encode()):
        raise Refused("forbidden", "页面已过期或不是从本系统打开的：请返回，刷新页面后再操作一次")


def check_origin(connection: ASGIConnection[Any, Any, Any, Any], hosts: Collection[str]) -> None:
    """Raise `Refused` unless the browser says that the form stood on a page of ours.

    `Sec-Fetch-Site` (Fetch Metadata) where the browser sends it; else `Origin` (RFC 6454), or
    `Referer`, of which one must be there and name the host that was asked.
    """
    headers = connection.headers
    site = headers.get("sec-fetch-site")
    if site is not None:
        ours = site == "same-origin"
    else:
        source = headers.get("origin") or headers.get("referer", "")
        ours = urlsplit(source).netloc in {headers.get("host", ""), *hosts} - {""}
    if not ours:
        raise Refused("forbidden", "这次操作不是从本系统的页面发出的，未执行：请从本系统页面操作")
