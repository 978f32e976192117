"""The cases that a demonstration plays: a CSV file, read strictly.

Nothing is stripped, completed or guessed: what the file says arrives unchanged, or the file
is refused with all of its problems at once.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from demo.case_rules import COLUMNS, cell_faults, level_faults, shown

MAX_BYTES = 64 << 20  # some 300,000 cases; guards against a wrong file or a device

_BOM = b"\xef\xbb\xbf"
_MAX_LINES = 200  # of one record; a comment of 150 characters cannot have more line feeds


class Row(Struct, frozen=True):
    """One service of one case, and what its citizen will do.

    `line` is the physical line, from 1, on which the record starts. `level` None: the
    citizen walks away without rating.
    """

    line: int
    serial: str
    service_number: int
    matter: str
    staff: str
    window: str
    level: int | None
    reasons: tuple[str, ...]
    comment: str


class BadRow(Struct, frozen=True):
    """One problem: where, what is wrong, and what to write instead (Chinese, one line).

    `line` 0 is the file itself; `column` "" the whole row.
    """

    line: int
    column: str
    reason: str


class BadCases(Exception):
    """The file cannot be played; `problems` are all of them, in the order of the lines."""

    def __init__(self, problems: tuple[BadRow, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return format_problems(self)


def read(path: Path) -> list[Row]:
    """Return the cases of a file in its order; raises `BadCases`, and nothing else."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadCases((BadRow(0, "", _unreadable(path, error)),)) from error
    if len(data) > MAX_BYTES:
        reason = f"文件 {shown(str(path))} 超过 {MAX_BYTES >> 20} MB，请拆成几个较小的文件"
        raise BadCases((BadRow(0, "", reason),))
    return parse(data)


def parse(data: bytes) -> list[Row]:
    """Return the cases that the bytes of a file hold; raises `BadCases`, and nothing else.

    UTF-8 with or without a byte order mark; the columns in any order, each exactly once.
    """
    start = len(_BOM) if data.startswith(_BOM) else 0
    text = data[start:].decode("utf-8", "surrogateescape")
    lines = list(io.StringIO(text, newline=""))
    problems = list(_not_utf8(lines, start))
    rows: list[Row] = []
    first_lines: dict[tuple[str, int], int] = {}
    records = _records(lines)
    line, header, fault = next(
        records, (1, [], f"文件是空的，请在第一行写表头 {','.join(COLUMNS)}")
    )
    if fault:
        problems.append(BadRow(line, "", fault))
        raise BadCases(_in_order(problems))
    problems += [BadRow(line, column, reason) for column, reason in _header_faults(header)]
    for line, values, fault in records:
        fault = fault or _shape_fault(values, len(header))  # noqa: PLW2901 - the first one counts
        if fault:
            problems.append(BadRow(line, "", fault))
            continue
        cells = {name: value for name, value in zip(header, values, strict=True) if name in COLUMNS}
        found = [*cell_faults(cells), *level_faults(cells)]
        if not {"serial", "service_number"} & {column for column, _ in found}:
            found += _repeat_fault(cells, line, first_lines)
        problems += [BadRow(line, column, reason) for column, reason in found]
        if not problems:
            rows.append(_row(line, cells))
    if problems:
        raise BadCases(_in_order(problems))
    return rows


def format_problems(bad: BadCases) -> str:
    """Return one line for each problem, and a closing line that counts them."""
    texts = []
    for problem in bad.problems:
        place = f"第 {problem.line} 行" if problem.line else "办件文件"
        column = f" {problem.column} 列" if problem.column else ""
        texts.append(f"{place}{column}：{problem.reason}")
    rows = len({problem.line for problem in bad.problems if problem.line})
    where = f"，涉及 {rows} 行" if rows else ""
    return "\n".join([*texts, f"共 {len(bad.problems)} 处问题{where}，请改正后重新运行。"])


def _row(line: int, cells: Mapping[str, str]) -> Row:
    return Row(
        line=line,
        serial=cells["serial"],
        service_number=int(cells["service_number"]),
        matter=cells["matter"],
        staff=cells["staff"],
        window=cells["window"],
        level=int(cells["level"]) if cells["level"] else None,
        reasons=tuple(cells["reasons"].split(";")) if cells["reasons"] else (),
        comment=cells["comment"],
    )


