"""After the tap: thanks, and reasons to add. One picture for every level.

Whoever sees it from the side cannot tell a good level from a bad one: colours, places, buttons
and time are the same, and only the small words differ.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from device.events import Draft
from device.session import UNDO_MS
from device.ui import faces, frame, glosses, theme
from device.ui.controls import (
    CHOSEN,
    COMMENT_LIMIT,
    OUTLINE,
    PLAIN,
    PRIMARY,
    Field,
    Look,
    Plate,
    on_button,
    worded,
)
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, MARGIN, Role
from device.ui.typeset import Fit
from device.view import View
from protocol import catalogue
from protocol.catalogue import Reason
from protocol.errors import CatalogueError
from protocol.messages import Rated

_TOP = 64
_CLOSE = 122
_WIDE_TITLE = 236
_LEAST_FIELD = 124
_MOST_FIELD = 176
_MOST_CELL = 190


def draw(sheet: Sheet, view: View, hands: Hands) -> None:
    """Thank, offer reasons, and let go."""
    draft = view.session.draft
    if draft is None:
        return
    version = view.settings.catalogue if view.settings else catalogue.CURRENT
    facts = (version, hands.unfolded)
    plan = sheet.plan("answers", facts, lambda: _Plan(sheet, view, hands, draft))
    frame.head(sheet, view)
    sheet.part("title", (plan.title, plan.close), lambda: _thank(sheet, plan, draft))
    cells = (draft.reasons, plan.cells, plan.shown)
    sheet.part("reasons", cells, lambda: _grid(sheet, plan, draft, hands))
    if plan.field is not None:
        _words(sheet, hands, draft, plan.field)
    else:
        sheet.part("field", None, lambda: None)
        sheet.part("count", None, lambda: None)
    _actions(sheet, view, hands, draft, plan.foot)


class _Plan:
    """Where everything stands.

    Reasons and what folds them are equal cells, at least as large as a finger needs, in as few
    columns as the room allows. A field that has no room beside all reasons comes back when they
    are folded.
    """

    def __init__(self, sheet: Sheet, view: View, hands: Hands, draft: Draft) -> None:
        known = _known(view, draft.level)
        first = tuple(one for one in known if one.first)
        self.unfolded = hands.unfolded
        self.folds = len(first) < len(known)
        self.shown = known if self.unfolded else first
        self.version = view.settings.catalogue if view.settings else catalogue.CURRENT
        reach = max(sheet.target, 104.0)
        bar = reach + (76 if sheet.standing else 0)
        self.foot = Box(0, sheet.high - bar, sheet.wide, bar)
        wide = sheet.wide - 2 * MARGIN
        self.field: Box | None = None
        count = len(self.shown) + self.folds
        for close, least_field in self._tries(view):
            top = _TOP + (_CLOSE if close else _WIDE_TITLE)
            room = self.foot.y - top - 14
            field = least_field + GAP if least_field else 0
            columns = self._columns(sheet, count)
            for across in columns:
                down = -(-count // across)
                cell = min(_MOST_CELL, (room - field + GAP) / max(1, down) - GAP)
                last = close and not least_field and across == columns[-1]
                if last or cell >= sheet.target - 1:
                    self.close = close
                    self.title = Box(MARGIN, _TOP, wide, top - _TOP)
                    self._lay(sheet, (top, room), (across, down, cell), least_field)
                    return

    def _tries(self, view: View) -> list[tuple[bool, float]]:
        """Return what is tried, best first: whether the title is set close, the field's height."""
        fields = [_LEAST_FIELD, 0] if view.text_input else [0]
        roomy = not self.unfolded and not view.text_input
        return [
            (close, field) for field in fields for close in ((False, True) if roomy else (True,))
        ]

    def _columns(self, sheet: Sheet, count: int) -> tuple[int, ...]:
        if sheet.standing:
            return (2,) if self.unfolded else (1, 2)
        if self.unfolded:
            return (3, 5) if count > 4 else (count or 1,)
        return (2, 4) if sheet.mode.elder else (4,)

    def _lay(
        self,
        sheet: Sheet,
        place: tuple[float, float],
        grid: tuple[int, int, float],
        least_field: float,
    ) -> None:
        (top, room), (across, down, cell) = place, grid
        wide = (sheet.wide - 2 * MARGIN - (across - 1) * GAP) / across
        block = down * (cell + GAP) - GAP
        field = 0.0
        if least_field:
            field = min(_MOST_FIELD, room - block - GAP)
        spare = room - block - (field + GAP if field else 0)
        y = top + max(0.0, 0.4 * spare)
        self.cells = tuple(
            Box(
                MARGIN + at % across * (wide + GAP),
                y + at // across * (cell + GAP),
                wide,
                cell,
            )
            for at in range(len(self.shown) + self.folds)
        )
        if field:
            self.field = Box(MARGIN, y + block + GAP, sheet.wide - 2 * MARGIN, field)


