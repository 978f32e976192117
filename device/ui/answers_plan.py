"""Where everything stands after the tap; lengths in design units."""

from typing import NamedTuple

from device.ui.reasons import Offered
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, MARGIN

_TOP = 64
_CLOSE = 122
_WIDE_TITLE = 236
_LEAST_FIELD = 124
_MOST_FIELD = 176
_MOST_CELL = 220
_MOST_BESIDE = 240
"""So high is a cell at most, and beside the citizen's own page, with which it ends."""
_ASIDE = 300
_AIR = 12
_SPARE = 48
"""Above and below the cells, where fingers leave so much."""
_GOOD_CELL = 150
"""Before cells get lower, the title gives way."""
_PAGE = 240
"""How high the way to the citizen's own page is on a standing screen."""


class _Grid(NamedTuple):
    """Equal cells: so many in a row, so many rows, and how high each is."""

    across: int
    down: int
    cell: float

    @property
    def high(self) -> float:
        return self.down * (self.cell + GAP) - GAP


class Plan:
    """The places of title, cells, field, own page and actions.

    Reasons and what folds them are equal cells, at least as large as a finger needs, in as few
    columns as the room allows. What a citizen may add beside them (`page`, where `paged`, and
    `field`, where `typed`) stands where it has room while all reasons are unfolded, and is still
    there, in the same place, when they are.
    """

    def __init__(self, sheet: Sheet, offered: Offered, *, paged: bool, typed: bool) -> None:
        self._sheet = sheet
        self._most = _MOST_BESIDE if paged and not sheet.standing else _MOST_CELL
        reach = max(sheet.target, 104.0)
        bar = reach + (76 if sheet.standing else 0)
        self.foot = Box(0, sheet.high - bar, sheet.wide, bar)
        self.page: Box | None = None
        self.field: Box | None = None
        self.cells: tuple[Box, ...] = ()
        roomy = not (offered.unfolded or paged or typed)
        grid = None
        for close in (False, True) if roomy else (True,):
            self.close = close
            area = self._titled()
            area, under = self._beside(area, offered, paged=paged, typed=typed)
            room = area.h - under
            grid = self._grid(area, offered.cells, room, unfolded=offered.unfolded)
            if grid is not None and (self.close or grid.cell >= _GOOD_CELL):
                break
        grid = grid or self._least(area, offered.cells, room)
        self._lay(area, offered.cells, grid, under)

    def _titled(self) -> Box:
        """Place the title, and return what is left between it and the foot."""
        wide = self._sheet.wide - 2 * MARGIN
        high = _CLOSE if self.close else _WIDE_TITLE
        self.title = Box(MARGIN, _TOP, wide, high)
        top = _TOP + high + (_AIR if self._most == _MOST_BESIDE else 0)
        return Box(MARGIN, top, wide, self.foot.y - 14 - top)

    def _beside(
        self, area: Box, offered: Offered, *, paged: bool, typed: bool
    ) -> tuple[Box, float]:
        """Place page and field; return the area for reasons, and what of it is not for them."""
        if self._sheet.standing:
            return area, self._below(area, offered, paged=paged, typed=typed)
        under = _LEAST_FIELD + GAP if typed else 0
        narrow = area._replace(w=area.w - _ASIDE - GAP)
        most = offered.most
        rest = narrow if paged else area
        beneath = not typed or self._grid(rest, most, rest.h - under, unfolded=True) is not None
        if not paged and beneath:
            return area, under
        side = Box(area.x + area.w - _ASIDE, area.y, _ASIDE, area.h)
        if beneath:
            self.page = side
            return narrow, under
        if paged:
            self.page = side._replace(h=side.h - _LEAST_FIELD - GAP)
            side = side._replace(y=side.y + side.h - _LEAST_FIELD, h=_LEAST_FIELD)
        self.field, self._most = side, _MOST_BESIDE
        return narrow, 0

    def _below(self, area: Box, offered: Offered, *, paged: bool, typed: bool) -> float:
        """Place page and field at the foot of a standing screen; return how high they are."""
        grid = self._least(area, offered.most, area.h)
        left = area.h - grid.down * (self._sheet.target + GAP)
        bottom = area.y + area.h
        if paged:
            high = min(_PAGE, left - (_LEAST_FIELD + GAP if typed else 0))
            self.page = Box(area.x, bottom - high, area.w, high)
            bottom -= high + GAP
            left -= high + GAP
        if typed:
            high = min(_MOST_FIELD, left)
            self.field = Box(area.x, bottom - high, area.w, high)
            bottom -= high + GAP
        return area.y + area.h - bottom

    def _columns(self, count: int, wide: float, *, unfolded: bool) -> tuple[int, ...]:
        if self._sheet.standing:
            return (2, 3) if unfolded else (2,)
        if unfolded:
            return (3, 5) if count > 4 else (count or 1,)
        narrow = self._sheet.mode.elder or wide < self._sheet.wide - 2 * MARGIN
        return (2, 4) if narrow else (4,)

    def _grid(self, area: Box, count: int, room: float, *, unfolded: bool) -> _Grid | None:
        """Return the fewest columns whose cells are large enough for fingers, or None."""
        least = self._sheet.target - 1
        for across in self._columns(count, area.w, unfolded=unfolded):
            down = max(1, -(-count // across))
            cell = min(self._most, (room + GAP) / down - GAP)
            if self._most != _MOST_BESIDE:
                cell = max(
                    min(cell, (room - _SPARE + GAP) / down - GAP), min(cell, self._sheet.target)
                )
            if min(cell, (area.w + GAP) / across - GAP) >= least and not (
                unfolded and count % across == 1
            ):
                return _Grid(across, down, cell)
        return None

    def _least(self, area: Box, count: int, room: float) -> _Grid:
        """Return the most columns, for a panel that is too small."""
        across = self._columns(count, area.w, unfolded=count > 4)[-1]
        down = max(1, -(-count // across))
        return _Grid(across, down, min(self._most, (room + GAP) / down - GAP))

    def _lay(self, area: Box, count: int, grid: _Grid, under: float) -> None:
        field = 0.0
        if under and self.field is None and not self._sheet.standing:
            left = area.h - grid.high - GAP
            field = min(_MOST_FIELD, max(_LEAST_FIELD, left - _SPARE))
        rest = area.h - grid.high - (field + GAP if field else 0)
        spare = rest - (under if not field else 0)
        y = area.y + max(0.0, (0.5 if self.page else 0.4) * spare)
        wide = (area.w + GAP) / grid.across - GAP
        self.cells = tuple(
            Box(
                area.x + at % grid.across * (wide + GAP),
                y + at // grid.across * (grid.cell + GAP),
                wide,
                grid.cell,
            )
            for at in range(count)
        )
        if field:
            self.field = Box(area.x, y + grid.high + GAP, area.w, field)
