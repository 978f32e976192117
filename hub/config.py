"""The hub's one configuration file (TOML): every key, its unit and what holds without it."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from protocol import strict
from protocol.errors import TopicError
from protocol.messages import Name, Part, Staff, Window
from protocol.topics import name

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class ConfigError(Exception):
    """The file cannot be used; the text lists every fault with file and key, in Chinese."""


class ApiConfig(Part, frozen=True, kw_only=True):
    """The HTTP interface. `key_files`: SHA-256 of each key that is let in (`pingyi-hub key`)."""

    host: str = "127.0.0.1"
    port: Port = 8750
    key_files: tuple[str, ...] = ()


class BrokerConfig(Part, frozen=True, kw_only=True):
    """The MQTT broker; `embedded` runs one inside the hub, for trials, on loopback."""

    embedded: bool = True
    host: str = "127.0.0.1"
    port: Port = 1883


class UpstreamConfig(Part, frozen=True, kw_only=True):
    """The city's platform. `timeout_s`: how long one answer may take."""

    url: str
    dialect: Literal["plain"] = "plain"
    data_source: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,8}(?![\s\S])")] = "112"
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 10.0
    parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8


class DeviceConfig(Part, frozen=True, kw_only=True):
    """One kiosk that may speak to this hub, with the file of its public key (PEM)."""

    name: str
    public_key: str


class WindowConfig(Window, frozen=True, kw_only=True):
    """One counter, the kiosk that stands on it and, until clerks sign on, its clerk."""

    device: str
    staff: Staff | None = None
    ttl_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = 60


class HubConfig(Part, frozen=True, kw_only=True):
    """All of it. Paths are relative to the file."""

    hall: str
    hall_name: Name
    state: str
    api: ApiConfig = ApiConfig()
    broker: BrokerConfig = BrokerConfig()
    upstream: UpstreamConfig | None = None
    devices: tuple[DeviceConfig, ...] = ()
    windows: tuple[WindowConfig, ...] = ()


def load(path: Path) -> HubConfig:
    """Read and check the file; raises `ConfigError` with all its faults at once."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"找不到配置文件 {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}：无法读取：{error}") from error
    try:
        config = strict.convert(data, HubConfig)
    except strict.Faults as error:
        raise ConfigError(_list(path, error.faults)) from error
    faults = _across(config, path.parent)
    if faults:
        raise ConfigError(_list(path, tuple(faults)))
    return config


def _list(path: Path, faults: tuple[strict.Fault, ...]) -> str:
    return "\n".join(f"{path}：{fault.place}：{fault.message}" for fault in faults)


def _across(config: HubConfig, base: Path) -> list[strict.Fault]:
    """What no single key can show: names that stand twice, files that are not there."""
    return [*_names(config), *_files(config, base)]


def _names(config: HubConfig) -> list[strict.Fault]:
    faults = []
    names = [("hall", config.hall)]
    names += [(f"devices[{i}].name", each.name) for i, each in enumerate(config.devices, 1)]
    for place, text in names:
        try:
            name(text)
        except TopicError as error:
            faults.append(strict.Fault(place, str(error)))
    known = {device.name for device in config.devices}
    if len(known) < len(config.devices):
        faults.append(strict.Fault("devices", "有两台设备用了同一个名称"))
    if len({window.name for window in config.windows}) < len(config.windows):
        faults.append(strict.Fault("windows", "有两个窗口用了同一个名称"))
    faults += [
        strict.Fault(f"windows[{index}].device", f"没有名为“{window.device}”的设备")
        for index, window in enumerate(config.windows, 1)
        if window.device not in known
    ]
    faults += [
        strict.Fault(f"windows[{index}].name", "窗口名称不能含有“/”：接口地址里要写它")
        for index, window in enumerate(config.windows, 1)
        if "/" in window.name
    ]
    return faults


def _files(config: HubConfig, base: Path) -> list[strict.Fault]:
    named = [
        (f"devices[{index}].public_key", device.public_key)
        for index, device in enumerate(config.devices, 1)
    ]
    named += [
        (f"api.key_files[{index}]", file) for index, file in enumerate(config.api.key_files, 1)
    ]
    return [
        strict.Fault(place, f"找不到文件 {file}")
        for place, file in named
        if not (base / file).is_file()
    ]
