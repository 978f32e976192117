"""Runs the real window, offscreen, through one scenario, and prints what it saw as JSON.

Kivy opens one window in a process, so that the tests start a program for each scenario:
`PROGRAM SCENARIO WIDTH HEIGHT DIRECTORY` (`ui_play`). A scenario is a generator; wherever it
yields, Kivy draws a frame. Importing this file opens the window: what has to do with Kivy is
taken from here, so that Kivy is told first what it may do.
"""

import json
import sys
import time
import traceback
from pathlib import Path

from msgspec.structs import replace

from device.session import Refused, Screen, step
from device.ui.environment import prepare
from tests.device import ui_facts
from tests.device.ui_views import VIEWS, view

SCENARIO, WIDTH, HEIGHT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DIRECTORY = Path(sys.argv[4])
prepare(WIDTH, HEIGHT, headless=True)

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.core.image import ImageLoader
from kivy.core.window import Window as KivyWindow

from device.ui import touch
from device.ui.app import KioskApp
from device.ui.fonts import simplified_chinese
from device.ui.gallery import Gallery
from device.ui.screen import KioskScreen

__all__ = ["EventLoop", "Gallery", "ImageLoader", "KivyWindow"]


class Stage:
    """The screen with a hand-turned clock, and all that it emitted."""

    def __init__(self, scenario):
        self._scenario = scenario
        self.now = 10_000
        self.events = []
        self.session = None
        self.around = view(Screen.IDLE, text_input=True)
        fonts = simplified_chinese(DIRECTORY)
        self.app = KioskApp(
            lambda: KioskScreen(fonts, lambda: self.now, self.emit), lambda _: self.start()
        )

    def emit(self, event):
        self.events.append(event)
        if self.session is not None:
            try:
                self.session, _ = step(self.session, event)
            except Refused as refused:
                self.events.append(refused.cause)
            else:
                self.show()

    def show(self):
        self.app.screen.draw(replace(self.around, session=self.session, now_ms=self.now))

    def touch(self, key):
        touch.tap(KivyWindow, *self.app.screen.find(key).center)

    def start(self):
        self.steps = self._scenario(self)
        Clock.schedule_once(self.turn)

    def turn(self, _):
        try:
            next(self.steps)
        except StopIteration:
            self.app.stop()
        except BaseException:
            traceback.print_exc()
            self.app.stop()
            raise
        else:
            Clock.schedule_once(self.turn)


def say(**facts):
    print(json.dumps(facts, ensure_ascii=False), flush=True)


def drawn(stage, views):
    screen = stage.app.screen
    for name, shown in views.items():
        screen.draw(VIEWS["connecting"])  # so that nothing is left unfolded
        screen.draw(shown)
        yield
        yield from picture(stage, name)
        if shown.ready and screen.find("more"):
            stage.touch("more")
            yield
            yield
            yield from picture(stage, name + "_unfolded")


def picture(stage, name):
    say(**ui_facts.of(stage.app, name, DIRECTORY / f"{name}-{WIDTH}.png"))
    yield


def stands(stage):
    """Wait until the change of pictures is over, and its last frame is drawn."""
    began = time.monotonic()
    while time.monotonic() < began + 0.3 or stage.app.screen._sheet.opacity < 1:
        yield
    for _ in range(3):
        yield


def run(scenarios):
    """Play the scenario that was asked for, and end."""
    Stage(scenarios[SCENARIO]).app.run()
