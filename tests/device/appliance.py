"""A real kiosk in a process of its own, under a notify socket, which a test can hang or break.

`python appliance.py CONFIG`: lines on standard input are orders, carried out on the thread that
is meant to fail. `World` is the other end.
"""

# ruff: noqa: PLC0415 - Kivy must be prepared before it is imported
import ctypes
import logging
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from device import identity

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
hall = "h1"
device = "k1"
state = "kiosk"
[hub]
port = {port}
[screen]
fullscreen = false
[watchdog]
seconds = 5
{watchdog}
[voice]
enabled = false
"""


class World:
    """The kiosk's process, its configuration and what it told systemd.

    `entry` None runs the command `pingyi-kiosk run` itself.
    """

    def __init__(self, folder, *, watchdog="", port=9, told=True, entry=Path(__file__)):
        self.folder = folder
        identity.load_or_create(folder / "kiosk" / "device-key.pem")
        self.file = folder / "kiosk.toml"
        self.file.write_text(CONFIG.format(port=port, watchdog=watchdog), encoding="utf-8")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.log = folder / "log"
        self.told = []
        command = [sys.executable, str(entry), str(self.file)]
        if entry is None:
            command = [sys.executable, "-m", "device", "run", "--config", str(self.file)]
            command.append("--headless")
        environment = {name: value for name, value in os.environ.items() if name[:7] != "PINGYI_"}
        environment.pop("NOTIFY_SOCKET", None)
        environment["PYTHONPATH"] = str(ROOT)
        if told:
            environment["NOTIFY_SOCKET"] = str(folder / "notify")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=environment,
            )

    def order(self, words):
        self.process.stdin.write(words.encode() + b"\n")
        self.process.stdin.flush()

    def fed(self, seconds):
        """Wait for food; whether any came within `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.socket], [], [], left)[0]:
                self.told.append(self.socket.recv(4096).decode())
                if "WATCHDOG=1" in self.told[-1]:
                    return True
        return False

    def starves(self, within):
        """Whether feeding ends within `within` seconds: none for twice the usual time."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if not self.fed(4):
                return True
        return False

    def silent(self):
        """The parts that the log named last as starving the watchdog."""
        *_, last = ["", *re.findall(r"watchdog=starved silent=(\S+)", self.text())]
        return set(last.split(","))

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until(self, condition, seconds=40):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, self.text()[-3000:]
            assert self.process.poll() is None or condition(), self.text()[-3000:]
            time.sleep(0.02)
        return found

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.socket.close()


class Hand:
    """In the child: what the test's orders do to the kiosk."""

    def __init__(self, stage):
        self.stage = stage
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in sys.stdin:
            getattr(self, line.strip())()

    def _on_kivy(self, job):
        from kivy.clock import Clock

        Clock.schedule_once(lambda _: job())

    def hang_screen(self):
        self._on_kivy(threading.Event().wait)

    def hang_keeper(self):
        self.stage._kiosk.ask_keeper(threading.Event().wait)

    def fail(self):
        def broken():
            raise ZeroDivisionError("a fault that nobody foresaw")

        self._on_kivy(broken)

    def lose_gl(self):
        """Take the real context away: the renderer takes every call and does nothing."""
        import kivy

        place = Path(kivy.__file__).parents[1] / "Kivy.libs"
        sdl = ctypes.CDLL(str(next(place.glob("libSDL2-2*"))))
        sdl.SDL_GL_GetCurrentWindow.restype = ctypes.c_void_p
        sdl.SDL_GL_MakeCurrent.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._on_kivy(lambda: sdl.SDL_GL_MakeCurrent(sdl.SDL_GL_GetCurrentWindow(), None))

    def lose_input(self):
        from kivy.base import EventLoop

        self._on_kivy(EventLoop.input_providers.clear)


def main():
    from device import config as configuration
    from device import crash, kiosk

    logging.basicConfig(level=logging.INFO)
    file = Path(sys.argv[1])
    try:
        kiosk.run(configuration.load(file), file.parent, headless=True, extend=Hand)
    except crash.Crashed:
        crash.restart()


if __name__ == "__main__":
    main()
