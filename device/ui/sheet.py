"""The sheet a picture is drawn on: places in design units, parts redrawn only on change."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from kivy.core.text import Label as Typesetter
from kivy.graphics import Color, Rectangle, SmoothRoundedRectangle
from kivy.uix.widget import Widget

from device.ui import theme, words
from device.ui.theme import Palette, Role
from device.ui.typeset import Fit, Type, fit

LANDSCAPE = (1280, 800)
PORTRAIT = (800, 1280)
_MOST_TARGET = 180.0
_Plan = TypeVar("_Plan")


class Box(NamedTuple):
    """A place on the sheet in design units, from the upper left."""

    x: float
    y: float
    w: float
    h: float

    def inset(self, across: float, along: float) -> "Box":
        """Return the place without a margin on each side."""
        return Box(self.x + across, self.y + along, self.w - 2 * across, self.h - 2 * along)


class Mode(NamedTuple):
    """How a picture is set: its colours, its language, and whether it is for 长者模式."""

    palette: Palette = theme.DAY
    english: bool = False
    elder: bool = False


class Sheet(Widget):
    """One picture. Parts are named; each is drawn anew only when its facts change.

    `wide` and `high` are its size in design units: at least 1280 x 800, or 800 x 1280 on a
    standing screen. `target` is how wide and high, in the same units, what is pressed must be;
    `millimetre` is given in pixels. `photograph` is that of the clerk of whom it tells, or None.
    """

    def __init__(
        self,
        fonts: tuple[Path, Path],
        width: int,
        height: int,
        *,
        millimetre: float,
        mode: Mode,
    ) -> None:
        super().__init__(pos=(0, 0), size=(width, height), size_hint=(None, None))
        self.mode = mode
        base = LANDSCAPE if width >= height else PORTRAIT
        self.unit = min(width / base[0], height / base[1])
        self.wide = width / self.unit
        self.high = height / self.unit
        self.standing = height > width
        # A panel smaller than any that is sold has no room for fingers and words.
        self.target = min(_MOST_TARGET, theme.TARGET_MM * millimetre / self.unit + 1)
        self.faces = tuple(str(font) for font in fonts)
        self.photograph: Any = None
        self.keys: dict[str, Any] = {}
        self._parts: dict[str, tuple[object, list[Any]]] = {}
        self._plans: dict[str, tuple[object, Any]] = {}
        self._open: list[Any] | None = None

    def say(self, key: str, *put_in: object) -> str:
        """Return words of ours in the language of this picture."""
        return words.say(key, *put_in, english=self.mode.english)

    def scaled(self, size: int) -> int:
        """Return the size of type for this picture: one step larger in 长者模式."""
        return theme.up(size) if self.mode.elder else size

    def paint(self, role: Role) -> Color:
        """Take up a colour on the open canvas; return it, for one who changes it later."""
        return Color(*self.mode.palette[role])

    # ------------------------------------------------------------ parts

    def part(self, name: str, facts: object, draw: Callable[[], None]) -> bool:
        """Draw a part by `draw` if its `facts` are new; return whether it was drawn."""
        known = self._parts.get(name)
        if known is not None and known[0] == facts:
            return False
        self._erase(name)
        self._open = []
        try:
            draw()
        finally:
            self._parts[name] = (facts, self._open)
            self._open = None
        return True

    def plan(self, name: str, facts: object, make: Callable[[], _Plan]) -> _Plan:
        """Return what `make` returned for these `facts`: a still picture measures no text."""
        known = self._plans.get(name)
        if known is None or known[0] != facts:
            known = self._plans[name] = (facts, make())
        plan: _Plan = known[1]
        return plan

    def wipe(self) -> None:
        """Take everything off the sheet; what is pressed just now no longer counts."""
        for name in list(self._parts):
            self._erase(name)

    def _erase(self, name: str) -> None:
        _, widgets = self._parts.pop(name, (None, []))
        for widget in widgets:
            self.remove_widget(widget)
        for key in [key for key, widget in self.keys.items() if widget in widgets]:
            self.keys.pop(key).alive = False

    def place(self, widget: Any) -> Any:
        """Put a widget on the sheet, as a piece of the part that is being drawn."""
        self.add_widget(widget)
        if self._open is not None:
            self._open.append(widget)
        key = getattr(widget, "key", "")
        if key:
            self.keys[key] = widget
        return widget

    # ------------------------------------------------------------ places and type

    def pixels(self, box: Box) -> tuple[int, int, int, int]:
        """Return a place as Kivy counts it: whole pixels, from the lower left."""
        left, right = round(box.x * self.unit), round((box.x + box.w) * self.unit)
        top, bottom = round(box.y * self.unit), round((box.y + box.h) * self.unit)
        return left, round(self.height) - bottom, right - left, bottom - top

    def length(self, units: float) -> int:
        """Return a length in pixels, at least one."""
        return max(1, round(units * self.unit))

    def font_px(self, size: int) -> int:
        """Return the size of type in whole pixels."""
        return max(8, round(size * self.unit))

    def line(self, size: int) -> float:
        """Return the height of a line of type of `size`, in design units."""
        return _extents(self.faces[0], self.font_px(size), "国")[1] / self.unit

    def _type(self, bold: bool) -> Type:
        face = self.faces[bold]

        def wide(text: str, size: int) -> float:
            pixels = self.font_px(size)
            return sum(_extents(face, pixels, sign)[0] for sign in text) / self.unit

        return Type(wide, self.line)

    def fit(
        self, text: str, sizes: tuple[int, ...], width: float, height: float, *, bold: bool = False
    ) -> Fit | None:
        """Return the text in the largest of `sizes` that fits, or None."""
        return fit(text, sizes, width, height, self._type(bold))

    # ------------------------------------------------------------ things to draw

    def text(
        self,
        box: Box,
        text: str,
        sizes: tuple[int, ...],
        *,
        bold: bool = False,
        colour: Role = Role.INK,
        align: tuple[str, str] = ("left", "middle"),
    ) -> "Text":
        """Write a text, whole, in the largest of `sizes` that fits the box.

        Beyond the smallest one it is written all the same, and stands out of its box.
        """
        found = self.fit(text, sizes, box.w, box.h, bold=bold)
        if found is None:
            found = self.fit(text, sizes[-1:], box.w, 1e9, bold=bold)
        if found is None:
            found = Fit((text,), sizes[-1], box.w, box.h)
        return self.write(box, found, bold=bold, colour=colour, align=align)

    def write(
        self,
        box: Box,
        found: Fit,
        *,
        bold: bool = False,
        colour: Role = Role.INK,
        align: tuple[str, str] = ("left", "middle"),
    ) -> "Text":
        """Write a text that has been fitted already."""
        widget: Text = self.place(Text(self, box, found, bold=bold, colour=colour, align=align))
        return widget

    def panel(
        self, box: Box, fill: Role, *, radius: float = theme.RADIUS, shade: Role | None = None
    ) -> "Card":
        """Draw a plain card, with a hairline of shadow under it if `shade` is given."""
        card: Card = self.place(Card(self, box, fill, radius=radius, shade=shade))
        return card

    def drawing(self, draw: Callable[[], None]) -> None:
        """Draw with Kivy's own instructions."""
        widget = Widget(size=(0, 0), size_hint=(None, None))
        with widget.canvas:
            draw()
        self.place(widget)


