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
from device.state import READ_MS
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
            self.keeper, now=lambda: self.clock, draw=self.view.draw, text_input=True
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

    def down(self, key="level-5", button="left"):
        touch.press(Window, *self.view.find(key).center, button)
        yield
        yield

    def up(self, key="level-5", button="left"):
        touch.lift(Window, *self.view.find(key).center, button)
        yield
        yield

    def tap(self, key, button="left"):
        yield from self.down(key, button)
        yield from self.up(key, button)

    def thanked(self):
        """Have the thanks on the screen, and the picture stand."""
        end = time.monotonic() + 20
        while self.session.screen is not Screen.THANKS or self.driver.seen is None:
            assert time.monotonic() < end
            yield

    def under(self, place):
        """The name of what a finger at this place would press now, None: nothing."""
        keys = self.view._sheet.keys
        return next((key for key, each in keys.items() if each.collide_point(*place)), None)


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
    level = kiosk.view.find("level-5").reach
    kiosk.clock = shown + 1_700
    yield from kiosk.up()
    draft = kiosk.session.draft
    say(level=draft.level, elapsed=draft.elapsed_ms, touches=draft.signals.touches)
    yield from kiosk.thanked()
    thanks = kiosk.clock
    left, bottom, wide, high = level
    found = [
        (key, (x, y))
        for x in range(int(left), int(left + wide), 20)
        for y in range(int(bottom), int(bottom + high), 20)
        if (key := kiosk.under((x, y)))
    ]
    reason, place = next(each for each in found if each[0].startswith("reason-"))
    opened = []
    for at in (0, 80, 400, READ_MS - 1):
        kiosk.clock = thanks + at
        touch.tap(Window, *place)
        yield
        yield
        yield from kiosk.tap("done")
        yield from kiosk.tap("comment")
        opened.append(kiosk.view.find("comment").focus)
    yield from kiosk.down(reason)
    kiosk.clock = thanks + READ_MS + 1_000
    yield from kiosk.up(reason)
    say(
        twice=str(kiosk.session.screen),
        chosen=kiosk.session.draft.reasons,
        refused=kiosk.keeper.refused["early_touch"],
        opened=opened,
    )
    for button in ("right", "middle", "scrollup"):
        yield from kiosk.tap(reason, button)
        yield from kiosk.tap("done", button)
    say(buttons=str(kiosk.session.screen), chosen=kiosk.session.draft.reasons)
    kiosk.clock = thanks + READ_MS
    touch.tap(Window, *place)
    yield
    yield
    read = [f"reason-{code}" for code in kiosk.session.draft.reasons] == [reason]
    yield from kiosk.tap("comment")
    say(read=read, opened=kiosk.view.find("comment").focus)
    yield from kiosk.tap("undo")
    say(undone=str(kiosk.session.screen), seen=kiosk.driver.seen is not None)
    kiosk.clock += ARM_MS
    for button in ("right", "middle", "scrollup"):
        yield from kiosk.tap("level-1", button)
    say(buttons=str(kiosk.session.screen))
    yield from kiosk.tap("level-2")
    signals = kiosk.session.draft.signals
    say(level=kiosk.session.draft.level, undone=signals.undone, touches=signals.touches)


def say(**facts):
    print(json.dumps(facts), flush=True)


kiosk = Kiosk()
kiosk.app.run()
kiosk.keeper.stop()
