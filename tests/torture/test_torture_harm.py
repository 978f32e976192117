"""The disks that are full or read-only, and the clocks that jump, are so for a real program."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

from bench.torture.clocks import Clock, library
from bench.torture.disks import Disk, mountable
from bench.torture.kiosk import Wish

HOUR_S = 3600


@pytest.fixture
def disk(tmp_path):
    if not mountable(tmp_path):
        pytest.skip("no right to mount a disk of our own here: needs root")
    made = Disk(tmp_path / "disk", 4)
    made.mount()
    yield made
    made.unmount()


def write(file):
    return subprocess.run(
        [sys.executable, "-c", f"open({str(file)!r}, 'wb').write(b'x' * 9000)"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_takes_nothing_until_it_is_emptied(disk):
    disk.fill(full=True)
    assert "No space left" in write(disk.place / "file").stderr
    disk.fill(full=False)
    assert write(disk.place / "file").returncode == 0


def test_a_read_only_disk_takes_nothing_until_it_is_writable(disk):
    disk.read_only(on=True)
    assert "Read-only" in write(disk.place / "file").stderr
    disk.read_only(on=False)
    assert write(disk.place / "file").returncode == 0


def test_what_was_on_a_disk_is_there_after_it_is_unmounted(disk):
    write(disk.place / "file")
    disk.fill(full=True)
    disk.unmount()
    assert not os.path.ismount(disk.place)
    assert [path.name for path in disk.place.iterdir()] == ["file"]


def test_the_wall_clock_of_one_program_jumps_and_its_monotonic_clock_does_not(tmp_path):
    if library() is None:
        pytest.skip("no libfaketime here: apt install libfaketime")
    clock = Clock(tmp_path / "clock")
    code = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    seen = asyncio.run(_jump(clock, clock.wrap([sys.executable, "-c", code])))
    assert abs(seen[0][0]) < 60
    assert abs(seen[1][0] - 5 * HOUR_S) < 60
    assert abs(seen[2][0] + 2 * HOUR_S) < 60
    assert seen[0][1] <= seen[1][1] <= seen[2][1] < seen[0][1] + 60


async def _jump(clock, command):
    """Return, for no jump and two, how far off the wall clock is, and the monotonic clock."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    found = []
    for hours in (0, 5, -2):
        clock.set(hours * HOUR_S)
        end = time.monotonic() + 20
        while time.monotonic() < end:  # it looks at the file once a second
            process.stdin.write(b"\n")
            wall, mono = map(float, (await process.stdout.readline()).split())
            if abs(wall - time.time() - hours * HOUR_S) < 60:
                break
            await asyncio.sleep(0.05)
        found.append((wall - time.time(), mono))
    process.stdin.close()
    await process.wait()
    return found


def test_a_citizen_wants_the_same_whenever_the_seed_is_the_same():
    wishes = [Wish.of(3, f"S{number}", f"{number:032x}") for number in range(500)]
    assert wishes == [Wish.of(3, f"S{number}", f"{number:032x}") for number in range(500)]
    assert {wish.level for wish in wishes} == {None, 1, 2, 3, 4, 5}
    assert any(wish.first for wish in wishes)
    assert any(wish.skip for wish in wishes)
    for wish in wishes:
        assert all(code.startswith(str(wish.level)) for code in wish.reasons)
