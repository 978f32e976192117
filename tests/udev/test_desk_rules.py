"""What udev makes of devices that are plugged into the IT desk."""

import hardware
import pytest
from engine import DESK, GROUP


def kiosk(name="ttyACM0", **more):
    return hardware.acm(name, "0525:a4a7", model="pingyi-kiosk", **more)


def cable(name="ttyUSB0", **more):
    return hardware.adapter(name, "0403:6001", model="pingyi-cable", **more)


@pytest.mark.parametrize("part", [kiosk(serial="K-0317"), cable(serial="K-0317")], ids=str)
def test_a_plugged_kiosk_has_the_name_of_its_serial_number(plug, part):
    """The group may open it, ModemManager keeps off, and nothing is started."""
    seen = plug(DESK, part)
    device = seen.devices[part.node]
    assert device.names == ("kiosk-K-0317",)
    assert (device.group, device.mode) == (GROUP, "660")
    assert device.properties["ID_MM_DEVICE_IGNORE"] == "1"
    assert "SYSTEMD_WANTS" not in device.properties
    assert seen.links == {"kiosk-K-0317": part.node}


def test_two_kiosks_have_two_names(plug):
    """With serial numbers, without, and one of each."""
    at = f"kiosk-{hardware.SOCKETS}"
    numbered = [kiosk(serial="A"), kiosk("ttyACM1", socket="1.2", serial="B")]
    assert plug(DESK, *numbered).links == {"kiosk-A": "ttyACM0", "kiosk-B": "ttyACM1"}
    nameless = [kiosk(), kiosk("ttyACM1", socket="1.2")]
    assert plug(DESK, *nameless).links == {f"{at}:1.1:1.0": "ttyACM0", f"{at}:1.2:1.0": "ttyACM1"}
    mixed = [kiosk(serial="A"), cable(socket="1.2")]
    assert plug(DESK, *mixed).links == {"kiosk-A": "ttyACM0", f"{at}:1.2:1.0": "ttyUSB0"}


@pytest.mark.parametrize(
    ("serial", "name"),
    [
        ("../../../etc/x", "kiosk-.._.._.._etc_x"),
        ("a b", "kiosk-a_b"),
        ("%k$env{ID_PATH}", "kiosk-_k_env_ID_PATH_"),
        ("号", f"kiosk-{hardware.SOCKETS}:1.1:1.0"),
        ("..", "kiosk-.."),
        (" ", f"kiosk-{hardware.SOCKETS}:1.1:1.0"),
    ],
)
def test_a_strange_serial_number_stays_in_the_folder(plug, serial, name):
    """The device says it and may say anything; its name is one word all the same."""
    assert plug(DESK, kiosk(serial=serial)).links == {name: "ttyACM0"}


@pytest.mark.parametrize(
    "part",
    [
        hardware.acm("ttyACM0", "04e8:6860", model="Phone", serial="R58"),
        hardware.acm("ttyACM0", "2341:0043", model="Arduino Uno"),
        hardware.acm("ttyACM0", "0525:a4a7", model="Gadget Serial v2.4"),
        hardware.acm("ttyACM0", "2341:0043", model="pingyi-kiosk"),
        hardware.acm("ttyACM0", "0525:a4a6", model="pingyi-kiosk"),
        hardware.acm("ttyACM0", "1d6b:a4a7", model="pingyi-kiosk"),
        hardware.acm("ttyACM0", "2c7c:0125", model="EC25 modem"),
        hardware.adapter("ttyUSB0", "0525:a4a7", model="pingyi-kiosk"),
        hardware.adapter("ttyUSB0", "1a86:7523"),
        hardware.adapter("ttyUSB0", "10c4:ea60"),
        hardware.adapter("ttyUSB0", "0403:6001"),
        hardware.adapter("ttyUSB0", "067b:2303"),
        hardware.gadget(),
        hardware.uart(),
        hardware.hid("touch"),
        hardware.hid("keypad"),
    ],
    ids=str,
)
def test_what_is_no_kiosk_is_left_alone(plug, part):
    """On a desk a common adapter may be anything: none is a pad, none is a kiosk."""
    assert not plug(DESK, part).devices[part.node].ours


def test_a_pulled_kiosk_leaves_no_name_behind(plug):
    parts = [kiosk(serial="A"), kiosk("ttyACM1", socket="1.2", serial="B")]
    assert plug(DESK, *parts, then=parts[:1]).links == {"kiosk-B": "ttyACM1"}
