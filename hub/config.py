"""The hub's one configuration file (TOML): every key, its unit and what holds without it."""

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from protocol import strict
from protocol.certificates import HUB
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
    """The MQTT broker; `embedded` runs one inside the hub, for trials, on loopback.

    With `tls` the hub shows `certificate` and believes what `ca` (the root) has signed.
    `device_ca`, `crl` and `kick_*` are for the broker that `broker-config` writes.
    """

    embedded: bool = True
    host: str = "127.0.0.1"
    port: Port = 1883
    tls: bool = False
    insecure: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    device_ca: str = ""
    crl: str = ""
    crl_alarm_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 14
    kick_port: Port = 1884
    kick_password: str = ""


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


def load(path: Path, *, files: bool = True) -> HubConfig:
    """Read and check the file; raises `ConfigError` with all its faults at once.

    `files` False: what it names need not be there yet.
    """
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
    faults = [*_names(config), *_transport(config.broker)]
    faults += _files(config, path.parent) if files else []
    if faults:
        raise ConfigError(_list(path, tuple(faults)))
    return config


def _list(path: Path, faults: tuple[strict.Fault, ...]) -> str:
    return "\n".join(f"{path}：{fault.place}：{fault.message}" for fault in faults)


def _names(config: HubConfig) -> list[strict.Fault]:
    faults = []
    names = [("hall", config.hall)]
    names += [(f"devices[{i}].name", each.name) for i, each in enumerate(config.devices, 1)]
    for place, text in names:
        try:
            name(text)
        except TopicError as error:
            faults.append(strict.Fault(place, str(error)))
    faults += [
        strict.Fault(f"devices[{index}].name", f"不能以“{HUB}”开头：那是大厅服务器的名称")
        for index, device in enumerate(config.devices, 1)
        if device.name.startswith(HUB)
    ]
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
    return faults


def _transport(broker: BrokerConfig) -> list[strict.Fault]:
    """Encrypted with all it takes, or plain on loopback, or plain because somebody says so."""
    if not broker.tls:
        if broker.insecure or is_loopback(broker.host):
            return []
        return [
            strict.Fault(
                "broker.tls",
                f"{broker.host} 不是本机，须加密连接：请设 tls = true 并填写证书；"
                "确实要用明文（只限隔离网段内试用），请写明 insecure = true",
            )
        ]
    faults = [
        strict.Fault(f"broker.{name}", "缺少此项：tls = true 时须填写文件名")
        for name in ("ca", "certificate", "key")
        if not getattr(broker, name)
    ]
    if broker.embedded:
        faults.append(
            strict.Fault(
                "broker.tls", "内置消息服务不支持 TLS：请设 embedded = false，另装 mosquitto"
            )
        )
    if broker.crl and not broker.device_ca:
        faults.append(strict.Fault("broker.device_ca", "缺少此项：核对吊销列表要用它"))
    return faults


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no wire lies between."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _files(config: HubConfig, base: Path) -> list[strict.Fault]:
    named = [
        (f"devices[{index}].public_key", device.public_key)
        for index, device in enumerate(config.devices, 1)
    ]
    named += [
        (f"api.key_files[{index}]", file) for index, file in enumerate(config.api.key_files, 1)
    ]
    named += [
        (f"broker.{name}", file)
        for name in ("ca", "certificate", "key", "device_ca", "crl", "kick_password")
        if (file := getattr(config.broker, name))
    ]
    return [
        strict.Fault(place, f"找不到文件 {file}")
        for place, file in named
        if not (base / file).is_file()
    ]
