"""The kiosk's one widget: given a `View`, it shows the picture of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kivy.animation import Animation
from kivy.graphics import Color, Rectangle
from kivy.uix.floatlayout import FloatLayout

from device.events import Event
from device.session import Screen
from device.ui import answers, idle, invitation, notices, theme
from device.ui.hands import Hands
from device.ui.sheet import Sheet
from device.view import View

_TEAL = frozenset({Screen.IDLE, Screen.PAUSED})
_STILL: dict[Screen, Callable[[Sheet, View], None]] = {
    Screen.IDLE: idle.draw,
    Screen.PAUSED: notices.paused,
    Screen.OUT_OF_SERVICE: notices.out_of_service,
}
_ASKING: dict[Screen, Callable[[Sheet, View, Hands], None]] = {
    Screen.INVITED: invitation.draw,
    Screen.SAVING: invitation.draw,
    Screen.REASONS: answers.reasons,
    Screen.THANKS: answers.thanks,
}


class KioskScreen(FloatLayout):
    """Shows views, and tells by `emit` what the citizen in front of it does.

    It decides nothing: what a touch means is up to `device.session`. `now` gives the time
    of a touch in monotonic milliseconds. All of it belongs to Kivy's thread.
    """

    def __init__(
        self,
        fonts: tuple[Path, Path],
        now: Callable[[], int],
        emit: Callable[[Event], None],
    ) -> None:
        super().__init__()
        self._fonts = fonts
        self._hands = Hands(now, emit, self._redraw)
        self._view: View | None = None
        self._scene: object = None
        self._sheet: Sheet | None = None
        with self.canvas.before:
            self._ground = Color(*theme.TEAL)
            self._floor = Rectangle(pos=self.pos, size=self.size)

    def draw(self, view: View) -> None:
        """Show `view`. Only what differs from the last one is drawn; the same, not at all."""
        if view == self._view:
            return
        self._view = view
        self._redraw()

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
        if not hasattr(self, "_floor"):
            return
        self._floor.size = self.size
        self._scene = None
        if self._view is not None:
            self._redraw()

    def _redraw(self) -> None:
        view = self._view
        if view is None:
            return
        scene = _scene(view)
        if scene != self._scene or self._sheet is None:
            sheet = self._turn(scene, view)
        else:
            sheet = self._sheet
        screen = view.session.screen
        if screen is Screen.IDLE and view.settings is None:
            notices.connecting(sheet)
        elif screen in _STILL:
            _STILL[screen](sheet, view)
        else:
            _ASKING[screen](sheet, view, self._hands)

    def _turn(self, scene: object, view: View) -> Sheet:
        """Wipe the sheet and lay a new one: nothing of the last picture is carried over."""
        first = self._scene is None
        if self._sheet is not None:
            Animation.cancel_all(self._sheet)
            self._sheet.wipe()
            self.remove_widget(self._sheet)
        self._hands.wipe()
        self._scene = scene
        self._ground.rgba = theme.TEAL if view.session.screen in _TEAL else theme.PAPER
        self._sheet = sheet = Sheet(self._fonts, round(self.width), round(self.height))
        self.add_widget(sheet)
        if not first:
            sheet.opacity = 0.2
            Animation(opacity=1, duration=theme.FADE_S).start(sheet)
        return sheet


def _scene(view: View) -> object:
    """Return what must be the same for the sheet to be kept.

    New settings alone do not turn it: a citizen who is writing is not interrupted.
    """
    session = view.session
    screen = Screen.INVITED if session.screen is Screen.SAVING else session.screen
    return (
        screen,
        session.invitation,
        session.shown_ms if session.invitation else 0,
        session.draft.level if session.draft and screen is not Screen.INVITED else 0,
        screen is Screen.IDLE and view.settings is None,
        view.text_input,
    )
