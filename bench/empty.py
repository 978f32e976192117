"""The peer of the kiosk: an empty Kivy window that draws one label on a message or a touch."""

import json
import sys
import threading
from collections import deque
from typing import Any

from bench.probe import after_flip, at_input
from bench.stand import client, resident_mb, say, subscribe
from device.ui import environment, touch

TOPIC = "bench/window"
MARKS = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
"""After so many labels, or sessions, the memory is told."""


class Empty:
    """The window; `port` 0 = it listens to nobody."""

    def __init__(self, port: int) -> None:
        from kivy.app import App  # noqa: PLC0415 - only after the environment is prepared
        from kivy.clock import Clock  # noqa: PLC0415
        from kivy.core.window import Window  # noqa: PLC0415
        from kivy.uix.label import Label  # noqa: PLC0415

        self._window = Window
        self._label = Label()
        self._drawn = ""
        self._begun = False
        self._texts: deque[str] = deque()
        self._taps: deque[str] = deque()
        self._show = Clock.create_trigger(self._draw)
        Window.bind(on_touch_down=self._draw)
        after_flip(Window, self._look)
        at_input(Window, self._press)
        self._app = App()
        self._app.root = self._label
        if port:
            Clock.schedule_once(lambda _: self._listen(port))

    def run(self) -> None:
        """Show it until it is stopped."""
        self._app.run()

    def _listen(self, port: int) -> None:
        made = client(port, "bench-window")
        made.on_message = self._message
        threading.Thread(target=self._read, daemon=True).start()
        subscribe(made, TOPIC)
        say(ready=True)

    def _message(self, _client: object, _userdata: object, message: Any) -> None:
        self._texts.append(json.loads(message.payload)["text"])
        self._show()

    def _read(self) -> None:
        for line in sys.stdin:
            self._taps.append(json.loads(line)["tap"])

    def _press(self) -> None:
        while self._taps:
            self._texts.append(self._taps.popleft())
            touch.tap(self._window, *self._window.center)

    def _draw(self, *_: object) -> None:
        while self._texts:
            self._label.text = self._texts.popleft()

    def _look(self, at: int) -> None:
        if not self._begun:
            self._begun = True
            say(frame=at)
        if self._label.text != self._drawn:
            self._drawn = self._label.text
            say(label=self._label.text, at=at)


class Turning:
    """The window alone; each of `labels` frames has a new label, and the one before it goes.

    `waits`: until the renderer has finished each frame, as the kiosk does.
    """

    def __init__(self, labels: int, *, waits: bool) -> None:
        from kivy.app import App  # noqa: PLC0415 - only after the environment is prepared
        from kivy.clock import Clock  # noqa: PLC0415
        from kivy.core.window import Window  # noqa: PLC0415
        from kivy.graphics.opengl import glFinish  # noqa: PLC0415
        from kivy.uix.floatlayout import FloatLayout  # noqa: PLC0415
        from kivy.uix.label import Label  # noqa: PLC0415

        if waits:
            Window.bind(on_flip=lambda *_: glFinish())
        self._labels = labels
        self._memory: list[float] = []
        self._made = Label
        self._app = App()
        self._app.root = self._root = FloatLayout()
        self._turning = Clock.schedule_interval(self._turn, 0)

    def run(self) -> None:
        """Show them all, and say what the memory did."""
        self._app.run()
        tenth = max(1, self._labels // 10)
        early, late = self._memory[tenth : 2 * tenth], self._memory[-tenth:]
        growth = (sum(late) - sum(early)) / tenth / (self._labels - 1.5 * tenth)
        marks = [mark for mark in MARKS if mark < self._labels]
        memory = {mark: self._memory[mark - 1] for mark in (*marks, self._labels)}
        say(memory=memory, growth_kb=1024 * growth)

    def _turn(self, _: float) -> None:
        if self._root.children:
            self._memory.append(resident_mb("self"))
        if len(self._memory) == self._labels:
            self._app.stop()
        self._root.clear_widgets()
        self._root.add_widget(self._made(text=str(len(self._memory) + 1)))


def main(port: int, wide: int, high: int, labels: int = 0, way: str = "") -> None:
    """Show the window; with `labels` as fast as it goes."""
    environment.prepare(wide, high, headless=True)
    if not labels:
        Empty(port).run()
        return
    from kivy.config import Config  # noqa: PLC0415

    Config.set("graphics", "maxfps", "0")
    Turning(labels, waits=way == "finish").run()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]), *sys.argv[5:])
