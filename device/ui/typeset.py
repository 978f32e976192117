"""Chinese lines: where a text may be broken, and the largest size at which it fits.

Kivy breaks an unspaced text anywhere, so that a line may begin with a full stop. Here the
marks that may not begin or end a line (GB/T 15834, 标点不置行首) keep to their neighbours,
and lines of one text come out about equally long; where it costs no line, one ends with a clause.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple


class Type(NamedTuple):
    """One face: how wide a text stands in a size, and how high a line; in design units."""

    wide: Callable[[str, int], float]
    line: Callable[[int], float]


_NOT_FIRST = "，。、；：？！）】》」』〉〕”’…—·～,.;:?!)]}%℃"
_NOT_LAST = "（【《「『〈〔“‘([{"
_LATIN = r"[0-9A-Za-zÀ-ɏ@#&+/_'-]+"
_WORDS = (
    "自然资源|营业执照|工作人员|"
    "不动产|公积金|身份证|许可证|出入境|评价器|入网台|服务器|流水号|"
    "综合|受理|窗口|服务|中心|大厅|政务|登记|企业|社保|医保|税务|公安|户籍|车辆|婚姻|民政|"
    "工程|建设|审批|许可|经营|食品|药品|卫生|教育|人才|就业|养老|退休|残疾|住房|保障|规划|"
    "市场|监管|交通|运输|农业|环境|质量|商事|投资|项目|咨询|取件|出件|收费|帮办|代办|自助|"
    "专区|延时|证明|变更|注销|设立|备案|申请|办理|业务|事项|系统|"
    "材料|清单|样本|提交|提供|申报|核验|承诺|法定|理由|时间|次数|指南|条件|态度|效率|热情|实际|无法|"
    "收取|预约|排队|取号|熟练|准确|快递|手机|网上|在线|就近|一次性|"
    "电脑|页面|选择|输入|数字|核对|端口|线缆|检查|是否|证书|名称"
)
"""Words that hall names, notices and reasons are made of; a line does not end inside one."""
_UNIT = re.compile(
    rf"[{re.escape(_NOT_LAST)}]*"
    rf"(?:第?{_LATIN}(?:[号楼层室]*窗口|号)|{_LATIN}|{_WORDS}|\S)"
    rf"[{re.escape(_NOT_FIRST)}]*|\s+"
)
_CLAUSE = re.compile(
    r"(?<=[，。；：！？])(?![，。；：！？”’」』）】])|(?<=[，。；：！？][”’」』）】])|(?<=[,.;:!?]\s)"
)
"""Where a clause ends; after a Latin mark only before a space, so that 9:00 stays whole."""
_MOST_CLAUSES = 8
"""A text of more is a paragraph, and set as one."""
_LEAST_LINE = 0.4
"""A clause alone on a line is at least this part of the longest line."""
_GROUPED = re.compile(r"[0-9A-Za-z]{8,}")


class Fit(NamedTuple):
    """A text as it will stand: its lines, its size, and the room it takes."""

    lines: tuple[str, ...]
    size: int
    width: float
    height: float


def group(serial: str) -> str:
    """Return a serial number in fours; one with signs of its own stays as it is written."""
    if not _GROUPED.fullmatch(serial):
        return serial
    return " ".join(serial[at : at + 4] for at in range(0, len(serial), 4))


def wrap(text: str, width: float, measure: Callable[[str], float]) -> tuple[str, ...]:
    """Break `text` into lines no wider than `width`; nothing but spaces at a break is lost."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += _paragraph(paragraph, width, measure)
    return tuple(lines)


def _paragraph(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    lines: list[str] = []
    line = ""
    taken = 0.0
    for unit in _units(text, width, measure):
        wide = measure(unit)
        if line and taken + wide > width:
            lines.append(line.rstrip())
            line, taken = "", 0.0
            if unit.isspace():
                continue
        line += unit
        taken += wide
    return [*lines, line.rstrip()]


def _units(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Return the pieces between which a line may end; one too wide falls apart into signs."""
    units: list[str] = []
    for piece in _UNIT.findall(text):
        if measure(piece) > width:
            units += piece
        else:
            units.append(piece)
    return units


def fit(text: str, sizes: Sequence[int], width: float, height: float, face: Type) -> Fit | None:
    """Return the text in the first of `sizes` in which it fits, or None if in none."""
    for size in sizes:
        found = _at(text, size, width, face)
        if found.width <= width and found.height <= height:
            return found
    return None


def _at(text: str, size: int, width: float, face: Type) -> Fit:
    def wide(piece: str) -> float:
        return face.wide(piece, size)

    lines = wrap(text, width, wide)
    if len(lines) > 1:
        lines = _clauses(text, width, lines, wide) or _even(text, width, lines, wide)
    return Fit(lines, size, max(wide(line) for line in lines), len(lines) * face.line(size))


def _clauses(
    text: str, width: float, lines: tuple[str, ...], measure: Callable[[str], float]
) -> tuple[str, ...]:
    """Return as many lines, each of which ends with a clause; none where that cannot be."""
    clauses = [clause for clause in _CLAUSE.split(text) if clause]
    if not 2 <= len(clauses) <= _MOST_CLAUSES or "\n" in text:
        return ()
    return min(_cuts(clauses, len(lines), width, measure), default=(0.0, ()))[1]


def _cuts(
    clauses: list[str], count: int, width: float, measure: Callable[[str], float]
) -> Iterator[tuple[float, tuple[str, ...]]]:
    """Give each way to lay clauses into `count` lines that look well, with its greatest width."""
    for cuts in combinations(range(1, len(clauses)), count - 1):
        edges = pairwise((0, *cuts, len(clauses)))
        lines = tuple("".join(clauses[start:end]).rstrip() for start, end in edges)
        widths = [measure(line) for line in lines]
        if _LEAST_LINE * max(widths) <= min(widths) and max(widths) <= width:
            yield max(widths), lines


def _even(
    text: str, width: float, lines: tuple[str, ...], measure: Callable[[str], float]
) -> tuple[str, ...]:
    """Return as many lines, but the narrowest: no single sign is left on the last one."""
    # Not so narrow that a word falls apart that has room on a line.
    low = max(width / 2, *(measure(unit) for unit in _units(text, width, measure)))
    high = width
    for _ in range(6):
        middle = (low + high) / 2
        narrower = wrap(text, middle, measure)
        if len(narrower) == len(lines):
            lines, high = narrower, middle
        else:
            low = middle
    return lines
