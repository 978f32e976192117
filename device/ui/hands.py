"""What the citizen's hands do to a picture, and the little that a picture keeps of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from device.events import (
    Choose,
    Enlarge,
    Event,
    Skip,
    Speak,
    Stay,
    Submit,
    Tap,
    Touch,
    Undo,
    Write,
)


class Hands:
    """Turns touches into events. `field` and `unfolded` live as long as one scene."""

    def __init__(
        self, now: Callable[[], int], emit: Callable[[Event], None], redraw: Callable[[], None]
    ) -> None:
        self._now = now
        self._emit = emit
        self._redraw = redraw
        self.unfolded = False
        self.field: Any = None

    def wipe(self) -> None:
        """Forget what the last citizen wrote and unfolded."""
        self.unfolded = False
        field, self.field = self.field, None
        if field is not None:
            field.close()

    def unfold(self) -> None:
        """展开更多, or 收起: show all reasons, or the first ones."""
        self.unfolded = not self.unfolded
        self._emit(Stay(self._now(), moved=True))
        self._redraw()

    def stay(self) -> None:
        """Read on: the time begins anew."""
        self._emit(Stay(self._now()))

    def touch(self) -> None:
        """Put a finger down, wherever it is."""
        self._emit(Touch(self._now()))

    def tap(self, invitation: str, level: int) -> Callable[[], None]:
        """Put a finger down on a level; return what lifting it there does.

        What counts is the moment at which it came down: it was meant for what was seen then.
        """
        return partial(self._emit, Tap(self._now(), invitation, level))

    def speak(self, english: bool) -> None:
        """Change the language."""
        self._emit(Speak(self._now(), english))

    def enlarge(self, elder: bool) -> None:
        """Change the size."""
        self._emit(Enlarge(self._now(), elder))

    def choose(self, code: str) -> Callable[[], None]:
        """Put a finger down on a reason; return, as all of these do, what lifting it there does.

        When it came down is told too: it was meant for what was seen then.
        """
        return self._pressed(lambda now, down: Choose(now, code, down=down))

    def write(self, text: str) -> None:
        """Change the citizen's own words."""
        self._emit(Write(self._now(), text))

    def submit(self) -> Callable[[], None]:
        """Be done."""
        return self._pressed(lambda now, down: Submit(now, down=down))

    def skip(self) -> Callable[[], None]:
        """Be done without a reason."""
        return self._pressed(lambda now, down: Skip(now, down=down))

    def undo(self) -> Callable[[], None]:
        """选错了，重选."""
        return self._pressed(lambda now, down: Undo(now, down=down))

    def _pressed(self, made: Callable[[int, int], Event]) -> Callable[[], None]:
        down = self._now()
        return lambda: self._emit(made(self._now(), down))
