"""Runs a real kiosk at rest, then hands it an invitation from another thread; prints what it saw.

`python rest_child.py CONFIG`
"""

# ruff: noqa: PLC0415 - Kivy must be prepared before it is imported
import json
import sys
import threading
import time
from pathlib import Path

from device import config as configuration
from device import kiosk
from device.clocks import monotonic_ms
from device.events import Offer
from device.session import Screen
from tests.device.ui_views import INVITATION, SETTINGS

WATCHED_S = 3.0


class Watcher:
    """Counts the ticks, notes when the invitation was drawn, and stops the kiosk."""

    def __init__(self, stage):
        from kivy.clock import Clock

        self.stage = stage
        self.ticks = []
        self.ticked = threading.Event()
        self.drawn = threading.Event()
        stage.watcher = self  # Kivy holds a method only weakly
        keeper = stage._kiosk.keeper
        start = keeper.start

        def started(**handlers):
            self.post, self.settings = handlers["post"], handlers["settings"]
            start(**handlers)

        keeper.start = started
        Clock.schedule_once(self.begin, 1)

    def begin(self, _):
        driver = self.stage.driver
        tick, frame_drawn = driver.tick, driver.frame_drawn

        def ticked():
            tick()
            self.ticks.append(time.monotonic())
            self.ticked.set()

        def framed():
            frame_drawn()
            if driver.seen is not None:
                self.drawn.set()

        driver.tick, driver.frame_drawn = ticked, framed
        threading.Thread(target=self.story).start()

    def story(self):
        """What a hub does, on a thread of its own."""
        from kivy.clock import Clock

        self.settings(SETTINGS)
        facts = {"rest": self.count(), "turns": self.turns}
        self.ticked.clear()
        self.ticked.wait(10)  # the next one is as far away as it can be
        time.sleep(0.05)
        start = time.monotonic()
        self.post(Offer(monotonic_ms(), INVITATION, 60_000))
        facts["drawn"] = self.drawn.wait(10)
        facts["took"] = time.monotonic() - start
        facts["asking"] = self.count()
        facts["pace"] = Clock._max_fps
        facts["screen"] = self.stage.driver.session.screen is Screen.INVITED
        print(json.dumps(facts), flush=True)
        self.stage.app.stop()

    def count(self):
        """Return how many ticks there are in `WATCHED_S`; `turns` are those of Kivy's loop."""
        from kivy.clock import Clock

        before, turned = len(self.ticks), Clock.frames
        time.sleep(WATCHED_S)
        self.turns = Clock.frames - turned
        return len(self.ticks) - before


if __name__ == "__main__":
    file = Path(sys.argv[1])
    kiosk.run(configuration.load(file), file.parent, headless=True, extend=Watcher)
