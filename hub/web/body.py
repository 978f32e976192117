"""What a request says, in its address and its body: read strictly, refused in Chinese."""

import json
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from hub.web.problems import Refused
from protocol import strict

T = TypeVar("T")

LIMIT = 64 * 1024
"""The longest body that is read, in bytes."""


async def read(request: Request[Any, Any, Any]) -> object:
    """Return the JSON in the body; raises `Refused` for anything that is not clean JSON.

    Refused beyond the grammar of RFC 8259: a name that stands twice in one object, numbers
    outside of what a double holds, lone surrogates, nesting too deep to be meant.
    """
    media_type, parameters = request.content_type
    if media_type.lower() != "application/json":
        raise Refused("unsupported_media_type", "请使用 Content-Type: application/json")
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise Refused("unsupported_media_type", "请求正文须为 UTF-8 编码")
    try:
        raw = await request.body()
    except HTTPException as error:
        if error.status_code < 500:
            raise
        raise Refused("bad_request", "请求正文没有发完，连接已断开") from error
    return _json(raw)


def _json(raw: bytes) -> object:
    if not raw.strip():
        raise Refused("malformed_body", "请求正文为空，应为 JSON")
    if raw.startswith(b"\xef\xbb\xbf"):
        raise Refused("malformed_body", "请求正文开头有 BOM，请以不带 BOM 的 UTF-8 发送")
    try:
        data: object = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_constant)
        # The standard library lets lone surrogates and infinite numbers through.
        msgspec.json.decode(raw)
    except UnicodeDecodeError as error:
        raise Refused(
            "malformed_body", f"请求正文不是 UTF-8 编码（第 {error.start + 1} 个字节）"
        ) from error
    except json.JSONDecodeError as error:
        raise Refused(
            "malformed_body", f"不是有效的 JSON：第 {error.lineno} 行第 {error.colno} 列附近有误"
        ) from error
    except RecursionError as error:
        raise Refused("malformed_body", "JSON 嵌套过深") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise Refused("malformed_body", "JSON 中有超出范围的数字或不成对的代理字符") from error
    return data


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused("malformed_body", f"同一组 JSON 中重复出现 {json.dumps(twice[:40])}")
    return found


def _constant(text: str) -> object:
    raise Refused("malformed_body", f"JSON 中不能有 {text}")


def address(request: Request[Any, Any, Any]) -> dict[str, object]:
    """Return the parameters in the address; raises `Refused` if it is not UTF-8.

    The server puts U+FFFD in place of bytes that are not UTF-8, by which two serials that
    were sent in GBK could become the same one: they are refused instead.
    """
    found: dict[str, object] = dict(request.path_params)
    if any("\ufffd" in str(value) for value in found.values()):
        raise Refused("malformed_address", "地址中的中文须按 UTF-8 编码后再做百分号转义")
    number = found.get("service_number")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 10:
        found["service_number"] = int(number)
    return found


class Reading:
    """Gathers the faults of several parts of a request, so that one answer names them all."""

    def __init__(self) -> None:
        self._faults: list[strict.Fault] = []

    def take(self, data: object, kind: type[T]) -> T | None:
        """Return `data` as `kind`; None if it is not one, which `end` will tell."""
        try:
            return strict.convert(data, kind)
        except strict.Faults as error:
            self._faults += error.faults
            return None

    def end(self) -> strict.Faults:
        """Return what is to be raised where a part was None."""
        return strict.Faults(self._faults)
