"""A real window, driver and keeper under one hand-turned clock, and a finger; prints JSON.

`python finger_child.py FOLDER`. A story is a generator; wherever it yields, Kivy draws a frame.
"""

import json
import sys
import time
import traceback
from collections import deque
from pathlib import Path

from device.driver import Driver
from device.session import ARM_MS, Screen
from device.ui.environment import prepare
from protocol import signing
from tests.device.keeper_world import World, live

FOLDER = Path(sys.argv[1])
prepare(1024, 600, headless=True)

from kivy.clock import Clock
from kivy.core.window import Window

from device.ui import touch
from device.ui.app import KioskApp
from device.ui.fonts import simplified_chinese
from device.ui.screen import KioskScreen

STORM = 200


class Kiosk(World):
    def __init__(self):
        super().__init__(FOLDER / "outbox.db", signing.generate_key())
        self.inbox = deque()
        self.events = self.inbox  # what the keeper posts
        self.app = KioskApp(self.make, lambda _: self.begin())

    def make(self):
        fonts = simplified_chinese(FOLDER / "fonts")
        self.view = KioskScreen(fonts, lambda: self.clock, self.emit)
        return self.view

    def emit(self, event):
        self.driver.handle(event)

    def begin(self):
        self.driver = Driver(
            self.keeper, now=lambda: self.clock, draw=self.view.draw, text_input=False
        )
        Window.bind(on_flip=lambda *_: self.driver.frame_drawn())
        self.start()
        self.connect()
        self.story = story(self)
        Clock.schedule_once(self.turn)

    def turn(self, _):
        self.settle()
        while self.inbox:
            self.driver.handle(self.inbox.popleft())
        self.driver.tick()
        try:
            next(self.story)
        except StopIteration:
            self.app.stop()
        except BaseException:
            traceback.print_exc()
            self.app.stop()
            raise
        else:
            Clock.schedule_once(self.turn)

    @property
    def session(self):
        return self.driver.session

    def asked(self, number):
        """Have an invitation on the screen, and the picture stand."""
        self.slot(number, live(self, number))
        end = time.monotonic() + 20
        while self.session.screen is not Screen.INVITED or self.driver.seen is None:
            assert time.monotonic() < end
            yield
        for _ in range(3):
            yield

    def down(self, key="level-5"):
        touch.press(Window, *self.view.find(key).center)
        yield
        yield

    def up(self, key="level-5"):
        touch.lift(Window, *self.view.find(key).center)
        yield
        yield


def story(kiosk):
    yield from kiosk.asked(1)
    shown = kiosk.clock
    kiosk.clock = shown + 60
    yield from kiosk.down()
    kiosk.clock = shown + ARM_MS + 20
    yield from kiosk.up()
    say(early=str(kiosk.session.screen), touches=kiosk.session.touches)
    yield from kiosk.down()
    yield from kiosk.up("level-1")
    say(slid=str(kiosk.session.screen), touches=kiosk.session.touches)
    began, busy = time.monotonic(), time.process_time()
    for _ in range(STORM):
        touch.tap(Window, 3, 3)
    while kiosk.session.touches < STORM + 2 and time.monotonic() < began + 20:
        yield
    say(storm=kiosk.session.touches, busy=time.process_time() - busy)
    kiosk.clock = shown + 1_000
    yield from kiosk.down()
    kiosk.clock = shown + 1_700
    yield from kiosk.up()
    draft = kiosk.session.draft
    say(level=draft.level, elapsed=draft.elapsed_ms, touches=draft.signals.touches)
    end = time.monotonic() + 20
    while kiosk.session.screen is not Screen.THANKS and time.monotonic() < end:
        yield
    yield from kiosk.down("undo")
    yield from kiosk.up("undo")
    say(undone=str(kiosk.session.screen), seen=kiosk.driver.seen is not None)
    kiosk.clock += ARM_MS
    yield from kiosk.down("level-2")
    yield from kiosk.up("level-2")
    signals = kiosk.session.draft.signals
    say(level=kiosk.session.draft.level, undone=signals.undone, touches=signals.touches)


def say(**facts):
    print(json.dumps(facts), flush=True)


kiosk = Kiosk()
kiosk.app.run()
kiosk.keeper.stop()
