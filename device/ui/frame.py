"""What surrounds every picture on paper: the line on top, and the seconds at the foot."""

from device.session import UNDO_MS, Screen
from device.ui import faces, theme
from device.ui.controls import OUTLINE, worded
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import MARGIN
from device.view import View
from protocol.messages import Window

HEAD = 76
FOOT = 92
AWAY = "网络中断，评价会先保存在本机"
AWAY_ONLY = "网络中断"
_PILL = 46


def head(sheet: Sheet, view: View) -> None:
    """Show window, hall and time; names that do not fit beside the window's stay away."""
    session, settings = view.session, view.settings
    window: Window | None = settings.window if settings else None
    if session.invitation is not None:
        window = session.invitation.window
    hall = settings.hall_name if settings else ""
    facts = (window, hall, view.clock, view.connected)
    sheet.part("head", facts, lambda: _head(sheet, window, hall, view))


def _head(sheet: Sheet, window: Window | None, hall: str, view: View) -> None:
    middle = Box(MARGIN, 8, sheet.wide - 2 * MARGIN, HEAD - 12)
    right = sheet.wide - MARGIN
    if view.clock:
        box = middle._replace(x=right - 80, w=80)
        sheet.text(box, view.clock, (theme.LABEL,), colour=theme.QUIET, align=("right", "middle"))
        right -= 104
    if not view.connected:
        # A kiosk that cannot write must not promise to.
        broken = view.session.screen is Screen.OUT_OF_SERVICE
        words = AWAY_ONLY if broken else AWAY
        y = middle.y + (middle.h - _PILL) / 2
        right = pill(sheet, right, y, dark=False, words=words) - 28
    left = float(MARGIN)
    if window is None:
        return
    name = sheet.fit(window.name, theme.down(theme.TEXT), right - left, middle.h, bold=True)
    if name is None:
        return
    sheet.write(middle._replace(x=left, w=name.width + 2), name, bold=True)
    left += name.width + 24
    for words, end in ((window.label, False), (hall, True)):
        found = sheet.fit(words, (theme.LABEL,), right - left, middle.h) if words else None
        if found is None or len(found.lines) > 1:
            continue
        at = right - found.width if end else left
        box = middle._replace(x=at, w=found.width + 2)
        sheet.write(box, found, colour=theme.QUIET)
        left += found.width + 32


def pill(sheet: Sheet, right: float, y: float, *, dark: bool, words: str = AWAY) -> float:
    """Say quietly that the hub is away, up to `right`; return where it begins."""
    found = sheet.fit(words, (theme.LABEL,), 600, _PILL)
    wide = (found.width if found else 300) + 66
    box = Box(right - wide, y, wide, _PILL)
    sheet.panel(box, theme.TEAL_DEEP if dark else theme.SHADE, radius=_PILL / 2)

    def dot() -> None:
        left, bottom, _, high = sheet.pixels(box)
        faces.dot((left + 25 * sheet.unit, bottom + high / 2), 6 * sheet.unit, dark=dark)

    sheet.drawing(dot)
    place = Box(box.x + 42, y, wide - 62, _PILL)
    sheet.text(place, words, (theme.LABEL,), colour=theme.WHITE if dark else theme.INK)
    return box.x


def seconds_left(view: View) -> int | None:
    """Return how many seconds remain until the screen goes back, or None."""
    deadline = view.session.deadline_ms
    return None if deadline is None else max(0, -(-(deadline - view.now_ms) // 1000))


def countdown(sheet: Sheet, view: View, box: Box) -> None:
    """Show the seconds that remain."""
    left = seconds_left(view)

    def draw() -> None:
        if left is not None:
            sheet.text(
                box,
                f"{left} 秒后返回",
                (theme.LABEL,),
                colour=theme.QUIET,
                align=("right", "middle"),
            )

    sheet.part("countdown", left, draw)


def undo(sheet: Sheet, view: View, hands: Hands, box: Box) -> None:
    """Offer to choose again, for as long as the session takes it."""
    draft = view.session.draft
    allowed = draft is not None and view.now_ms - draft.tapped_ms <= UNDO_MS

    def draw() -> None:
        if allowed:
            worded(sheet, "undo", box, "选错了，重选", OUTLINE, action=hands.undo)

    sheet.part("undo", allowed, draw)
