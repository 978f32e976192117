"""What a finger can press, and the field for the citizen's own words."""

from collections.abc import Callable
from typing import Any, NamedTuple

from kivy.cache import Cache
from kivy.graphics import PopMatrix, PushMatrix, Translate
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget

from device.ui import theme
from device.ui.sheet import Box, Card, Sheet, rounded
from device.ui.theme import Role
from protocol.messages import readable

COMMENT_LIMIT = 150
FIELD_AIR = 4


class Look(NamedTuple):
    """The colours of a button; `shade` is the hairline of shadow that it sinks into."""

    fill: Role
    edge: Role
    ink: Role
    shade: Role | None = None
    edge_width: float = 2


PLAIN = Look(Role.CARD, Role.EDGE, Role.INK, Role.SHADE)
CHOSEN = Look(Role.ACTION, Role.ACTION, Role.ACTION_INK, Role.ACTION_DEEP)
PRIMARY = CHOSEN
OUTLINE = Look(Role.PAPER, Role.STONE, Role.INK)
FLAT = Look(Role.SUNK, Role.EDGE, Role.INK)
"""Of whatever takes no press yet."""


class Plate(Widget):
    """A surface that acts once for each touch that goes down and comes up on it.

    A finger that slides off takes its touch back. `alive` is False once it is off the screen.
    `reach` is where a finger counts, if that is more than what is seen. Where the moment of the
    touch matters, `begin` is called instead of `action` when a finger comes down, and what it
    returns when that finger comes up. A plate with neither is inert. One that is not `up` lies
    flat and does not sink: `action` is not called, `begin` is, so that the press can be counted.
    """

    def __init__(
        self,
        sheet: Sheet,
        key: str,
        box: Box,
        look: Look,
        *,
        action: Callable[[], None] | None = None,
        begin: Callable[[], Callable[[], None]] | None = None,
        sunk: bool = False,
        reach: Box | None = None,
    ) -> None:
        left, bottom, wide, high = sheet.pixels(box)
        super().__init__(pos=(left, bottom), size=(wide, high), size_hint=(None, None))
        self.key = key
        self.fill = look.fill
        self.reach = sheet.pixels(reach or box)
        self.alive = True
        self.action = action
        self.begin = begin
        self.up = True
        self._look = look
        self._depth = sheet.length(theme.SINK)
        with self.canvas.before:
            self._shade = sheet.paint(look.shade) if look.shade else None
            if look.shade:
                rounded(sheet, box._replace(y=box.y + theme.SINK), theme.RADIUS)
            PushMatrix()
            self._shift = Translate(0, -self._depth if sunk else 0)
        with self.canvas:
            self._edge = sheet.paint(look.edge)
            rounded(sheet, box, theme.RADIUS)
            self._fill = sheet.paint(look.fill)
            inner = box.inset(look.edge_width, look.edge_width)
            rounded(sheet, inner, theme.RADIUS - look.edge_width)
        with self.canvas.after:
            PopMatrix()

    def stand(self, sheet: Sheet, *, up: bool, flat: Look = FLAT) -> None:
        """Rise from the paper, ready to be pressed, or lie `flat` in it; no word moves."""
        if up == self.up:
            return
        self.up = up
        look = self._look if up else flat
        self.fill = look.fill
        self._fill.rgba = sheet.mode.palette[look.fill]
        self._edge.rgba = sheet.mode.palette[look.edge]
        if self._shade is not None:
            self._shade.a = 1 if up else 0
        for text in self.children:
            text.dye(sheet, look.ink)

    def collide_point(self, x: float, y: float) -> bool:
        """Whether a finger at this place means this button."""
        left, bottom, wide, high = self.reach
        return bool(left <= x < left + wide and bottom <= y < bottom + high)

    def on_touch_down(self, touch: Any) -> bool:
        """Sink under a finger, or the left button of a mouse: no other one means anything."""
        inert = self.begin is None and (self.action is None or not self.up)
        if inert or getattr(touch, "button", "left") != "left":
            return False
        if not self.collide_point(*touch.pos):
            return False
        touch.grab(self)
        touch.ud[self] = self.begin() if self.begin is not None else self.action
        if self.up:
            self._shift.y = -self._depth
        return True

    def on_touch_up(self, touch: Any) -> bool:
        """Rise again, and act if the finger is still here."""
        if touch.grab_current is not self:
            return False
        touch.ungrab(self)
        self._shift.y = 0
        act = touch.ud.pop(self, None)
        inert = self.action is None and self.begin is None  # by now: the answer is being saved
        if act is not None and self.alive and not inert and self.collide_point(*touch.pos):
            act()
        return True


