"""The whole hall on loopback: every wire is a cable of ours, every state on its own disk."""

import asyncio
import signal
import subprocess
from asyncio.subprocess import Process
from pathlib import Path

import aiohttp

from bench.torture.clocks import Clock
from bench.torture.disks import Disk
from bench.torture.wire import Wire
from demo.hall import HALL, HALL_NAME, device_name, free_ports
from demo.parts import Away, KioskPart, Listener, Part, PartError, module
from demo.window_system import RETRY_S, SCOPES, Rejected, WindowSystem

PAIR_S = 60.0
START_S = 60.0


class HeadlessKiosk(KioskPart):
    """A kiosk of `bench.torture.kiosk`: it has started once it says what it shows."""

    async def _ready(self, process: Process) -> None:
        self.seen = {}
        self._alive = True
        self._reader = asyncio.create_task(self._read(process))
        try:
            shown = await self.until(bool, START_S)
        except Away:
            shown = False
        if not shown:
            raise PartError(f"{self.name} does not start, see {self._log}")


class Unit:
    """One program with its disk, its clock and a lock: one fault at a time is its own."""

    def __init__(self, part: Part, disk: Disk | None = None, clock: Clock | None = None) -> None:
        self.part = part
        self.disk = disk
        self.clock = clock
        self.lock = asyncio.Lock()


