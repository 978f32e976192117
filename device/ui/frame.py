"""What surrounds every picture on paper: the line on top, and the seconds at the foot."""

from device.session import Screen
from device.ui import faces, theme
from device.ui.sheet import Box, Sheet
from device.ui.theme import MARGIN, Role
from device.view import View
from protocol.messages import Window

HEAD = 76
_PILL = 46


def head(sheet: Sheet, view: View, right: float | None = None) -> None:
    """Show window, hall and time, up to `right`; names that do not fit stay away.

    In 长者模式 there is the window, and what must be known of the network.
    """
    session, settings = view.session, view.settings
    window: Window | None = settings.window if settings else None
    if session.invitation is not None:
        window = session.invitation.window
    hall = settings.hall_name if settings else ""
    end = sheet.wide - MARGIN if right is None else right
    facts = (window, hall, view.clock, view.connected, end)
    sheet.part("head", facts, lambda: _head(sheet, window, hall, view, end))


def _head(sheet: Sheet, window: Window | None, hall: str, view: View, right: float) -> None:
    middle = Box(MARGIN, 8, right - MARGIN, HEAD - 12)
    if view.clock and not sheet.mode.elder:
        box = middle._replace(x=right - 80, w=80)
        sheet.text(box, view.clock, (theme.LABEL,), colour=Role.QUIET, align=("right", "middle"))
        right -= 104
    if not view.connected:
        # A kiosk that cannot write must not promise to.
        broken = view.session.screen is Screen.OUT_OF_SERVICE
        words = sheet.say("away_only" if broken or right - MARGIN < 720 else "away")
        y = middle.y + (middle.h - _PILL) / 2
        right = pill(sheet, right, y, words, dark=False) - 28
    left = float(MARGIN)
    if window is None:
        return
    name = sheet.fit(
        window.name, theme.down(theme.TEXT, theme.SMALL), right - left, middle.h, bold=True
    )
    if name is None:
        return
    sheet.write(middle._replace(x=left, w=name.width + 2), name, bold=True)
    left += name.width + 24
    for words, end in ((window.label, False), (hall, True)):
        fits = words and not sheet.mode.elder
        found = sheet.fit(words, (theme.LABEL,), right - left, middle.h) if fits else None
        if found is None or len(found.lines) > 1:
            continue
        at = right - found.width if end else left
        box = middle._replace(x=at, w=found.width + 2)
        sheet.write(box, found, colour=Role.QUIET)
        left += found.width + 32


def pill(sheet: Sheet, right: float, y: float, words: str, *, dark: bool) -> float:
    """Say quietly that the hub is away, up to `right`; return where it begins."""
    found = sheet.fit(words, (theme.LABEL,), 600, _PILL)
    wide = (found.width if found else 300) + 66
    box = Box(right - wide, y, wide, _PILL)
    sheet.panel(box, Role.TEAL_DEEP if dark else Role.PILL, radius=_PILL / 2)

    def dot() -> None:
        left, bottom, _, high = sheet.pixels(box)
        at = (left + 25 * sheet.unit, bottom + high / 2)
        faces.dot(sheet.paint, at, 6 * sheet.unit, dark=dark)

    sheet.drawing(dot)
    place = Box(box.x + 42, y, wide - 62, _PILL)
    sheet.text(place, words, (theme.LABEL,), colour=Role.LIGHT if dark else Role.INK)
    return box.x


def seconds_left(view: View) -> int | None:
    """Return how many seconds remain until the screen goes back, or None."""
    deadline = view.session.deadline_ms
    return None if deadline is None else max(0, -(-(deadline - view.now_ms) // 1000))


def countdown(sheet: Sheet, view: View, box: Box, align: str = "right") -> None:
    """Show the seconds that remain."""
    left = seconds_left(view)

    def draw() -> None:
        if left is not None:
            sheet.text(
                box,
                sheet.say("countdown", left),
                (sheet.scaled(theme.LABEL), theme.LABEL),
                colour=Role.QUIET,
                align=(align, "middle"),
            )

    sheet.part("countdown", left, draw)
