"""The window at rest: its number for all to see, who serves there, and what the hall says.

Nothing moves here. Announcements and pictures take turns, one change every `TURN_MS`; between
two changes nothing is drawn. There is no score on it.
"""

from kivy.graphics import RoundedRectangle

from device.ui import faces, frame, portrait, theme
from device.ui.gallery import Gallery, Shown
from device.ui.sheet import Box, Sheet
from device.ui.theme import Role
from device.ui.typeset import Fit
from device.view import View
from protocol.messages import Settings, Staff

_MARGIN = 56
_CARD = 360


def turn(view: View) -> int:
    """Return which turn it is: the number of the announcement, were there no end of them."""
    return view.now_ms // theme.TURN_MS


def notices(settings: Settings, gallery: Gallery) -> tuple[str, ...]:
    """Return what the hall announces: what the hub says, then the folder's texts."""
    if settings.elder:
        return ()
    said = (settings.announcement, *settings.announcements, *gallery.texts)
    return tuple(dict.fromkeys(text for text in said if text))


def draw(sheet: Sheet, view: View, gallery: Gallery) -> None:
    """Draw the screen at rest of a window whose settings are known."""
    settings = view.settings
    if settings is None:
        return
    said = notices(settings, gallery)
    words = said[turn(view) % len(said)] if said else ""
    # All of them get one place, so that nothing else moves when they change.
    high = sheet.plan(
        "notices", said, lambda: max((_notice_high(sheet, each) for each in said), default=0.0)
    )
    shown = None if settings.elder else gallery.show(turn(view))
    sheet.part("ground", (), lambda: ground(sheet))
    floor = sheet.high - _MARGIN
    room = floor - high - 40 if high else floor
    body = (settings.window, settings.staff, room, shown is not None, sheet.photograph)
    sheet.part("body", body, lambda: _body(sheet, settings, room, pictured=shown is not None))
    place = _picture_place(sheet, room)
    sheet.part("picture", shown, lambda: _picture(sheet, shown, place))
    sheet.part("notice", (words, high), lambda: _notice(sheet, words, floor, high))
    facts = (settings.hall_name, view.date, view.clock, view.connected)
    sheet.part("top", facts, lambda: top(sheet, settings.hall_name, view))


def ground(sheet: Sheet) -> None:
    """Lay two large quiet discs under it all, so that the teal has some depth."""
    unit, paint = sheet.unit, sheet.paint

    def discs() -> None:
        faces.moon(paint, (sheet.wide * unit * 0.98, sheet.high * unit * 0.06), 430 * unit)
        faces.moon(paint, (sheet.wide * unit * 0.60, sheet.high * unit * 1.10), 300 * unit)

    sheet.drawing(discs)


def top(sheet: Sheet, hall: str, view: View, away: str = "away") -> None:
    """Write hall, date and time on the line on top; beside them, whether the hub is there."""
    line = Box(_MARGIN, 10, sheet.wide - 2 * _MARGIN, 102)
    right = sheet.wide - _MARGIN
    words = "  ".join(part for part in (view.date, view.clock) if part)
    if words:
        found = sheet.fit(words, (theme.TEXT,), 600, 60)
        wide = found.width if found else 600
        box = line._replace(x=right - wide - 2, w=wide + 2)
        sheet.text(box, words, (theme.TEXT,), colour=Role.MIST_TEAL)
        right -= wide + 28
    if view.connected:
        x, y, _, _ = sheet.pixels(Box(right, line.y + line.h / 2, 0, 0))
        sheet.drawing(lambda: faces.line_up(sheet.paint, (x, y), 7 * sheet.unit))
        right -= 28
    elif sheet.standing:
        frame.pill(sheet, sheet.wide - _MARGIN, 112, sheet.say(away), dark=True)
    else:
        right = frame.pill(sheet, right, 38, sheet.say(away), dark=True) - 28
    sheet.text(
        line._replace(w=right - _MARGIN), hall, theme.down(theme.TEXT), colour=Role.MIST_TEAL
    )


def _upper(sheet: Sheet) -> float:
    return 160 if sheet.standing else 124


def _body(sheet: Sheet, settings: Settings, floor: float, *, pictured: bool) -> None:
    upper = _upper(sheet)
    if sheet.standing:
        high = floor - upper
        half = high * (_SHARES[0] if pictured else 0.46 if settings.staff else 1)
        _window(sheet, settings, Box(_MARGIN, upper, sheet.wide - 2 * _MARGIN, half))
        if pictured:
            half += high * _SHARES[1]
        area = Box(_MARGIN, upper + half, sheet.wide - 2 * _MARGIN, high - half)
        _staff(sheet, settings.staff, area)
        return
    area = Box(_MARGIN, upper, sheet.wide - 2 * _MARGIN, floor - upper)
    left = area._replace(w=area.w - _CARD - 48) if settings.staff or pictured else area
    if pictured:
        left = left._replace(h=_NAME_HIGH)
    _window(sheet, settings, left)
    _staff(sheet, settings.staff, area._replace(x=area.x + area.w - _CARD, w=_CARD))


_NAME_HIGH = 150
_SHARES = (0.22, 0.42)
"""Of the room on a standing screen: window, picture; the clerk has the rest."""


def _picture_place(sheet: Sheet, floor: float) -> Box:
    """Return where the hall's pictures stand: below the window's name, beside the clerk."""
    upper = _upper(sheet)
    if sheet.standing:
        high = floor - upper
        y = upper + high * _SHARES[0]
        return Box(_MARGIN, y, sheet.wide - 2 * _MARGIN, high * _SHARES[1] - 24)
    wide = sheet.wide - 2 * _MARGIN - _CARD - 48
    top = upper + _NAME_HIGH + 20
    return Box(_MARGIN, top, wide, floor - top)


