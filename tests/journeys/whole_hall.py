"""One hall in one folder: its authority, papers, broker, hub and a kiosk under a finger."""

import http.client
import json
import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import brokers
from brokers import LOOPBACK, eventually, free_port

ROOT = Path(__file__).parents[2]
HALL, DEVICE, WINDOW = "sample-hall", "kiosk-01", "1号窗口"
SECRET = "example passphrase"
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


class Desk:
    """Everything of one hall in one folder, and the programs that run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mqtt, self.kick, self.api = free_port(), free_port(), free_port()
        self.running = []

    def run(self, module, *words):
        """Run one of our commands to its end; return what it printed."""
        ran = subprocess.run(
            [sys.executable, "-m", module, *map(str, words)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def provision(self, command, *words):
        desk = ["--dir", self.folder / "authority", "--passphrase-file", self.folder / "passphrase"]
        return self.run("provisioning", command, *desk, *words)

    def start(self, name, *command, **pipes):
        log = self.folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
        with log.open("ab") as file:
            process = subprocess.Popen(
                [*map(str, command)], cwd=ROOT, stderr=file, env=environment, **pipes
            )
        self.running.append(process)
        return process, lambda: log.read_text(encoding="utf-8")

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            process.wait(20)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def ask(self, method, path, body=None):
        with closing(http.client.HTTPConnection(LOOPBACK, self.api, timeout=10)) as connection:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, f"/api/v1{path}", data, headers)
            return json.loads(connection.getresponse().read())

    def configure(self):
        (self.folder / "hub.toml").write_text(
            f"""
            hall = "{HALL}"
            hall_name = "示例区政务服务中心"
            state = "hub"
            api = {{ port = {self.api} }}
            windows = [{{ name = "{WINDOW}" }}]
            [broker]
            embedded = false
            tls = true
            host = "localhost"
            port = {self.mqtt}
            ca = "papers/ca.pem"
            device_ca = "papers/device-ca.pem"
            certificate = "papers/hub.pem"
            key = "papers/hub.key"
            crl = "mosquitto/crl.pem"
            kick_port = {self.kick}
            kick_password = "kick.password"
            """,
            encoding="utf-8",
        )
        (self.folder / "kiosk.toml").write_text(
            f'hall = "{HALL}"\ndevice = "{DEVICE}"\nstate = "kiosk"\n'
            f'[hub]\nhost = "localhost"\nport = {self.mqtt}\ntls = true\n'
            "[screen]\nfullscreen = false\n",
            encoding="utf-8",
        )

    def make_key(self):
        """Make the window system's key, as hall IT does before the hub has ever run."""
        scopes = ("cases", "invite", "pair", "sign_on_anyone")
        asked = [word for scope in scopes for word in ("--scope", scope)]
        config = ("--config", self.folder / "hub.toml")
        self.key = self.run("hub", "key", "add", "示例窗口系统", *asked, *config).strip()

    def bind(self, code):
        """Pair the kiosk that shows this code with the window, and sign a clerk on there."""
        place = f"/windows/{quote(WINDOW)}"
        candidate = self.ask("POST", f"{place}/pairing", {"code": code})
        assert candidate["device"] == DEVICE
        paired = self.ask("POST", f"{place}/pairing/confirmation", {"device": DEVICE})
        assert paired["device"] == DEVICE
        assert self.ask("PUT", f"{place}/staff", {"name": "示例甲"})["staff"]["name"] == "示例甲"

    def invite(self, serial, case):
        """Invite for the first service of a case, registered along with it."""
        body = {"serial": serial, "service_number": 1, "case": case}
        return self.ask("POST", f"/windows/{quote(WINDOW)}/invitations", body)

    def broker(self):
        papers, out = self.folder / "papers", self.folder / "mosquitto"
        files = ("--certificate", papers / "server.pem", "--key", papers / "server.key")
        config = ("--config", self.folder / "hub.toml", "--out", out, "--bind", LOOPBACK)
        self.run("hub", "broker-config", *config, *files, "--crl", papers / "crl.pem")
        if os.geteuid() == 0:  # it would become the user mosquitto, who may not look in here
            conf = out / "mosquitto.conf"
            conf.write_text("user root\n" + conf.read_text(encoding="utf-8"), encoding="utf-8")
        process, _ = self.start("mosquitto", brokers.MOSQUITTO, "-c", out / "mosquitto.conf")
        eventually(lambda: brokers.listens(self.kick), "mosquitto listens")
        return process


class Finger:
    """The headless kiosk under the demo's finger; `seen` is what its screen shows."""

    def __init__(self, desk):
        self.seen = {}
        self._count = 0
        self._process, self.log = desk.start(
            "kiosk",
            *(sys.executable, "-m", "demo.kiosk", "--headless"),
            *("--config", desk.folder / "kiosk.toml"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.seen = json.loads(line).get("seen", self.seen)

    def tap_until(self, key, condition):
        """Tap until it has its effect: a tap that comes too early is not taken."""

        def tapped():
            self._count += 1
            order = {"n": self._count, "do": "tap", "key": key}
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return waited()

        def waited():
            try:
                return eventually(condition, seconds=0.3)
            except AssertionError:
                return False

        return eventually(tapped, f"what {key} does", 20)
