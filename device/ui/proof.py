"""Proof that the window lives: its loop turns, its one input is there, and it really draws."""

from collections import deque
from collections.abc import Callable
from typing import Any

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics import Color, Rectangle
from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glReadPixels
from kivy.input.providers.mouse import MouseMotionEventProvider

SHADES = (0.02, 0.06)
"""Of the one pixel in the lower left corner, in turns: too dark a difference for an eye."""


class Proof:
    """Answers for the window, on Kivy's thread; the askers are other threads.

    Make it on Kivy's thread, when the window has its widgets.
    """

    def __init__(self) -> None:
        self._asked: deque[Callable[[], None]] = deque()
        self._waiting: list[Callable[[], None]] = []
        self._turn = 0
        with Window.canvas.after:
            self._shade = Color(SHADES[0], SHADES[0], SHADES[0], 1)
            Rectangle(pos=(0, 0), size=(1, 1))
        Window.bind(on_flip=self._flipped)

    def loop(self, alive: Callable[[], None]) -> None:
        """Ask whether Kivy's loop turns and reads its one source of touches."""
        Clock.schedule_once(lambda _: alive() if _reads_touches() else None)

    def frame(self, alive: Callable[[], None]) -> None:
        """Ask for one frame, even if nothing has changed.

        It counts when the renderer has really put into it what it was told: a renderer that is
        gone takes every order and does nothing.
        """
        self._asked.append(alive)
        Clock.schedule_once(self._draw)

    def _draw(self, _: float) -> None:
        if not self._asked:
            return
        self._waiting = list(self._asked)  # those asked before and not answered, too
        self._asked.clear()
        self._turn = 1 - self._turn
        shade = SHADES[self._turn]
        self._shade.rgb = (shade, shade, shade)
        Window.canvas.ask_update()

    def _flipped(self, *_: Any) -> None:
        """See to a frame that is drawn and about to be flipped."""
        if not self._waiting:
            return
        drawn = glReadPixels(0, 0, 1, 1, GL_RGB, GL_UNSIGNED_BYTE)
        waiting, self._waiting = self._waiting, []
        wanted = SHADES[self._turn] * 255
        if all(abs(part - wanted) < 4 for part in drawn):
            for alive in waiting:
                alive()


def _reads_touches() -> bool:
    return any(isinstance(each, MouseMotionEventProvider) for each in EventLoop.input_providers)
