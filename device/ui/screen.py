"""The kiosk's one widget: given a `View`, it shows the picture of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from device.events import Event
from device.panel import Panel
from device.session import Screen
from device.ui import answers, endings, idle, invitation, notices, pairing, theme
from device.ui.board import Board
from device.ui.gallery import Gallery
from device.ui.hands import Hands
from device.ui.portrait import Photograph, Portraits
from device.ui.sheet import Mode, Sheet
from device.ui.theme import Role
from device.view import Rest, View, photograph, rest

_TEAL = frozenset({Screen.IDLE, Screen.PAUSED})
_REST: dict[Rest, Callable[[Sheet, View], None]] = {
    Rest.CONNECTING: notices.connecting,
    Rest.AWAY: notices.away,
    Rest.FETCHING: notices.fetching,
    Rest.CODE: pairing.code,
    Rest.CONFIRM: pairing.confirm,
}
_STILL: dict[Screen, Callable[[Sheet, View], None]] = {
    Screen.PAUSED: notices.paused,
    Screen.ENDING: endings.draw,
    Screen.OUT_OF_SERVICE: notices.out_of_service,
}
_ASKING: dict[Screen, Callable[[Sheet, View, Hands], None]] = {
    Screen.INVITED: invitation.draw,
    Screen.SAVING: invitation.draw,
    Screen.THANKS: answers.draw,
}


class KioskScreen(Board):
    """Shows views, and tells by `emit` what the citizen in front of it does.

    It decides nothing: what a touch means is up to `device.session`. `now` gives the time
    of a touch in monotonic milliseconds.
    """

    def __init__(
        self,
        fonts: tuple[Path, Path],
        now: Callable[[], int],
        emit: Callable[[Event], None],
        panel: Panel | None = None,
    ) -> None:
        super().__init__(fonts, panel or Panel())
        self._hands = Hands(now, emit, self._redraw)
        self._view: View | None = None
        self.gallery = Gallery(self.panel.pictures, self._redraw)
        self.portraits = Portraits(self._redraw)

    def draw(self, view: View) -> None:
        """Show `view`. Only what differs from the last one is drawn; the same, not at all."""
        if view == self._view:
            return
        self._view = view
        self._redraw()

    def _redraw(self) -> None:
        view = self._view
        if view is None:
            return
        screen = view.session.screen
        at_rest = rest(view) if screen is Screen.IDLE else None
        mode = _mode(view, evening=self.panel.is_evening(view.hub_ms))
        ground = Role.TEAL if screen in _TEAL else Role.PAPER
        sheet = self._turn((_scene(view), mode[1:], mode.palette is theme.DAY), ground, mode)
        sheet.photograph = self._photograph(view)
        if at_rest is Rest.WINDOW:
            idle.draw(sheet, view, self.gallery)
        elif at_rest is not None:
            _REST[at_rest](sheet, view)
        elif screen in _STILL:
            _STILL[screen](sheet, view)
        else:
            _ASKING[screen](sheet, view, self._hands)

    def _photograph(self, view: View) -> Photograph | None:
        """Return the photograph of the clerk of whom this picture tells.

        It is kept while pictures come that tell of nobody; beside another clerk it is not shown.
        """
        shown = self.portraits.show(view.portrait)
        invitation, settings = view.session.invitation, view.settings
        staff = invitation.staff if invitation else settings.staff if settings else None
        return shown if photograph(view, staff) else None

    def on_touch_down(self, touch: Any) -> bool:
        """Count each finger that comes down on an invitation, whatever it means."""
        if self._view is not None and self._view.session.screen is Screen.INVITED:
            self._hands.touch()
        return bool(super().on_touch_down(touch))

    def close(self) -> None:
        """End what runs beside the picture."""
        self.gallery.close()
        self.portraits.close()

    def _leave(self) -> None:
        self._hands.wipe()


def _mode(view: View, *, evening: bool) -> Mode:
    """Return how to set a picture; language and size are the citizen's, the size also the hall's.

    What hall IT reads is in Chinese and of the usual size.
    """
    session, settings = view.session, view.settings
    return Mode(
        palette=theme.EVENING if evening else theme.DAY,
        english=session.english,
        elder=session.elder or bool(settings and settings.elder),
    )


def _scene(view: View) -> object:
    """Return what must be the same for the sheet to be kept.

    New settings alone do not turn it: a citizen who is writing is not interrupted.
    """
    session = view.session
    screen = Screen.INVITED if session.screen is Screen.SAVING else session.screen
    return (
        screen,
        session.invitation,
        session.ending,
        session.shown_ms if session.invitation else 0,
        session.draft.level if session.draft and screen is not Screen.INVITED else 0,
        rest(view) if screen is Screen.IDLE else None,
        view.text_input,
    )
