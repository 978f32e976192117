"""A cable between two real serial ports (ptys): its relay can spoil, cut and reconnect it."""

import os
import select
import threading
import time
import tty
from contextlib import suppress


def as_it_is(data):
    return data


class _End:
    """One plug: `path` stays the same however often the pty behind it is made anew."""

    def __init__(self, path):
        self.path = path
        self.master = None
        self.slave = None
        self.pending = bytearray()

    def plug(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self.slave))
        fresh.rename(self.path)

    def unplug(self):
        self.path.unlink(missing_ok=True)
        self.pending.clear()
        for handle in (self.master, self.slave):
            if handle is not None:
                os.close(handle)
        self.master = self.slave = None


class Cable:
    """`desk` and `kiosk` are the ports' paths; `down` and `up` change what passes."""

    def __init__(self, directory, name="cable"):
        self._ends = {
            "desk": _End(directory / f"{name}-desk"),
            "kiosk": _End(directory / f"{name}-kiosk"),
        }
        self.down = self.up = as_it_is
        self.cuts = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pull = threading.Event()
        self._relay = threading.Thread(target=self._pass_on, daemon=True)
        for end in self._ends.values():
            end.plug()
        self._relay.start()

    @property
    def desk(self):
        return str(self._ends["desk"].path)

    @property
    def kiosk(self):
        return str(self._ends["kiosk"].path)

    def babble(self, end, data):
        """Let the line say this to one end, as if it had come from the other."""
        with self._lock:
            self._ends[end].pending += data

    def replug(self):
        """Pull the cable out on both sides and put it back: both ports vanish and come again."""
        before = self.cuts
        self._pull.set()
        wait_for(lambda: self.cuts > before)

    def _replug(self):
        for end in self._ends.values():
            end.unplug()
            end.plug()
        self.cuts += 1

    def close(self):
        self._stop.set()
        self._relay.join(5)
        for end in self._ends.values():
            end.unplug()

    def _pass_on(self):
        desk, kiosk = self._ends["desk"], self._ends["kiosk"]
        while not self._stop.is_set():
            if self._pull.is_set():
                self._pull.clear()
                self._replug()
            self._write(desk)
            self._write(kiosk)
            readable = select.select([desk.master, kiosk.master], [], [], 0.005)[0]
            for source, target, spoil in ((desk, kiosk, "down"), (kiosk, desk, "up")):
                if source.master not in readable:
                    continue
                try:
                    data = os.read(source.master, 4096)
                except OSError:
                    continue
                spoilt = getattr(self, spoil)(data)
                if spoilt is None:  # the moment to cut
                    self._replug()
                    break
                with self._lock:
                    target.pending += spoilt

    def _write(self, end):
        with self._lock:
            if end.pending:
                with suppress(OSError):  # full: whoever should read it does not
                    del end.pending[: os.write(end.master, end.pending[:4096])]


def wait_for(condition, seconds=20.0):
    """Return once it holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