# ---------------------------------------------------------------- thanks


def _thank(sheet: Sheet, plan: _Plan, draft: Draft) -> None:
    box, words = plan.title, sheet.say("thanks")
    radius = 28 if plan.close else 48
    size = sheet.scaled(theme.HEAD) if plan.close else theme.BIG
    sizes = theme.down(size, theme.TEXT)
    aside = 2 * radius + 20 if plan.close else 0
    title = sheet.fit(words, sizes, box.w - aside, 90, bold=True)
    ask = sheet.say("why" if draft.level in Rated.bad else "add")
    below = sheet.fit(ask, theme.down(theme.WORD), box.w, 80)
    if title is None or below is None:
        return
    sign = 0 if plan.close else 2 * radius + 10
    y = box.y + (box.h - sign - title.height - below.height) / 2
    centre = box.x + box.w / 2
    left = centre - (title.width + aside) / 2
    at = Box(left + radius, y + title.height / 2, 0, 0)
    if not plan.close:
        at = Box(centre, y + radius, 0, 0)
    x_px, y_px, _, _ = sheet.pixels(at)
    sheet.drawing(lambda: faces.tick(sheet.paint, (x_px, y_px), radius * sheet.unit))
    y += sign
    sheet.write(Box(left + aside, y, title.width + 2, title.height), title, bold=True)
    line = Box(box.x, y + title.height, box.w, below.height)
    sheet.write(line, below, align=("center", "middle"))


# ---------------------------------------------------------------- reasons and words


def _known(view: View, level: int) -> tuple[Reason, ...]:
    """Return the reasons of the catalogue in force; of an unknown one none are invented."""
    version = view.settings.catalogue if view.settings else catalogue.CURRENT
    try:
        return catalogue.load(version).reasons(level)
    except CatalogueError:
        return ()


class _Cell(NamedTuple):
    """What stands in a cell: the words that are read first, and the official ones below."""

    first: str
    below: str = ""


def _cell(sheet: Sheet, plan: _Plan, reason: Reason) -> _Cell:
    gloss = glosses.reason(plan.version, reason.code) if sheet.mode.english else ""
    return _Cell(gloss, reason.text) if gloss else _Cell(reason.text)


def _grid(sheet: Sheet, plan: _Plan, draft: Draft, hands: Hands) -> None:
    """Lay equal cells, all in one size of type."""
    words = [_cell(sheet, plan, one) for one in plan.shown]
    fits = _fits(sheet, words, plan.cells[0]) if plan.cells else []
    for reason, box, fit in zip(plan.shown, plan.cells, fits, strict=False):
        look = CHOSEN if reason.code in draft.reasons else PLAIN
        action = partial(hands.choose, reason.code)
        plate = Plate(sheet, f"reason-{reason.code}", box, look, action=action)
        _write(sheet, sheet.place(plate), box, look, fit)
    if plan.folds:
        key = "less" if plan.unfolded else "more"
        sizes = theme.down(sheet.scaled(theme.TEXT))
        worded(
            sheet, key, plan.cells[-1], sheet.say(key), OUTLINE, action=hands.unfold, sizes=sizes
        )