def worded(
    sheet: Sheet,
    key: str,
    box: Box,
    words: str,
    look: Look,
    *,
    action: Callable[[], None] | None = None,
    begin: Callable[[], Callable[[], None]] | None = None,
    sizes: tuple[int, ...] = theme.down(theme.TEXT),
    bold: bool = False,
    reach: Box | None = None,
) -> None:
    """Put a button with words on the sheet."""
    button = sheet.place(Plate(sheet, key, box, look, action=action, begin=begin, reach=reach))
    within(sheet, button, box.inset(16, 4), words, look, sizes=sizes, bold=bold)


def within(
    sheet: Sheet,
    button: Plate,
    box: Box,
    words: str,
    look: Look,
    *,
    sizes: tuple[int, ...],
    bold: bool = False,
    align: str = "center",
) -> None:
    """Write words on a button, so that they sink with it."""
    on_button(
        sheet,
        button,
        sheet.text(box, words, sizes, bold=bold, colour=look.ink, align=(align, "middle")),
    )


def on_button(sheet: Sheet, button: Plate, text: Any) -> None:
    """Move a text from the sheet onto a button."""
    sheet.remove_widget(text)
    button.add_widget(text)


class Field(TextInput):
    """The citizen's own words: at most 150 signs, kept exactly as they are typed.

    Nothing can be copied out of it or pasted into it: the clipboard would carry one
    citizen's words to the next. While `ready` is False no finger opens it. `paper` is the card
    that it lies on.
    """

    def __init__(self, sheet: Sheet, hint: str, text: str, changed: Callable[[str], None]) -> None:
        colours = sheet.mode.palette
        super().__init__(
            multiline=True,
            replace_crlf=False,
            write_tab=False,
            use_bubble=False,
            use_handles=False,
            allow_copy=False,
            cursor_blink=False,
            font_name=sheet.faces[0],
            font_size=sheet.font_px(sheet.scaled(theme.TEXT)),
            padding=[sheet.length(FIELD_AIR)] * 4,
            background_color=(0, 0, 0, 0),
            foreground_color=colours[Role.INK],
            hint_text_color=colours[Role.QUIET],
            cursor_color=colours[Role.TICK],
            selection_color=(*colours[Role.TICK][:3], 0.2),
            cursor_width=sheet.length(2),
            size_hint=(None, None),
        )
        self.hint_text = hint  # both after the typeface, or they are drawn in Kivy's own
        self.text = text
        self.key = "comment"
        self.alive = True
        self.ready = True
        self.paper: Card | None = None
        self._changed = changed
        self.bind(text=self._tell)

    def insert_text(self, substring: str, from_undo: bool = False) -> None:
        """Take what is typed, up to the limit and without unseen signs."""
        room = COMMENT_LIMIT - len(self.text) + len(self.selection_text)
        super().insert_text(readable(substring)[: max(0, room)], from_undo=from_undo)

    def copy(self, data: str = "") -> None:
        """Refuse: see the class."""

    def cut(self) -> None:
        """Delete what is selected, and keep it nowhere."""
        self.delete_selection()

    def paste(self) -> None:
        """Refuse: see the class."""

    def lay(self, box: tuple[int, int, int, int]) -> None:
        """Take this place (pixels), and show what is written at once, not a frame later.

        Only whole lines are seen, and the one that is being written is among them.
        """
        left, bottom, wide, high = box
        self.size = wide, high
        self._refresh_text_from_property()
        edges = self.padding[1] + self.padding[3]
        spare = int(max(0, high - edges) % self._step) if high - edges >= self._step else 0
        self.pos, self.size = (left, bottom + spare // 2), (wide, high - spare)
        self._refresh_text_from_property()
        self._refresh_hint_text()
        self._adjust_viewport(*self.cursor)
        self._update_graphics()

    @property
    def _step(self) -> float:
        """How far one line is below the other, in pixels."""
        return float(self.line_height + self.line_spacing)

    def on_touch_down(self, touch: Any) -> bool:
        """Take a finger; a middle button would paste what another program has selected."""
        if not self.ready or getattr(touch, "button", "left") != "left":
            return False
        return bool(super().on_touch_down(touch))

    def _tell(self, _: Any, text: str) -> None:
        if self.alive:
            self._changed(text)

    def close(self) -> None:
        """Let go of the keyboard, and forget the words, Kivy's own copies included."""
        self.alive = False
        self.focus = False
        self.text = ""
        self.reset_undo()
        for name in ("textinput.label", "textinput.width"):
            Cache.remove(name)
