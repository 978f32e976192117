"""The kiosk's one configuration file (TOML): every key, its unit and what holds without it."""

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from device.keypad import model as pad_models
from device.keypad.settings import KeypadConfig
from device.panel import Panel, hours
from device.voice import settings as voices
from device.voice.settings import VoiceConfig
from device.watchdog import WatchdogConfig
from protocol import strict
from protocol.errors import TopicError
from protocol.messages import Part
from protocol.topics import HUB, name


class ConfigError(Exception):
    """The file cannot be used; the text lists every fault with file and key, in Chinese."""


class HubConfig(Part, frozen=True, kw_only=True):
    """Where the hall's message broker is. `tls`: by the certificate that enrolment left here."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    tls: bool = False
    insecure: bool = False


class ScreenConfig(Part, frozen=True, kw_only=True):
    """The picture, in pixels. `text_input`: a keyboard or writing pad is attached.

    `diagonal_inch` None: as panels of so many pixels are usually sold. `evening`: hours in China
    with the dimmed colours, "" for never. `pictures`: a folder of the hall's, "" for none.
    """

    width: Annotated[int, msgspec.Meta(ge=480, le=3840)] = 1024
    height: Annotated[int, msgspec.Meta(ge=480, le=3840)] = 600
    fullscreen: bool = True
    text_input: bool = False
    diagonal_inch: Annotated[float, msgspec.Meta(ge=5, le=32)] | None = None
    evening: str = "18:30-07:00"
    pictures: str = ""

    def panel(self, base: Path) -> Panel:
        """Return what of this the picture needs; raises ValueError, in Chinese."""
        folder = base / self.pictures if self.pictures else None
        return Panel(inches=self.diagonal_inch, evening=hours(self.evening), pictures=folder)


class EnrolmentConfig(Part, frozen=True, kw_only=True):
    """Where a kiosk that is not enrolled waits for the desk: a device, or what pyserial opens."""

    port: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] = "/dev/pingyi/desk"


class KioskConfig(Part, frozen=True, kw_only=True):
    """All of it. `state` is the one directory of everything this kiosk keeps.

    Without `hub`, an enrolled kiosk goes where enrolment told it to; any other, to this machine,
    or, with a section `enrolment`, nowhere: it waits to be enrolled.
    """

    hall: str
    device: str
    state: str
    hub: HubConfig | None = None
    screen: ScreenConfig = ScreenConfig()
    enrolment: EnrolmentConfig | None = None
    keypad: KeypadConfig = KeypadConfig()
    voice: VoiceConfig = VoiceConfig()
    watchdog: WatchdogConfig = WatchdogConfig()

    @property
    def needs_identity(self) -> bool:
        """Whether this kiosk serves only with a certificate of its hall."""
        return self.enrolment is not None if self.hub is None else self.hub.tls


def load(path: Path) -> KioskConfig:
    """Read and check the file; raises `ConfigError` with all its faults at once."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"找不到配置文件 {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}：无法读取：{error}") from error
    try:
        config = strict.convert(data, KioskConfig)
        faults: list[strict.Fault] = []
    except strict.Faults as error:
        faults = list(error.faults)
    else:
        hub = config.hub or HubConfig()
        if not (hub.tls or hub.insecure or is_loopback(hub.host)):
            faults.append(
                strict.Fault(
                    "hub.tls",
                    f"{hub.host} 不是本机，须加密连接：请设 tls = true；"
                    "确实要用明文（只限隔离网段内试用），请写明 insecure = true",
                )
            )
        faults += _of_the_screen(config.screen, path.parent)
        if config.device.startswith(HUB):
            faults.append(strict.Fault("device", f"不能以“{HUB}”开头：那是大厅服务器的名称"))
        faults += _of_the_pads(config.keypad, path.parent)
        faults += [strict.Fault(place, text) for place, text in voices.faults(config.voice)]
        for place, text in (("hall", config.hall), ("device", config.device)):
            try:
                name(text)
            except TopicError as error:
                faults.append(strict.Fault(place, str(error)))
    if faults:
        raise ConfigError("\n".join(f"{path}：{each.place}：{each.message}" for each in faults))
    return config


def _of_the_screen(screen: ScreenConfig, base: Path) -> list[strict.Fault]:
    """Return what is wrong with the hours of the evening."""
    try:
        screen.panel(base)
    except ValueError as error:
        return [strict.Fault("screen.evening", str(error))]
    return []


def _of_the_pads(keypad: KeypadConfig, base: Path) -> list[strict.Fault]:
    if not keypad.port:
        return []
    try:
        pad_models.load(keypad.model, base)
    except pad_models.ModelError as error:
        return [strict.Fault("keypad.model", line) for line in str(error).splitlines()]
    return []


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no wire lies between."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