class TortureHall:
    """Configuration, keys and programs under `home`; `kiosks` of them, each at its own window."""

    def __init__(self, home: Path, kiosks: int, seed: int, mosquitto: str) -> None:
        self.home = home
        self.seed = seed
        home.mkdir(parents=True, exist_ok=True)
        self.city_file = home / "city.jsonl"
        ports = free_ports(5 + kiosks)
        self.api_port, broker, self.city_port, hub_wire, city_wire = ports[:5]
        self.devices = [device_name(number) for number in range(kiosks)]
        self.windows = [f"{number}号窗口" for number in range(1, kiosks + 1)]
        self.clerks = [f"示例{'甲乙丙丁戊己庚辛'[number]}" for number in range(kiosks)]
        self.config = home / "hub.toml"
        self.hub_wire = Wire("hub-broker", hub_wire, broker)
        self.city_wire = Wire("hub-city", city_wire, self.city_port)
        self.kiosk_wires = [
            Wire(f"{name}-broker", port, broker)
            for name, port in zip(self.devices, ports[5:], strict=True)
        ]
        self.hub = Unit(
            Listener("hub", [], home / "hub.log", self.api_port),
            Disk(home / "disk-hub", 512),
            Clock(home / "hub.clock"),
        )
        self.broker = Unit(self._broker(mosquitto, broker))
        self.city = Unit(
            Listener(
                "city",
                module("demo.city", "--port", str(self.city_port), "--out", str(self.city_file)),
                home / "city.log",
                self.city_port,
            )
        )
        self.kiosks = [self._kiosk(name) for name in self.devices]
        self.api_key = ""

    # ------------------------------------------------------------ places

    @property
    def state(self) -> Path:
        """The hub's state directory."""
        return self.home / "disk-hub" / "hub"

    def outbox(self, device: str) -> Path:
        """A kiosk's file."""
        return self.home / f"disk-{device}" / "state" / "outbox.db"

    def truth(self, device: str) -> Path:
        """What the citizens of a kiosk noted."""
        return self.home / "truth" / f"{device}.jsonl"

    @property
    def units(self) -> list[Unit]:
        """Every program, in the order in which they are stopped."""
        return [*self.kiosks, self.hub, self.broker, self.city]

    @property
    def kiosk_parts(self) -> list[KioskPart]:
        """The kiosks' programs, which say what they show."""
        return [unit.part for unit in self.kiosks if isinstance(unit.part, KioskPart)]

    @property
    def wires(self) -> list[Wire]:
        """Every cable."""
        return [*self.kiosk_wires, self.hub_wire, self.city_wire]

    @property
    def disks(self) -> list[Disk]:
        """Every disk of ours."""
        return [unit.disk for unit in self.units if unit.disk is not None]

    # ------------------------------------------------------------ starting

    async def start(self) -> None:
        """Mount, write, start and pair everything."""
        for disk in self.disks:
            disk.mount()
        for number, device in enumerate(self.devices):
            self._write_kiosk(device, self.kiosk_wires[number].port)
        self._write_hub()
        self.api_key = self._api_key()
        for wire in self.wires:
            await wire.start()
        for unit in (self.city, self.broker, self.hub):
            await unit.part.start()
        await self._until_ready()  # a birth that it misses is a heartbeat's time of waiting
        for unit in self.kiosks:
            await unit.part.start()
        desk = WindowSystem(self.api_port, self.api_key)
        try:
            async with asyncio.timeout(PAIR_S):
                for number in range(len(self.devices)):
                    await self.pair(desk, number)
        finally:
            await desk.close()

    async def stop(self) -> None:
        """Stop everything, the kiosks first, and keep what the disks hold."""
        for unit in self.units:
            if unit.part.pid is not None:
                unit.part.send(signal.SIGCONT)
            await unit.part.stop()
        for wire in self.wires:
            await wire.stop()
        for disk in self.disks:
            disk.unmount()

    async def pair(self, desk: WindowSystem, number: int) -> None:
        """Pair a kiosk with its window by the code on its screen."""
        kiosk, window, device = self.kiosk_parts[number], self.windows[number], self.devices[number]
        typed = ""
        while (await desk.window(window))["device"] != device:
            code = kiosk.seen.get("code")
            try:
                if code not in (None, typed) and kiosk.seen.get("candidate") is None:
                    typed = code
                    await desk.claim(window, code)
                if kiosk.seen.get("candidate") == window:
                    await desk.confirm(window, device)
            except Rejected:
                pass  # the code has turned meanwhile
            await asyncio.sleep(RETRY_S)

    async def _until_ready(self) -> None:
        """Wait until the hub has its broker."""
        address = f"http://127.0.0.1:{self.api_port}/readyz"
        async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
            while True:
                async with session.get(address) as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(RETRY_S)

    async def city_mode(self, **wish: object) -> None:
        """Have the city play a fault, past the cable; in vain while it is away."""
        address = f"http://127.0.0.1:{self.city_port}/control"
        timeout = aiohttp.ClientTimeout(total=2)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(address, json=wish) as answer,
        ):
            await answer.read()

    def hub_command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the hub's own commands; blocks."""
        command = module("hub", *arguments, "--config", str(self.config))
        if self.hub.clock is not None:
            command = self.hub.clock.wrap(command)
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)

    # ------------------------------------------------------------ files

    def _broker(self, mosquitto: str, port: int) -> Listener:
        file = self.home / "mosquitto.conf"
        file.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            "set_tcp_nodelay true\nuser root\n",
            encoding="ascii",
        )
        return Listener("broker", [mosquitto, "-c", str(file)], self.home / "mosquitto.log", port)

    def _kiosk(self, device: str) -> Unit:
        clock = Clock(self.home / f"{device}.clock")
        command = module(
            "bench.torture.kiosk",
            *("--config", str(self.home / f"{device}.toml")),
            *("--truth", str(self.truth(device)), "--seed", str(self.seed)),
        )
        part = HeadlessKiosk(device, clock.wrap(command), self.home / f"{device}.log")
        return Unit(part, Disk(self.home / f"disk-{device}", 320), clock)

    def _write_kiosk(self, device: str, port: int) -> None:
        file = self.home / f"{device}.toml"
        file.write_text(
            f'hall = "{HALL}"\ndevice = "{device}"\nstate = "disk-{device}/state"\n'
            f'[hub]\nhost = "127.0.0.1"\nport = {port}\n[screen]\ntext_input = true\n',
            encoding="utf-8",
        )
        made = _run(module("device", "enrol", "--config", str(file)))
        (self.home / f"{device}.pem").write_text(made, encoding="ascii")

    def _write_hub(self) -> None:
        lines = [
            f'hall = "{HALL}"\nhall_name = "{HALL_NAME}"\nstate = "disk-hub/hub"',
            f"[api]\nport = {self.api_port}",
            f"[broker]\nport = {self.hub_wire.port}\nembedded = false",
            f'[upstream]\nurl = "http://127.0.0.1:{self.city_wire.port}"\ntimeout_s = 3',
            *(f'[[devices]]\nname = "{each}"\npublic_key = "{each}.pem"' for each in self.devices),
            *(f'[[windows]]\nname = "{each}"\nlabel = "综合受理"' for each in self.windows),
        ]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = module("hub", "serve", "--config", str(self.config))
        if self.hub.clock is not None:
            command = self.hub.clock.wrap(command)
        self.hub.part = Listener("hub", command, self.home / "hub.log", self.api_port)

    def _api_key(self) -> str:
        scopes = [part for scope in SCOPES for part in ("--scope", scope.value)]
        command = module("hub", "key", "add", "torture", *scopes, "--config", str(self.config))
        return _run(command).strip()


def _run(command: list[str]) -> str:
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        raise PartError(f"{' '.join(command[2:])}：{made.stderr.strip()}")
    return made.stdout
