"""The widget on which sheets lie: one at a time, turned over for the next picture."""

from pathlib import Path
from typing import Any

from kivy.animation import Animation
from kivy.core.window import Window
from kivy.uix.floatlayout import FloatLayout

from device.panel import Panel
from device.ui import theme
from device.ui.sheet import Mode, Sheet
from device.ui.theme import Role


class Board(FloatLayout):
    """Fills the window with one sheet on a ground. All of it belongs to Kivy's thread."""

    def __init__(self, fonts: tuple[Path, Path], panel: Panel) -> None:
        super().__init__()
        self._fonts = fonts
        self.panel = panel
        self.ground = Role.TEAL
        self._scene: object = None
        self._sheet: Sheet | None = None
        self._lay(theme.DAY[self.ground])

    def find(self, key: str) -> Any:
        """Return the button or field named `key` if it is on the screen now, else None."""
        return self._sheet.keys.get(key) if self._sheet else None

    def texts(self) -> list[Any]:
        """Return every text on the screen now, as widgets with `lines` and `texture_size`."""
        return [found for found in self.walk() if hasattr(found, "texture_size")]

    def settle(self) -> None:
        """End a change of pictures at once, for one who is about to take a screenshot."""
        if self._sheet:
            Animation.cancel_all(self._sheet)
            self._sheet.opacity = 1

    def on_size(self, *_: Any) -> None:
        """Set the picture anew for the new size."""
        if not hasattr(self, "_sheet"):
            return
        self._scene = None
        self._redraw()

    def _lay(self, ground: theme.Colour) -> None:
        """Have each frame begin with this colour: a painted ground costs more than the picture."""
        Window.clearcolor = ground

    def _redraw(self) -> None:
        raise NotImplementedError

    def _leave(self) -> None:
        """The sheet is being wiped: forget what belonged to it."""

    def _turn(self, scene: object, ground: Role, mode: Mode) -> Sheet:
        """Return the sheet of `scene`.

        For another scene than before it is a new one: nothing of the last picture is carried
        over.
        """
        if scene == self._scene and self._sheet is not None:
            return self._sheet
        first = self._scene is None
        if self._sheet is not None:
            Animation.cancel_all(self._sheet)
            self._sheet.wipe()
            self.remove_widget(self._sheet)
        self._leave()
        self._scene = scene
        self.ground = ground
        self._lay(mode.palette[ground])
        wide, high = round(self.width), round(self.height)
        millimetre = self.panel.millimetre(wide, high)
        self._sheet = sheet = Sheet(self._fonts, wide, high, millimetre=millimetre, mode=mode)
        self.add_widget(sheet)
        if not first:
            sheet.opacity = 0.2
            Animation(opacity=1, duration=theme.FADE_S).start(sheet)
        return sheet
