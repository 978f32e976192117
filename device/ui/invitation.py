"""The one question: whom and what it is about on top, five equal cards below."""

from collections.abc import Callable
from functools import partial

from device.session import Screen
from device.ui import faces, frame, portrait, switches, theme
from device.ui.controls import Look, Plate, on_button
from device.ui.glosses import LEVELS as GLOSSES
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, MARGIN, Role
from device.ui.typeset import Fit, group
from device.view import View
from protocol.catalogue import LEVELS
from protocol.messages import Invitation

_PAD = 34
_CLOSE_PAD = 22
_DOT = "　·　"
_PICTURE = (120, 160)
_FOOT = 62
_ASK = 84
_ASK_CLOSE = 56
_PARAGRAPH = 60
_COMFORT = 228
"""Faces are at least so high beside a card that is roomy."""


def draw(sheet: Sheet, view: View, hands: Hands) -> None:
    """Draw the question; while the answer is being saved its card stays down, all inert."""
    invitation = view.session.invitation
    if invitation is None:
        return
    saving = view.session.screen is Screen.SAVING
    pressed = view.session.draft.level if saving and view.session.draft else 0
    frame.head(sheet, view, switches.draw(sheet, view, None if saving else hands))
    card = sheet.plan("card", (), lambda: _Card(sheet, invitation))
    low = frame.HEAD + card.high
    sheet.part("card", sheet.photograph, card.draw)
    sheet.part("ask", (), lambda: _ask(sheet, low, card.ask))
    top = low + card.ask
    area = Box(MARGIN, top, sheet.wide - 2 * MARGIN, sheet.high - _FOOT - 8 - top)
    _levels(sheet, area, pressed)
    for level in LEVELS:
        begin = None if saving else partial(hands.tap, invitation.id, level)
        sheet.keys[f"level-{level}"].begin = begin
    foot = Box(MARGIN, sheet.high - _FOOT, sheet.wide - 2 * MARGIN, _FOOT - 8)
    frame.countdown(sheet, view, foot)


def _ask(sheet: Sheet, low: float, high: float) -> None:
    wide = sheet.wide - 2 * MARGIN
    ask = Box(MARGIN, low, wide, high)
    sizes = theme.down(sheet.scaled(theme.HEAD))
    sheet.text(ask, sheet.say("ask"), sizes, bold=True, align=("center", "middle"))
    foot = Box(MARGIN, sheet.high - _FOOT, wide, _FOOT - 8)
    sheet.text(
        foot,
        sheet.say("secret"),
        (sheet.scaled(theme.LABEL), theme.LABEL),
        colour=Role.QUIET,
        align=("left" if sheet.standing else "center", "middle"),
    )


# ---------------------------------------------------------------- who and what


class _Card:
    """The card about the case: roomy while it can be, closer set when names are long."""

    def __init__(self, sheet: Sheet, invitation: Invitation) -> None:
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
        self.room = sheet.high - frame.HEAD - _FOOT - 8
        self.most = self.room - _ASK - (five if sheet.standing else max(_COMFORT, sheet.target))
        found = self._roomy()
        if found is None:
            self.ask = _ASK_CLOSE
            least = (five,) if sheet.standing else (max(_COMFORT, sheet.target), sheet.target)
            self.mosts = [self.room - _ASK_CLOSE - each for each in least]
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


# ---------------------------------------------------------------- the five cards


def _levels(sheet: Sheet, area: Box, pressed: int) -> None:
    """Draw each card anew only when it goes down or comes up: a tap is not to wait for four."""
    boxes = _five(sheet, area)
    words = sheet.plan("levels", area, lambda: _Words(sheet, _place(sheet, boxes[0])))
    for level, box in zip(sorted(LEVELS, reverse=True), boxes, strict=True):
        key, down = f"level-{level}", level == pressed
        sheet.part(key, down, partial(_level, sheet, words, level, box, down))


def _level(sheet: Sheet, words: "_Words", level: int, box: Box, down: bool) -> None:
    look = Look(
        Role.SUNK if down else Role.CARD,
        Role.STONE if down else theme.FACES[level],
        Role.INK,
        None if down else Role.SHADE,
        3,
    )
    plate = Plate(sheet, f"level-{level}", box, look, action=None, sunk=down)
    words.write(sheet.place(plate), box, level)


def _five(sheet: Sheet, area: Box) -> list[Box]:
    """Return five places of one size, from the best level to the worst."""
    if sheet.standing:
        high = (area.h - 4 * GAP) / 5
        return [Box(area.x, area.y + at * (high + GAP), area.w, high) for at in range(5)]
    wide = (area.w - 4 * GAP) / 5
    return [Box(area.x + at * (wide + GAP), area.y, wide, area.h) for at in range(5)]


def _place(sheet: Sheet, box: Box) -> Box:
    """Return how much room the words of a level have at most."""
    if sheet.standing:
        left = box.w * 0.5 - 150 + 0.36 * box.h + 32
        return Box(left, 0, box.w - left - 20, box.h - 16)
    return Box(6, 0, box.w - 12, box.h - 24 - 2 * _LEAST_RADIUS - 8)


_LEAST_RADIUS = 34


class _Words:
    """The words of the five levels, all in one size; in English the official ones below."""

    def __init__(self, sheet: Sheet, room: Box) -> None:
        self.sheet = sheet
        self.room = room
        first = GLOSSES if sheet.mode.english else LEVELS
        self.size = next(
            size
            for size in (*theme.down(sheet.scaled(theme.WORD)), theme.SMALL)
            if size == theme.SMALL or all(self._fits(words, size) for words in first.values())
        )
        lines = [(first, self.size, True, Role.INK)]
        both = sheet.line(self.size) + sheet.line(theme.LABEL)
        if sheet.mode.english and both <= room.h:
            lines.append((LEVELS, theme.LABEL, False, Role.QUIET))
        self.lines = lines
        self.high = sum(sheet.line(size) for _, size, _, _ in lines)

    def _fits(self, words: str, size: int) -> bool:
        line = self.sheet.line(size) + 1
        return self.sheet.fit(words, (size,), self.room.w, line, bold=True) is not None

    def write(self, button: Plate, box: Box, level: int) -> None:
        """Draw face and words of a level on its button."""
        sheet = self.sheet
        if sheet.standing:
            radius = box.h * 0.36
            centre = Box(box.x + box.w * 0.5 - 150, box.y + box.h / 2, 0, 0)
            place = Box(box.x + self.room.x, box.y + (box.h - self.high) / 2, self.room.w, 0)
        else:
            most = 92 if sheet.mode.elder else 76
            radius = min(box.w * 0.34, (box.h - self.high - 32) / 2, most)
            slack = box.h - 2 * radius - self.high
            centre = Box(box.x + box.w / 2, box.y + slack * 0.42 + radius, 0, 0)
            place = Box(box.x + 6, centre.y + radius + slack * 0.22, box.w - 12, 0)
        x, y, _, _ = sheet.pixels(centre)
        with button.canvas:
            faces.face(sheet.paint, level, (x, y), radius * sheet.unit)
        top = place.y
        for names, size, bold, colour in self.lines:
            text = sheet.text(
                place._replace(y=top, h=sheet.line(size)),
                names[level],
                (size,),
                bold=bold,
                colour=colour,
                align=("left" if sheet.standing else "center", "middle"),
            )
            on_button(sheet, button, text)
            top += sheet.line(size)
