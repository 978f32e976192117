"""Devices as a Raspberry Pi 4 has them in sysfs, in the notation of umockdev.

A part is the text of the devices that a plug adds, and the path of the one that udev names. The
attributes are those that udev's own builtins read (usb_id, path_id, input_id).
"""

from dataclasses import dataclass

PCI = "/devices/platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0"
SOCKETS = "platform-fd500000.pcie-pci-0000:01:00.0-usb-0"
"""How path_id names the USB controller; a socket follows, then the interface."""

BOARD = f"""\
P: /devices/platform/scb
E: SUBSYSTEM=platform

P: /devices/platform/scb/fd500000.pcie
E: SUBSYSTEM=platform

P: {PCI.rpartition("/")[0]}
E: SUBSYSTEM=pci

P: {PCI}
E: SUBSYSTEM=pci

P: {PCI}/usb1
E: SUBSYSTEM=usb
E: DEVTYPE=usb_device
A: idVendor=1d6b
A: idProduct=0002
"""


@dataclass(frozen=True)
class Part:
    """What a plug adds: the text, the path that udev is asked about, its node and numbers."""

    text: str
    path: str
    node: str
    numbers: tuple[int, int]
    title: str = ""

    def __str__(self):
        return self.title or self.node


def _usb(socket, ids, model, serial, interface):
    vendor, product = ids.split(":")
    where = f"{PCI}/usb1/1-{socket}"
    strings = "".join(
        f"A: {key}={value}\n" for key, value in (("product", model), ("serial", serial)) if value
    )
    text = (
        f"{BOARD}\nP: {where}\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n"
        f"A: idVendor={vendor}\nA: idProduct={product}\n{strings}\n"
        f"P: {where}/1-{socket}:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\n"
        f"A: bInterfaceNumber=00\nA: bInterfaceClass={interface}\n"
    )
    return text, f"{where}/1-{socket}:1.0"


def _tty(text, path, name, numbers, title=""):
    major, minor = numbers
    text += f"\nP: {path}\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/{name}\n"
    text += f"E: MAJOR={major}\nE: MINOR={minor}\nA: dev={major}:{minor}\n"
    return Part(text, path, name, numbers, title or name)


def adapter(name, ids, *, socket="1.1", model="USB Serial", serial=""):
    """A USB-serial adapter; `ids` is vendor:product, `name` its ttyUSB node."""
    text, interface = _usb(socket, ids, model, serial, "ff")
    port = f"{interface}/{name}"
    text += f"\nP: {port}\nE: SUBSYSTEM=usb-serial\nA: port_number=0\n"
    numbers = (188, int(name.removeprefix("ttyUSB")))
    return _tty(text, f"{port}/tty/{name}", name, numbers, f"{name}-{ids}-{model}")


def acm(name, ids, *, socket="1.1", model="", serial=""):
    """A device that speaks CDC-ACM: a gadget, an Arduino, a phone, a modem."""
    text, interface = _usb(socket, ids, model, serial, "02")
    path = f"{interface}/tty/{name}"
    numbers = (166, int(name.removeprefix("ttyACM")))
    return _tty(text, path, name, numbers, f"{name}-{ids}-{model}")


def gadget(name="ttyGS0"):
    """The kiosk's own end of the cable where it is the gadget."""
    path = f"/devices/virtual/tty/{name}"
    return _tty("", path, name, (240, int(name.removeprefix("ttyGS"))))


def nowhere(name="ttyUSB0"):
    """A port of no USB device, as a virtual driver may make one."""
    path = f"/devices/virtual/tty/{name}"
    return _tty("", path, name, (4, 200 + int(name[-1])), f"virtual-{name}")


def uart():
    """The board's own serial port."""
    path = "/devices/platform/soc/fe201000.serial/tty/ttyAMA0"
    text = "P: /devices/platform/soc/fe201000.serial\nE: SUBSYSTEM=platform\n"
    return _tty(text, path, "ttyAMA0", (204, 64))


_CAPABILITIES = {
    "touch": {
        "properties": "2",
        "ev": "b",
        "key": "400 0 0 0 0 0",
        "abs": "260800000000003",
    },
    "mouse": {"properties": "0", "ev": "17", "key": "70000 0 0 0 0", "rel": "103"},
    "keypad": {
        "properties": "0",
        "ev": "120013",
        "key": "10000000000 e080ffdf01cfffff fffffffffffffffe",
    },
    "touchpad": {
        "properties": "5",
        "ev": "b",
        "key": "6420 30000 0 0 0 0",
        "abs": "260800011000003",
    },
}


def hid(kind, event=0, *, socket="1.2", usb=True):
    """An input device: touch, mouse, keypad or touchpad; `usb=False` hangs it on the board."""
    if usb:
        text, parent = _usb(socket, "0eef:0001", "panel", "", "03")
    else:
        parent = "/devices/platform/soc/fe205000.i2c"
        text = f"P: {parent}\nE: SUBSYSTEM=platform\n"
    has = dict(_CAPABILITIES[kind])
    where = f"{parent}/input/input{event}"
    text += f"\nP: {where}\nE: SUBSYSTEM=input\nE: PRODUCT=3/eef/1/210\n"
    text += f"A: properties={has.pop('properties')}\n"
    text += "".join(
        f"A: capabilities/{key}={has.get(key, '0')}\n" for key in ("ev", "key", "abs", "rel")
    )
    path = f"{where}/event{event}"
    numbers = (13, 64 + event)
    text += f"\nP: {path}\nE: SUBSYSTEM=input\nE: DEVNAME=/dev/input/event{event}\n"
    text += f"E: MAJOR=13\nE: MINOR={numbers[1]}\n"
    return Part(text, path, f"input/event{event}", numbers, f"{kind}-{'usb' if usb else 'board'}")
