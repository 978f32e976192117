"""What X shows where no window is: the kiosk's ground, so that its end leaves no black screen.

A window goes with its process, whichever way that ends; the background of X's root window stays.
"""

import ctypes
import logging
import os

from device.ui import theme
from device.ui.theme import Role

log = logging.getLogger(__name__)


class _Shade(ctypes.Structure):
    """An XColor of Xlib."""

    _fields_ = (
        ("pixel", ctypes.c_ulong),
        ("red", ctypes.c_ushort),
        ("green", ctypes.c_ushort),
        ("blue", ctypes.c_ushort),
        ("flags", ctypes.c_char),
        ("pad", ctypes.c_char),
    )


def hang() -> bool:
    """Give X's root window the colour of the kiosk at rest; return whether that was done.

    It lasts as long as the X server, which has to be one that does not reset itself when its
    last window goes (`-noreset`). Without X nothing is done, and nothing fails.
    """
    if not os.environ.get("DISPLAY") or os.environ.get("SDL_VIDEODRIVER", "x11") != "x11":
        return False
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        log.info("backdrop=none cause=no-libx11")
        return False
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    if not display:
        log.info("backdrop=none cause=no-display")
        return False
    try:
        return _paint(x11, display)
    finally:
        x11.XCloseDisplay(display)


def _paint(x11: ctypes.CDLL, display: ctypes.c_void_p) -> bool:
    x11.XDefaultRootWindow.restype = x11.XDefaultColormap.restype = ctypes.c_ulong
    root = ctypes.c_ulong(x11.XDefaultRootWindow(display))
    colours = ctypes.c_ulong(x11.XDefaultColormap(display, x11.XDefaultScreen(display)))
    red, green, blue = (round(part * 0xFFFF) for part in theme.DAY[Role.TEAL][:3])
    shade = _Shade(red=red, green=green, blue=blue)
    if not x11.XAllocColor(display, colours, ctypes.byref(shade)):
        return False
    x11.XSetWindowBackground(display, root, ctypes.c_ulong(shade.pixel))
    x11.XClearWindow(display, root)
    return True
