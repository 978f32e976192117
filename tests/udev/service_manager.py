"""A systemd of its own with our units, in namespaces: it really starts, stops and hands over.

Only the kiosk's program is a stand-in: it writes down how it was called and ends with the number
that it is told. Units, user, hardening, conflicts and conditions are the real ones.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine import UDEV

SYSTEMD = Path("/lib/systemd/systemd")
STATE = "/var/lib/pingyi"
USER = 4711
"""The number of pingyi, user and group, in the namespace."""

_PROGRAM = """#!/bin/sh
echo "$*" >>called
[ "$1" = run ] && exec sleep infinity
read -r number <end
exit "$number"
"""
# What pip makes, for the place where the units look; they hide home directories.
_REAL = """#!/opt/pingyi/.venv/bin/python
import sys
sys.path.insert(0, "/opt/pingyi/source")
from {0}.__main__ import main
sys.exit(main())
"""
# A drop-in of the test: where to read what a service says, and where a moved Python finds itself.
_LOG = f"""[Service]
StandardOutput=append:{STATE}/%N.log
StandardError=append:{STATE}/%N.log
Environment=LD_LIBRARY_PATH=/opt/pingyi/python/lib
"""
_TARGET = "[Unit]\nDescription=nothing\n"

# A cgroup of its own first, so that the inner systemd takes that for the root and no other.
_OUTER = r"""
set -eu
cd "$1"
mount --make-rprivate /
mount -t tmpfs none /opt
mkdir -p /opt/pingyi/.venv/bin
install -m 755 programs/* /opt/pingyi/.venv/bin
if [ "$3" ]; then
    cd /opt/pingyi
    mkdir source python .venv/lib
    mount --bind "$3" source
    mount --bind "$4" .venv/lib
    mount --bind "$5" python
    ln -s "/opt/pingyi/python/bin/$6" .venv/bin/python
    echo "home = /opt/pingyi/python/bin" >.venv/pyvenv.cfg
    cd "$1"
fi
mkdir etc
mount -t tmpfs none etc
cp -a /etc/. etc
cp -r passwd group pingyi etc
mount --bind etc /etc
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
mkdir groups
mount -t cgroup2 none groups
mkdir "groups/$2"
echo $$ >"groups/$2/cgroup.procs"
exec unshare --cgroup --pid --fork --kill-child --uts --net --ipc sh inner
"""
_INNER = r"""
set -eu
mount -t proc none /proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
mount -t cgroup2 none /sys/fs/cgroup
export container=test SYSTEMD_UNIT_PATH="$PWD/units"
exec /lib/systemd/systemd --system --unit=start.target --show-status=no --log-target=null
"""
_SWEEP = r"""
mount -t cgroup2 none "$1"
find "$1/$2" -depth -type d -exec rmdir {} +
"""


def require():
    """Skip, with the reason, where a second systemd cannot run."""
    if not SYSTEMD.exists() or shutil.which("systemctl") is None:
        pytest.skip("systemd is not installed (apt install systemd)")
    if os.geteuid() != 0:
        pytest.skip("only root may run a systemd in namespaces")
    if "cgroup2" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        pytest.skip("this kernel has no cgroup2")
    spaces = ["unshare", "--mount", "--cgroup", "--pid", "--fork", "--uts", "--net", "--ipc"]
    if subprocess.run([*spaces, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no namespaces")


class Kiosk:
    """A booted machine: `systemctl`, what runs, and how the program was called.

    `real`: the product's own programs in place of the stand-in. `settings`: the files of
    /etc/pingyi by name.
    """

    def __init__(self, folder, *, real=False, settings=None):
        self._folder = folder
        self._name = f"pingyi-test-{os.getpid()}"
        (folder / "units").mkdir(parents=True)
        for unit in (UDEV / "units").glob("*.service"):
            shutil.copy(unit, folder / "units")
            extra = folder / "units" / f"{unit.name}.d"
            extra.mkdir()
            (extra / "log.conf").write_text(_LOG, encoding="utf-8")
        for name in ("start", "sysinit", "basic", "shutdown"):
            (folder / "units" / f"{name}.target").write_text(_TARGET, encoding="utf-8")
        (folder / "pingyi").mkdir()
        for name, text in (settings or {}).items():
            (folder / "pingyi" / name).write_text(text, encoding="utf-8")
        programs = folder / "programs"
        programs.mkdir()
        (programs / "pingyi-kiosk").write_text(
            _REAL.format("device") if real else _PROGRAM, encoding="utf-8"
        )
        (programs / "pingyi-hub").write_text(_REAL.format("hub"), encoding="utf-8")
        python = Path(sys.executable).resolve()
        places = [UDEV.parent, Path(sys.prefix) / "lib", python.parents[1], python.name]
        (folder / "inner").write_text(_INNER, encoding="utf-8")
        groups = ["root:x:0:", f"pingyi:x:{USER}:", "video:x:44:", "render:x:105:", "input:x:106:"]
        (folder / "group").write_text("\n".join([*groups, ""]), encoding="utf-8")
        users = ["root:x:0:0::/root:/bin/sh", f"pingyi:x:{USER}:{USER}::{STATE}:/bin/false"]
        (folder / "passwd").write_text("\n".join([*users, ""]), encoding="utf-8")
        with (folder / "stderr").open("wb") as said:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", _OUTER, "sh", folder, self._name]
                + (places if real else [""]),
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
        self._first = None
        self.until(self._is_up)
        self.state.mkdir(mode=0o750)
        os.mkfifo(self.state / "end")
        for path in (self.state, self.state / "end"):
            os.chown(path, USER, USER)

    def _is_up(self):
        if self._process.poll() is not None:
            raise AssertionError((self._folder / "stderr").read_text(errors="replace"))
        ours = self._process.pid
        children = Path(f"/proc/{ours}/task/{ours}/children").read_text(encoding="ascii").split()
        if not children or not Path(f"/proc/{children[0]}/root/run/systemd/private").exists():
            return False
        self._first = children[0]
        return self.systemctl("is-active", "start.target") == "active"

    @property
    def state(self):
        """The kiosk's state directory, seen from outside."""
        return Path(f"/proc/{self._first}/root{STATE}")

    def inside(self, *words):
        """Run a command in the machine as root; return what it printed."""
        enter = ["nsenter", "--target", self._first, "--mount", "--pid", "--net", "--root", "--wd"]
        found = subprocess.run(
            [*enter, *words], check=False, timeout=30, capture_output=True, text=True
        )
        return found.stdout.strip()

    def systemctl(self, *words):
        """Ask the inner systemd; return what it printed."""
        return self.inside("systemctl", *words)

    def shows(self, unit, key="ActiveState"):
        """One property of pingyi-<unit>.service."""
        return self.systemctl("show", "--value", "--property", key, f"pingyi-{unit}.service")

    def start(self, unit):
        """Start it as a plugged device does, without waiting for its end."""
        self.systemctl("start", "--no-block", f"pingyi-{unit}.service")

    def running(self):
        """Which of the units runs its program now."""
        units = ("kiosk", "enrol", "enrol-first")
        return [unit for unit in units if self.shows(unit, "MainPID") != "0"]

    def called(self):
        """The verbs that the program was called with, in order."""
        try:
            lines = (self.state / "called").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [line.split()[0] for line in lines]

    def log(self, unit):
        """What pingyi-<unit>.service has printed."""
        path = self.state / f"pingyi-{unit}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def end(self, number):
        """Let the running enrolment end with `number`."""
        with (self.state / "end").open("w", encoding="ascii") as fifo:
            fifo.write(f"{number}\n")

    @staticmethod
    def until(condition, seconds=30):
        """Wait for a condition, with a bound."""
        limit = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < limit, condition
            time.sleep(0.05)
        return found

    def close(self):
        """End the inner systemd and all that it started; leave no cgroup behind."""
        self._process.kill()
        self._process.wait(30)
        place = self._folder / "swept"
        place.mkdir()
        sweep = ["unshare", "--mount", "sh", "-c", _SWEEP, "sh", place, self._name]
        self.until(lambda: subprocess.run(sweep, check=False, capture_output=True).returncode == 0)
