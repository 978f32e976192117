"""The plain pictures around the real ones: while the kiosk starts, mends itself, or rests.

Only Kivy's window and its text are imported here, and only in the functions: the first picture
must not wait for disk, keys, network and widgets.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any

from device.ui import theme
from device.ui.theme import Role

FONTS = Path("/usr/share/fonts/opentype/noto")
"""The collection as it comes: before the first start has taken our typefaces out of it."""


class Words(StrEnum):
    """All that a plain picture says; nothing of a citizen, nothing of what went wrong."""

    STARTING = "请稍候"
    RECOVERING = "请稍候，正在恢复"
    HALTED = "暂停服务"


class NoWindow(Exception):
    """There is no display, or no renderer, that a window could be opened on."""


class Splash:
    """Draws plain pictures into Kivy's window, on its thread. Opens the window.

    `faces` is where the kiosk keeps its typefaces. Without any typeface the ground is drawn
    alone: the error that follows says what to install.
    """

    def __init__(self, faces: Path) -> None:
        from kivy.core.window import Window  # noqa: PLC0415 - opens it

        if Window is None:
            raise NoWindow("no window could be opened")
        self._window = Window
        self._faces = faces
        self._group: Any = None

    def show(self, words: Words) -> None:
        """Replace whatever the window shows, at once: one frame is drawn and flipped."""
        from kivy.graphics import Color, InstructionGroup, Rectangle  # noqa: PLC0415

        window = self._window
        self.strip()
        wide, high = window.size
        self._group = group = InstructionGroup()
        group.add(Color(*theme.DAY[Role.TEAL]))
        group.add(Rectangle(pos=(0, 0), size=(wide, high)))
        text = _text(words, _font(self._faces), min(wide, high) / 9)
        if text is not None:
            group.add(Color(*theme.DAY[Role.LIGHT]))
            place = ((wide - text.width) / 2, (high - text.height) / 2)
            group.add(Rectangle(pos=place, size=text.size, texture=text))
        window.canvas.add(group)
        window.dispatch("on_draw")
        window.dispatch("on_flip")

    def strip(self) -> None:
        """Take everything off the window: the picture of this, and all widgets."""
        for child in self._window.children[:]:
            self._window.remove_widget(child)
        self._window.canvas.before.clear()
        self._window.canvas.after.clear()
        self.clear()

    def clear(self) -> None:
        """Take this picture off, for the widgets that stand in the window now."""
        if self._group is not None:
            self._window.canvas.remove(self._group)
            self._group = None


def _font(faces: Path) -> Path | None:
    made = sorted(faces.glob("NotoSansSC-Bold-*.otf"))
    plain = FONTS / "NotoSansCJK-Bold.ttc"
    return made[-1] if made else plain if plain.exists() else None


def _text(words: Words, font: Path | None, size: float) -> Any:
    """Return the words as a texture; None where there is no typeface to draw them with."""
    if font is None:
        return None
    from kivy.core.text import Label  # noqa: PLC0415

    label = Label(text=words.value, font_name=str(font), font_size=size)
    label.refresh()
    return label.texture
