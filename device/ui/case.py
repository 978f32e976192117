"""The card about the case: the matter, its serial number and the clerk, read at a glance."""

from collections.abc import Callable

from device.ui import frame, portrait, theme
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, MARGIN, Role
from device.ui.typeset import Fit, group
from protocol.messages import Invitation

_PAD = 34
_CLOSE_PAD = 22
_DOT = "　·　"
_PICTURE = (120, 160)
_ASK = 84
_ASK_CLOSE = 56
_PARAGRAPH = 60
_COMFORT = 228
"""Faces are at least so high beside a card that is roomy."""


class Card:
    """Roomy while it can be, closer set when names are long.

    `room` is what there is for it, the question (`ask`) and the five levels below it; `high` and
    `ask` are what it takes and leaves of that, in design units. `draw` draws it.
    """

    def __init__(self, sheet: Sheet, invitation: Invitation, room: float) -> None:
        self.sheet = sheet
        self.invitation = invitation
        serial = group(invitation.serial)
        if invitation.service_number > 1:
            serial += sheet.say("service", invitation.service_number)
        staff = invitation.staff
        number = staff.number and sheet.say("number", staff.number)
        self.clerk = _DOT.join(part for part in (staff.name, number) if part)
        self.matter = sheet.say("matter")
        self.fields = (
            (sheet.say("serial"), serial),
            (sheet.say("clerk"), _DOT.join(part for part in (self.clerk, staff.post) if part)),
        )
        five = 5 * sheet.target + 4 * GAP
        self.ask = _ASK
        self.most = room - _ASK - (five if sheet.standing else max(_COMFORT, sheet.target))
        found = self._roomy()
        if found is None:
            self.ask = _ASK_CLOSE
            least = (five,) if sheet.standing else (max(_COMFORT, sheet.target), sheet.target)
            self.mosts = [room - _ASK_CLOSE - each for each in least]
            found = self._close()
        self.high, self.draw = found

    def _roomy(self) -> tuple[float, Callable[[], None]] | None:
        """Set labels over values, beside the portrait, or return None if that is too tight."""
        sheet = self.sheet
        picture = 0 if sheet.mode.elder else _PICTURE[0] + 32
        wide = sheet.wide - 2 * MARGIN - 2 * _PAD - picture
        matter = sheet.fit(
            self.invitation.matter,
            theme.down(sheet.scaled(theme.HEAD), sheet.scaled(theme.TEXT)),
            wide,
            126,
            bold=True,
        )
        value_high = sheet.line(sheet.scaled(theme.TEXT))
        sizes = (sheet.scaled(theme.TEXT), theme.TEXT)
        serial = sheet.fit(self.fields[0][1], sizes, wide, value_high)
        whole, short = self.fields[1][1], self.clerk
        tried = (sheet.fit(words, sizes, wide, value_high) for words in (whole, short))
        clerk = next((fit for fit in tried if fit), None)
        if matter is None or serial is None or clerk is None:
            return None
        values = (serial, clerk)
        widths = [max(150, value.width) for value in values]
        beside = sum(widths) + 64 <= wide
        rows = 1 if beside else 2
        row = 32 + value_high + 8
        high = 28 + 32 + matter.height + 12 + rows * row + 16
        if picture:
            high = max(high, _PICTURE[1] + 2 * 30)
        if high > self.most:
            return None

        def draw() -> None:
            box = Box(MARGIN, frame.HEAD, sheet.wide - 2 * MARGIN, high)
            sheet.panel(box, Role.CARD, radius=theme.CARD_RADIUS, shade=Role.SHADE)
            left, y = box.x + _PAD, box.y + 26
            _label(sheet, left, y, self.matter, wide)
            y += 32
            line = Box(left, y, wide + 2, matter.height)
            sheet.write(line, matter, bold=True)
            y += matter.height + 12
            x = left
            for (label, _), value, width in zip(self.fields, values, widths, strict=True):
                _label(sheet, x, y, label, wide)
                sheet.write(Box(x, y + 32, width + 2, value_high), value)
                if beside:
                    x += width + 64
                else:
                    y += row
            if picture:
                left = box.x + box.w - _PAD - _PICTURE[0]
                portrait.draw(sheet, Box(left, box.y + (high - _PICTURE[1]) / 2, *_PICTURE))

        return high, draw

    def _close(self) -> tuple[float, Callable[[], None]]:
        """Set labels beside values, without a portrait: holds the longest that may come."""
        sheet = self.sheet
        names = (self.matter, *(name for name, _ in self.fields))
        fits = [sheet.fit(name, (theme.LABEL,), 400, 60) for name in names]
        label = max(fit.width for fit in fits if fit) + 16
        wide = sheet.wide - 2 * MARGIN - 2 * _CLOSE_PAD - label
        found = self._rows(wide)
        high = _high(found)

        def draw() -> None:
            box = Box(MARGIN, frame.HEAD, sheet.wide - 2 * MARGIN, high)
            sheet.panel(box, Role.CARD, radius=theme.CARD_RADIUS, shade=Role.SHADE)
            y = box.y + _CLOSE_PAD - 4
            for name, fit in found:
                bold = self._bold(name)
                first = sheet.line(fit.size)
                _label(sheet, box.x + _CLOSE_PAD, y + (first - 32) / 2, name, label)
                place = Box(box.x + _CLOSE_PAD + label, y, wide + 2, fit.height)
                sheet.write(place, fit, bold=bold)
                y += fit.height + 4

        return high, draw

    def _bold(self, name: str) -> bool:
        """Whether what is named so is bold: a matter is, unless it is a whole paragraph."""
        return name == self.matter and len(self.invitation.matter) <= _PARAGRAPH

    def _rows(self, wide: float) -> list[tuple[str, Fit]]:
        """Fit the rows in the largest size that has room; the post is the first to stay away.

        Small type comes before small faces, as long as it can be read from a chair.
        """
        clerk = self.fields[1][0]
        rows = ((self.matter, self.invitation.matter), *self.fields)
        shorter = (*rows[:2], (clerk, self.clerk))
        first = self.sheet.scaled(theme.WORD)
        found: list[tuple[str, Fit]] = []
        for most in self.mosts:
            sizes = theme.down(first, theme.SMALL if most == self.mosts[-1] else theme.LABEL)
            for size, tried in [(size, each) for size in sizes for each in (rows, shorter)]:
                found = [
                    (name, fit)
                    for name, value in tried
                    if (fit := self.sheet.fit(value, (size,), wide, 1e9, bold=self._bold(name)))
                ]
                if _high(found) <= most:
                    return found
        return found


def _high(rows: list[tuple[str, Fit]]) -> float:
    """Return how high a card with these rows is."""
    return 2 * (_CLOSE_PAD - 4) + sum(fit.height for _, fit in rows) + 4 * (len(rows) - 1)


def _label(sheet: Sheet, x: float, y: float, words: str, wide: float) -> None:
    sheet.text(Box(x, y, wide, 32), words, (theme.LABEL,), colour=Role.QUIET)