def _fits(sheet: Sheet, words: list[_Cell], box: Box) -> list[list[Fit]]:
    """Fit all cells in one size; where the official words have no room below, they stay away."""
    wide, high = box.w - 28, box.h - 12
    for size in theme.down(sheet.scaled(theme.WORD)):
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


def _fit(
    sheet: Sheet, words: _Cell, sizes: tuple[int, int], room: tuple[float, float]
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


def _words(sheet: Sheet, hands: Hands, draft: Draft, box: Box) -> None:
    """Lay the field. It is made once for a citizen; the count below follows it."""
    if hands.field is None:
        hint = sheet.say("own_words", COMMENT_LIMIT)
        hands.field = Field(sheet, hint, draft.comment, hands.write)
    field = hands.field

    def lay() -> None:
        sheet.panel(box, Role.STONE)
        sheet.panel(box.inset(2, 2), Role.CARD, radius=theme.RADIUS - 2)
        sheet.place(field)
        field.lay(sheet.pixels(box.inset(18, 8)._replace(w=box.w - 36 - 90)))
        field.alive = True

    def count() -> None:
        at = Box(box.x + box.w - 112, box.y + box.h - 42, 94, 36)
        sheet.text(
            at,
            f"{len(draft.comment)}/{COMMENT_LIMIT}",
            (theme.LABEL,),
            colour=Role.QUIET,
            align=("right", "middle"),
        )

    sheet.part("field", box, lay)
    sheet.part("count", (len(draft.comment), box), count)


# ---------------------------------------------------------------- actions at the foot


def _actions(sheet: Sheet, view: View, hands: Hands, draft: Draft, foot: Box) -> None:
    """Lay one way out, the same for every level, an undo for a while, and the seconds."""
    reach = foot.h if not sheet.standing else foot.h - 76
    said = bool(draft.reasons) or bool(draft.comment.strip())
    high = min(reach - 24, 118.0)
    wide = max(320.0, sheet.target)
    middle = Box((sheet.wide - wide) / 2, foot.y, wide, reach)
    y = foot.y + (reach - high) / 2
    go: Callable[[], None] = hands.submit
    if draft.level in Rated.bad and not said:
        go = hands.skip
    sizes = theme.down(sheet.scaled(theme.WORD))

    def leave() -> None:
        words = sheet.say("send" if said else "leave")
        box = Box(middle.x, y, wide, high)
        worded(sheet, "done", box, words, PRIMARY, action=go, sizes=sizes, bold=True, reach=middle)

    sheet.part("done", (said, view.session.submitted), leave)
    side = max(sheet.target, min(250.0, (sheet.wide - wide) / 2 - MARGIN - GAP))
    allowed = view.now_ms - draft.tapped_ms <= UNDO_MS

    def undo() -> None:
        if allowed:
            low = min(high, 84.0)
            box = Box(MARGIN, foot.y + (reach - low) / 2, side - 8, low)
            area = Box(MARGIN - 8, foot.y, side + 8, reach)
            text = theme.down(sheet.scaled(theme.TEXT), theme.SMALL)
            worded(
                sheet,
                "undo",
                box,
                sheet.say("undo"),
                OUTLINE,
                action=hands.undo,
                sizes=text,
                reach=area,
            )

    sheet.part("undo", allowed, undo)
    place = Box(sheet.wide - MARGIN - 260, foot.y, 260, reach)
    if sheet.standing:
        place = Box(MARGIN, sheet.high - 76, sheet.wide - 2 * MARGIN, 64)
    frame.countdown(sheet, view, place, "center" if sheet.standing else "right")
