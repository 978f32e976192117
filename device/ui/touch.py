"""A finger for tests and the demo's scripted citizens: real touches, by the way of a real one.

The press enters where SDL's mouse events enter, so that it passes the one input provider,
the event loop's queue, the window and the widgets; it counts as often as a person's would.
"""

from typing import Any


def press(window: Any, x: float, y: float, button: str = "left") -> None:
    """Put a finger down at `x`, `y` (pixels from the lower left). On Kivy's thread.

    A finger comes as the left `button` of a mouse; a mouse also has others.
    """
    window.dispatch("on_mouse_down", *_system(window, x, y), button, [])


def lift(window: Any, x: float, y: float, button: str = "left") -> None:
    """Take the finger off at `x`, `y`. On Kivy's thread."""
    left, top = _system(window, x, y)
    window.dispatch("on_mouse_move", left, top, [])
    window.dispatch("on_mouse_up", left, top, button, [])


def tap(window: Any, x: float, y: float) -> None:
    """Touch `x`, `y` once; widgets learn of it in the next frame. On Kivy's thread."""
    press(window, x, y)
    lift(window, x, y)


def _system(window: Any, x: float, y: float) -> tuple[float, float]:
    """Return the point as SDL counts it: in window units, from the upper left."""
    wide, high = window.system_size
    return x * wide / window.width, high - 1 - y * high / window.height
