"""Plain data into structs, with every fault found at once and named by its place.

Serves what people write by hand: configuration files, requests to the HTTP interface, cells
of a table. Messages on the wire use `wire`, which stops at the first fault.
"""

import re
import types
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_SAYINGS = (
    (r"Expected `(.+?)`, got `(.+?)`", "类型不对：应为 {0}，实为 {1}"),
    (r"Expected `str` of length >= 1$", "不能为空"),
    (r"Expected `str` of length >= (\d+)", "至少 {0} 个字符"),
    (r"Expected `str` of length <= (\d+)", "最多 {0} 个字符"),
    (r"Expected `(?:array|object)` of length <= (\d+)", "最多 {0} 项"),
    (r"Expected `(?:array|object)` of length >= (\d+)", "至少 {0} 项"),
    (r"Expected `(?:int|float)` >= (-?[\d.]+)", "不能小于 {0}"),
    (r"Expected `(?:int|float)` <= (-?[\d.]+)", "不能大于 {0}"),
    (r"Invalid enum value (.+)", "不在允许的取值之内：{0}"),
    (r"Expected `str` matching regex .+", "格式不对，或含有控制字符等不允许的字符"),
)
_KINDS = {
    "str": "文字",
    "int": "整数",
    "bool": "true/false",
    "array": "数组",
    "object": "一组键值",
    "null": "空",
    "float": "小数",
}


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: where (`api.port`, `windows[2].name`), and what, in Chinese."""

    place: str
    message: str


class Faults(Exception):
    """All that is wrong with a piece of data."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("；".join(f"{fault.place}：{fault.message}" for fault in faults))
        self.faults = tuple(faults)


def say(error: Exception) -> str:
    """Return what a msgspec error says, in Chinese and without its path."""
    text = re.sub(r" - at `.*`$", "", str(error))
    for pattern, chinese in _SAYINGS:
        found = re.match(pattern, text)
        if found:
            words = [
                " 或 ".join(_KINDS.get(part.strip(), part.strip()) for part in group.split("|"))
                for group in found.groups()
            ]
            return chinese.format(*words)
    return text


def convert(data: object, kind: type[T], place: str = "") -> T:
    """Return `data` as the struct `kind`; raises `Faults` with everything that is wrong."""
    faults = list(_check(data, kind, place))
    if faults:
        raise Faults(faults)
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, ValueError) as error:
        # What the fields allow one by one, a rule across them forbids.
        raise Faults([Fault(place or "全部", say(error))]) from error


def _check(data: object, kind: Any, place: str) -> Iterator[Fault]:
    inner = _inner(kind)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        if data is None and inner is not kind and type(None) in typing.get_args(kind):
            return
        yield from _check_struct(data, inner, place)
        return
    if typing.get_origin(inner) is tuple and isinstance(data, list | tuple):
        item = typing.get_args(inner)[0]
        for index, value in enumerate(data):
            yield from _check(value, item, f"{place}[{index + 1}]")
        return
    try:
        msgspec.convert(data, kind)
    except (msgspec.ValidationError, ValueError) as error:
        yield Fault(place, say(error))


def _check_struct(data: object, kind: type[msgspec.Struct], place: str) -> Iterator[Fault]:
    if not isinstance(data, dict):
        yield Fault(place or "全部", "应为一组键值")
        return
    prefix = f"{place}." if place else ""
    fields = msgspec.structs.fields(kind)
    known = {field.encode_name for field in fields}
    for key in data:
        if key not in known:
            yield Fault(f"{prefix}{key}", "没有这个设置项，请检查拼写")
    for field in fields:
        if field.encode_name in data:
            yield from _check(data[field.encode_name], field.type, prefix + field.encode_name)
        elif field.required:
            yield Fault(prefix + field.encode_name, "缺少此项")


def _inner(kind: Any) -> Any:
    """Return the struct or tuple inside of `X | None` and `Annotated[X, …]`, or the kind."""
    if typing.get_origin(kind) is typing.Annotated:
        return _inner(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(kind) if part is not type(None)]
        if len(rest) == 1:
            return _inner(rest[0])
    return kind
