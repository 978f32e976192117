"""Runs a real kiosk whose time no longer ticks once it thanks; prints what its buttons do then.

`python ready_child.py CONFIG`. A story is a generator on Kivy's thread, a turn of the loop each.
"""

# ruff: noqa: PLC0415 - Kivy must be prepared before it is imported
import json
import sys
import time
from pathlib import Path

from device import config as configuration
from device import kiosk
from device.clocks import monotonic_ms
from device.events import Offer
from device.session import ARM_MS, Screen
from tests.device.ui_views import INVITATION, SETTINGS


class Citizen:
    """Is asked, taps, and watches the buttons."""

    def __init__(self, stage):
        from kivy.clock import Clock
        from kivy.core.window import Window

        self.stage, self.clock, self.window = stage, Clock, Window
        stage.citizen = self  # Kivy holds a method only weakly
        self.views = []
        self.frames = []
        stage.watch = self.views.append
        Window.bind(on_flip=lambda *_: self.frames.append(monotonic_ms()))
        self.steps = self.story()
        Clock.schedule_once(self.turn)

    def turn(self, _):
        try:
            next(self.steps)
        except StopIteration:
            self.stage.app.stop()
        else:
            self.clock.schedule_once(self.turn)

    def until(self, reached):
        end = time.monotonic() + 20
        while not reached():
            assert time.monotonic() < end
            yield

    def tap(self, key):
        from device.ui import touch

        touch.tap(self.window, *self.stage.screen.find(key).center)

    def standing(self):
        """Whether all buttons stand; it is one answer for all of them, and for the field."""
        found = {
            getattr(each, "up", None) if key != "comment" else each.ready
            for key, each in self.stage.screen._sheet.keys.items()
        }
        assert len(found) == 1, found
        return found.pop()

    def rising(self):
        """Wait until they stand; return since when they may, and what was drawn for it."""
        driver, views = self.stage.driver, len(self.views)
        may = driver._seen_ms + 700
        yield from self.until(self.standing)
        raised = monotonic_ms()
        yield from self.until(lambda: self.frames[-1] >= raised)
        self.facts.append({"early": raised < may, "drawn": len(self.views) - views})

    def story(self):
        self.facts = []
        yield from self.until(lambda: self.stage.driver)
        driver = self.stage.driver
        driver.settings(SETTINGS)
        driver.handle(Offer(monotonic_ms(), INVITATION, 60_000))
        yield from self.until(lambda: driver.seen and monotonic_ms() > driver.seen + ARM_MS)
        self.tap("level-2")
        yield from self.until(lambda: driver.session.screen is Screen.THANKS and driver.seen)
        self.stage.app._ticking.cancel()
        flat = not self.standing()
        self.tap("more")  # lies flat: it is not even touched
        self.tap("done")
        yield
        yield from self.rising()
        folded = self.stage.screen.find("more") is not None
        refused = driver._logged
        self.tap("more")
        yield from self.until(lambda: self.stage.screen.find("less"))
        again = not self.standing()
        yield from self.rising()
        for _ in range(5):
            yield
        before = len(self.frames), len(self.views)
        for _ in range(40):
            yield
        still = (len(self.frames), len(self.views)) == before
        self.tap("reason-214")
        yield from self.until(lambda: driver.session.draft.reasons)
        print(
            json.dumps(
                {
                    "flat": [flat, again],
                    "folded": folded,
                    "refused": sorted(refused),
                    "raised": self.facts,
                    "still": still,
                    "chosen": driver.session.draft.reasons,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    file = Path(sys.argv[1])
    kiosk.run(configuration.load(file), file.parent, headless=True, extend=Citizen)
