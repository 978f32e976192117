"""What the hub needs at its two doors, made of the configuration: to its broker and its city."""

import logging
import ssl
from pathlib import Path

from hub.clock import epoch_ms
from hub.config import ConfigError, HubConfig, UpstreamConfig
from hub.kiosks.guard import Papers
from hub.link import brokerfiles, tls
from hub.link.brokerfiles import FilesError
from hub.link.kick import Kicker
from hub.upstream.dialects import Dialect, DialectError, dialect_of

log = logging.getLogger(__name__)


def kicker(config: HubConfig, base: Path) -> Kicker | None:
    """Return what ends sessions at the broker, if there is one; raises `ConfigError`."""
    broker = config.broker
    if broker.embedded or not broker.kick_password:
        log.warning("kick=none note=已吊销的评价器在断线之前不会被断开，只是不再被接受")
        return None
    try:
        password = brokerfiles.read_password(base / broker.kick_password)
    except FilesError as error:
        raise ConfigError(str(error)) from error
    return Kicker(broker.kick_port, password)


def context(config: HubConfig, base: Path) -> tls.MakeContext | None:
    """Return what makes the hub's TLS contexts, tried once; raises `ConfigError`."""
    broker = config.broker
    if not broker.tls:
        return None
    make = tls.maker(base / broker.ca, base / broker.certificate, base / broker.key)
    try:
        make()
    except OSError as error:
        raise ConfigError(
            f"连接消息服务的证书或密钥无法使用：{error}。"
            "请核对 broker.ca、broker.certificate、broker.key 三个文件，密钥不能有口令"
        ) from error
    return make


def papers(config: HubConfig, base: Path) -> Papers:
    """Return the files whose end is watched."""
    broker = config.broker
    return Papers(
        crl=base / broker.crl if broker.crl else None,
        device_ca=base / broker.device_ca if broker.device_ca else None,
        certificate=base / broker.certificate if broker.tls else None,
        alarm_days=broker.crl_alarm_days,
    )


def device_ca(config: HubConfig, base: Path) -> str | None:
    """Return the CA (PEM) by whose certificates kiosks are known, if one is configured.

    Raises `ConfigError`.
    """
    if not config.broker.device_ca:
        return None
    path = base / config.broker.device_ca
    try:
        brokerfiles.certificate(path)
        return path.read_text("ascii")
    except (FilesError, OSError, ValueError) as error:
        raise ConfigError(f"评价器的签发 CA {path} 无法使用：{error}") from error


def dialect(upstream: UpstreamConfig | None, base: Path) -> Dialect | None:
    """Return the way of the city to be spoken to, None without one; raises `ConfigError`."""
    if upstream is None:
        return None
    try:
        tls = ssl.create_default_context(cafile=base / upstream.ca) if upstream.ca else None
        return dialect_of(
            upstream.dialect,
            upstream.url,
            base=base,
            access=upstream.access,
            now=epoch_ms,
            quirks=upstream.quirks,
            timeout_s=upstream.timeout_s,
            tls=tls,
        )
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"hub.toml：upstream.ca：{upstream.ca} 不是可用的证书（PEM）：{error}"
        ) from error
    except DialectError as error:
        raise ConfigError(str(error)) from error
