"""What can be configured at the hub: every key, its unit and what holds without it."""

from typing import Annotated

import msgspec

from hub.rules.retention import Retention
from hub.store.keyring import Cipher
from hub.store.settings import Settings
from hub.upstream.access import Access
from hub.upstream.quirks import DialectName
from protocol.messages import Announcements, Name, Part, Window

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
_ADDRESS = r"^(https?://[!-~]*[^/])?(?![\s\S])"
_PUBLIC = r"^(https?://[0-9A-Za-z.:\[\]-]+(/[0-9A-Za-z._~-]+)*)?(?![\s\S])"


class ConfigError(Exception):
    """The file cannot be used; the text lists every fault with file and key, in Chinese."""


class ApiConfig(Part, frozen=True, kw_only=True):
    """The HTTP interface and the pages, under `certificate` and `key` (PEM) where it is TLS.

    `address` is where people reach them (`https://…`), for QR codes. Sessions of people end
    `idle_minutes` after their last click, and `session_hours` after signing in.
    """

    host: str = "127.0.0.1"
    port: Port = 8750
    certificate: str = ""
    key: str = ""
    insecure: bool = False
    address: Annotated[str, msgspec.Meta(max_length=120, pattern=_ADDRESS)] = ""
    idle_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 30
    session_hours: Annotated[int, msgspec.Meta(ge=1, le=24)] = 12


class PublicConfig(Part, frozen=True, kw_only=True):
    """The citizen's own page. `url` is where phones reach it (`https://…`); empty: there is none.

    Without encryption only on this machine, or because somebody says so (`insecure`).
    """

    url: Annotated[str, msgspec.Meta(max_length=120, pattern=_PUBLIC)] = ""
    insecure: bool = False


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
    """The city's platform. `timeout_s`: how long one answer may take.

    `quirks`: the file of what this city does differently; `ca`: its own authority (PEM), then
    the only one that is believed; `access`: how the hall is let in.
    """

    url: Annotated[str, msgspec.Meta(max_length=200, pattern=r"^https?://[!-~]+(?![\s\S])")]
    dialect: DialectName = "plain"
    quirks: str = ""
    ca: str = ""
    access: Access = Access()
    data_source: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,8}(?![\s\S])")] = "112"
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 10.0
    parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8


class LedgerConfig(Part, frozen=True, kw_only=True):
    """The ledger. `checkpoint_s`: a signed checkpoint this often, where there is something new.

    `report_url`: where the account and the newest checkpoint go once a day; empty: nowhere.
    """

    checkpoint_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 60
    report_url: Annotated[str, msgspec.Meta(max_length=500, pattern=_ADDRESS)] = ""


class CitizensConfig(Part, frozen=True, kw_only=True):
    """How citizens' data are sealed: `cipher` of the first key, and of one made by `rotate`."""

    cipher: Cipher = "aes-256-gcm"


class DeviceConfig(Part, frozen=True, kw_only=True):
    """One kiosk that may speak to this hub, with the file of its public key (PEM)."""

    name: str
    public_key: str


class ScreensConfig(Part, frozen=True, kw_only=True):
    """What the hall wishes of its kiosks' screens.

    `elder`: everything larger and calmer (长者模式); `english`: citizens may change the language.
    `announcements` take turns on the screen at rest. `thanks_s` is how long the screen after the
    tap stays, `reasons_s` how long after each touch of a citizen who adds something, in seconds.
    """

    elder: bool = False
    english: bool = True
    announcements: Announcements = ()
    thanks_s: Annotated[int, msgspec.Meta(ge=5, le=600)] = 20
    reasons_s: Annotated[int, msgspec.Meta(ge=5, le=600)] = 60


class WindowConfig(Window, frozen=True, kw_only=True):
    """One counter. Kiosks and clerks are bound to it while the hub runs (配对, 签到).

    `ttl_s`: how long a citizen is waited for, in seconds. `elder`: other than the hall has it.
    """

    ttl_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = 60
    elder: bool | None = None

    def shown(self) -> Window:
        """Return what of it citizens see."""
        return Window(name=self.name, label=self.label)


class HubConfig(Part, frozen=True, kw_only=True):
    """All of it. Paths are relative to the file."""

    hall: str
    hall_name: Name
    state: str
    api: ApiConfig = ApiConfig()
    public: PublicConfig = PublicConfig()
    broker: BrokerConfig = BrokerConfig()
    ledger: LedgerConfig = LedgerConfig()
    citizens: CitizensConfig = CitizensConfig()
    retention: Retention = Retention()
    screens: ScreensConfig = ScreensConfig()
    upstream: UpstreamConfig | None = None
    devices: tuple[DeviceConfig, ...] = ()
    windows: tuple[WindowConfig, ...] = ()

    def in_force(self) -> Settings:
        """Return what of it counts for ratings, for the ledger."""
        upstream = self.upstream
        return Settings(
            hall=self.hall,
            hall_name=self.hall_name,
            windows=tuple((each.name, each.label, each.ttl_s) for each in self.windows),
            upstream=f"{upstream.dialect} {upstream.url}" if upstream else "",
        )
