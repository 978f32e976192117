"""A hall on plain wires: hub and city as processes, kiosks in full but for their picture."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from brokers import LOOPBACK, eventually, free_port, listens
from cryptography.hazmat.primitives import serialization

from device import identity
from device.assembly import Kiosk
from device.clocks import monotonic_ms
from device.config import HubConfig, KioskConfig
from device.events import Choose, Submit, Tap
from device.session import ARM_MS, Screen
from hub.rules.access import KEY_SCOPES
from hub.store import api_keys, bindings
from hub.store.database import connect, migrate
from protocol.messages import Staff

ROOT = Path(__file__).parents[2]
HALL = "sample-hall"
WINDOWS = {"k1": "1号窗口", "k2": "2号窗口"}
CASE = {
    "matter": "企业设立登记",
    "task_code": "1" * 31,
    "task_type": "20",
    "status": "2",
    "org_code": "00000000-0",
    "org_name": "示例区行政审批局",
    "area_code": "120116",
    "accepted_at": "2026-01-06 09:30:00",
    "service_name": "受理",
    "service_time": "2026-01-06 09:30:00",
    "applicant": {"name": "示例申请人", "certificate_number": "000000000000000000"},
}


class PlainHall:
    """Everything of one hall in one folder; `close` stops what runs."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        self.folder = folder
        self.broker_port = broker_port
        self.api, self.city_port = free_port(), free_port()
        self.city_file = folder / "city.jsonl"
        self.state = folder / "hub"
        self.running = {}
        for device in WINDOWS:
            key = identity.load_or_create(folder / device / "device-key.pem")
            pem = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            (folder / f"{device}.pem").write_bytes(pem)
        devices = "".join(
            f'[[devices]]\nname = "{name}"\npublic_key = "{name}.pem"\n' for name in WINDOWS
        )
        windows = "".join(f'[[windows]]\nname = "{name}"\n' for name in WINDOWS.values())
        (folder / "hub.toml").write_text(
            f'hall = "{HALL}"\nhall_name = "示例大厅"\nstate = "hub"\n'
            f"[api]\nport = {self.api}\n"
            f"[broker]\nembedded = false\nport = {broker_port}\n"
            f'[upstream]\nurl = "http://{LOOPBACK}:{self.city_port}"\n{devices}{windows}',
            encoding="utf-8",
        )
        self._furnish()

    def _furnish(self):
        self.state.mkdir()
        with closing(connect(self.state / "hub.db")) as db:
            migrate(db)
            now = time.time_ns() // 1_000_000
            with db.atomic():
                for device, window in WINDOWS.items():
                    bindings.pair(db, window, device, by="console", now=now)
                    clerk = Staff(name=f"示例{device}")
                    bindings.sign_on(db, window, clerk, by="console", now=now)
                self._key = api_keys.create(db, "示例系统", KEY_SCOPES, now)[1]

    def start_city(self):
        words = ("--port", str(self.city_port), "--out", str(self.city_file))
        self._start("city", "demo.city", *words)
        eventually(lambda: listens(self.city_port), "the city listens", 20)

    def start_hub(self):
        (self.folder / "hub.log").write_bytes(b"")
        self._start("hub", "hub", "serve", "--config", str(self.folder / "hub.toml"))
        eventually(lambda: "broker=connected" in self.hub_says(), "the hub at its broker", 30)

    def _start(self, name, *command):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, stderr=log, env=os.environ.copy()
            )

    def hub_says(self):
        return (self.folder / "hub.log").read_text(encoding="utf-8")

    def end(self, name, number=signal.SIGTERM):
        process = self.running.pop(name)
        process.send_signal(number)
        process.wait(20)

    def close(self):
        for name in list(self.running):
            self.end(name, signal.SIGKILL)

    def command(self, *words):
        """Run a command of the hub to its end; return exit code and words."""
        ran = subprocess.run(
            [sys.executable, "-m", "hub", *words, "--config", str(self.folder / "hub.toml")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.returncode, ran.stdout + ran.stderr

    def ask(self, method, path, body=None):
        with closing(http.client.HTTPConnection(LOOPBACK, self.api, timeout=10)) as connection:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, f"/api/v1{path}", data, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, (answer.status, text)
            return json.loads(text) if text else None

    def invite(self, device, serial):
        """Invite for a case, registered along with it; return the invitation's id."""
        body = {"serial": serial, "service_number": 1, "case": CASE}
        place = f"/windows/{quote(WINDOWS[device])}/invitations"
        return self.ask("POST", place, body)["id"]

    def withdraw(self, device):
        self.ask("DELETE", f"/windows/{quote(WINDOWS[device])}/invitations/current")

    def register(self, serial):
        """Register a case once more."""
        return self.ask("PUT", f"/cases/{serial}/1", CASE)

    def rows(self, sql, *values):
        with closing(connect(self.state / "hub.db")) as db:
            return db.conn.execute(sql, values).fetchall()

    def arrived(self):
        """What the city has: the level of each case; fails where a record stands twice."""
        found = {}
        lines = self.city_file.read_text(encoding="utf-8").splitlines()
        for record in map(json.loads, lines):
            if "satisfaction" in record:
                assert record["projectNo"] not in found, record["projectNo"]
                found[record["projectNo"]] = int(record["satisfaction"])
        return found


class Evaluator:
    """A kiosk with everything but its picture, and somebody in front of it."""

    def __init__(self, hall: PlainHall, device: str, port: int | None = None) -> None:
        config = KioskConfig(
            hall=HALL,
            device=device,
            state=device,
            hub=HubConfig(host=LOOPBACK, port=port or hall.broker_port),
        )
        self.kiosk = Kiosk(config, hall.folder)
        self.driver = self.kiosk.start(lambda _view: None, lambda: None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kiosk.stop()

    def turn(self):
        """Do what the screen's thread does once a frame."""
        self.kiosk.drain()
        self.driver.tick()
        self.driver.frame_drawn()

    def until(self, condition, what, seconds=20.0):
        def look():
            self.turn()
            return condition()

        return eventually(look, what, seconds)

    @property
    def screen(self):
        return self.driver.session.screen

    def sees(self, invitation):
        """Wait until the screen asks this, and long enough for a tap to be taken."""

        def ready():
            session = self.driver.session
            shown = session.invitation is not None and session.invitation.id == invitation
            seen = self.driver.seen  # the first frame; a tap counts only some time after it
            return shown and seen is not None and monotonic_ms() - seen > ARM_MS

        self.until(ready, "the invitation is on the screen")
        return self.driver.session.invitation

    def rate(self, invitation, level, reasons=()):
        """Press a level, add reasons, and be done; return when it is final on the disk."""
        self.sees(invitation)
        self.driver.handle(Tap(monotonic_ms(), invitation, level))
        self.until(lambda: self.screen is Screen.THANKS, "it is on the disk")
        self.until(lambda: self.driver.ready is not None, "the thanks have been seen")
        for code in reasons:
            self.driver.handle(Choose(monotonic_ms(), code))
        self.driver.handle(Submit(monotonic_ms()))
        self.until(lambda: self.screen not in (Screen.THANKS, Screen.SAVING), "the citizen is done")

    def waits(self):
        """How many outcomes the hub has not answered for."""
        return self.kiosk.keeper._outbox.depth()


class Liar:
    """A wire between kiosk and broker on which somebody replaces words by others as long."""

    def __init__(self, target: int, before: str, after: str) -> None:
        self._target = target
        self._words = before.encode(), after.encode()
        assert len(self._words[0]) == len(self._words[1])
        self._open = []
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection((LOOPBACK, self._target))
                self._open += [near, far]
                for source, sink, lies in ((near, far, False), (far, near, True)):
                    threading.Thread(
                        target=self._carry, args=(source, sink, lies), daemon=True
                    ).start()

    def _carry(self, source, sink, lies):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data.replace(*self._words) if lies else data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._server.close()
        for each in self._open:
            each.close()