def _records(lines: list[str]) -> Iterator[tuple[int, list[str], str]]:
    """Yield (first line, cells, fault); after a broken record go on with its second line.

    So one forgotten quote does not hide the problems of the rows behind it.
    """
    at = 0
    while at < len(lines):
        reader = csv.reader(lines[at : at + _MAX_LINES], strict=True)
        try:
            cells = next(reader)
        except csv.Error as error:
            yield at + 1, [], _csv_fault(str(error))
            at += 1
            continue
        if cells:
            yield at + 1, cells, ""
        at += reader.line_num


def _csv_fault(message: str) -> str:
    if "field limit" in message:
        return f"有一格超过 {csv.field_size_limit()} 个字符，请缩短，并检查引号是否成对"
    if "end of data" in message:
        return (
            "双引号没有配对，后面的内容都被当成了同一格，请补上结尾的双引号"
            f"（一件办件最多占 {_MAX_LINES} 行）"
        )
    if "expected after" in message:
        return (
            '双引号结束后还有别的字，格内的双引号请写成两个（""），两格之间请用英文逗号隔开，'
            "并检查是否漏写了结尾的双引号"
        )
    return f"这一行不是正确的 CSV，请检查双引号和逗号（{shown(message)}）"


def _not_utf8(lines: list[str], offset: int) -> Iterator[BadRow]:
    """Yield one problem for each physical line with bytes that are not UTF-8."""
    for number, line in enumerate(lines, 1):
        found = re.search(r"[\udc80-\udcff]", line)
        if found:
            at = offset + len(line[: found.start()].encode())
            byte = ord(found[0]) - 0xDC00
            yield BadRow(
                number,
                "",
                f"文件第 {at} 字节（从 0 数起，值为 0x{byte:02X}）不是 UTF-8 编码，"
                "请另存为“CSV UTF-8（逗号分隔）”",
            )
        offset += len(line.encode("utf-8", "surrogateescape"))


def _header_faults(header: list[str]) -> Iterator[tuple[str, str]]:
    if not set(header) & set(COLUMNS):
        yield "", f"这一行不是表头，请在第一行写 {','.join(COLUMNS)}（英文逗号）"
        return
    for name in dict.fromkeys(header):
        if name not in COLUMNS:
            yield (
                "",
                f"表头中的列名“{shown(name)}”不认识，请删去该列，列名只能是 {','.join(COLUMNS)}",
            )
        elif header.count(name) > 1:
            yield name, "表头中这一列出现了不止一次，请只保留一列"
    for name in COLUMNS:
        if name not in header:
            yield name, "表头中缺少这一列，请补上"


def _shape_fault(values: list[str], width: int) -> str:
    if len(values) != width:
        return f"有 {len(values)} 列，应为 {width} 列，请检查逗号；含逗号的内容请用双引号括起来"
    if not any(values):
        return "这一行各列都是空的，请填写或删去这一行"
    return ""


def _repeat_fault(
    cells: Mapping[str, str], line: int, first_lines: dict[tuple[str, int], int]
) -> Iterator[tuple[str, str]]:
    """Yield a fault if an earlier line holds the same key; `first_lines` learns this one."""
    if not {"serial", "service_number"} <= cells.keys():
        return
    key = (cells["serial"], int(cells["service_number"]))
    first = first_lines.setdefault(key, line)
    if first != line:
        fault = (
            f"业务流水号“{shown(key[0])}”的第 {key[1]} 次服务已写在第 {first} 行，"
            "一次服务只评一次，请改服务次数或删去这一行"
        )
        yield "service_number", fault


def _in_order(problems: list[BadRow]) -> tuple[BadRow, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.line))


def _unreadable(path: Path, error: Exception) -> str:
    name = shown(path.name or str(path))
    if isinstance(error, FileNotFoundError):
        return f"找不到文件“{name}”，请检查路径和文件名"
    if isinstance(error, IsADirectoryError):
        return f"“{name}”是文件夹，请指定其中的 CSV 文件"
    if isinstance(error, PermissionError):
        return f"没有权限读取“{name}”，请检查文件权限"
    return f"文件“{name}”无法读取（{shown(str(error))}），请检查路径和磁盘"
