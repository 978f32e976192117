"""The units: systemd understands them, their commands exist, and they work behind their locks."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import click
import pytest
import service_manager
from engine import UDEV

from device import identity
from device.__main__ import main as kiosk_command
from hub.__main__ import main as hub_command

UNITS = sorted((UDEV / "units").glob("*.service"))
COMMANDS = {"pingyi-kiosk": kiosk_command, "pingyi-hub": hub_command}

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def calls(unit):
    """Every call of one of our programs in a unit: program and words, also inside `sh -c`."""
    text = unit.read_text(encoding="utf-8")
    for line in re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE):
        for call in re.findall(r"/opt/pingyi/\.venv/bin/(pingyi-[^';]+)", line):
            program, *words = shlex.split(call)
            yield program, words


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    """Unknown settings, cycles in the order, commands that are not there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    place = tmp_path / "bin"
    place.mkdir()
    for program in COMMANDS:
        (place / program).write_text("#!/bin/sh\n", encoding="ascii")
        (place / program).chmod(0o755)
    copies = []
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/pingyi/.venv/bin", str(place))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
        copies.append(tmp_path / unit.name)
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *copies],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in found.stderr.splitlines() if "pingyi" in line]
    assert (found.returncode, ours) == (0, [])


def test_the_handbooks_agree_whose_the_configuration_is():
    """broker-config runs as this user and writes beside the configuration."""
    handbooks = (UDEV / "README.zh-CN.md", UDEV.parent / "docs" / "operations.zh-CN.md")
    told = [
        re.search(r"install -d -o (\S+) -g (\S+) -m (\d+) /etc/pingyi\b", each.read_text("utf-8"))
        for each in handbooks
    ]
    assert [found and found.groups() for found in told] == [("pingyi", "pingyi", "750")] * 2


def test_the_hub_may_hold_a_connection_for_everybody():
    """A hall has more pages and kiosks than systemd's 1024 descriptors."""
    unit = (UDEV / "units" / "pingyi-hub.service").read_text(encoding="utf-8")
    assert int(re.search(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)[1]) >= 65_536


def test_the_programs_of_the_units_exist_with_their_options():
    """Parsed by the programs themselves."""
    found = [(program, words) for unit in UNITS for program, words in calls(unit)]
    assert len(found) == 4
    for program, (verb, *rest) in found:
        command = COMMANDS[program].commands[verb]
        with click.Context(command, info_name=verb) as context:
            command.parse_args(context, rest)


@each_unit
def test_every_unit_that_is_started_exists(unit):
    """By a rule or by another unit."""
    text = unit.read_text(encoding="utf-8")
    rules = "".join(rule.read_text(encoding="utf-8") for rule in UDEV.glob("*.rules"))
    named = set(re.findall(r"pingyi-[a-z-]+\.service", text + rules))
    assert named <= {one.name for one in UNITS}


@pytest.mark.parametrize(
    ("unit", "most"), [("hub", 20), ("kiosk", 45), ("enrol", 45), ("enrol-first", 45)]
)
def test_the_services_stay_locked_in(unit, most):
    """systemd's own measure of exposure, in tenths: 0 is none, 100 is all."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    path = UDEV / "units" / f"pingyi-{unit}.service"
    subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", path],
        check=True,
        capture_output=True,
        timeout=60,
    )


def test_the_user_of_the_services_is_made(tmp_path):
    """Group for the devices, user for the services, no login."""
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers is not installed (apt install systemd)")
    (tmp_path / "etc").mkdir()
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", UDEV / "units" / "pingyi.sysusers.conf"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    user = (tmp_path / "etc" / "passwd").read_text(encoding="utf-8").split(":")
    group = (tmp_path / "etc" / "group").read_text(encoding="utf-8").split(":")
    assert (user[0], group[0]) == ("pingyi", "pingyi")
    assert user[3] == group[2]
    assert user[6].strip().endswith("nologin")


HUB = """
hall = "sample-hall"
hall_name = "示例区政务服务中心"
state = "/var/lib/pingyi/hub"
"""
KIOSK = """
hall = "sample-hall"
device = "kiosk-01"
state = "/var/lib/pingyi"
"""
ASK = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8750/readyz').status)"


def test_hub_and_kiosk_run_under_their_units(tmp_path):
    """The real programs under a real systemd: the hub answers, the kiosk draws its window."""
    service_manager.require()
    key = tmp_path / "device-key.pem"
    identity.load_or_create(key)
    settings = {
        "hub.toml": HUB,
        "kiosk.toml": KIOSK,
        "kiosk.env": "SDL_VIDEODRIVER=offscreen\n",
    }
    machine = service_manager.Kiosk(tmp_path / "machine", real=True, settings=settings)
    try:
        own = machine.state / key.name
        shutil.copy(key, own)
        os.chown(own, service_manager.USER, service_manager.USER)
        machine.start("hub")
        machine.start("kiosk")
        machine.until(lambda: "Start application main loop" in machine.log("kiosk"), 60)
        machine.until(lambda: machine.inside(sys.executable, "-c", ASK) == "200", 60)
        for unit in ("hub", "kiosk"):
            assert machine.shows(unit) == "active"
            assert machine.shows(unit, "NRestarts") == "0", machine.log(unit)
    finally:
        machine.close()
