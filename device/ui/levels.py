"""The five levels as equal cards, each a face with words; nothing is preselected."""

from functools import partial

from device.ui import faces, theme
from device.ui.controls import Look, Plate, on_button
from device.ui.glosses import LEVELS as GLOSSES
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, Role
from device.ui.typeset import Fit
from protocol.catalogue import LEVELS

_LEAST_RADIUS = 34
_LARGE_RADIUS = 52
"""Faces get no smaller than that for words in two lines."""
_RADIUS = 0.38
"""Of a face on a standing screen, as a part of its card's height."""
_ASIDE = 36
"""Between face and words there."""


def draw(sheet: Sheet, area: Box, pressed: int) -> None:
    """Draw each card anew only when it goes down or comes up: a tap is not to wait for four.

    `pressed` is the level whose card stays down, 0: none.
    """
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
        aside = 2 * _RADIUS * box.h + _ASIDE
        return Box(aside, 0, box.w - aside - 2 * _ASIDE, box.h - 16)
    return Box(6, 0, box.w - 12, box.h - 24 - 2 * _LEAST_RADIUS - 8)


class _Words:
    """The words of the five levels, all in one size; in English the official ones below."""

    def __init__(self, sheet: Sheet, room: Box) -> None:
        self.sheet = sheet
        self.room = room
        self.both = sheet.mode.english
        large = theme.down(sheet.scaled(theme.BIG if sheet.standing else theme.WORD))
        tried = (
            found
            for size in (*large, theme.SMALL)
            for rows in ((1, 2) if self.both and not sheet.standing else (1,))
            if (found := self._set(size, rows))
        )
        self.fits = next(tried, {}) or self._least()
        self.wide = max(fit.width for fit in self.fits.values())
        self.first = max(fit.height for fit in self.fits.values())
        self.below = sheet.line(theme.LABEL) if self.both else 0
        if self.first + self.below > room.h:
            self.both, self.below = False, 0
        self.high = self.first + self.below

    def _set(self, size: int, rows: int) -> dict[int, Fit]:
        """Return the words in this size and so many lines; nothing where they have no room.

        Small type comes before words that fall apart, and two lines before small type, as long
        as the faces stay large.
        """
        sheet, room = self.sheet, self.room
        high = rows * sheet.line(size)
        most = room.h
        if rows > 1:
            most -= 2 * (_LARGE_RADIUS - _LEAST_RADIUS) + sheet.line(theme.LABEL)
        elif self.both and sheet.standing:
            most -= sheet.line(theme.LABEL)
        named = GLOSSES if self.both else LEVELS
        whole = all(
            sheet.fit(word, (size,), room.w, sheet.line(size) + 1, bold=True)
            for words in named.values()
            for word in words.split()
        )
        found = {
            level: fit
            for level, words in named.items()
            if (fit := sheet.fit(words, (size,), room.w, high + 1, bold=True))
        }
        return found if whole and high <= most and len(found) == len(named) else {}

    def _least(self) -> dict[int, Fit]:
        """Return the words in the smallest type, for a panel that is too small for them."""
        named = GLOSSES if self.both else LEVELS
        fits = {level: self.sheet.fit(named[level], (theme.SMALL,), 1e9, 1e9) for level in named}
        return {level: fit for level, fit in fits.items() if fit}

    def write(self, button: Plate, box: Box, level: int) -> None:
        """Draw face and words of a level on its button."""
        sheet = self.sheet
        if sheet.standing:
            radius = _RADIUS * box.h
            left = box.x + (box.w - self.room.x - self.wide) / 2
            centre = Box(left + radius, box.y + box.h / 2, 0, 0)
            top = box.y + (box.h - self.high) / 2
            place = Box(left + self.room.x, top, self.wide + 2, 0)
        else:
            most = 92 if sheet.mode.elder else 76
            radius = min(box.w * 0.34, (box.h - self.high - 32) / 2, most)
            slack = box.h - 2 * radius - self.high
            centre = Box(box.x + box.w / 2, box.y + slack * 0.42 + radius, 0, 0)
            place = Box(box.x + 6, centre.y + radius + slack * 0.22, box.w - 12, 0)
        x, y, _, _ = sheet.pixels(centre)
        with button.canvas:
            faces.face(sheet.paint, level, (x, y), radius * sheet.unit)
        align = ("left" if sheet.standing else "center", "middle")
        first = place._replace(h=self.first)
        text = sheet.write(first, self.fits[level], bold=True, align=align)
        on_button(sheet, button, text)
        if self.both:
            second = place._replace(y=place.y + self.first, h=self.below)
            size = (theme.LABEL,)
            text = sheet.text(second, LEVELS[level], size, colour=Role.QUIET, align=align)
            on_button(sheet, button, text)
