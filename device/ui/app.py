"""The Kivy application around the one widget: it runs it, ticks, and takes its picture."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kivy.app import App
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glFinish, glReadPixels
from kivy.lang import Builder

from device.ui.board import Board

TICKS_PER_S = 10


class KioskApp(App):
    """Runs a `Board` until `stop`.

    `make` builds the screen once there is a window, `on_ready` is called with it, and then
    `on_tick` ten times a second, all of them on Kivy's thread. `frames` counts the pictures
    that were really drawn: the watchdog is fed by it, not by a living process.
    """

    def __init__(
        self,
        make: Callable[[], Board],
        on_ready: Callable[[Board], None],
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.use_kivy_settings = False
        self.title = "评议"
        self.frames = 0
        self._make = make
        self._ready = on_ready
        self._on_tick = on_tick

    def build(self) -> Board:
        """Build the screen; Kivy asks for it once."""
        Window.bind(on_flip=self._drawn)
        self.screen = self._make()
        return self.screen

    def on_start(self) -> None:
        """Begin to tick."""
        self._ready(self.screen)
        if self._on_tick is not None:
            self._ticking = Clock.schedule_interval(self._tick, 1 / TICKS_PER_S)

    def open_settings(self, *_: Any) -> bool:
        """Refuse: a kiosk has no F1."""
        return False

    def screenshot(self, path: Path) -> None:
        """Save what the window shows now as a PNG. On Kivy's thread; about 50 ms."""
        path.write_bytes(png(*self.pixels()))

    def pixels(self) -> tuple[int, int, bytes]:
        """Draw a frame and return its width, height and RGB bytes, from the bottom row up."""
        self.screen.settle()
        Builder.sync()  # the order in which Kivy's own loop comes to a drawing
        Clock.tick_draw()
        Builder.sync()
        Window.dispatch("on_draw")
        wide, high = (int(length) for length in Window.size)
        rows = glReadPixels(0, 0, wide, high, GL_RGB, GL_UNSIGNED_BYTE)
        self.redraw()  # this frame was not flipped: without another, the display would lag
        return wide, high, rows

    def pace(self, turns: int) -> None:
        """Have Kivy's loop turn at most so many times a second from now on."""
        Clock._max_fps = turns  # Kivy reads its `maxfps` only once

    def redraw(self) -> None:
        """Ask for one frame though nothing changed: a proof of life for the watchdog."""
        Window.canvas.ask_update()

    def _tick(self, _: float) -> None:
        if self._on_tick is not None:
            self._on_tick()

    def _drawn(self, *_: Any) -> None:
        # An offscreen window is never swapped: its renderer would keep every frame, and what was
        # drawn with it, for good. Anywhere else it means that no frame waits behind another.
        glFinish()
        self.frames += 1


def png(wide: int, high: int, rows: bytes) -> bytes:
    """Return RGB rows, the bottom one first, as a PNG (ISO/IEC 15948)."""
    row = 3 * wide
    lines = b"".join(b"\0" + rows[at * row : (at + 1) * row] for at in range(high - 1, -1, -1))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 3)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
