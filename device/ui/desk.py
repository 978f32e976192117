"""Brings an enrolment and its picture together; the conversation enters by Kivy's clock."""

from collections import deque
from collections.abc import Callable
from pathlib import Path

from kivy.clock import Clock

from device.enrolling import Enrolling
from device.ui import fonts
from device.ui.app import KioskApp
from device.ui.board import Board
from device.ui.enrolment import EnrolmentScreen
from device.view import EnrolmentView


class EnrolmentStage:
    """Shows an enrolment until it is over. `watch` is called with every view that is drawn."""

    def __init__(self, enrolling: Enrolling, state: Path) -> None:
        self._enrolling = enrolling
        self._faces = fonts.simplified_chinese(state / "fonts")
        self._views: deque[EnrolmentView] = deque()
        self._drain = Clock.create_trigger(self._draw)
        self._end = Clock.create_trigger(self._stop)
        self.screen: EnrolmentScreen | None = None
        self.watch: Callable[[EnrolmentView], None] = lambda _: None
        self.app = KioskApp(self._make, self._ready)

    def run(self) -> None:
        """Show until the enrolment is over, or the window is closed."""
        self.app.run()

    def _make(self) -> EnrolmentScreen:
        self.screen = EnrolmentScreen(self._faces)
        return self.screen

    def _ready(self, _: Board) -> None:
        self._enrolling.start(self._tell, self._end)

    def _tell(self, view: EnrolmentView) -> None:
        """Take a picture on the conversation's thread."""
        self._views.append(view)
        self._drain()

    def _stop(self, _: float) -> None:
        self.app.stop()

    def _draw(self, _: float) -> None:
        while self._views:
            view = self._views.popleft()
            if self.screen is not None:
                self.screen.draw(view)
                self.watch(view)
