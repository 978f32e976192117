"""What stands on the screen of a kiosk whose program is gone: never black, while X runs."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cables import wait_for

from device import identity
from device.ui import backdrop, theme
from device.ui.theme import Role

ROOT = Path(__file__).resolve().parents[2]
needs_x = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
BLACK = (0, 0, 0)


class Eye:
    """Looks at an X server of its own."""

    def __init__(self, log):
        self._ends = os.pipe()
        out = str(self._ends[1])
        command = ["Xvfb", "-displayfd", out, "-noreset", "-nolisten", "tcp"]
        command += ["-screen", "0", "1024x600x24"]
        self.server = subprocess.Popen(command, stderr=log, pass_fds=[self._ends[1]])
        os.close(self._ends[1])
        self.name = f":{os.read(self._ends[0], 16).decode().strip()}"
        self._x11 = x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = x11.XGetImage.restype = ctypes.c_void_p
        x11.XDefaultRootWindow.restype = x11.XGetPixel.restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        assert self._display

    def sees(self, x=500, y=30):
        """The colour of a pixel, as red, green and blue."""
        root = ctypes.c_ulong(self._x11.XDefaultRootWindow(self._display))
        planes = ctypes.c_ulong(0xFFFFFFFF)
        image = self._x11.XGetImage(self._display, root, x, y, 1, 1, planes, 2)
        pixel = self._x11.XGetPixel(ctypes.c_void_p(image), 0, 0)
        self._x11.XDestroyImage(ctypes.c_void_p(image))
        return pixel >> 16 & 255, pixel >> 8 & 255, pixel & 255

    def close(self):
        self._x11.XCloseDisplay(self._display)
        self.server.terminate()
        self.server.wait(10)
        os.close(self._ends[0])


@pytest.fixture
def eye(tmp_path):
    with (tmp_path / "x.log").open("wb") as log:
        eye = Eye(log)
        yield eye
        eye.close()


def ground():
    return tuple(round(part * 255) for part in theme.DAY[Role.TEAL][:3])


@needs_x
def test_a_kiosk_that_is_killed_leaves_its_ground_on_the_screen(eye, tmp_path):
    """By a signal that nobody can catch, in the middle of its work; before it, X is black."""
    assert eye.sees() == BLACK
    identity.load_or_create(tmp_path / "kiosk" / "device-key.pem")
    file = tmp_path / "kiosk.toml"
    file.write_text(
        'hall = "h1"\ndevice = "k1"\nstate = "kiosk"\n[hub]\nport = 9\n'
        "[screen]\nwidth = 1024\nheight = 600\n[voice]\nenabled = false\n",
        encoding="utf-8",
    )
    environment = {name: each for name, each in os.environ.items() if name != "SDL_VIDEODRIVER"}
    with (tmp_path / "log").open("wb") as log:
        kiosk = subprocess.Popen(
            [sys.executable, "-m", "device", "run", "--config", file],
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT), "DISPLAY": eye.name},
        )
        told = (tmp_path / "log").read_text
        wait_for(lambda: "main loop" in told() or kiosk.poll() is not None, 60)
        alive = kiosk.poll() is None
        kiosk.kill()
        kiosk.wait(10)
    assert alive, told()[-3000:]
    wait_for(lambda: eye.sees() == ground(), 10)


@pytest.mark.parametrize(
    "around",
    [{"DISPLAY": ""}, {"DISPLAY": ":0", "SDL_VIDEODRIVER": "kmsdrm"}, {"DISPLAY": "127.0.0.1:59"}],
    ids=["no X", "no X needed", "an X that is not there"],
)
def test_without_x_nothing_is_done_and_nothing_fails(monkeypatch, around):
    """A kiosk starts the same."""
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    assert backdrop.hang() is False
