"""Every line of the rules does something: without it a plug comes out differently."""

from concurrent.futures import ThreadPoolExecutor

import hardware
import pytest
from engine import DESK, KIOSK


def crowd():
    """Everything that the rules name, and what is most like it."""
    ids = ("1a86:7523", "10c4:ea60", "0403:6001", "067b:2303", "2c7c:0125", "0525:a4a7")
    for at, one in enumerate(ids):
        yield hardware.adapter(f"ttyUSB{at}", one, socket=f"1.{at + 1}")
    yield hardware.adapter("ttyUSB6", "0403:6001", socket="2.1", model="pingyi-cable")
    yield hardware.gadget()
    yield hardware.gadget("ttyGS1")
    yield hardware.nowhere("ttyUSB7")
    yield hardware.nowhere("ttyACM7")
    yield hardware.uart()
    acm = [
        ("0525:a4a7", "pingyi-kiosk", "A"),
        ("0525:a4a7", "pingyi-kiosk", ""),
        ("0525:a4a7", "Gadget Serial", ""),
        ("2341:0043", "pingyi-kiosk", ""),
        ("2e8a:000a", "pingyi-cable", ""),
        ("1a86:7523", "USB Serial", ""),
    ]
    for at, (one, model, serial) in enumerate(acm):
        yield hardware.acm(f"ttyACM{at}", one, socket=f"3.{at + 1}", model=model, serial=serial)
    yield hardware.hid("touch", 0, socket="4.1")
    yield hardware.hid("mouse", 1, socket="4.2")
    yield hardware.hid("keypad", 2, socket="4.3")
    yield hardware.hid("touch", 3, usb=False)


OURS = ("SYSTEMD_WANTS", "ID_MM_DEVICE_IGNORE")
SPARES_WORK = 'SUBSYSTEM!="tty"'
"""A line that starts so only spares the engine to read on for what cannot match anyway."""


def outcome(plug, rules):
    """What the rules make of the crowd, and of two that are pulled."""
    parts = list(crowd())
    pulled = [part for part in parts if part.node in ("ttyUSB6", "ttyUSB1", "ttyACM0")]
    seen, after = plug(rules, *parts), plug(rules, *parts, then=pulled)
    devices = {
        node: (one.names, one.group, one.mode, *map(one.properties.get, OURS))
        for node, one in seen.devices.items()
    }
    gone = {node: [*map(one.get, OURS)] for node, one in after.gone.items()}
    return devices, seen.links, gone, after.links


@pytest.mark.parametrize("rules", [KIOSK, DESK], ids=lambda rules: rules.stem)
def test_without_any_one_line_something_is_plugged_differently(plug, tmp_path, rules):
    """Each rule is taken out in turn, and the engine asked again."""
    lines = rules.read_text(encoding="utf-8").splitlines()
    at = [
        number
        for number, line in enumerate(lines)
        if line and not line.startswith(("#", SPARES_WORK))
    ]

    def without(number):
        folder = tmp_path / f"without{number}"
        folder.mkdir()
        changed = folder / rules.name
        left = [line for other, line in enumerate(lines) if other != number]
        changed.write_text("\n".join(left) + "\n", encoding="utf-8")
        return outcome(plug, changed)

    whole = outcome(plug, rules)
    with ThreadPoolExecutor(2) as pool:
        outcomes = dict(zip(at, pool.map(without, at), strict=True))
    assert len(at) > 8
    assert not [lines[number] for number, found in outcomes.items() if found == whole]


@pytest.mark.parametrize("rules", [KIOSK, DESK], ids=lambda rules: rules.stem)
def test_the_engine_has_nothing_to_complain_about(plug, rules):
    """It warns of unknown keys, unknown groups and labels that lead nowhere, with file and line."""
    log = plug(rules, *crowd()).log
    said = [
        line.split(f"{rules.name}:", 1)[1] for line in log.splitlines() if f"{rules.name}:" in line
    ]
    assert said
    assert not [line for line in said if line.split()[1] not in ("LINK", "GROUP", "MODE")]
