"""Runs the enrolment on the real window, offscreen, and prints what it saw as JSON.

    ui_enrolment.py pictures WIDTH HEIGHT DIRECTORY
    ui_enrolment.py live WIDTH HEIGHT DIRECTORY PORT (once | again)

`pictures` draws every view. `live` runs the kiosk's half on a port, with the state directory
DIRECTORY/state, and prints each picture as it comes; `again` is what `pingyi-kiosk run` does.
"""

import json
import sys
import threading
import traceback
from pathlib import Path

from msgspec.structs import replace

from device import kiosk
from device.config import HubConfig, KioskConfig, ScreenConfig
from device.enrolling import Enrolling, Pauses
from device.ui.environment import prepare
from tests.device import ui_facts
from tests.device.ui_views import ENROLMENTS

WHAT, WIDTH, HEIGHT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DIRECTORY = Path(sys.argv[4])
MAIN = threading.get_ident()
prepare(WIDTH, HEIGHT, headless=True)

from kivy.clock import Clock

from device.ui.app import KioskApp
from device.ui.enrolment import EnrolmentScreen
from device.ui.fonts import simplified_chinese


def say(**facts):
    print(json.dumps(facts, ensure_ascii=False), flush=True)


def pictures():
    """Draw every view one after the other on one screen, as they come in life."""
    fonts = simplified_chinese(DIRECTORY)

    def steps(app):
        for name, view in ENROLMENTS.items():
            app.screen.draw(view)
            yield
            say(**ui_facts.of(app, name, DIRECTORY / f"{name}-{WIDTH}.png"))

    def start(_):
        turns = steps(app)

        def turn(_):
            try:
                next(turns)
            except StopIteration:
                app.stop()
            except BaseException:
                traceback.print_exc()
                app.stop()
                raise
            else:
                Clock.schedule_once(turn)

        Clock.schedule_once(turn)

    app = KioskApp(lambda: EnrolmentScreen(fonts), start)
    app.run()


def live():
    """Enrol over a real port; every picture is told, and by which thread it was drawn."""
    port, once = sys.argv[5], sys.argv[6] == "once"
    screen = ScreenConfig(width=WIDTH, height=HEIGHT)
    config = KioskConfig(
        hall="hall-1", device="kiosk-01", state="state", hub=HubConfig(tls=True), screen=screen
    )
    enrolling = Enrolling(
        config,
        DIRECTORY / "state",
        port,
        wait_ms=20_000 if once else None,
        pauses=Pauses(done=0.3, failed=0.5),
    )

    def extend(stage):
        count = iter(range(1000))

        def watch(view):
            facts = ui_facts.of(stage.app, str(view.step), DIRECTORY / f"live-{next(count)}.png")
            say(
                **{key: facts[key] for key in ("name", "png", "texts", "spilt", "crossed")},
                on_main=threading.get_ident() == MAIN,
            )

        stage.watch = watch

    kiosk.enrol(config, DIRECTORY, enrolling, headless=True, extend=extend)
    say(name="over", enrolled=enrolling.enrolled, view=str(replace(enrolling.view, number="")))


{"pictures": pictures, "live": live}[WHAT]()
