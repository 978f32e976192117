"""The real kiosk under a stopwatch: wired as in production, it tells when what was drawn.

Times are `time.monotonic_ns`, which on Linux is one clock for all processes. A frame counts
when it was flipped and the renderer has finished (`glFinish`).
"""

import json
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from bench.stand import say
from device import config as configuration
from device import kiosk
from device.session import Screen
from device.splash import Splash, Words


class Probe:
    """Reports as they are seen the first frame of the kiosk's own screen, invitations and thanks.

    Presses where it is told.
    """

    def __init__(self, stage: Any) -> None:
        from kivy.core.window import Window  # noqa: PLC0415 - Kivy is prepared by now

        self._stage = stage
        self._window = Window
        self._orders: deque[str] = deque()
        self._seen = ""
        self._begun = False
        after_flip(Window, self._look)
        at_input(Window, self._press)
        outbox = stage._kiosk.keeper._outbox
        keep = outbox.keep

        def kept(*arguments: Any, **named: Any) -> None:
            start = time.monotonic_ns()
            keep(*arguments, **named)
            now = time.monotonic_ns()
            say(committed=now, took=now - start)

        outbox.keep = kept
        threading.Thread(target=self._listen, daemon=True).start()

    def _look(self, at: int) -> None:
        driver = self._stage.driver
        if driver is None:
            return
        if not self._begun:
            self._begun = True
            say(frame=at)
        session = driver.session
        name = f"{session.screen} {session.invitation.id if session.invitation else ''}"
        if name == self._seen:
            return
        self._seen = name
        if session.screen is Screen.INVITED and session.invitation:
            say(invited=session.invitation.id, at=at)
        else:
            say(**{str(session.screen): True, "at": at})

    def _listen(self) -> None:
        for line in sys.stdin:
            self._orders.append(json.loads(line)["tap"])

    def _press(self) -> None:
        from device.ui import touch  # noqa: PLC0415

        while self._orders:
            button = self._stage.screen.find(self._orders.popleft())
            touch.tap(self._window, *button.to_window(*button.center))


def after_flip(window: Any, look: Any) -> None:
    """Have `look(now)` called when a frame is really there."""
    from kivy.graphics.opengl import glFinish  # noqa: PLC0415

    flip = window.flip

    def flipped() -> None:
        flip()
        glFinish()
        look(time.monotonic_ns())

    window.flip = flipped


def at_splash() -> None:
    """Report when 请稍候, which comes before everything else, is really there."""
    show = Splash.show

    def shown(splash: Splash, words: Words) -> None:
        from kivy.graphics.opengl import glFinish  # noqa: PLC0415 - Kivy is prepared by now

        show(splash, words)
        glFinish()
        say(splash=time.monotonic_ns())

    Splash.show = shown  # type: ignore[method-assign]


def at_input(window: Any, poll: Any) -> None:
    """Have `poll()` called where Kivy asks SDL for input: a tap waits there as a real one does."""
    mainloop = window.mainloop

    def looped() -> None:
        mainloop()
        poll()

    window.mainloop = looped


def main(file: Path) -> None:
    """Run the kiosk until it is stopped."""
    at_splash()
    kiosk.run(configuration.load(file), file.parent, headless=True, extend=Probe)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
