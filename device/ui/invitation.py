"""The one question: whom and what it is about on top, five equal cards below."""

from collections.abc import Callable
from functools import partial

from device.session import Screen
from device.ui import faces, frame, idle, theme
from device.ui.controls import Look, Plate, within
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, MARGIN
from device.ui.typeset import Fit, group
from device.view import View
from protocol.catalogue import LEVELS
from protocol.messages import Invitation

_MATTER = "办理事项"
_PAD = 34
_PICTURE = (124, 156)
_FOOT = 62
_ASK = 84


def draw(sheet: Sheet, view: View, hands: Hands) -> None:
    """Draw the question; while the answer is being saved its card stays down, all inert."""
    invitation = view.session.invitation
    if invitation is None:
        return
    saving = view.session.screen is Screen.SAVING
    pressed = view.session.draft.level if saving and view.session.draft else 0
    frame.head(sheet, view)
    card = _Card(sheet, invitation)
    low = frame.HEAD + card.high
    sheet.part("card", (), card.draw)
    sheet.part("ask", (), lambda: _ask(sheet, low))
    top = low + _ASK
    area = Box(MARGIN, top, sheet.wide - 2 * MARGIN, sheet.high - _FOOT - 8 - top)
    facts = (saving, pressed)
    sheet.part("levels", facts, lambda: _levels(sheet, area, invitation, hands, facts))
    foot = Box(MARGIN, sheet.high - _FOOT, sheet.wide - 2 * MARGIN, _FOOT - 8)
    frame.countdown(sheet, view, foot)


def _ask(sheet: Sheet, low: float) -> None:
    wide = sheet.wide - 2 * MARGIN
    ask = Box(MARGIN, low, wide, _ASK)
    sheet.text(ask, "请您为本次服务评价", (theme.HEAD,), bold=True, align=("center", "middle"))
    foot = Box(MARGIN, sheet.high - _FOOT, wide, _FOOT - 8)
    align = "left" if sheet.standing else "center"
    sheet.text(
        foot,
        "您的评价对窗口人员保密",
        (theme.LABEL,),
        colour=theme.QUIET,
        align=(align, "middle"),
    )


# ---------------------------------------------------------------- who and what


class _Card:
    """The card about the case: roomy while it can be, closer set when names are long."""

    def __init__(self, sheet: Sheet, invitation: Invitation) -> None:
        self.sheet = sheet
        self.invitation = invitation
        serial = group(invitation.serial)
        if invitation.service_number > 1:
            serial += f"（第 {invitation.service_number} 次服务）"
        staff = invitation.staff.name
        if invitation.staff.number:
            staff += f"　·　工号 {invitation.staff.number}"
        self.fields = (("业务流水号", serial), ("窗口工作人员", staff))
        least = 5 * 96 + 4 * GAP if sheet.standing else 228
        self.most = sheet.high - frame.HEAD - _ASK - _FOOT - 8 - least
        self.high, self.draw = self._roomy() or self._close()

    def _roomy(self) -> tuple[float, Callable[[], None]] | None:
        """Set labels over values, beside the portrait, or return None if that is too tight."""
        sheet = self.sheet
        wide = sheet.wide - 2 * MARGIN - 2 * _PAD - _PICTURE[0] - 32
        matter = sheet.fit(
            self.invitation.matter, theme.down(theme.HEAD, theme.TEXT), wide, 120, bold=True
        )
        fits = [sheet.fit(value, (theme.TEXT,), wide, 46) for _, value in self.fields]
        values = [value for value in fits if value is not None]
        if matter is None or len(values) < len(fits):
            return None
        widths = [max(150, value.width) for value in values]
        beside = sum(widths) + 64 <= wide
        rows = 1 if beside else 2
        high = 28 + 32 + matter.height + 12 + rows * 82 + 14
        high = max(high, _PICTURE[1] + 2 * 30)
        if high > self.most:
            return None

        def draw() -> None:
            box = Box(MARGIN, frame.HEAD, sheet.wide - 2 * MARGIN, high)
            sheet.panel(box, theme.WHITE, radius=28, shade=theme.SHADE)
            left, y = box.x + _PAD, box.y + 26
            _label(sheet, left, y, _MATTER, wide)
            y += 32
            line = Box(left, y, wide + 2, matter.height)
            sheet.write(line, matter, bold=True)
            y += matter.height + 12
            x = left
            for (label, _), value, width in zip(self.fields, values, widths, strict=True):
                _label(sheet, x, y, label, wide)
                sheet.write(Box(x, y + 32, width + 2, 40), value)
                if beside:
                    x += width + 64
                else:
                    y += 82
            picture = Box(
                box.x + box.w - _PAD - _PICTURE[0], box.y + (high - _PICTURE[1]) / 2, *_PICTURE
            )
            idle.portrait(sheet, picture)

        return high, draw

    def _close(self) -> tuple[float, Callable[[], None]]:
        """Set labels beside values, without a portrait: holds the longest that may come."""
        sheet = self.sheet
        label = 148
        wide = sheet.wide - 2 * MARGIN - 2 * _PAD - label
        found = self._rows(wide)
        high = 24 + sum(fit.height for _, fit in found) + 6 * (len(found) - 1) + 24

        def draw() -> None:
            box = Box(MARGIN, frame.HEAD, sheet.wide - 2 * MARGIN, high)
            sheet.panel(box, theme.WHITE, radius=28, shade=theme.SHADE)
            y = box.y + 24
            for name, fit in found:
                bold = name == _MATTER
                first = sheet.line(fit.size)
                _label(sheet, box.x + _PAD, y + (first - 32) / 2, name, label)
                place = Box(box.x + _PAD + label, y, wide + 2, fit.height)
                sheet.write(place, fit, bold=bold)
                y += fit.height + 6

        return high, draw

    def _rows(self, wide: float) -> list[tuple[str, Fit]]:
        rows = ((_MATTER, self.invitation.matter), *self.fields)
        sizes = theme.down(theme.WORD)
        while True:
            found = [
                (name, fit)
                for name, value in rows
                if (fit := self.sheet.fit(value, sizes[:1], wide, 1e9, bold=name == _MATTER))
            ]
            high = 48 + sum(fit.height for _, fit in found) + 6 * (len(found) - 1)
            if high <= self.most or len(sizes) == 1:
                return found
            sizes = sizes[1:]


