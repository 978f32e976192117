"""A QR code (ISO/IEC 18004) drawn with whole pixels, so that every phone reads it."""

import segno
from kivy.graphics import Rectangle

from device.ui.sheet import Box, Sheet
from device.ui.theme import Role

QUIET = 4
"""Light modules around it, as the standard asks."""


def draw(sheet: Sheet, box: Box, text: str) -> None:
    """Draw `text` as a QR in the middle of a square box, on the light card that it lies on.

    A text that is too long for any QR is not drawn.
    """
    try:
        rows = segno.make(text, micro=False, error="l").matrix
    except segno.DataOverflowError:
        return
    left, bottom, wide, high = sheet.pixels(box)
    count = len(rows) + 2 * QUIET
    step = max(1, min(wide, high) // count)
    x = left + (wide - step * len(rows)) // 2
    top = bottom + high - (high - step * len(rows)) // 2

    def modules() -> None:
        sheet.paint(Role.CODE_DARK)
        for down, row in enumerate(rows, 1):
            start = 0
            while start < len(row):
                end = start + 1
                while end < len(row) and row[end] == row[start]:
                    end += 1
                if row[start]:  # a run of dark modules as one piece
                    Rectangle(
                        pos=(x + start * step, top - down * step),
                        size=((end - start) * step, step),
                    )
                start = end

    sheet.drawing(modules)
