"""The window at rest: its number for all to see, who serves there, and what the hall says."""

from device.ui import faces, frame, theme
from device.ui.sheet import Box, Sheet
from device.view import View
from protocol.messages import Settings, Staff

_MARGIN = 56
_CARD = 360


def draw(sheet: Sheet, view: View) -> None:
    """Draw the screen at rest of a window whose settings are known."""
    settings = view.settings
    if settings is None:
        return
    sheet.part("ground", (), lambda: ground(sheet))
    sheet.part("body", settings, lambda: _body(sheet, settings))
    facts = (settings.hall_name, view.date, view.clock, view.connected)
    sheet.part("top", facts, lambda: top(sheet, settings.hall_name, view))


def ground(sheet: Sheet) -> None:
    """Lay two large quiet discs under it all, so that the teal has some depth."""
    unit = sheet.unit

    def discs() -> None:
        faces.moon((sheet.wide * unit * 0.98, sheet.high * unit * 0.06), 430 * unit)
        faces.moon((sheet.wide * unit * 0.60, sheet.high * unit * 1.10), 300 * unit)

    sheet.drawing(discs)


def top(sheet: Sheet, hall: str, view: View, away: str = frame.AWAY) -> None:
    """Write hall, date and time on the line on top; beside them, whether the hub is away."""
    line = Box(_MARGIN, 10, sheet.wide - 2 * _MARGIN, 102)
    right = sheet.wide - _MARGIN
    words = "  ".join(part for part in (view.date, view.clock) if part)
    if words:
        found = sheet.fit(words, (theme.TEXT,), 600, 60)
        wide = found.width if found else 600
        box = line._replace(x=right - wide - 2, w=wide + 2)
        sheet.text(box, words, (theme.TEXT,), colour=theme.MIST_TEAL)
        right -= wide + 28
    if not view.connected:
        if sheet.standing:
            frame.pill(sheet, sheet.wide - _MARGIN, 112, dark=True, words=away)
        else:
            right = frame.pill(sheet, right, 38, dark=True, words=away) - 28
    sheet.text(
        line._replace(w=right - _MARGIN), hall, theme.down(theme.TEXT), colour=theme.MIST_TEAL
    )


def _body(sheet: Sheet, settings: Settings) -> None:
    floor = sheet.high - _MARGIN
    if settings.announcement:
        floor = _announcement(sheet, settings.announcement, floor) - 40
    upper = 160 if sheet.standing else 124
    if sheet.standing:
        half = (floor - upper) * 0.46
        _window(sheet, settings, Box(_MARGIN, upper, sheet.wide - 2 * _MARGIN, half))
        area = Box(_MARGIN, upper + half, sheet.wide - 2 * _MARGIN, floor - upper - half)
        _staff(sheet, settings.staff, area)
        return
    area = Box(_MARGIN, upper, sheet.wide - 2 * _MARGIN, floor - upper)
    _window(sheet, settings, area._replace(w=area.w - _CARD - 48))
    _staff(sheet, settings.staff, area._replace(x=area.x + area.w - _CARD, w=_CARD))


def _window(sheet: Sheet, settings: Settings, area: Box) -> None:
    status = "正在服务" if settings.staff else "暂无工作人员签到"
    label = settings.window.label
    below = "　·　".join(part for part in (label, status) if part)
    small = sheet.fit(below, theme.down(theme.HEAD), area.w, 130)
    name = sheet.fit(
        settings.window.name, theme.down(150, theme.HEAD), area.w, area.h - 150, bold=True
    )
    if name is None or small is None:
        return
    high = name.height + 12 + small.height
    y = area.y + (area.h - high) / 2 - 0.04 * name.size
    box = Box(area.x - 0.04 * name.size, y, area.w + 20, name.height)
    sheet.write(box, name, bold=True, colour=theme.WHITE)
    box = Box(area.x, y + name.height + 12, area.w + 2, small.height)
    sheet.write(box, small, colour=theme.MIST_TEAL)


def _staff(sheet: Sheet, staff: Staff | None, area: Box) -> None:
    if staff is None:
        return
    inner = _CARD - 2 * 28
    post = staff.post or "窗口工作人员"
    number = f"工号 {staff.number}" if staff.number else ""
    name = sheet.fit(staff.name, theme.down(theme.HEAD), inner, 170, bold=True)
    rows = [
        found
        for found in (sheet.fit(row, (theme.LABEL,), inner, 140) for row in (post, number) if row)
        if found
    ]
    if name is None:
        return
    words_high = 32 + name.height + 8 + sum(row.height + 2 for row in rows) + 28
    # A portrait of nobody is the first to give way to long names.
    picture = next((high for high in (184, 128) if words_high + high + 20 <= area.h), 0)
    high = words_high + (picture + 20 if picture else 0)
    left = area.x + (area.w - _CARD) / 2
    y = area.y + (area.h - high) / 2
    sheet.panel(Box(left, y, _CARD, high), theme.WHITE, radius=28)
    y += 32
    if picture:
        portrait(sheet, Box(left + (_CARD - picture * 0.8) / 2, y, picture * 0.8, picture))
        y += picture + 20
    box = Box(left + 28, y, inner, name.height)
    sheet.write(box, name, bold=True, align=("center", "middle"))
    y += name.height + 8
    for row in rows:
        box = Box(left + 28, y, inner, row.height)
        sheet.write(box, row, colour=theme.QUIET, align=("center", "middle"))
        y += row.height + 2


def portrait(sheet: Sheet, box: Box) -> None:
    """Draw the head and shoulders that stand for a portrait."""
    sheet.panel(box, theme.MIST, radius=16)
    left, bottom, wide, high = sheet.pixels(box)
    sheet.drawing(lambda: faces.bust(left, bottom, wide, high))


def _announcement(sheet: Sheet, words: str, floor: float) -> float:
    """Draw the hall's announcement at the foot; return where it begins."""
    wide = sheet.wide - 2 * _MARGIN
    inner = wide - 2 * 32 - 84
    found = sheet.fit(words, theme.down(theme.TEXT), inner, 130 if not sheet.standing else 260)
    if found is None:
        return floor
    high = max(88, found.height + 2 * 22)
    box = Box(_MARGIN, floor - high, wide, high)
    sheet.panel(box, theme.TEAL_DEEP, radius=24)
    line = sheet.line(found.size)
    first = Box(box.x + 32, box.y + (high - found.height) / 2, 80, line)
    sheet.text(first, "公告", (found.size,), bold=True, colour=theme.WHITE)
    text = Box(box.x + 32 + 84, first.y, inner + 2, found.height)
    sheet.write(text, found, colour=theme.WHITE)
    return box.y
