"""Runs a real kiosk into a fault just after a citizen's tap, and prints what the window showed.

`python crash_child.py FOLDER`
"""

# ruff: noqa: PLC0415 - Kivy must be prepared before it is imported
import hashlib
import json
import sys
from pathlib import Path

from msgspec.structs import replace

from device import config as configuration
from device import crash, identity, kiosk
from device.clocks import monotonic_ms
from device.events import Offer, Tap
from device.session import Screen
from device.splash import Splash, Words
from tests.device.ui_views import INVITATION, SETTINGS

FACTS = {}


def picture():
    from kivy.core.window import Window
    from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glReadPixels

    Window.dispatch("on_draw")
    wide, high = (int(side) for side in Window.size)
    rows = bytearray(glReadPixels(0, 0, wide, high, GL_RGB, GL_UNSIGNED_BYTE))
    return hashlib.sha256(rows).hexdigest()


class Citizen:
    """Is invited, taps, and then the kiosk fails with the thanks on its screen."""

    def __init__(self, stage):
        from kivy.clock import Clock

        self.stage = stage
        stage.citizen = self  # Kivy holds a method only weakly
        Clock.schedule_interval(self.turn, 0)

    def turn(self, _):
        driver = self.stage.driver
        if driver is None:
            return
        session = driver.session
        if session.screen is Screen.IDLE:
            driver.settings(SETTINGS)
            driver.handle(Offer(monotonic_ms(), INVITATION, 60_000))
        elif session.screen is Screen.INVITED and monotonic_ms() > session.shown_ms + 500:
            driver.handle(Tap(monotonic_ms(), INVITATION.id, 2))
        elif session.screen is Screen.THANKS and session.kept:
            FACTS["before"] = picture()
            raise ZeroDivisionError


def main(folder):
    identity.load_or_create(folder / "kiosk" / "device-key.pem")
    file = folder / "kiosk.toml"
    file.write_text(
        'hall = "h1"\ndevice = "k1"\nstate = "kiosk"\n[hub]\nport = 9\n[voice]\nenabled = false\n',
        encoding="utf-8",
    )
    config = configuration.load(file)
    config = replace(config, screen=replace(config.screen, width=800, height=480))
    try:
        kiosk.run(config, folder, headless=True, extend=Citizen)
    except crash.Crashed:
        from kivy.core.window import Window

        FACTS["after"] = picture()
        FACTS["widgets"] = len(Window.children)
        Window.canvas.clear()
        Splash(folder / "kiosk" / "fonts").show(Words.RECOVERING)
        FACTS["plain"] = picture()
    print(json.dumps(FACTS))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