class Card(Widget):
    """A plain card; `fill` is what a text on it is read against."""

    def __init__(
        self, sheet: Sheet, box: Box, fill: Role, *, radius: float, shade: Role | None
    ) -> None:
        left, bottom, wide, high = sheet.pixels(box)
        super().__init__(pos=(left, bottom), size=(wide, high), size_hint=(None, None))
        self.fill = fill
        with self.canvas:
            if shade:
                sheet.paint(shade)
                rounded(sheet, box._replace(y=box.y + 3), radius)
            self._paint = sheet.paint(fill)
            rounded(sheet, box, radius)

    def dye(self, sheet: Sheet, fill: Role) -> None:
        """Change its colour; to the one that it has costs no frame."""
        if fill != self.fill:
            self.fill = fill
            self._paint.rgba = sheet.mode.palette[fill]


class Text(Widget):
    """A text as one picture of it, on whole pixels so that it stays sharp."""

    def __init__(
        self,
        sheet: Sheet,
        box: Box,
        found: Fit,
        *,
        bold: bool,
        colour: Role,
        align: tuple[str, str],
    ) -> None:
        left, bottom, wide, high = sheet.pixels(box)
        super().__init__(pos=(left, bottom), size=(wide, high), size_hint=(None, None))
        self.lines = found.lines
        self.colour = colour
        setter = Typesetter(
            text="\n".join(found.lines),
            font_size=sheet.font_px(found.size),
            font_name=sheet.faces[bold],
            halign=align[0],
        )
        setter.refresh()
        self.texture_size = setter.texture.size if setter.texture else (0, 0)
        wide_text, high_text = self.texture_size
        place = (
            left + {"left": 0.0, "center": 0.5, "right": 1.0}[align[0]] * (wide - wide_text),
            bottom + {"bottom": 0.0, "middle": 0.5, "top": 1.0}[align[1]] * (high - high_text),
        )
        self.texture_pos = (round(place[0]), round(place[1]))
        with self.canvas:
            self._paint = sheet.paint(colour)
            Rectangle(texture=setter.texture, pos=self.texture_pos, size=self.texture_size)

    def dye(self, sheet: Sheet, colour: Role) -> None:
        """Change its colour."""
        self.colour = colour
        self._paint.rgba = sheet.mode.palette[colour]


def rounded(sheet: Sheet, box: Box, radius: float) -> None:
    """Add a smooth rounded rectangle to the canvas that is open."""
    left, bottom, wide, high = sheet.pixels(box)
    corner = min(radius * sheet.unit, wide / 2, high / 2)
    SmoothRoundedRectangle(pos=(left, bottom), size=(wide, high), radius=[corner] * 4, segments=16)


@lru_cache(maxsize=8192)
def _extents(face: str, size: int, sign: str) -> tuple[int, int]:
    setter = Typesetter(font_size=size, font_name=face)
    setter.resolve_font_name()
    found: tuple[int, int] = setter.get_extents(sign)
    return found
