"""The screens on which nobody can rate: connecting, paused, out of service."""

from collections.abc import Callable

from device.session import Session
from device.ui import faces, frame, idle, theme
from device.ui.sheet import Box, Sheet
from device.ui.theme import Colour
from device.view import View

Line = tuple[str, int, bool, Colour]
"""Words, the size from which they step down, whether bold, and their colour."""


def connecting(sheet: Sheet) -> None:
    """Before the hub has said which window this is."""

    def draw() -> None:
        idle.ground(sheet)
        lines: list[Line] = [
            ("正在连接大厅", theme.BIG, True, theme.WHITE),
            ("请稍候", theme.WORD, False, theme.MIST_TEAL),
        ]
        _notice(sheet, lambda centre, radius: faces.dots(centre, radius * 0.13), lines)

    sheet.part("notice", (), draw)


def paused(sheet: Sheet, view: View) -> None:
    """The window is closed for now, and why."""
    session, settings = view.session, view.settings
    reason = session.pause or ""

    def draw() -> None:
        lines: list[Line] = [
            ("暂停服务", 80, True, theme.WHITE),
            (reason, theme.HEAD, False, theme.WHITE),
            ("请稍候，或前往其他窗口办理", theme.WORD, False, theme.MIST_TEAL),
        ]
        if settings:
            lines.insert(0, (settings.window.name, theme.WORD, False, theme.MIST_TEAL))
        _notice(sheet, faces.pause, lines)

    sheet.part("ground", (), lambda: idle.ground(sheet))
    sheet.part("notice", (reason, settings), draw)
    hall = settings.hall_name if settings else ""
    facts = (hall, view.date, view.clock, view.connected)
    sheet.part("top", facts, lambda: idle.top(sheet, hall, view, frame.AWAY_ONLY))


def out_of_service(sheet: Sheet, view: View) -> None:
    """The kiosk cannot write: say so, and thank for nothing."""
    head, below = _failure(view.session)

    def draw() -> None:
        lines: list[Line] = [
            (head, theme.BIG, True, theme.INK),
            (below, theme.WORD, False, theme.INK),
        ]
        _notice(sheet, faces.warning, lines)

    frame.head(sheet, view)
    sheet.part("notice", (head, below), draw)


def _failure(session: Session) -> tuple[str, str]:
    """Return what was lost, and what to do: no more and no less than what is true."""
    if session.draft is None:
        return "设备暂停使用", "评价暂时无法保存，请告知工作人员"
    if session.kept:
        return "补充内容未能保存", "您先前选择的评价已保存。设备暂停使用，请告知工作人员"
    return "评价未能保存", "设备暂停使用，请告知工作人员"


def _notice(
    sheet: Sheet, sign: Callable[[tuple[float, float], float], None], lines: list[Line]
) -> None:
    """Draw a sign over lines, in the middle of the sheet."""
    wide = sheet.wide - 2 * 80
    radius = 64
    set_lines = []
    for words, size, bold, colour in lines:
        found = sheet.fit(words, theme.down(size), wide, 130, bold=bold) if words else None
        if found is not None:
            set_lines.append((found, bold, colour))
    high = 2 * radius + 36 + sum(found.height + 14 for found, _, _ in set_lines)
    y = max(118, (sheet.high - high) / 2 + 10)
    left, bottom, _, _ = sheet.pixels(Box(sheet.wide / 2, y + radius, 0, 0))
    sheet.drawing(lambda: sign((left, bottom), radius * sheet.unit))
    y += 2 * radius + 36
    for found, bold, colour in set_lines:
        box = Box(80, y, wide, found.height)
        sheet.write(box, found, bold=bold, colour=colour, align=("center", "middle"))
        y += found.height + 14
