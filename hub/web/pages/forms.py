"""Forms: how they are read, and how it is made sure that they come from our own pages."""

import hmac
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.exceptions import HTTPException

from hub.web.problems import Refused

CSRF = "csrf"
"""The field that holds the token of the session."""

FIELDS = 200

FILES = "files"
"""Where a route says, in its `opt`, how many bytes a form with files may have; such a route has
`request_max_body_size=forms.patience(BYTES)`."""

_TYPED = "application/x-www-form-urlencoded"
_WITH_FILES = "multipart/form-data"
_UNREADABLE = "提交的内容无法读取，请返回页面重新填写"


class Form:
    """The fields of a form, without the blanks around them, and the files that came with it.

    Large files lie on disk until they are closed, as they are with the answer.
    """

    def __init__(
        self, fields: list[tuple[str, str]], files: list[tuple[str, UploadFile]] | None = None
    ) -> None:
        self._fields = fields
        self._files = files or []

    def files(self, name: str) -> list[UploadFile]:
        """Return the files of one field, in order; none where none was chosen."""
        return [file for key, file in self._files if key == name]

    async def close(self) -> None:
        """Throw the files away."""
        for _, file in self._files:
            await file.close()

    def text(self, name: str) -> str:
        """Return one field, an empty text if it is not there."""
        return self.exact(name).strip()

    def exact(self, name: str) -> str:
        """Return one field just as it was typed: a password."""
        return next((value for key, value in self._fields if key == name), "")

    def every(self, name: str) -> list[str]:
        """Return all fields of that name, as of boxes that are ticked."""
        return [value for key, value in self._fields if key == name]


def patience(limit: int) -> int:
    """Return how many bytes are read, and thrown away, of a form that may have `limit`.

    A browser that is hung up on while it sends shows no page that says what to do.
    """
    return 5 * limit


async def read(request: Any, *, files: int = 0) -> Form:
    """Return the form in the body; raises `Refused` for anything else.

    `files`: how many bytes a form with files may have, 0 where none is taken.
    """
    kind = request.content_type[0].lower()
    if files and kind == _WITH_FILES:
        return await _with_files(request, files)
    if kind != _TYPED:
        raise Refused("unsupported_media_type", "请从页面上提交")
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except ValueError as error:
        raise Refused("malformed_body", _UNREADABLE) from error
    return Form(fields)


async def _with_files(request: Any, limit: int) -> Form:
    try:
        if (request.content_length or 0) > limit:
            async for _ in request.stream():
                pass
            raise _too_large(limit)
        given: FormMultiDict = await request.form()
    except HTTPException as error:
        if error.status_code == 413:
            raise _too_large(limit) from error
        raise Refused("malformed_body", _UNREADABLE) from error
    except (ValueError, LookupError) as error:  # no text of the character set that it names
        raise Refused("malformed_body", _UNREADABLE) from error
    except OSError as error:
        said = "服务器的临时目录写不下这个文件，没有保存：请联系信息化管理员清理磁盘后再上传"
        raise Refused("storage_full", said) from error
    fields: list[tuple[str, str]] = []
    files: list[tuple[str, UploadFile]] = []
    for name, value in given.multi_items():
        if isinstance(value, UploadFile):
            files.append((name, value))
        else:
            fields.append((name, str(value)))
    return Form(fields, files)


def _too_large(limit: int) -> Refused:
    return Refused(
        "body_too_large", f"文件太大，一次最多 {limit >> 20} MB：请缩小后再上传，或另选一个"
    )


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
