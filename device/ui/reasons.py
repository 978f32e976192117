"""The reasons of the catalogue as equal cells, and the one that folds and unfolds them."""

from functools import partial
from typing import NamedTuple

from device.ui import glosses, theme
from device.ui.controls import CHOSEN, OUTLINE, PLAIN, Look, Plate, on_button, worded
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.typeset import Fit
from device.view import View
from protocol import catalogue
from protocol.catalogue import Reason
from protocol.errors import CatalogueError

_ROOMY = (250, 150)
"""A cell that is wider and higher takes larger type."""


class Offered(NamedTuple):
    """The reasons of a catalogue that are shown, and whether more can be.

    `most` is how many cells there are with all of them.
    """

    version: str
    shown: tuple[Reason, ...]
    folds: bool
    unfolded: bool
    most: int

    @property
    def cells(self) -> int:
        """How many cells they take."""
        return len(self.shown) + self.folds


def offered(view: View, level: int, *, unfolded: bool) -> Offered:
    """Return the reasons of the catalogue in force; of an unknown one none are invented."""
    version = view.settings.catalogue if view.settings else catalogue.CURRENT
    try:
        known = catalogue.load(version).reasons(level)
    except CatalogueError:
        known = ()
    first = tuple(one for one in known if one.first)
    folds = len(first) < len(known)
    return Offered(version, known if unfolded else first, folds, unfolded, len(known) + folds)


def draw(
    sheet: Sheet,
    reasons: Offered,
    cells: tuple[Box, ...],
    chosen: tuple[str, ...],
    hands: Hands,
) -> None:
    """Lay each reason into its cell; the last cell unfolds them, or folds them again."""
    if reasons.shown:
        words = [_words(sheet, reasons.version, reason) for reason in reasons.shown]
        fits = _fits(sheet, words, cells[0])
        for reason, box, fit in zip(reasons.shown, cells, fits, strict=False):
            look = CHOSEN if reason.code in chosen else PLAIN
            begin = partial(hands.choose, reason.code)
            plate = Plate(sheet, f"reason-{reason.code}", box, look, begin=begin)
            _write(sheet, sheet.place(plate), box, look, fit)
    if reasons.folds:
        key = "less" if reasons.unfolded else "more"
        sizes = theme.down(sheet.scaled(theme.WORD if _roomy(cells[-1]) else theme.TEXT))
        worded(sheet, key, cells[-1], sheet.say(key), OUTLINE, action=hands.unfold, sizes=sizes)


class _Words(NamedTuple):
    """What stands in a cell: the words that are read first, and the official ones below."""

    first: str
    below: str = ""


def _words(sheet: Sheet, version: str, reason: Reason) -> _Words:
    gloss = glosses.reason(version, reason.code) if sheet.mode.english else ""
    return _Words(gloss, reason.text) if gloss else _Words(reason.text)


def _fits(sheet: Sheet, words: list[_Words], box: Box) -> list[list[Fit]]:
    """Fit all cells in one size; where the official words have no room below, they stay away."""
    wide, high = box.w - 28, box.h - 12
    large = theme.HEAD if _roomy(box) else theme.WORD
    for size in theme.down(sheet.scaled(large)):
        small = theme.LABEL if size > theme.LABEL else theme.SMALL
        for below in (True, False) if sheet.mode.english else (False,):
            found = [
                _fit(sheet, each, (size, small if below else 0), (wide, high)) for each in words
            ]
            if all(found):
                return [each for each in found if each]
    least = theme.SMALL
    return [
        [fit] for each in words if (fit := sheet.fit(each.first, (least,), wide, 1e9)) is not None
    ]


def _roomy(box: Box) -> bool:
    return box.w > _ROOMY[0] and box.h > _ROOMY[1]


def _fit(
    sheet: Sheet, words: _Words, sizes: tuple[int, int], room: tuple[float, float]
) -> list[Fit] | None:
    size, small = sizes
    first = sheet.fit(words.first, (size,), *room)
    if first is None or not (small and words.below):
        return [first] if first else None
    below = sheet.fit(words.below, (small,), room[0], room[1] - first.height)
    return [first, below] if below else None


def _write(sheet: Sheet, plate: Plate, box: Box, look: Look, fits: list[Fit]) -> None:
    y = box.y + (box.h - sum(fit.height for fit in fits)) / 2
    for fit in fits:
        place = Box(box.x + 14, y, box.w - 28, fit.height)
        text = sheet.write(place, fit, colour=look.ink, align=("center", "middle"))
        on_button(sheet, plate, text)
        y += fit.height
