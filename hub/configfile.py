"""Reads the hub's one configuration file (TOML) and names every fault in it at once."""

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub import tomlfile
from hub.config import (
    ApiConfig,
    BrokerConfig,
    ConfigError,
    HubConfig,
    PublicConfig,
    ScreensConfig,
    UpstreamConfig,
)
from protocol import strict
from protocol.errors import TopicError
from protocol.topics import HUB, name


def load(path: Path, *, files: bool = True) -> HubConfig:
    """Read and check the file; raises `ConfigError` with all its faults at once.

    `files` False: what it names need not be there yet.
    """
    data = tomlfile.read(path)
    base = path.parent if files else None
    try:
        config = strict.convert(data, HubConfig)
    except strict.Faults as error:
        faults = (*error.faults, *_of_the_rest(data, error.faults, base))
        raise ConfigError(_list(path, faults)) from error
    found = _second(config, base)
    if found:
        raise ConfigError(_list(path, tuple(found)))
    return config


def _second(config: HubConfig, base: Path | None) -> list[strict.Fault]:
    """Return what is wrong with items that each by itself could be right; `base`: of files."""
    return [
        *_names(config),
        *_api(config.api),
        *_transport(config.broker),
        *_public(config.public),
        *_upstream(config.upstream),
        *_screens(config.screens),
        *(_files(config, base) if base is not None else ()),
    ]


def _of_the_rest(
    data: dict[str, Any], known: tuple[strict.Fault, ...], base: Path | None
) -> list[strict.Fault]:
    """Return what is wrong with the sections in which nothing else is: nobody mends twice."""
    faulty = {_section(each.place) for each in known}
    rest = {section: said for section, said in data.items() if section not in faulty}
    for needed in ("hall", "hall_name", "state"):
        if needed not in rest:
            faulty.add(needed)
            rest[needed] = "hall"
    try:
        config = strict.convert(rest, HubConfig)
    except strict.Faults:
        return []
    return [each for each in _second(config, base) if _section(each.place) not in faulty]


def _section(place: str) -> str:
    return place.partition(".")[0].partition("[")[0]


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
    return faults


def _api(api: ApiConfig) -> list[strict.Fault]:
    """Encrypted with certificate and key, or plain on loopback, or because somebody says so."""
    if bool(api.certificate) != bool(api.key):
        return [strict.Fault("api.certificate", "certificate 与 key 须同时填写")]
    if api.certificate or api.insecure or is_loopback(api.host):
        return []
    return [
        strict.Fault(
            "api.certificate",
            f"{api.host} 不是本机，口令和接口密钥须加密传送：请填写 certificate 和 key；"
            "由本机的反向代理加密时请只监听 127.0.0.1；确实要用明文，请写明 insecure = true",
        )
    ]


def _public(public: PublicConfig) -> list[strict.Fault]:
    """A host that can be asked for, encrypted unless it is this machine or somebody says so."""
    try:
        found = urlsplit(public.url)
        host, _ = found.hostname or "", found.port
    except ValueError:
        host = ""
    if public.url and not host:
        return [strict.Fault("public.url", "主机名或端口不对，应形如 https://pj.example.cn")]
    if not public.url.startswith("http:") or public.insecure or is_loopback(host):
        return []
    return [
        strict.Fault(
            "public.url",
            "须以 https:// 开头：群众写的话要加密传送；确实要用明文（只限试用），"
            "请写明 insecure = true",
        )
    ]


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


def _upstream(upstream: UpstreamConfig | None) -> list[strict.Fault]:
    if upstream is None or not upstream.ca or upstream.url.startswith("https://"):
        return []
    return [strict.Fault("upstream.ca", "只用于加密连接：upstream.url 须以 https:// 开头")]


def _screens(screens: ScreensConfig) -> list[strict.Fault]:
    return [
        strict.Fault(f"screens.announcements[{index}]", "不能只有空格：请写上内容，或删去这一条")
        for index, text in enumerate(screens.announcements, 1)
        if not text.strip()
    ]


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
        (f"api.{name}", file)
        for name in ("certificate", "key")
        if (file := getattr(config.api, name))
    ]
    named += [
        (f"broker.{name}", file)
        for name in ("ca", "certificate", "key", "device_ca", "crl", "kick_password")
        if (file := getattr(config.broker, name))
    ]
    if config.upstream is not None:
        named += [
            (f"upstream.{name}", file)
            for name in ("quirks", "ca")
            if (file := getattr(config.upstream, name))
        ]
    return [
        strict.Fault(place, f"找不到文件 {file}")
        for place, file in named
        if not (base / file).is_file()
    ]
