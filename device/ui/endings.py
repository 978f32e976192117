"""How a session ended, for a moment: one layout for all endings, whatever was pressed."""

from device.session import Ending
from device.ui import faces, frame, theme
from device.ui.sheet import Box, Sheet
from device.ui.theme import MARGIN, Role
from device.view import View

_RADIUS = 64
_FOOT = 92


def draw(sheet: Sheet, view: View) -> None:
    """Say how it ended; nothing can be pressed."""
    ending = view.session.ending
    if ending is None:
        return
    frame.head(sheet, view)
    sheet.part("ending", (), lambda: _say(sheet, ending))
    foot = Box(MARGIN, sheet.high - _FOOT, sheet.wide - 2 * MARGIN, _FOOT - 20)
    frame.countdown(sheet, view, foot, "center")


def _say(sheet: Sheet, ending: Ending) -> None:
    wide = sheet.wide - 2 * 64
    head = sheet.fit(sheet.say(ending), theme.down(sheet.scaled(theme.BIG)), wide, 150, bold=True)
    below = sheet.fit(sheet.say(f"{ending}_below"), theme.down(sheet.scaled(theme.WORD)), wide, 130)
    if head is None or below is None:
        return
    # Where the words begin does not depend on how many lines there are.
    y = sheet.high / 2 - _RADIUS - 130
    x_px, y_px, _, _ = sheet.pixels(Box(sheet.wide / 2, y + _RADIUS, 0, 0))
    rated = ending in (Ending.RATED, Ending.SKIPPED)
    sign = faces.tick if rated else faces.dash
    sheet.drawing(lambda: sign(sheet.paint, (x_px, y_px), _RADIUS * sheet.unit))
    y += 2 * _RADIUS + 28
    middle = ("center", "middle")
    sheet.write(Box(64, y, wide, head.height), head, bold=True, align=middle)
    y += head.height + 8
    sheet.write(Box(64, y, wide, below.height), below, colour=Role.QUIET, align=middle)
