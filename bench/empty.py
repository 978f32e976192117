"""The peer of the kiosk: an empty Kivy window that draws one label on a message or a touch."""

import json
import sys
import threading
from collections import deque
from typing import Any

from bench.probe import after_flip, at_input
from bench.stand import client, say, subscribe
from device.ui import environment, touch

TOPIC = "bench/window"


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
        if self._label.text != self._drawn:
            self._drawn = self._label.text
            say(label=self._label.text, at=at)


if __name__ == "__main__":
    environment.prepare(int(sys.argv[2]), int(sys.argv[3]), headless=True)
    Empty(int(sys.argv[1])).run()
