"""A kiosk that starts on a disk that takes nothing: it says so, waits, and begins by itself."""

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from device import identity

ROOT = Path(__file__).resolve().parents[2]
# The system itself refuses every byte to every file, until the test lifts that.
ENTRY = """
import logging, resource, sys
from pathlib import Path
from device import config, kiosk
from device.splash import Splash

show = Splash.show
def said(splash, words):
    show(splash, words)
    logging.info("picture=%s", words.value)
Splash.show = said
logging.basicConfig(level=logging.INFO)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
file = Path(sys.argv[1])
kiosk.run(config.load(file), file.parent, headless=True)
"""


class Child:
    """The kiosk's process; what it says is read through a pipe, for its files take nothing."""

    def __init__(self, folder):
        identity.load_or_create(folder / "kiosk" / "device-key.pem")
        file = folder / "kiosk.toml"
        file.write_text(
            'hall = "h1"\ndevice = "k1"\nstate = "kiosk"\n[hub]\nport = 9\n'
            "[screen]\nfullscreen = false\n[voice]\nenabled = false\n",
            encoding="utf-8",
        )
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.setblocking(False)
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": str(folder),
                "NOTIFY_SOCKET": str(folder / "notify"),
            },
        )
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr))
        self.reader.start()

    def until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.lines[-30:]
            assert self.process.poll() is None, self.lines[-30:]
            time.sleep(0.02)

    def count(self, word):
        return sum(word in line for line in list(self.lines))

    def fed(self):
        """How often systemd was told by now that it lives."""
        told = 0
        try:
            while True:
                told += b"WATCHDOG=1" in self.socket.recv(4096)
        except BlockingIOError:
            return told

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.reader.join(10)
        self.process.stderr.close()
        self.socket.close()


@pytest.fixture
def child(tmp_path):
    each = Child(tmp_path)
    yield each
    each.close()


def test_a_kiosk_whose_disk_is_full_waits_and_then_starts(child):
    """暂停服务 on the screen, one line in the log with what to do, no circle of restarts."""
    child.until(lambda: child.count("picture=暂停服务") >= 2)
    assert child.count("start=waits-for-disk") == 1
    assert child.count("请检查磁盘空间") == 1
    assert child.count("Traceback") == 0
    assert child.count("outbox=damaged") == 0
    assert child.fed() >= 1
    (limit, most) = resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE)
    assert limit == 0
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (most, most))
    child.until(lambda: child.count("start=disk-works-again"))
    child.until(lambda: child.count("hub=unreachable"))  # keeper and link are at work


def test_a_kiosk_that_waits_for_its_disk_ends_when_it_is_told_to(child):
    """Without its window's loop nobody else would hear of it."""
    child.until(lambda: child.count("start=waits-for-disk"))
    child.process.terminate()
    assert child.process.wait(10) == 0
