"""Brings kiosk and Kivy together: one thread, one clock, one picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kivy.clock import Clock
from kivy.core.window import Window

from device.assembly import Kiosk
from device.clocks import monotonic_ms
from device.driver import Driver
from device.events import Event
from device.panel import Panel
from device.session import Screen
from device.ui import fonts
from device.ui.app import KioskApp
from device.ui.board import Board
from device.ui.environment import FRAMES_PER_S, RESTING_PER_S
from device.ui.screen import KioskScreen
from device.view import View

AT_REST = frozenset({Screen.IDLE, Screen.PAUSED, Screen.OUT_OF_SERVICE})
"""Where nothing is due by the session's clock: what ends them comes from another thread."""
REST_MS = 500
"""So often time passes there, for the clock on the wall and the sign of the line."""


class Stage:
    """Runs the kiosk in Kivy's main loop; other threads enter only through Kivy's clock.

    `watch` is called with every view that is drawn. `panel` is what the configuration says of
    the screen.
    """

    def __init__(self, kiosk: Kiosk, state: Path, panel: Panel | None = None) -> None:
        self._kiosk = kiosk
        self._panel = panel or Panel()
        self._faces = fonts.simplified_chinese(state / "fonts")
        self._driver: Driver | None = None
        self._ticked_ms = 0
        self.screen: KioskScreen | None = None
        self.watch: Callable[[View], None] = lambda _: None
        self._drain = Clock.create_trigger(lambda _: kiosk.drain())
        self._due: Any = None
        self.app = KioskApp(self._make, self._ready, self._tick)

    def run(self) -> None:
        """Show until stopped."""
        Window.bind(on_flip=self._drawn)
        try:
            self.app.run()
        finally:
            if self.screen is not None:
                self.screen.close()

    @property
    def driver(self) -> Driver | None:
        """The driver, once the window stands."""
        return self._driver

    def _make(self) -> KioskScreen:
        self.screen = KioskScreen(self._faces, monotonic_ms, self._emit, self._panel)
        return self.screen

    def _ready(self, _: Board) -> None:
        screen = self.screen
        if screen is None:
            return

        def draw(view: View) -> None:
            if view.session.screen not in AT_REST:
                self.app.pace(FRAMES_PER_S)
            screen.draw(view)
            self.watch(view)

        self._driver = self._kiosk.start(draw, self._drain, self._at)

    def _at(self, moment: int) -> None:
        """Have the picture drawn anew at `moment` (ms); the last one asked for counts."""
        if self._due is not None:
            self._due.cancel()
        left = moment - monotonic_ms()
        if left > 0:  # Kivy counts from the frame before, and may come a little early
            self._due = Clock.schedule_once(lambda _: self._at(moment), left / 1000)
        elif self._driver is not None:
            self._driver.redraw()

    def _emit(self, event: Event) -> None:
        if self._driver is not None:
            self._driver.handle(event)

    def _tick(self) -> None:
        driver, now = self._driver, monotonic_ms()
        if driver is None:
            return
        if driver.session.screen in AT_REST:
            if now - self._ticked_ms < REST_MS:
                return
            self.app.pace(RESTING_PER_S)  # by now the change to this picture is over
        self._ticked_ms = now
        driver.tick()

    def _drawn(self, *_: object) -> None:
        if self._driver is not None:
            self._driver.frame_drawn()
