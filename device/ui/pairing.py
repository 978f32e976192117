"""A kiosk without a window: the code by which it gets one, and the window to be confirmed."""

from device.ui import idle, notices, qr, theme
from device.ui.sheet import Box, Sheet
from device.ui.theme import Role
from device.view import CODE_S, View, pairing_seconds
from protocol.messages import Pairing

_MARGIN = 56
_CARD = 400
_BAR = 14


def code(sheet: Sheet, view: View) -> None:
    """Show the code: six digits, a QR of it, and how long it holds."""
    settings = view.settings
    if settings is None or settings.pairing is None:
        return
    pairing = settings.pairing
    _around(sheet, view, settings.hall_name)
    if sheet.standing:
        words = Box(_MARGIN, 150, sheet.wide - 2 * _MARGIN, 520)
        card = Box((sheet.wide - _CARD) / 2, 708, _CARD, _CARD + 48)
    else:
        area = Box(_MARGIN, 112, sheet.wide - 2 * _MARGIN, sheet.high - 112 - 88)
        high = _CARD + 48
        left = area.x + area.w - _CARD
        card = Box(left, area.y + (area.h - high) / 2, _CARD, high)
        words = area._replace(w=left - 56 - _MARGIN)
    sheet.part("code", pairing.code, lambda: _digits(sheet, words, pairing.code))
    seconds = pairing_seconds(view)
    sheet.part("left", seconds, lambda: _left(sheet, words, seconds))
    sheet.part("qr", pairing.qr, lambda: _card(sheet, card, pairing))


def confirm(sheet: Sheet, view: View) -> None:
    """Show the window that a clerk has typed the code for, as large as it fits."""
    settings = view.settings
    window = settings.pairing.window if settings and settings.pairing else None
    if settings is None or window is None:
        return
    _around(sheet, view, settings.hall_name)
    area = Box(_MARGIN, 124, sheet.wide - 2 * _MARGIN, sheet.high - 124 - 96)

    def draw() -> None:
        words = sheet.say("confirm")
        if sheet.standing:
            words = words.replace("：", "：\n")
        below = sheet.fit(words, theme.down(theme.HEAD), area.w, 150)
        small = sheet.fit(window.label, theme.down(theme.HEAD), area.w, 110)
        if below is None:
            return
        high = area.h - below.height - 56 - (small.height + 8 if small else 0)
        name = sheet.fit(window.name, theme.down(150, theme.WORD), area.w, high, bold=True)
        if name is None:
            return
        rows = [(name, True, Role.LIGHT, 0.0)]
        if small and window.label:
            rows.append((small, False, Role.MIST_TEAL, 8.0))
        rows.append((below, False, Role.LIGHT, 48.0))
        y = area.y + (area.h - sum(row.height + gap for row, _, _, gap in rows)) / 2
        for row, bold, colour, gap in rows:
            y += gap
            box = Box(area.x, y, area.w + 2, row.height)
            sheet.write(box, row, bold=bold, colour=colour, align=("center", "middle"))
            y += row.height

    sheet.part("window", window, draw)


def _around(sheet: Sheet, view: View, hall: str) -> None:
    sheet.part("ground", (), lambda: idle.ground(sheet))
    facts = (hall, view.date, view.clock, view.connected)
    sheet.part("top", facts, lambda: idle.top(sheet, hall, view, "away_only"))
    sheet.part("foot", view.device, lambda: notices.foot(sheet, view.device))


def _rows(sheet: Sheet, area: Box) -> tuple[Box, Box, Box, Box]:
    """Return the places of title, digits, bar and sentence, in the middle of the words' area."""
    digits = sheet.line(theme.CODE)
    heights = (sheet.line(theme.HEAD), digits, 48.0, 2 * sheet.line(theme.WORD) + 4)
    y = area.y + (area.h - sum(heights) - 24) / 2
    boxes = []
    for high, gap in zip(heights, (0, 0, 24, 0), strict=True):
        boxes.append(Box(area.x, y, area.w, high))
        y += high + gap
    title, number, bar, how = boxes
    return title, number, bar, how


def _digits(sheet: Sheet, area: Box, digits: str) -> None:
    title, number, _, how = _rows(sheet, area)
    sheet.text(title, sheet.say("code"), (theme.HEAD,), bold=True, colour=Role.MIST_TEAL)
    sheet.text(number, grouped(digits), (theme.CODE, 150), bold=True, colour=Role.LIGHT)
    sheet.text(
        how, sheet.say("code_how"), theme.down(theme.WORD), colour=Role.LIGHT, align=("left", "top")
    )


def grouped(digits: str) -> str:
    """Return six digits in two groups of three, as they are read out and typed."""
    return f"{digits[:3]} {digits[3:]}"


def _left(sheet: Sheet, area: Box, seconds: int) -> None:
    """Draw the bar that runs down, and the seconds."""
    _, _, place, _ = _rows(sheet, area)
    words = 190
    bar = Box(place.x, place.y + (place.h - _BAR) / 2, place.w - words, _BAR)
    sheet.panel(bar, Role.TEAL_DEEP, radius=_BAR / 2)
    share = min(1.0, seconds / CODE_S)
    sheet.panel(bar._replace(w=max(_BAR, bar.w * share)), Role.MIST, radius=_BAR / 2)
    sheet.text(
        place._replace(x=place.x + place.w - words, w=words),
        sheet.say("code_left", seconds),
        (theme.LABEL,),
        colour=Role.MIST_TEAL,
        align=("right", "middle"),
    )


def _card(sheet: Sheet, card: Box, pairing: Pairing) -> None:
    sheet.panel(card, Role.CODE_LIGHT, radius=theme.CARD_RADIUS)
    qr.draw(sheet, Box(card.x, card.y, card.w, card.w), pairing.qr)
    link = pairing.qr.startswith(("http://", "https://"))
    words = sheet.say("code_phone" if link else "code_scanner")
    sheet.text(
        Box(card.x + 20, card.y + card.w - 24, card.w - 40, 56),
        words,
        (theme.LABEL,),
        colour=Role.CODE_DARK,
        align=("center", "middle"),
    )
