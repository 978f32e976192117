"""The real kiosk with a finger in front of it: a process that the demo tells where to press.

The kiosk itself is wired as in production; only this entry point adds a way to touch its
window, take its picture and read what it shows. Commands come as JSON lines on standard
input, one answer a line goes to standard output, and a line whenever the picture changes.
"""

import json
import logging
import sys
import threading
from pathlib import Path
from typing import Any

import click

from device import config as configuration
from device import kiosk
from device.view import View


class Finger:
    """Carries out the commands, on Kivy's thread."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage
        self._last: dict[str, object] = {}
        self._lock = threading.Lock()
        stage.watch = self._watch
        threading.Thread(target=self._listen, name="finger", daemon=True).start()

    @classmethod
    def attach(cls, stage: Any) -> None:
        """Put a finger in front of a stage."""
        cls(stage)

    def _say(self, line: dict[str, object]) -> None:
        with self._lock:
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def _watch(self, view: View) -> None:
        session, settings = view.session, view.settings
        draft = session.draft
        pairing = settings.pairing if settings else None
        # What this picture takes: the moment may have come since it was made.
        ready = driver.ready if view.ready and (driver := self._stage.driver) else None
        seen: dict[str, object] = {
            "screen": session.screen.value,
            "invitation": session.invitation.id if session.invitation else None,
            "reasons": list(draft.reasons) if draft else [],
            "comment": draft.comment if draft else "",
            "ready": ready,
            "connected": view.connected,
            "settings": settings is not None,
            "window": settings.window.name if settings and settings.window else None,
            "clerk": settings.staff.name if settings and settings.staff else None,
            "code": pairing.code if pairing else None,
            "candidate": pairing.window.name if pairing and pairing.window else None,
        }
        if seen != self._last:
            self._last = seen
            self._say({"seen": seen})

    def _listen(self) -> None:
        from kivy.clock import Clock  # noqa: PLC0415 - Kivy is prepared by now

        for line in sys.stdin:
            order = json.loads(line)
            Clock.schedule_once(lambda _, order=order: self._do(order))
        Clock.schedule_once(lambda _: self._stage.app.stop())

    def _do(self, order: dict[str, Any]) -> None:
        try:
            done = getattr(self, "_do_" + order["do"])(order)
        except Exception as error:  # noqa: BLE001 - told to who gave the order
            self._say({"answer": order["n"], "error": repr(error)})
        else:
            self._say({"answer": order["n"], "done": done})

    def _do_tap(self, order: dict[str, Any]) -> bool:
        """Touch the middle of a button; False if it is not on the screen."""
        from kivy.core.window import Window  # noqa: PLC0415

        from device.ui import touch  # noqa: PLC0415

        button = self._stage.screen.find(order["key"])
        if button is None:
            return False
        touch.tap(Window, *button.to_window(*button.center))
        return True

    def _do_type(self, order: dict[str, Any]) -> bool:
        """Type into the field that has the focus, as an input method hands text over."""
        from kivy.core.window import Window  # noqa: PLC0415

        Window.dispatch("on_textinput", order["text"])
        return True

    def _do_shot(self, order: dict[str, Any]) -> bool:
        """Save what the window shows."""
        self._stage.app.screenshot(Path(order["path"]))
        return True


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), required=True)
@click.option("--headless", is_flag=True)
def main(file: Path, headless: bool) -> None:
    """Run the kiosk under the demo's finger."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = configuration.load(file)
    kiosk.run(config, file.parent, headless=headless, extend=Finger.attach)


if __name__ == "__main__":
    main()
