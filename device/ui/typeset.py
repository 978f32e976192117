"""Chinese lines: where a text may be broken, and the largest size at which it fits.

Kivy breaks an unspaced text anywhere, so that a line may begin with a full stop. Here the
marks that may not begin or end a line (GB/T 15834, 标点不置行首) keep to their neighbours,
and lines of one text come out about equally long.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Type(NamedTuple):
    """One face: how wide a text stands in a size, and how high a line; in design units."""

    wide: Callable[[str, int], float]
    line: Callable[[int], float]


_NOT_FIRST = "，。、；：？！）】》」』〉〕”’…—·～,.;:?!)]}%℃"
_NOT_LAST = "（【《「『〈〔“‘([{"
_UNIT = re.compile(
    rf"[{re.escape(_NOT_LAST)}]*(?:[0-9A-Za-zÀ-ɏ@#&+/_'-]+|\S)[{re.escape(_NOT_FIRST)}]*|\s+"
)
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
        lines = _even(text, width, lines, wide)
    return Fit(lines, size, max(wide(line) for line in lines), len(lines) * face.line(size))


def _even(
    text: str, width: float, lines: tuple[str, ...], measure: Callable[[str], float]
) -> tuple[str, ...]:
    """Return as many lines, but the narrowest: no single sign is left on the last one."""
    low, high = width / 2, width
    for _ in range(6):
        middle = (low + high) / 2
        narrower = wrap(text, middle, measure)
        if len(narrower) == len(lines):
            lines, high = narrower, middle
        else:
            low = middle
    return lines
