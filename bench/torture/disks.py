"""Small disks of their own for each program's state, so that they can be full or read-only."""

import contextlib
import os
import subprocess
from pathlib import Path


class Disk:
    """A tmpfs at `place`, if this machine lets us mount one; else a plain folder."""

    def __init__(self, place: Path, megabytes: int) -> None:
        self.place = place
        self._megabytes = megabytes
        self.real = False

    def mount(self) -> None:
        """Make the folder, and the disk in it where that is allowed."""
        self.place.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            options = f"size={self._megabytes}m,mode=0700"
            self.real = not _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place))

    def unmount(self) -> None:
        """Copy what is on it to where it was mounted, and let it go."""
        if not self.real:
            return
        self.fill(full=False)
        self.read_only(on=False)
        kept = self.place.with_name(self.place.name + ".kept")
        _run("cp", "-a", str(self.place), str(kept))
        if not _run("umount", str(self.place)):
            self.real = False
            self.place.rmdir()
            kept.rename(self.place)

    def fill(self, *, full: bool) -> None:
        """Leave no free byte, or take the filling away."""
        filler = self.place / "filler"
        if not full:
            filler.unlink(missing_ok=True)
            return
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            stat = os.statvfs(self.place)
            os.posix_fallocate(file.fileno(), 0, stat.f_bfree * stat.f_frsize)
            while True:  # another may have freed a page meanwhile
                file.seek(0, os.SEEK_END)
                file.write(b"\0" * stat.f_frsize)

    def read_only(self, *, on: bool) -> None:
        """Have it taken for reading only; the program must not run."""
        done = _run("mount", "-o", f"remount,{'ro' if on else 'rw'}", str(self.place))
        if done and on:
            raise OSError(f"{self.place} cannot be made read-only")


def mountable(folder: Path) -> bool:
    """Whether disks of our own can be mounted here."""
    probe = Disk(folder / "probe-disk", 1)
    probe.mount()
    found = probe.real
    probe.unmount()
    return found


def _run(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode
