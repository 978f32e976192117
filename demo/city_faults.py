"""How the stand-in city answers when it is not well: what real platforms were seen to send."""

import asyncio
import contextlib
import json

from aiohttp import web

HUGE = 10 << 20
_DRIP_S = 0.25
_SUCCESS = json.dumps({"success": True, "code": "ok", "message": "接收成功"}).encode()

WHOLE: dict[str, tuple[int, bytes, str]] = {
    "error": (500, b"Internal Server Error", "text/plain"),
    "html": (200, "<html><body>系统维护中</body></html>".encode(), "text/html"),
    "empty": (200, b"", "application/octet-stream"),
    "busy": (
        200,
        json.dumps({"success": False, "code": "busy", "message": "系统繁忙"}).encode(),
        "application/json",
    ),
    "bytes": (200, _SUCCESS[:-1] + b', "note": "\xff\xfe\x80"}', "application/json"),
    "huge": (200, _SUCCESS[:-1].ljust(HUGE - 1) + b"}", "application/json"),
    "redirect": (302, b"", "text/html"),
    "repeat": (
        200,
        json.dumps({"success": False, "code": "exists", "message": "数据已存在"}).encode(),
        "application/json",
    ),
}
"""Status, body and type of each answer that comes whole.

`repeat` is a lie unless the record was taken before, see `demo.city.City`.
"""


async def answer(request: web.Request, mode: str, seconds: float) -> web.StreamResponse:
    """Answer as `mode` says; `drip` takes `seconds` for one answer, `drop` gives none."""
    if mode == "drop":
        return cut(request)
    if mode == "drip":
        return await _drip(request, seconds)
    status, body, kind = WHOLE[mode]
    headers = {"Location": "/elsewhere"} if mode == "redirect" else {}
    return web.Response(status=status, body=body, content_type=kind, headers=headers)


def cut(request: web.Request) -> web.Response:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # goes nowhere


async def _drip(request: web.Request, seconds: float) -> web.StreamResponse:
    """Send a success a few bytes at a time."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(_SUCCESS)
    await response.prepare(request)
    steps = max(1, int(seconds / _DRIP_S))
    size = -(-len(_SUCCESS) // steps)
    with contextlib.suppress(ConnectionError):  # who waited for it has gone
        for at in range(0, len(_SUCCESS), size):
            await response.write(_SUCCESS[at : at + size])
            await asyncio.sleep(_DRIP_S)
        await response.write_eof()
    return response
