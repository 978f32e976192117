"""From an empty authority to a rating in the ledger, every wire with certificates on both ends."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import brokers
import pytest
from brokers import LOOPBACK, eventually, free_port
from cryptography.hazmat.primitives import serialization

from device import identity
from hub.web import auth
from protocol import certificates, signing
from protocol.enrolment.messages import Terms
from provisioning.authority import Authority

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
        self.key, digest = auth.new_key()
        (self.folder / "keys").write_text(digest, encoding="ascii")
        (self.folder / "hub.toml").write_text(
            f"""
            hall = "{HALL}"
            hall_name = "示例区政务服务中心"
            state = "hub"
            api = {{ port = {self.api}, key_files = ["keys"] }}
            devices = [{{ name = "{DEVICE}", public_key = "{DEVICE}.pem" }}]
            windows = [{{ name = "{WINDOW}", device = "{DEVICE}", staff = {{ name = "示例甲" }} }}]
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

    def enrol(self):
        """Give the kiosk its identity, as the cable does at its end."""
        state = self.folder / "kiosk"
        public = self.run("device", "enrol", "--config", self.folder / "kiosk.toml")
        (self.folder / f"{DEVICE}.pem").write_text(public, encoding="ascii")
        key = identity.load(state / "device-key.pem")
        request = certificates.request(key, DEVICE).public_bytes(serialization.Encoding.PEM)
        now = datetime.now(UTC)
        with closing(Authority.open(self.folder / "authority", SECRET)) as authority:
            chain = authority.issue(request, authority.voucher(DEVICE, HALL, now), now)
            ca = authority.root_pem.decode()
        terms = Terms(device=DEVICE, hall=HALL, host="localhost", port=self.mqtt, ca=ca)
        identity.store(state, chain.decode(), terms)

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


@pytest.fixture
def desk(tmp_path):
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    made = Desk(tmp_path)
    yield made
    made.stop()


def test_a_rating_travels_under_certificates_only_and_a_stolen_kiosk_is_out(desk):
    """Authority, papers, broker, hub, the real kiosk, a tap, the ledger; then it is revoked."""
    (desk.folder / "passphrase").write_text(SECRET, encoding="ascii")
    (desk.folder / "passphrase").chmod(0o600)
    desk.provision("init")
    papers = desk.folder / "papers"
    desk.provision("server-certificate", "--name", "localhost", "--hall", HALL, "--out", papers)
    desk.configure()
    desk.enrol()
    mosquitto = desk.broker()
    hub = (sys.executable, "-m", "hub", "serve", "--config", desk.folder / "hub.toml")
    _, hub_says = desk.start("hub", *hub)
    eventually(lambda: "broker=connected" in hub_says(), "the hub at its broker", 20)
    kiosk = Finger(desk)
    eventually(lambda: kiosk.seen.get("settings"), "the kiosk's settings", 40)

    invited = desk.ask(
        "POST",
        f"/windows/{quote(WINDOW)}/invitations",
        {"serial": "S0001", "service_number": 1, "case": CASE},
    )
    path = f"/invitations/{invited['id']}"
    eventually(lambda: desk.ask("GET", path)["device_online"], "its presence", 20)
    eventually(lambda: kiosk.seen.get("invitation") == invited["id"], "the invitation", 20)
    kiosk.tap_until("level-5", lambda: kiosk.seen.get("screen") == "thanks")
    kiosk.tap_until("done", lambda: kiosk.seen.get("invitation") is None)
    eventually(lambda: desk.ask("GET", path)["state"] == "rated", "the rating", 20)

    with closing(sqlite3.connect(desk.folder / "hub" / "hub.db")) as db:
        ((body,),) = db.execute("SELECT body FROM ledger WHERE kind = 'rated'").fetchall()
    key = serialization.load_pem_public_key((desk.folder / f"{DEVICE}.pem").read_bytes())
    assert signing.verify(body, DEVICE, key).level == 5

    new = desk.folder / "new.crl"
    desk.provision("revoke", DEVICE, "--reason", "被盗", "--out", new)
    desk.run("hub", "revoke", DEVICE, "--config", desk.folder / "hub.toml", "--crl", new)
    mosquitto.send_signal(signal.SIGHUP)
    eventually(lambda: not kiosk.seen["connected"], "that the kiosk is cut off", 5)
    eventually(lambda: not desk.ask("GET", path)["device_online"], "its absence", 5)
    eventually(lambda: "hub=closed-the-door" in kiosk.log(), "that the door stays closed", 20)
    assert "Traceback" not in hub_says() + kiosk.log()
