"""Sheets of stickers for kiosks: A4, SVG, sizes in millimetres, to be printed at 100 %.

24 stickers of 70 x 37 mm to a sheet, the common size without gaps. Each shows the device's
name, its hall and serial number, and the name again as a QR code.
"""

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

import segno
from msgspec import Struct

from protocol import topics
from protocol.errors import TopicError
from provisioning import listing
from provisioning.errors import AuthorityError
from provisioning.register import Register

PAGE_W, PAGE_H = 210, 297
STICKER_W, STICKER_H = 70, 37
COLUMNS, ROWS = 3, 8
PER_SHEET = COLUMNS * ROWS
LONGEST = 60
"""Characters of a hall or serial number in a CSV; no sticker holds more that can be read."""

_TOP = (PAGE_H - ROWS * STICKER_H) / 2
_QR = 25.0
_MARGIN = 4.0
_TEXT_X = _MARGIN + _QR + 2
_TEXT_W = STICKER_W - _TEXT_X - _MARGIN
_QUIET = 4  # modules of white around the code (ISO/IEC 18004, 9.1)
_ROOMY = 0.6  # a line that takes no more of its room than this fits in every font
_SEEN = 200  # characters; what is behind them fits no line at any size
_COLUMNS = {"device": "设备名称", "hall": "大厅", "serial_number": "序列号"}


class Label(Struct, frozen=True):
    """What one sticker says. An empty serial number leaves a line to write on."""

    device: str
    hall: str
    serial_number: str = ""


def read_csv(path: Path) -> list[Label]:
    """Read labels from a CSV with the header `device,hall,serial_number` (UTF-8).

    Raises `AuthorityError` with every fault of every line at once.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
            header = rows[0].keys() if rows else ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AuthorityError(f"{path}：无法读取：{error}。请另存为 UTF-8 编码的 CSV") from error
    missing = [each for each in ("device", "hall") if each not in header]
    if missing:
        raise AuthorityError(
            f"{path}：没有数据，或第一行缺少列 {'、'.join(missing)}："
            f"第一行应为 {','.join(_COLUMNS)}"
        )
    labels, faults = [], []
    for number, row in enumerate(rows, start=1):
        cells = {each: (row.get(each) or "").strip() for each in _COLUMNS}
        try:
            topics.name(cells["device"])
        except TopicError as error:
            faults.append(f"{path}：第 {number} 条：{error}")
        faults += [
            f"{path}：第 {number} 条：{title}超过 {LONGEST} 个字符"
            for each, title in _COLUMNS.items()
            if each != "device" and len(cells[each]) > LONGEST
        ]
        labels.append(Label(**cells))
    if faults:
        raise AuthorityError("\n".join(faults))
    return labels


def of_register(register: Register, now: datetime) -> list[Label]:
    """Return a label for each device that holds a certificate."""
    holds = {listing.State.VALID, listing.State.DUE}
    return [
        Label(entry.name, entry.hall, entry.hardware)
        for entry in listing.newest(register.entries())
        if listing.is_kiosk(entry) and listing.state(entry, now) in holds
    ]


def sheets(labels: Sequence[Label]) -> list[str]:
    """Return one SVG document for each sheet that the labels fill."""
    parts = [labels[at : at + PER_SHEET] for at in range(0, len(labels), PER_SHEET)]
    return ["\n".join(_sheet(part)) + "\n" for part in parts]


def _sheet(labels: Sequence[Label]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{PAGE_W}mm" height="{PAGE_H}mm" '
        f'viewBox="0 0 {PAGE_W} {PAGE_H}" '
        'font-family="Noto Sans CJK SC, Microsoft YaHei, SimHei, sans-serif">'
    )
    for index, label in enumerate(labels):
        x = index % COLUMNS * STICKER_W
        y = _TOP + index // COLUMNS * STICKER_H
        yield f'<g transform="translate({x:g} {y:g})">'
        yield from _sticker(label)
        yield "</g>"
    yield "</svg>"


def _sticker(label: Label) -> Iterator[str]:
    top = (STICKER_H - _QR) / 2
    # A hairline to cut along, where the paper is not cut already.
    yield (
        f'<rect width="{STICKER_W}" height="{STICKER_H}" '
        'fill="none" stroke="#ccc" stroke-width="0.1"/>'
    )
    yield _code(label.device, _MARGIN, top)
    yield _line("评价器", 10.0, 3.2, "#555")
    yield _line(label.device, 16.5, 5.2, "#000", bold=True)
    yield _line(f"大厅 {label.hall}", 23.0, 3.6, "#000")
    yield _line(f"序列号 {label.serial_number or '＿＿＿＿＿＿'}", 28.5, 3.6, "#000")


def _line(text: str, y: float, size: float, colour: str, *, bold: bool = False) -> str:
    shown, size = _fit(_printable(text), size)
    style = ' font-weight="bold"' if bold else ""
    width = _width(shown) * size
    if width > _TEXT_W * _ROOMY:  # of wide letters it might be too long after all
        style += f' textLength="{width:.2f}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{_TEXT_X:g}" y="{y:g}" font-size="{size:.2f}" fill="{colour}"{style}>'
        f"{escape(shown)}</text>"
    )


def _fit(text: str, size: float) -> tuple[str, float]:
    """Return text and size that fit the line: smaller down to half, then cut with an ellipsis."""
    text = text[:_SEEN]
    smaller = max(size / 2, min(size, _TEXT_W / max(_width(text), 1)))
    if _width(text) * smaller <= _TEXT_W:
        return text, smaller
    while _width(text + "…") * smaller > _TEXT_W:
        text = text[:-1]
    return text + "…", smaller


def _width(text: str) -> float:
    """Return about how wide a line is, in multiples of its size."""
    return sum(1.0 if unicodedata.east_asian_width(sign) in "WFA" else 0.62 for sign in text)


def _printable(text: str) -> str:
    """Leave out what XML 1.0 forbids and what would turn or hide the rest of the line."""
    return "".join(
        sign
        for sign in text
        if unicodedata.category(sign) not in {"Cc", "Cf", "Cs"} and sign not in "\ufffe\uffff"
    )


def _code(text: str, x: float, y: float) -> str:
    rows = segno.make(text, micro=False, error="m").matrix
    module = _QR / (len(rows) + 2 * _QUIET)
    path = "".join(
        f"M{column} {row}h1v1h-1z"
        for row, modules in enumerate(rows)
        for column, dark in enumerate(modules)
        if dark
    )
    place = f"translate({x + _QUIET * module:.4f} {y + _QUIET * module:.4f}) scale({module:.6f})"
    return f'<path transform="{place}" d="{path}" fill="#000"/>'
