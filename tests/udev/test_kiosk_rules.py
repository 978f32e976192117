"""What udev makes of devices that are plugged into a kiosk."""

import hardware
import pytest
from engine import GROUP, KIOSK

ADAPTERS = {
    "CH340": "1a86:7523",
    "CP2102": "10c4:ea60",
    "FT232R": "0403:6001",
    "PL2303": "067b:2303",
}


def pad(socket):
    return f"pad-{hardware.SOCKETS}:{socket}:1.0"


def cable(name="ttyUSB0", **more):
    return hardware.adapter(name, "0403:6001", model="pingyi-cable", **more)


def ready_for_us(device):
    """Group and mode stand on the node itself; ModemManager keeps off; systemd hears of it."""
    return (
        device.group == GROUP
        and device.mode == "660"
        and device.properties["ID_MM_DEVICE_IGNORE"] == "1"
        and ":systemd:" in device.properties["TAGS"]
    )


def test_the_gadget_port_is_the_way_to_the_desk_and_starts_first_enrolment_only(plug):
    """It exists from boot: what it starts must ask for an identity first."""
    seen = plug(KIOSK, hardware.gadget())
    port = seen.devices["ttyGS0"]
    assert port.names == ("desk",)
    assert ready_for_us(port)
    assert port.properties["SYSTEMD_WANTS"] == "pingyi-enrol-gadget.service"
    assert seen.links == {"desk": "ttyGS0"}


def test_a_second_function_of_the_gadget_is_left_alone(plug):
    assert not plug(KIOSK, hardware.gadget("ttyGS1")).devices["ttyGS1"].ours


@pytest.mark.parametrize("ids", ADAPTERS.values(), ids=ADAPTERS)
def test_a_declared_cable_is_the_way_to_the_desk_and_no_pad(plug, ids):
    """Declared by its product string, whatever chip is inside."""
    part = hardware.adapter("ttyUSB0", ids, model="pingyi-cable")
    port = plug(KIOSK, part).devices["ttyUSB0"]
    assert port.names == ("desk",)
    assert ready_for_us(port)
    assert port.properties["SYSTEMD_WANTS"] == "pingyi-enrol.service"


def test_a_declared_cable_may_be_a_cdc_acm_adapter(plug):
    part = hardware.acm("ttyACM0", "2e8a:000a", model="pingyi-cable")
    assert plug(KIOSK, part).devices["ttyACM0"].names == ("desk",)


@pytest.mark.parametrize("cable_first", [True, False])
def test_a_plugged_cable_goes_before_the_gadget_port(plug, cable_first):
    """In whichever order they come; when it is pulled the gadget's port is the desk again."""
    parts = [cable(), hardware.gadget()]
    parts = parts if cable_first else parts[::-1]
    assert plug(KIOSK, *parts).links == {"desk": "ttyUSB0"}
    assert plug(KIOSK, *parts, then=[cable()]).links == {"desk": "ttyGS0"}


def test_a_pulled_cable_leaves_no_name_behind(plug):
    assert plug(KIOSK, cable(), then=[cable()]).links == {}


@pytest.mark.parametrize("ids", ADAPTERS.values(), ids=ADAPTERS)
def test_each_common_adapter_is_a_pad_named_by_its_socket(plug, ids):
    device = plug(KIOSK, hardware.adapter("ttyUSB0", ids, socket="1.3")).devices["ttyUSB0"]
    assert device.names == (pad("1.3"),)
    assert ready_for_us(device)
    assert "SYSTEMD_WANTS" not in device.properties


def test_two_equal_pads_are_told_apart_by_socket_whatever_came_first(plug):
    """Same model, same serial number; after a restart the kernel counts them the other way."""

    def two(first, second):
        return [
            hardware.adapter(name, "1a86:7523", socket=socket, serial="0001")
            for name, socket in ((first, "1.1"), (second, "1.2.4"))
        ]

    assert plug(KIOSK, *two("ttyUSB0", "ttyUSB1")).links == {
        pad("1.1"): "ttyUSB0",
        pad("1.2.4"): "ttyUSB1",
    }
    assert plug(KIOSK, *two("ttyUSB1", "ttyUSB0")).links == {
        pad("1.1"): "ttyUSB1",
        pad("1.2.4"): "ttyUSB0",
    }


def test_the_panel_is_read_by_us_and_its_mouse_half_is_not(plug):
    parts = [hardware.hid("mouse", 0), hardware.hid("touch", 1)]
    seen = plug(KIOSK, *parts)
    panel = seen.devices["input/event1"]
    assert (panel.names, panel.group, panel.mode) == (("touch",), GROUP, "660")
    assert not seen.devices["input/event0"].ours
    assert seen.links == {"touch": "input/event1"}


@pytest.mark.parametrize(
    "part",
    [
        hardware.acm("ttyACM0", "04e8:6860", model="Phone", serial="R58"),
        hardware.acm("ttyACM0", "2341:0043", model="Arduino Uno"),
        hardware.acm("ttyACM0", "1a86:7523", model="USB Serial"),
        hardware.acm("ttyACM0", "0525:a4a7", model="pingyi-kiosk"),
        hardware.acm("ttyACM0", "2c7c:0125", model="EC25 modem"),
        hardware.adapter("ttyUSB0", "2c7c:0125", model="EC25 modem"),
        hardware.adapter("ttyUSB0", "1a86:55d4", model="USB Single Serial"),
        hardware.adapter("ttyUSB0", "0403:ea60"),
        hardware.nowhere(),
        hardware.uart(),
        hardware.hid("keypad"),
        hardware.hid("mouse"),
        hardware.hid("touchpad"),
        hardware.hid("touch", usb=False),
    ],
    ids=str,
)
def test_what_is_no_cable_pad_or_panel_is_left_alone(plug, part):
    assert not plug(KIOSK, part).devices[part.node].ours


def test_names_are_also_given_to_what_is_plugged_when_the_rules_are_installed(plug):
    """`udevadm trigger` sends `change`."""
    parts = [hardware.gadget(), hardware.adapter("ttyUSB0", "10c4:ea60"), hardware.hid("touch")]
    assert set(plug(KIOSK, *parts, action="change").links) == {"desk", pad("1.1"), "touch"}
