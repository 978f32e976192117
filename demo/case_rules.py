"""What each cell of a demonstration's case may hold, and what to write instead.

The limits are said once, in `protocol.messages` and `protocol.catalogue`; here they are
asked there, and the answer is put into words a clerk can act on. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from protocol import catalogue
from protocol.catalogue import LEVELS
from protocol.messages import (
    Comment,
    Level,
    Matter,
    Name,
    Rated,
    ReasonCode,
    Serial,
    ServiceNumber,
    WindowName,
)

COLUMNS = (
    "serial",
    "service_number",
    "matter",
    "staff",
    "window",
    "level",
    "reasons",
    "comment",
)

_MAX_SHOWN = 30  # characters of a cell that a problem quotes
_TEXTS: dict[str, tuple[Any, str]] = {
    "serial": (Serial, "业务流水号"),
    "matter": (Matter, "事项名称"),
    "staff": (Name, "工作人员姓名"),
    "window": (WindowName, "窗口名称"),
    "comment": (Comment, "评语"),
}


def cell_faults(cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (column, reason) for each cell that is wrong by itself, in the usual order."""
    for column in COLUMNS:
        if column not in cells:
            continue
        cell = cells[column]
        if column == "service_number":
            faults = _number_faults(cell)
        elif column == "level":
            faults = _level_cell_faults(cell)
        elif column == "reasons":
            faults = _reasons_faults(cell)
        else:
            faults = _text_faults(*_TEXTS[column], cell)
        yield from ((column, fault) for fault in faults)


def _text_faults(kind: Any, noun: str, cell: str) -> Iterator[str]:
    if _fits(cell, kind):
        return
    limits = _limits(kind)
    if len(cell) < (limits.min_length or 0):
        yield f"{noun}不能为空，请填写"
    if limits.max_length is not None and len(cell) > limits.max_length:
        yield f"{noun}有 {len(cell)} 个字符，最多 {limits.max_length} 个，请缩短"
    if cell in (".", ".."):
        yield f"{noun}不能只写“{cell}”，它在网址里另有含义，请改用别的写法"
        return
    for sign in dict.fromkeys(cell.replace(".", "")):
        if limits.pattern and not re.search(limits.pattern, sign):
            yield f"{noun}中不能有{_sign(sign)}，请删去"


def _number_faults(cell: str) -> Iterator[str]:
    limits = _limits(ServiceNumber)
    wanted = f"请填 {limits.ge} 到 {limits.le} 的整数，只用半角数字，不留空格"
    if not re.fullmatch(r"[0-9]+", cell):
        yield f"“{shown(cell)}”不是服务次数，{wanted}" if cell else f"服务次数不能为空，{wanted}"
    elif cell[0] == "0" and len(cell) > 1:
        yield f"服务次数“{shown(cell)}”前面有多余的 0，{wanted}"
    elif len(cell) > 18 or not _fits(int(cell), ServiceNumber):
        yield f"服务次数“{shown(cell)}”超出范围，{wanted}"


def _level_cell_faults(cell: str) -> Iterator[str]:
    if cell and not (re.fullmatch(r"[0-9]", cell) and _fits(int(cell), Level)):
        levels = "、".join(str(level) for level in sorted(LEVELS, reverse=True))
        yield f"“{shown(cell)}”不是等级，请填 {levels} 或留空"


def _reasons_faults(cell: str) -> Iterator[str]:
    codes = cell.split(";") if cell else []
    most = _most_reasons()
    if len(codes) > most:
        yield f"有 {len(codes)} 个原因，最多 {most} 个，请删减"
    known = _known_codes()
    seen: set[str] = set()
    told: set[str] = set()
    for code in codes:
        if code == "":
            fault = "多了一个分号，请只在两个原因编码之间写一个“;”"
        elif not _fits(code, ReasonCode):
            fault = f"“{shown(code)}”不是原因编码，请填三位数字，多个编码之间用英文分号“;”隔开"
        elif code not in known:
            fault = f"评价目录中没有原因编码 {code}，请改用目录中的编码"
        elif code in seen:
            fault = f"原因编码 {code} 写了不止一次，请只保留一个"
        else:
            fault = ""
        seen.add(code)
        if fault and fault not in told:
            told.add(fault)
            yield fault


def level_faults(cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what does not go with the level (domain table 2)."""
    cell = cells.get("level")
    if cell is None or any(_level_cell_faults(cell)):
        return
    reasons, comment = cells.get("reasons", ""), cells.get("comment", "")
    if cell == "":
        if reasons:
            yield "reasons", "等级留空表示未评价，不能有原因编码，请清空这一格或填写等级"
        if comment:
            yield "comment", "等级留空表示未评价，不能有评语，请清空这一格或填写等级"
        return
    level = int(cell)
    known = _known_codes()
    for code in dict.fromkeys(reasons.split(";")):
        if known.get(code, level) != level:
            own = "、".join(reason.code for reason in catalogue.load().reasons(level))
            fault = (
                f"原因编码 {code} 属于“{LEVELS[known[code]]}”，"
                f"等级 {level}（{LEVELS[level]}）请改用 {own}"
            )
            yield "reasons", fault
    said_nothing = not reasons and not comment.strip()
    if level in Rated.bad and said_nothing and {"reasons", "comment"} <= cells.keys():
        yield "reasons", f"等级 {level}（{LEVELS[level]}）是差评，请至少写一个原因编码或评语"


@cache
def _known_codes() -> dict[str, int]:
    """The level of every reason code of the current catalogue."""
    return {r.code: entry.level for entry in catalogue.load().levels for r in entry.reasons}


@cache
def _most_reasons() -> int:
    """How many reasons one rating may carry."""
    most = _limits(get_type_hints(Rated, include_extras=True)["reasons"]).max_length
    assert most is not None  # noqa: S101 - a changed protocol must not pass unseen
    return most


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError:
        return False
    return True


def _limits(kind: Any) -> Meta:
    """The limits that an annotation of `protocol.messages` carries."""
    found = get_args(kind)[1]
    assert isinstance(found, Meta)  # noqa: S101 - a changed protocol must not pass unseen
    return found


def _sign(sign: str) -> str:
    """Name one character so that it can be found even if it cannot be seen."""
    names = {"\0": "空字符 NUL", "\n": "换行", "\r": "回车", "\t": "制表符", " ": "空格"}
    known = names.get(sign)
    return f"{known}（U+{ord(sign):04X}）" if known else f"“{shown(sign)}”"


def shown(text: str) -> str:
    """Shorten a cell and write what cannot be printed as <U+…>."""
    cut = text[:_MAX_SHOWN]
    seen = "".join(sign if sign.isprintable() else f"<U+{ord(sign):04X}>" for sign in cut)
    return seen + ("…" if len(text) > _MAX_SHOWN else "")
