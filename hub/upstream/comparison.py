"""Compares what the city has accepted by our account with a list that the city gave. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

Key = tuple[str, str, str]
"""projectNo, serviceNumber, assessNumber (empty for a service record)."""


class ListFault(Exception):
    """The list cannot be read; in Chinese, with the line."""


class Compared(Struct, frozen=True, kw_only=True):
    """The difference, in the order of our account and of their list."""

    both: int
    they_lack: list[Key]
    we_lack: list[Key]
    levels: list[tuple[Key, str, str]]  # key, our level, theirs
    twice: list[Key]


def read(data: bytes, names: dict[str, str], levels: dict[str, str]) -> list[tuple[Key, str]]:
    """Return the keys of a list with their levels (1 to 5; empty for service records).

    CSV with a first line of names, or one JSON object per line; UTF-8 or GB 18030. `names`
    gives the city's name for a field of ours, `levels` our level for the city's word. A line
    with an assessNumber or a satisfaction is a rating. Raises `ListFault`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise ListFault("清单既不是 UTF-8 也不是 GB18030 编码") from None
    lines = _jsonl(text) if text.lstrip().startswith("{") else _csv(text)
    return [_entry(number, line, names, levels) for number, line in lines]


def compare(ours: Iterable[tuple[Key, str]], theirs: Iterable[tuple[Key, str]]) -> Compared:
    """Return what differs; where the city says no level, none is compared."""
    listed: dict[Key, str] = {}
    times: Counter[Key] = Counter()
    for key, level in theirs:
        listed[key] = level
        times[key] += 1
    they_lack, levels, known = [], [], set()
    for key, level in ours:
        known.add(key)
        if key not in listed:
            they_lack.append(key)
        elif listed[key] and level and listed[key] != level:
            levels.append((key, level, listed[key]))
    return Compared(
        both=len(known) - len(they_lack),
        they_lack=they_lack,
        we_lack=[key for key in listed if key not in known],
        levels=levels,
        twice=[key for key, number in times.items() if number > 1],
    )


def _entry(
    number: int, line: dict[str, str], names: dict[str, str], levels: dict[str, str]
) -> tuple[Key, str]:
    def said(field: str) -> str:
        return line.get(names.get(field, field), "").strip() or line.get(field, "").strip()

    serial, service = said("projectNo"), said("serviceNumber")
    if not serial or not service:
        raise ListFault(f"清单第 {number} 行：缺少 projectNo 或 serviceNumber")
    level, assess = said("satisfaction"), said("assessNumber")
    if level and level not in levels:
        raise ListFault(f"清单第 {number} 行：不认识的评价等级“{level}”")
    rating = bool(level or assess)
    return (serial, service, (assess or "1") if rating else ""), levels.get(level, "")


def _csv(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for line in reader:
            if None in line or None in line.values():
                raise ListFault(f"清单第 {reader.line_num} 行：列数与第一行不符")
            yield reader.line_num, {name.strip(): value for name, value in line.items()}
    except csv.Error as error:
        raise ListFault(f"清单第 {reader.line_num} 行之后：CSV 格式有误（{error}）") from None


def _jsonl(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            members = msgspec.json.decode(line, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            raise ListFault(f"清单第 {number} 行：不是 JSON 对象") from None
        yield (
            number,
            {name: str(value) for name, value in members.items() if isinstance(value, str | int)},
        )
