"""A whole hall on loopback: hub, kiosks and the stand-in city, made ready in one folder."""

import hashlib
import secrets
import socket
import subprocess
from pathlib import Path

import msgspec

from demo.parts import KioskPart, Listener, Part, module

HALL = "demo"
HALL_NAME = "示例区政务服务中心"


class Size(msgspec.Struct, frozen=True):
    """The kiosk's window in pixels."""

    width: int = 1024
    height: int = 600


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on just now."""
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Hall:
    """Configuration files and keys under `home`, and the programs that use them.

    `windows` maps the name of each window to the number of its kiosk, from 0; `mosquitto` is
    that program's path where it is to carry the messages instead of the embedded broker.
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
        self.api_key = secrets.token_urlsafe(32)
        self.kiosks = [
            self._kiosk(number, headless=headless, size=size)
            for number in range(max(windows.values()) + 1)
        ]
        self.broker = self._mosquitto(mosquitto) if mosquitto else None
        self.hub = Listener("大厅服务器", self._hub(), home / "hub.log", self.api_port)
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

    async def start(self) -> None:
        """Start everything, the city first and the kiosks last."""
        for part in reversed(self.parts):
            await part.start()

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
        file.write_text(
            f"listener {self.broker_port} 127.0.0.1\nallow_anonymous true\n"
            "persistence false\nset_tcp_nodelay true\n",
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
            "fullscreen = false\ntext_input = true\n",
            encoding="utf-8",
        )
        # The kiosk makes its key itself and shows only the public half, as at a real desk.
        public = subprocess.run(
            module("device", "enrol", "--config", str(file)),
            check=True,
            capture_output=True,
        ).stdout
        (self.home / f"{name}.pem").write_bytes(public)
        command = module("demo.kiosk", "--config", str(file))
        return KioskPart(
            f"评价器{number + 1}",
            [*command, "--headless"] if headless else command,
            self.home / f"{name}.log",
        )

    def _hub(self) -> list[str]:
        digest = hashlib.sha256(self.api_key.encode()).hexdigest()
        (self.home / "api-key.sha256").write_text(digest + "\n", encoding="ascii")
        lines = [
            f'hall = "{HALL}"\nhall_name = "{HALL_NAME}"\nstate = "hub"',
            f'[api]\nport = {self.api_port}\nkey_files = ["api-key.sha256"]',
            f"[broker]\nport = {self.broker_port}\nembedded = {'false' if self.broker else 'true'}",
            f'[upstream]\nurl = "http://127.0.0.1:{self.city_port}"\ntimeout_s = 5',
        ]
        lines += [
            f'[[devices]]\nname = "{device_name(number)}"\npublic_key = "{device_name(number)}.pem"'
            for number in range(len(self.kiosks))
        ]
        for window, number in self.windows.items():
            quoted = msgspec.json.encode(window).decode()  # a TOML basic string is JSON's
            lines.append(
                f'[[windows]]\nname = {quoted}\nlabel = "综合受理"\n'
                f'device = "{device_name(number)}"\n'
                'staff = { name = "示例甲", number = "0317", post = "综合受理" }'
            )
        file = self.home / "hub.toml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return module("hub", "serve", "--config", str(file))


def device_name(number: int) -> str:
    """Return the name of the kiosk of that number."""
    return f"kiosk-{number + 1:02d}"
