"""Compares what the city has accepted by our account with a list that the city gave. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

Key = tuple[str, str, str]
"""projectNo, serviceNumber, assessNumber (empty for a service record)."""


VALID: Mapping[str, bool] = {"1": True, "0": False}
"""What EffectivEvalua says, where the city has no words of its own for it."""


class Listed(NamedTuple):
    """A record: its key, its level (1 to 5; empty for a service record or where it is not said).

    `valid`: whether a rating counts, or is not adopted after a review; None where it is not said.
    """

    key: Key
    level: str = ""
    valid: bool | None = None


class ListFault(Exception):
    """The list cannot be read; in Chinese, with the line."""


class Compared(Struct, frozen=True, kw_only=True):
    """The difference, in the order of our account and of their list."""

    both: int
    they_lack: list[Key]
    we_lack: list[Key]
    levels: list[tuple[Key, str, str]]  # key, our level, theirs
    validity: list[tuple[Key, bool]]  # key, whether it counts with us; not so with them
    twice: list[Key]


def read(
    data: bytes,
    names: dict[str, str],
    levels: dict[str, str],
    valid: Mapping[str, bool] = VALID,
) -> list[Listed]:
    """Return the records of a list.

    CSV with a first line of names, or one JSON object per line; UTF-8 or GB 18030. `names`
    gives the city's name for a field of ours, `levels` our level for the city's word, `valid`
    what its word for EffectivEvalua means. A line with an assessNumber or a satisfaction is a
    rating. Raises `ListFault`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise ListFault("清单既不是 UTF-8 也不是 GB18030 编码") from None
    lines = _jsonl(text) if text.lstrip().startswith("{") else _csv(text)
    return [_entry(number, line, names, levels, valid) for number, line in lines]


def compare(ours: Iterable[Listed], theirs: Iterable[Listed]) -> Compared:
    """Return what differs; where one side says no level, or not whether it counts, none does."""
    listed: dict[Key, Listed] = {}
    times: Counter[Key] = Counter()
    for each in theirs:
        listed[each.key] = each
        times[each.key] += 1
    they_lack, levels, validity, known = [], [], [], set()
    for key, level, valid in ours:
        known.add(key)
        if key not in listed:
            they_lack.append(key)
            continue
        other = listed[key]
        if other.level and level and other.level != level:
            levels.append((key, level, other.level))
        if valid is not None and other.valid is not None and other.valid != valid:
            validity.append((key, valid))
    return Compared(
        both=len(known) - len(they_lack),
        they_lack=they_lack,
        we_lack=[key for key in listed if key not in known],
        levels=levels,
        validity=validity,
        twice=[key for key, number in times.items() if number > 1],
    )


def _entry(
    number: int,
    line: dict[str, str],
    names: dict[str, str],
    levels: dict[str, str],
    valid: Mapping[str, bool],
) -> Listed:
    def said(field: str) -> str:
        return line.get(names.get(field, field), "").strip() or line.get(field, "").strip()

    serial, service = said("projectNo"), said("serviceNumber")
    if not serial or not service:
        raise ListFault(f"清单第 {number} 行：缺少 projectNo 或 serviceNumber")
    level, assess = said("satisfaction"), said("assessNumber")
    if level and level not in levels:
        raise ListFault(f"清单第 {number} 行：不认识的评价等级“{level}”")
    rating = bool(level or assess)
    return Listed(
        (serial, service, (assess or "1") if rating else ""),
        levels.get(level, ""),
        valid.get(said("EffectivEvalua")) if rating else None,
    )


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
