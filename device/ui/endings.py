"""How a session ended, for a moment: one layout for all endings, whatever was pressed."""

from device.session import Ending
from device.ui import faces, frame, theme
from device.ui.sheet import Box, Sheet
from device.ui.theme import MARGIN, Role
from device.view import View

_RADIUS = 84
_CARD = (1000, 470)
_STANDING = (720, 620)
_PAD = 40
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
    """Draw one card, read in a moment from where a person gets up; its size is always the same."""
    wide, high = _STANDING if sheet.standing else _CARD
    middle = (frame.HEAD + sheet.high - _FOOT) / 2
    card = Box((sheet.wide - wide) / 2, middle - high / 2, wide, high)
    inner = wide - 2 * _PAD
    large = sheet.scaled(theme.HUGE if not sheet.standing else theme.BIG)
    words = sheet.say(ending)
    one_line = ((size,) for size in theme.down(large))
    tried = (sheet.fit(words, size, inner, sheet.line(*size) + 1, bold=True) for size in one_line)
    head = next((fit for fit in tried if fit), None)
    sizes = theme.down(sheet.scaled(theme.WORD))
    below = sheet.fit(sheet.say(f"{ending}_below"), sizes, inner, 2 * sheet.line(sizes[0]) + 1)
    if head is None or below is None:
        return
    sheet.panel(card, Role.CARD, radius=theme.CARD_RADIUS, shade=Role.SHADE)
    # Where the words begin does not depend on how many lines there are.
    y = card.y + (high - 2 * _RADIUS - 32 - 84 - 48) / 2
    x_px, y_px, _, _ = sheet.pixels(Box(sheet.wide / 2, y + _RADIUS, 0, 0))
    rated = ending in (Ending.RATED, Ending.SKIPPED)
    sign = faces.tick if rated else faces.dash
    sheet.drawing(lambda: sign(sheet.paint, (x_px, y_px), _RADIUS * sheet.unit))
    y += 2 * _RADIUS + 32
    centred = ("center", "middle")
    sheet.write(Box(card.x + _PAD, y, inner, head.height), head, bold=True, align=centred)
    y += head.height + 8
    place = Box(card.x + _PAD, y, inner, below.height)
    sheet.write(place, below, colour=Role.QUIET, align=centred)
