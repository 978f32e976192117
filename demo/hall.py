"""A whole hall on loopback: hub, kiosks and the stand-in city, made ready in one folder."""

import contextlib
import os
import random
import socket
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from demo.cases import Row
from demo.parts import KioskPart, Listener, Part, PartError, module
from demo.window_system import SCOPES

HALL = "demo"
HALL_NAME = "示例区政务服务中心"


class Size(msgspec.Struct, frozen=True):
    """The kiosk's window in pixels."""

    width: int = 1024
    height: int = 600


def places(rows: Iterable[Row], kiosks: int) -> dict[str, int]:
    """Spread the windows of the rows over so many kiosks; kiosks are numbered from 0.

    Windows that share a kiosk have it by turns: it is moved to where the next citizen comes.
    """
    windows = dict.fromkeys(row.window for row in rows)
    return {window: number % kiosks for number, window in enumerate(windows)}


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on just now.

    Below those that Linux gives to outgoing connections: none of these takes one while its
    program is killed and started again.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


class Hall:
    """Configuration files and keys under `home`, and the programs that use them.

    `windows` names the kiosk of each window, by its number. Nothing is paired and nobody is
    signed on yet. `mosquitto` is that program's path where it is to carry the messages instead
    of the embedded broker. Raises `PartError` and `OSError`.
    """

    def __init__(
        self,
        home: Path,
        city_file: Path,
        windows: dict[str, int],
        *,
        headless: bool,
        size: Size,
        mosquitto: str | None = None,
    ) -> None:
        self.home = home
        self.city_file = city_file
        self.windows = windows
        home.mkdir(parents=True, exist_ok=True)
        self.api_port, self.broker_port, self.city_port = free_ports(3)
        self.kiosks = [
            self._kiosk(number, headless=headless, size=size)
            for number in range(max(windows.values()) + 1)
        ]
        self.broker = self._mosquitto(mosquitto) if mosquitto else None
        config = self._hub()
        self.api_key = _api_key(config)
        self.hub = Listener(
            "大厅服务器",
            module("hub", "serve", "--config", str(config)),
            home / "hub.log",
            self.api_port,
        )
        self.city = Listener(
            "城市平台（替身）",
            module("demo.city", "--port", str(self.city_port), "--out", str(city_file)),
            home / "city.log",
            self.city_port,
        )

    @property
    def database(self) -> Path:
        """The hub's file."""
        return self.home / "hub" / "hub.db"

    @property
    def public_keys(self) -> dict[str, Path]:
        """The files of the kiosks' public keys, by device."""
        names = [device_name(number) for number in range(len(self.kiosks))]
        return {name: self.home / f"{name}.pem" for name in names}

    def outbox(self, number: int) -> Path:
        """A kiosk's file."""
        return self.home / device_name(number) / "outbox.db"

    async def start(self, told: Callable[[Part], None]) -> None:
        """Start everything, the city first and the kiosks last; `told` of each that is ready."""
        others = [part for part in self.parts if part not in self.kiosks]
        for part in [*reversed(others), *self.kiosks]:
            await part.start()
            told(part)

    async def stop(self) -> None:
        """Stop everything, the kiosks first."""
        for part in self.parts:
            await part.stop()

    @property
    def parts(self) -> list[Part]:
        """Every program, in the order in which they are stopped."""
        broker = [self.broker] if self.broker else []
        return [*self.kiosks, self.hub, *broker, self.city]

    def _mosquitto(self, program: str) -> Listener:
        file = self.home / "mosquitto.conf"
        # One that changes its user would outlive a killed demonstration: see `dying_with`.
        same_user = "user root\n" if os.geteuid() == 0 else ""
        file.write_text(
            f"listener {self.broker_port} 127.0.0.1\nallow_anonymous true\n"
            f"persistence false\nset_tcp_nodelay true\n{same_user}",
            encoding="ascii",
        )
        command = [program, "-c", str(file)]
        return Listener(
            "消息服务（mosquitto）", command, self.home / "mosquitto.log", self.broker_port
        )

    def _kiosk(self, number: int, *, headless: bool, size: Size) -> KioskPart:
        name = device_name(number)
        file = self.home / f"{name}.toml"
        file.write_text(
            f'hall = "{HALL}"\ndevice = "{name}"\nstate = "{name}"\n'
            f'[hub]\nhost = "127.0.0.1"\nport = {self.broker_port}\n'
            f"[screen]\nwidth = {size.width}\nheight = {size.height}\n"
            "fullscreen = false\ntext_input = true\n"
            'evening = ""\n',  # a visitor at night sees the colours of the day, too
            encoding="utf-8",
        )
        # The kiosk makes its key itself and shows only the public half, as at a real desk.
        made = subprocess.run(
            module("device", "enrol", "--config", str(file)), check=False, capture_output=True
        )
        if made.returncode:
            raise PartError(f"评价器{number + 1}不能生成密钥：{made.stderr.decode().strip()}")
        (self.home / f"{name}.pem").write_bytes(made.stdout)
        command = module("demo.kiosk", "--config", str(file))
        return KioskPart(
            f"评价器{number + 1}",
            [*command, "--headless"] if headless else command,
            self.home / f"{name}.log",
        )

    def _hub(self) -> Path:
        lines = [
            f'hall = "{HALL}"\nhall_name = "{HALL_NAME}"\nstate = "hub"',
            f"[api]\nport = {self.api_port}",
            f'[public]\nurl = "http://127.0.0.1:{self.api_port}"',
            f"[broker]\nport = {self.broker_port}\nembedded = {'false' if self.broker else 'true'}",
            f'[upstream]\nurl = "http://127.0.0.1:{self.city_port}"\ntimeout_s = 5',
        ]
        lines += [
            f'[[devices]]\nname = "{device_name(number)}"\npublic_key = "{device_name(number)}.pem"'
            for number in range(len(self.kiosks))
        ]
        lines += [
            f'[[windows]]\nname = {_quoted(window)}\nlabel = "综合受理"' for window in self.windows
        ]
        file = self.home / "hub.toml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file


def _api_key(config: Path) -> str:
    """Return a new interface key with all that the window system does, as IT would make it."""
    scopes = [part for scope in SCOPES for part in ("--scope", scope.value)]
    made = subprocess.run(
        module("hub", "key", "add", "demo", *scopes, "--config", str(config)),
        check=False,
        capture_output=True,
    )
    if made.returncode:
        raise PartError(f"不能新建接口密钥：{made.stderr.decode().strip()}")
    return made.stdout.decode().strip()


def _quoted(text: str) -> str:
    """Return a TOML basic string, which is JSON's."""
    return msgspec.json.encode(text).decode()


def device_name(number: int) -> str:
    """Return the name of the kiosk of that number."""
    return f"kiosk-{number + 1:02d}"
