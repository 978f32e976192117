"""Pads on real serial ports (ptys) that can be pulled out, and what a kiosk hears of them."""

import fcntl
import os
import queue
import random
import select
import struct
import termios
import tty
from contextlib import contextmanager, suppress

from cables import wait_for

from device.clocks import monotonic_ms
from device.keypad import openframe
from device.keypad.openframe import OpenShape
from device.keypad.pads import Pads
from device.keypad.scanner import Scanner
from device.keypad.settings import KeypadConfig


class Plug:
    """A pad's end of a serial line; the kiosk's end is `path`, while it is plugged in."""

    def __init__(self, path):
        self.path = path
        self.master = self.slave = None
        self.said = bytearray()

    def plug(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path.symlink_to(os.ttyname(self.slave))
        return self

    def unplug(self):
        """Pull it out as a USB pad is: the port vanishes and whoever has it open is told."""
        self.path.unlink(missing_ok=True)
        for handle in (self.master, self.slave):
            if handle is not None:
                os.close(handle)
        self.master = self.slave = None

    def say(self, data):
        """Send all of it, waiting for room but not for anybody's understanding."""
        data = memoryview(data)
        while data:
            assert select.select([], [self.master], [], 20)[1], "the kiosk does not read"
            data = data[os.write(self.master, data[:4096]) :]

    def waiting(self):
        """How many bytes lie in the kiosk's end and were not read yet."""
        return struct.unpack("I", fcntl.ioctl(self.slave, termios.TIOCINQ, bytes(4)))[0]

    def heard(self):
        """All that the kiosk has said to this pad so far."""
        with suppress(BlockingIOError):
            while chunk := os.read(self.master, 4096):
                self.said += chunk
        return bytes(self.said)

    def words(self):
        """The same as open frames."""
        found = Scanner(OpenShape(), 50).feed(self.heard(), 0, 0)
        return [openframe.decode(each.data) for each in found]


class Kiosk:
    """What the pads hand in, in order, and how they stand."""

    def __init__(self, port, model):
        self.presses = queue.SimpleQueue()
        self.pads = Pads(
            KeypadConfig(port=str(port)),
            model,
            press=self.presses.put,
            now=monotonic_ms,
            rng=random.Random(1),
        )

    def next(self):
        """The next press; waits for it at most twenty seconds."""
        return self.presses.get(timeout=20)

    def present(self):
        """Which pads are there, by the names of their ports' files."""
        return [os.path.basename(each.pad) for each in self.pads.status() if each.present]  # noqa: PTH119

    def counted(self, cause):
        return sum(each.counts.get(cause, 0) for each in self.pads.status())

    def wait_for(self, *names):
        wait_for(lambda: self.present() == list(names))


@contextmanager
def kiosk(port, model):
    each = Kiosk(port, model)
    each.pads.start()
    try:
        yield each
    finally:
        each.pads.stop()


def told(caplog, word):
    """The lines of the log that say this word of a pad."""
    return [line for line in caplog.messages if line.startswith(f"keypad={word} ")]