def _picture(sheet: Sheet, shown: Shown | None, place: Box) -> None:
    """Draw a picture whole, as large as its place allows, with round corners."""
    if shown is None:
        return
    scale = min(place.w / shown.width, place.h / shown.height)
    wide, high = shown.width * scale, shown.height * scale
    box = Box(place.x, place.y + (place.h - high) / 2, wide, high)
    left, bottom, width, height = sheet.pixels(box)

    corner = [min(theme.RADIUS * sheet.unit, width / 2, height / 2)] * 4

    def draw() -> None:
        sheet.paint(Role.PICTURE)
        RoundedRectangle(
            texture=shown.texture, pos=(left, bottom), size=(width, height), radius=corner
        )

    sheet.drawing(draw)


def _window(sheet: Sheet, settings: Settings, area: Box) -> None:
    if settings.window is None:
        return
    status = sheet.say("serving" if settings.staff else "nobody")
    label = settings.window.label
    below = "　·　".join(part for part in (label, status) if part)
    tight = area.h < 200
    small = sheet.fit(below, theme.down(theme.TEXT if tight else theme.HEAD), area.w, 130)
    room = area.h - (small.height + 12 if tight and small else 150)
    large = 150 if settings.staff else theme.CODE
    name = sheet.fit(settings.window.name, theme.down(large), area.w, room, bold=True)
    if name is None or small is None:
        return
    high = name.height + 12 + small.height
    y = area.y + (area.h - high) / 2 - 0.04 * name.size
    box = Box(area.x - 0.04 * name.size, y, area.w + 20, name.height)
    sheet.write(box, name, bold=True, colour=Role.LIGHT)
    box = Box(area.x, y + name.height + 12, area.w + 2, small.height)
    sheet.write(box, small, colour=Role.MIST_TEAL)


def _staff(sheet: Sheet, staff: Staff | None, area: Box) -> None:
    if staff is None:
        return
    inner = _CARD - 2 * 28
    post = staff.post or sheet.say("clerk")
    number = sheet.say("number", staff.number) if staff.number else ""
    name = sheet.fit(staff.name, theme.down(sheet.scaled(theme.HEAD)), inner, 170, bold=True)
    rows = [found for row in (post, number) if row and (found := _row(sheet, row, inner))]
    if name is None:
        return
    words_high = 32 + name.height + 8 + sum(row.height + 2 for row in rows) + 28
    # A portrait is the first to give way to long names; one of nobody takes less room.
    tried = (264, 224, 184, 128) if sheet.photograph else (184, 128)
    picture = next((high for high in tried if words_high + high + 20 <= area.h), 0)
    high = words_high + (picture + 20 if picture else 0)
    left = area.x + (area.w - _CARD) / 2
    y = area.y + (area.h - high) / 2
    sheet.panel(Box(left, y, _CARD, high), Role.CARD, radius=theme.CARD_RADIUS)
    y += 32
    if picture:
        wide = picture * portrait.SHAPE
        portrait.draw(sheet, Box(left + (_CARD - wide) / 2, y, wide, picture))
        y += picture + 20
    box = Box(left + 28, y, inner, name.height)
    sheet.write(box, name, bold=True, align=("center", "middle"))
    y += name.height + 8
    for row in rows:
        box = Box(left + 28, y, inner, row.height)
        sheet.write(box, row, colour=Role.QUIET, align=("center", "middle"))
        y += row.height + 2


def _row(sheet: Sheet, words: str, wide: float) -> Fit | None:
    """Fit post or number: large on one line, or small on several."""
    sizes = theme.down(sheet.scaled(theme.TEXT), theme.TEXT)
    line = sheet.line(sizes[0]) + 1
    return sheet.fit(words, sizes, wide, line) or sheet.fit(words, (theme.LABEL,), wide, 140)


# ---------------------------------------------------------------- what the hall announces

_NOTICE_PAD = 32
_NOTICE_LABEL = 116


def _set_notice(sheet: Sheet, words: str) -> Fit | None:
    inner = sheet.wide - 2 * _MARGIN - 2 * _NOTICE_PAD - _NOTICE_LABEL
    limit = 260 if sheet.standing else 130
    return sheet.fit(words, theme.down(theme.TEXT), inner, limit)


def _notice_high(sheet: Sheet, words: str) -> float:
    found = _set_notice(sheet, words)
    return max(88.0, found.height + 2 * 22) if found else 0.0


def _notice(sheet: Sheet, words: str, floor: float, high: float) -> None:
    """Draw an announcement of the hall at the foot."""
    found = _set_notice(sheet, words) if words else None
    if found is None:
        return
    box = Box(_MARGIN, floor - high, sheet.wide - 2 * _MARGIN, high)
    sheet.panel(box, Role.TEAL_DEEP, radius=24)
    line = sheet.line(found.size)
    first = Box(box.x + _NOTICE_PAD, box.y + (high - found.height) / 2, _NOTICE_LABEL, line)
    sheet.text(first, sheet.say("announcement"), (found.size,), bold=True, colour=Role.LIGHT)
    text = Box(first.x + _NOTICE_LABEL, first.y, box.w - _NOTICE_PAD - _NOTICE_LABEL, found.height)
    sheet.write(text, found, colour=Role.LIGHT)