def _label(sheet: Sheet, x: float, y: float, words: str, wide: float) -> None:
    sheet.text(Box(x, y, wide, 32), words, (theme.LABEL,), colour=theme.QUIET)


# ---------------------------------------------------------------- the five cards


def _levels(
    sheet: Sheet, area: Box, invitation: Invitation, hands: Hands, state: tuple[bool, int]
) -> None:
    saving, pressed = state
    for number, level in enumerate(sorted(LEVELS, reverse=True)):
        if sheet.standing:
            high = (area.h - 4 * GAP) / 5
            box = Box(area.x, area.y + number * (high + GAP), area.w, high)
        else:
            wide = (area.w - 4 * GAP) / 5
            box = Box(area.x + number * (wide + GAP), area.y, wide, area.h)
        down = level == pressed
        look = Look(
            theme.SUNK if down else theme.WHITE,
            theme.STONE if down else theme.FACES[level],
            theme.INK,
            None if down else theme.SHADE,
            3,
        )
        action = None if saving else partial(hands.tap, invitation.id, level)
        button = sheet.place(Plate(sheet, f"level-{level}", box, look, action=action, sunk=down))
        _level(sheet, button, box, level, look)


def _level(sheet: Sheet, button: Plate, box: Box, level: int, look: Look) -> None:
    if sheet.standing:
        radius = box.h * 0.36
        centre = Box(box.x + box.w * 0.5 - 150, box.y + box.h / 2, 0, 0)
        place = Box(centre.x + radius + 32, box.y, 260, box.h)
    else:
        line = sheet.line(theme.WORD)
        radius = min(box.w * 0.31, (box.h - line - 60) / 2, 76)
        slack = box.h - 2 * radius - line
        centre = Box(box.x + box.w / 2, box.y + slack * 0.42 + radius, 0, 0)
        place = Box(box.x + 6, centre.y + radius + slack * 0.22, box.w - 12, line)
    x, y, _, _ = sheet.pixels(centre)
    with button.canvas:
        faces.face(level, (x, y), radius * sheet.unit)
    align = "left" if sheet.standing else "center"
    within(
        sheet,
        button,
        place,
        LEVELS[level],
        look,
        sizes=theme.down(theme.WORD),
        bold=True,
        align=align,
    )
