"""Plain data into structs, with every fault found at once and named by its place.

Serves what people write by hand: configuration files, requests to the HTTP interface, cells
of a table. Messages on the wire use `wire`, which stops at the first fault.
"""

import re
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

import msgspec

T = TypeVar("T")

WHOLE = "全部"
"""The place of a fault that belongs to no single part of the data."""

_SAYINGS = (
    (r"Expected `(?:array|object|str)` of length (\d+) to (\d+)", "应有 {0} 到 {1} 个"),
    (r"Expected `(?:array|object)` of length (\d+), got (\d+)", "应有 {0} 项，实有 {1} 项"),
    (r"Expected `array` of at least length (\d+)", "至少 {0} 项"),
    (r"Expected `(.+?)`, got `(.+?)`", "类型不对：应为{0}，实为{1}"),
    (r"Expected `str` of length >= 1$", "不能为空"),
    (r"Expected `str` of length >= (\d+)", "至少 {0} 个字符"),
    (r"Expected `str` of length <= (\d+)", "最多 {0} 个字符"),
    (r"Expected `(?:array|object)` of length <= (\d+)", "最多 {0} 项"),
    (r"Expected `(?:array|object)` of length >= (\d+)", "至少 {0} 项"),
    (r"Expected `(?:int|float)` >= (-?[\d.]+)", "不能小于 {0}"),
    (r"Expected `(?:int|float)` <= (-?[\d.]+)", "不能大于 {0}"),
    (r"Expected `(?:int|float)` > (-?[\d.]+)", "必须大于 {0}"),
    (r"Expected `(?:int|float)` < (-?[\d.]+)", "必须小于 {0}"),
    (r"Expected `(?:int|float)` that's a multiple of (-?[\d.]+)", "必须是 {0} 的倍数"),
    (r"Expected `str` matching regex ", "格式不对，或含有控制字符等不允许的字符"),
    (r"Object missing required field `(.+?)`", "缺少 {0}"),
    (r"Object contains unknown field `(.+?)`", "没有 {0} 这一项，请检查拼写"),
    (r"(?:Integer value|Number) out of range", "数字超出范围"),
    (r"Invalid (?:enum )?value ", "不在允许的取值之内"),
    (r"Invalid (?:RFC3339|ISO8601|epoch|date|time|UUID|base64|decimal)", "格式不对"),
)
_KINDS = {
    "str": "文字",
    "int": "整数",
    "bool": " true/false ",
    "array": "数组",
    "object": "一组键值",
    "null": "空",
    "float": "小数",
    "datetime": "日期时间",
    "date": "日期",
    "time": "时间",
}


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: where (`api.port`, `windows[2].name`), and what, in Chinese.

    Places in an array count from 1, as people do.
    """

    place: str
    message: str


class Misfit(ValueError):
    """What a struct's own `__post_init__` finds wrong with one of its fields, in Chinese."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}：{message}")
        self.field = field
        self.message = message


class Faults(Exception):
    """All that is wrong with a piece of data."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("；".join(f"{fault.place}：{fault.message}" for fault in faults))
        self.faults = tuple(faults)


def say(error: Exception) -> str:
    """Return what a msgspec error says, in Chinese and without its path.

    What no rule of msgspec's says (a `ValueError` of a struct's own `__post_init__`) stays.
    """
    text = re.sub(r" - at `[^`]*`$", "", str(error))
    for pattern, chinese in _SAYINGS:
        found = re.match(pattern, text)
        if found:
            words = [
                "或".join(
                    _KINDS.get(part.strip(), f" {part.strip()} ") for part in group.split("|")
                )
                for group in found.groups()
            ]
            return re.sub(" +(?=[ ，]|$)", "", chinese.format(*words))
    return text


def convert(data: object, kind: type[T], place: str = "") -> T:
    """Return `data` as the struct `kind`; raises `Faults` with everything that is wrong.

    A rule across several fields is asked only once each of them is right by itself.
    Fields that `kind` does not know are refused.
    """
    faults = list(_check(data, kind, place))
    if faults:
        raise Faults(faults)
    return msgspec.convert(data, kind)


def _check(data: object, kind: Any, place: str) -> Iterator[Fault]:
    """First each part by itself; where all hold, the whole: its type, length, own rules."""
    sound = True
    for fault in _parts(data, kind, place):
        sound = False
        yield fault
    if not sound:
        return
    try:
        msgspec.convert(data, kind)
    except (msgspec.ValidationError, ValueError) as error:
        where = place + _path(str(error))
        wrong = error.__cause__ if isinstance(error.__cause__, Misfit) else error
        if isinstance(wrong, Misfit):
            yield Fault(f"{where}.{wrong.field}".removeprefix("."), wrong.message)
            return
        yield Fault(where.removeprefix(".") or WHOLE, _choices(kind) or say(error))


def _parts(data: object, kind: Any, place: str) -> Iterator[Fault]:
    inner = _inner(kind)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(data, dict):
        yield from _fields(data, inner, f"{place}." if place else "")
        return
    items = typing.get_args(inner)
    if typing.get_origin(inner) is dict and isinstance(data, dict):
        for key, value in data.items():
            yield from _check(value, items[1], f"{place}.{_short(key)}" if place else _short(key))
    elif typing.get_origin(inner) in (tuple, list, set, frozenset) and isinstance(
        data, list | tuple
    ):
        each = items if items[-1] is not Ellipsis and len(items) == len(data) else items[:1]
        for index, value in enumerate(data):
            yield from _check(value, each[index % len(each)], f"{place}[{index + 1}]")


def _fields(data: dict[Any, object], kind: type[msgspec.Struct], prefix: str) -> Iterator[Fault]:
    fields = msgspec.structs.fields(kind)
    known = {field.encode_name for field in fields} | {kind.__struct_config__.tag_field}
    for key in data:
        if key not in known:
            yield Fault(prefix + _short(key), "没有这一项，请检查拼写")
    for field in fields:
        if field.encode_name in data:
            yield from _check(data[field.encode_name], field.type, prefix + field.encode_name)
        elif field.required:
            yield Fault(prefix + field.encode_name, "缺少此项")


def _inner(kind: Any) -> Any:
    """Return what stands inside of `X | None` and `Annotated[X, …]`, or the kind itself."""
    if typing.get_origin(kind) is typing.Annotated:
        return _inner(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(kind) if part is not type(None)]
        if len(rest) == 1:
            return _inner(rest[0])
    return kind


def _choices(kind: Any) -> str:
    """Name what a `Literal` allows, as it is written in JSON; empty for any other kind."""
    inner = _inner(kind)
    if typing.get_origin(inner) is not Literal:
        return ""
    allowed = [msgspec.json.encode(value).decode() for value in typing.get_args(inner)]
    return f"只能是 {'、'.join(allowed)}" + (" 之一" if len(allowed) > 1 else "")


def _path(text: str) -> str:
    """Turn the place in a msgspec error (`$.a[0]`) into ours (`.a[1]`)."""
    found = re.search(r" - at `(?:key in )?\$([^`]*)`$", text)
    if not found:
        return ""
    path = found[1].replace("[...]", "")
    return re.sub(r"\[(\d+)\]", lambda index: f"[{int(index[1]) + 1}]", path)


def _short(key: object) -> str:
    """Keep a strange key from filling the page."""
    text = str(key)
    return text if len(text) <= 40 else text[:40] + "…"
