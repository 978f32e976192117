"""The screens on which nobody can rate: connecting, paused, out of service."""

from collections.abc import Callable

from device.session import Session
from device.ui import faces, frame, idle, theme
from device.ui.faces import Paint
from device.ui.sheet import Box, Sheet
from device.ui.theme import MARGIN, Role
from device.ui.typeset import Fit
from device.view import View

_BROKEN = (1000, 520)

Line = tuple[str, int, bool, Role]
"""Words, the size from which they step down, whether bold, and their colour."""

Sign = Callable[[Paint, tuple[float, float], float], None]
"""Draws a sign on the open canvas: centre and radius in pixels."""


def connecting(sheet: Sheet, view: View) -> None:
    """Before the hub has said which window this is."""
    lines: list[Line] = [
        (sheet.say("connecting"), theme.BIG, True, Role.LIGHT),
        (sheet.say("wait"), theme.WORD, False, Role.MIST_TEAL),
    ]
    _before(sheet, view, _waiting, lines)


def fetching(sheet: Sheet, view: View) -> None:
    """Not paired, and the last code is over or cannot be judged."""
    lines: list[Line] = [
        (sheet.say("fetching"), theme.BIG, True, Role.LIGHT),
        (sheet.say("wait"), theme.WORD, False, Role.MIST_TEAL),
    ]
    _before(sheet, view, _waiting, lines)


def away(sheet: Sheet, view: View) -> None:
    """Not paired, and no hub to be paired by."""
    lines: list[Line] = [
        (sheet.say("cut_off"), theme.BIG, True, Role.LIGHT),
        (sheet.say("cut_off_below"), theme.WORD, False, Role.MIST_TEAL),
    ]
    _before(sheet, view, faces.warning, lines)


def _before(sheet: Sheet, view: View, sign: Sign, lines: list[Line]) -> None:
    """Draw a notice of a kiosk without a window; hall and name tell which one it is."""
    hall = view.settings.hall_name if view.settings else ""
    sheet.part("ground", (), lambda: idle.ground(sheet))
    sheet.part("notice", lines, lambda: notice(sheet, sign, lines))
    sheet.part("foot", view.device, lambda: foot(sheet, view.device))
    if hall:
        facts = (hall, view.date, view.clock, view.connected)
        sheet.part("top", facts, lambda: idle.top(sheet, hall, view, "away_only"))


def foot(sheet: Sheet, device: str) -> None:
    """Name the kiosk at the foot, small: for hall IT."""
    if device:
        box = Box(56, sheet.high - 76, sheet.wide - 112, 40)
        sheet.text(box, sheet.say("device", device), (theme.LABEL,), colour=Role.MIST_TEAL)


def _waiting(paint: Paint, centre: tuple[float, float], radius: float) -> None:
    faces.dots(paint, centre, radius * 0.13)


def paused(sheet: Sheet, view: View) -> None:
    """The window is closed for now, and why."""
    session, settings = view.session, view.settings
    reason = session.pause or ""

    def draw() -> None:
        lines: list[Line] = [
            (sheet.say("paused"), 80, True, Role.LIGHT),
            (reason, theme.HEAD, False, Role.LIGHT),
            (sheet.say("paused_below"), theme.WORD, False, Role.MIST_TEAL),
        ]
        if settings and settings.window:
            lines.insert(0, (settings.window.name, theme.WORD, False, Role.MIST_TEAL))
        notice(sheet, faces.pause, lines)

    sheet.part("ground", (), lambda: idle.ground(sheet))
    sheet.part("notice", (reason, settings), draw)
    hall = settings.hall_name if settings else ""
    facts = (hall, view.date, view.clock, view.connected)
    sheet.part("top", facts, lambda: idle.top(sheet, hall, view, "away_only"))


def out_of_service(sheet: Sheet, view: View) -> None:
    """The kiosk cannot write: say so, and thank for nothing."""
    key = _failure(view.session)

    def draw() -> None:
        high = min(_BROKEN[1], sheet.high - frame.HEAD - 120)
        wide = min(_BROKEN[0], sheet.wide - 2 * MARGIN)
        card = Box((sheet.wide - wide) / 2, (frame.HEAD + sheet.high - 70 - high) / 2, wide, high)
        sheet.panel(card, Role.CARD, radius=theme.CARD_RADIUS, shade=Role.SHADE)
        lines: list[Line] = [
            (sheet.say(key), theme.HUGE, True, Role.INK),
            (sheet.say(f"{key}_below"), theme.WORD, False, Role.INK),
        ]
        if view.device:
            lines.append((sheet.say("report", view.device), theme.TEXT, False, Role.QUIET))
        inner = card.inset(40, 32)
        notice(sheet, faces.warning, lines, top=inner.y, floor=inner.y + inner.h)

    frame.head(sheet, view)
    sheet.part("notice", (key, view.device), draw)


def _failure(session: Session) -> str:
    """Return which words say what was lost: no more and no less than what is true."""
    if session.draft is None:
        return "broken"
    return "half_kept" if session.kept else "not_kept"


def notice(
    sheet: Sheet, sign: Sign, lines: list[Line], *, top: float = 118, floor: float | None = None
) -> None:
    """Draw a sign over lines, in the middle of the sheet, or between `top` and `floor`.

    With little room the sign gives way.
    """
    wide = sheet.wide - 2 * 80
    room = (sheet.high if floor is None else floor) - top
    limit = 130 if floor is None else 0.55 * room
    set_lines = []
    for words, size, bold, colour in lines:
        found = _fit(sheet, words, theme.down(size), (wide, limit), bold=bold)
        if found is not None:
            set_lines.append((found, bold, colour))
    words_high = sum(found.height + 14 for found, _, _ in set_lines)
    radius = next((size for size in (64, 44, 32) if 2 * size + 36 + words_high <= room), 0)
    sign_high = 2 * radius + 36 if radius else 0
    middle = (sheet.high / 2 + 10) if floor is None else (top + floor) / 2
    y = max(top, middle - (sign_high + words_high) / 2)
    if radius:
        left, bottom, _, _ = sheet.pixels(Box(sheet.wide / 2, y + radius, 0, 0))
        sheet.drawing(lambda: sign(sheet.paint, (left, bottom), radius * sheet.unit))
    y += sign_high
    for found, bold, colour in set_lines:
        box = Box(80, y, wide, found.height)
        sheet.write(box, found, bold=bold, colour=colour, align=("center", "middle"))
        y += found.height + 14


def _fit(
    sheet: Sheet, words: str, sizes: tuple[int, ...], room: tuple[float, float], *, bold: bool
) -> Fit | None:
    """Fit words; of a text that another machine has sent, too long for the room, the beginning."""
    if not words:
        return None
    cuts = (words, *(f"{words[:count]}…" for count in (200, 120, 60) if count < len(words)))
    found = (sheet.fit(cut, sizes, *room, bold=bold) for cut in cuts)
    return next((each for each in found if each is not None), None)
