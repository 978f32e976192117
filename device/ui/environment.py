"""How Kivy is told what it may do, before anything imports it.

Kivy reads its environment and its configuration at import, and importing a widget opens a
window; the names of its providers change in 3.0. Hence all of it stands in this one file.
"""

import logging
import os

_ENVIRONMENT = {
    "KIVY_NO_ARGS": "1",
    "KIVY_NO_CONFIG": "1",
    "KIVY_NO_FILELOG": "1",
    "KIVY_LOG_MODE": "PYTHON",
    "KIVY_NO_ENV_CONFIG": "1",
    "KIVY_WINDOW": "sdl2",
    "KIVY_TEXT": "sdl2",
    # Nothing may pass from one citizen to the next, and no xclip is started to try.
    "KIVY_CLIPBOARD": "dummy",
}
FRAMES_PER_S = 30
"""So often Kivy's loop turns at most; only what has changed is drawn."""
RESTING_PER_S = 15
"""So often it turns while nobody is asked: a turn costs the same whether or not it draws."""
_NOISE = ("Input: MTDev", "Cutbuffer:", "Image: Unable to load image")
"""What Kivy warns of, with a traceback, and a kiosk does without; of a picture `gallery` tells."""


def prepare(width: int, height: int, *, headless: bool, fullscreen: bool = False) -> None:
    """Set up Kivy for a kiosk of `width` x `height` pixels; call it before any Kivy import.

    There is exactly one source of touches, the mouse events of SDL, which a touch panel
    feeds as well: with evdev beside it one touch would count twice. `headless` renders the
    real window without a display. `fullscreen` (ignored when headless) takes the whole
    display, without a border.
    """
    os.environ.update(_ENVIRONMENT)
    if headless:
        os.environ["SDL_VIDEODRIVER"] = "offscreen"
    logger = logging.getLogger("kivy")
    logger.setLevel(logging.WARNING)  # Kivy reads its own level only after it has begun to talk
    logger.addFilter(_wanted)
    from kivy.config import Config  # noqa: PLC0415 - reads the environment set above

    whole = fullscreen and not headless
    graphics = {
        "width": str(width),
        "height": str(height),
        "maxfps": str(FRAMES_PER_S),
        "multisamples": "0",  # every shape here smooths its own edge; a Pi feels the rest
        "borderless": "1" if whole else "0",
        "fullscreen": "auto" if whole else "0",
        "show_cursor": "0" if whole else "1",
        "resizable": "0" if headless else "1",
    }
    for option, value in graphics.items():
        Config.set("graphics", option, value)
    Config.set("kivy", "exit_on_escape", "0")
    Config.set("kivy", "keyboard_mode", "system")
    Config.set("kivy", "log_level", "warning")
    Config.remove_section("input")
    Config.add_section("input")
    Config.set("input", "mouse", "mouse,disable_multitouch")
    Config.remove_section("modules")
    Config.add_section("modules")


def _wanted(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_NOISE)
