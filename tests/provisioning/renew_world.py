"""A hall under TLS: a real authority, mosquitto, hub process and kiosks that connect by themselves.

The authority is a year old, so that certificates can be as old as a test wants them.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brokers
from brokers import LOOPBACK, eventually, free_port
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from device import identity
from device.assembly import Kiosk
from device.config import KioskConfig
from hub.__main__ import main as hub_command
from protocol import certificates
from protocol.enrolment.messages import Terms
from provisioning import keystore
from provisioning.__main__ import main as desk_command
from provisioning.authority import Authority

ROOT = Path(__file__).parents[2]
HALL = "sample-hall"
SECRET = "示例口令-只用于自动测试"
DAY = timedelta(days=1)


def now():
    return datetime.now(UTC)


def command(main, *words):
    """Run one of our commands; return its result."""
    return CliRunner().invoke(main, [*map(str, words)])


class Device:
    """A kiosk with an identity on the disk; `start` lets it live, without a picture."""

    def __init__(self, hall, name, age):
        self.hall = hall
        self.name = name
        self.base = hall.folder / name
        self.state = self.base / "state"
        self.key = identity.load_or_create(self.state / "device-key.pem")
        self._running = None
        self.enrol(age)

    def request(self):
        return certificates.request(self.key, self.name).public_bytes(Encoding.PEM)

    def enrol(self, age=0):
        """Give it an identity with a fresh voucher, as the cable does, some days ago."""
        then = now() - age * DAY
        with self.hall.authority() as authority:
            chain = authority.issue(self.request(), authority.voucher(self.name, HALL, then), then)
            ca = authority.root_pem.decode()
        terms = Terms(device=self.name, hall=HALL, host="localhost", port=self.hall.mqtt, ca=ca)
        identity.store(self.state, chain.decode(), terms)

    def until(self):
        return identity.enrolled(self.state).leaf.not_valid_after_utc

    def start(self):
        config = KioskConfig(hall=HALL, device=self.name, state="state")
        self._running = Kiosk(config, self.base)
        self._running.start(lambda _: None, lambda: None)
        return self

    @property
    def keeper(self):
        return self._running.keeper

    @property
    def connections(self):
        """How many connections it has tried."""
        return self._running._link._count

    def stop(self):
        if self._running is not None:
            self._running.stop()
            self._running = None


class Hall:
    """All of it in one folder; `close` ends what runs."""

    def __init__(self, folder):
        self.folder = folder
        self.mqtt, self.kick, self.api = free_port(), free_port(), free_port()
        self.url = f"https://localhost:{self.api}"
        self.papers, self.mosquitto_folder = folder / "papers", folder / "mosquitto"
        self.root = self.papers / "ca.pem"
        self.log = folder / "hub.log"
        self._hub = self._mosquitto = None
        self._devices = []
        keystore.create(folder / "authority", SECRET, "示例区", now() - 365 * DAY)
        self.passphrase = self.write_secret("passphrase", SECRET)
        names = ("--name", "localhost", "--name", LOOPBACK)
        made = self.desk("server-certificate", *names, "--hall", HALL, "--out", self.papers)
        assert made.exit_code == 0, made.output
        self._configure()
        self.key_file = self.write_secret("key", self.new_key("renewals"))

    def write_secret(self, name, text):
        path = self.folder / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o600)
        return path

    def _configure(self):
        (self.folder / "hub.toml").write_text(
            f"""
            hall = "{HALL}"
            hall_name = "示例区政务服务中心"
            state = "hub"
            [api]
            port = {self.api}
            certificate = "papers/server.pem"
            key = "papers/server.key"
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
        papers = ("--certificate", self.papers / "server.pem", "--key", self.papers / "server.key")
        where = ("--out", self.mosquitto_folder, "--bind", LOOPBACK)
        crl = ("--crl", self.papers / "crl.pem")
        made = self.hub_command("broker-config", *where, *papers, *crl)
        assert made.exit_code == 0, made.output
        conf = self.mosquitto_folder / "mosquitto.conf"
        text = conf.read_text("utf-8").replace("log_dest syslog", "log_dest stderr")
        # As root it would become the user mosquitto, who may not look in here.
        root = "user root\n" if os.geteuid() == 0 else ""
        conf.write_text(root + text, encoding="utf-8")

    def authority(self):
        return Authority.open(self.folder / "authority", SECRET)

    def desk(self, word, *more):
        """Run a command of the IT desk."""
        place = ("--dir", self.folder / "authority", "--passphrase-file", self.passphrase)
        return command(desk_command, word, *place, *more)

    def renew(self, *more, url=None, key_file=None, ca=None):
        """Run `renew` over the hub, as it is typed."""
        where = ("--hub", url or self.url, "--key-file", key_file or self.key_file)
        return self.desk("renew", *where, "--ca", ca or self.root, *more)

    def hub_command(self, *words):
        return command(hub_command, *words, "--config", self.folder / "hub.toml")

    def new_key(self, scope):
        made = self.hub_command("key", "add", "入网台", "--scope", scope)
        assert made.exit_code == 0, made.output
        return made.stdout.strip()

    def kiosk(self, name, age):
        device = Device(self, name, age)
        self._devices.append(device)
        return device

    def start_broker(self):
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._mosquitto = subprocess.Popen(
                [brokers.MOSQUITTO, "-c", self.mosquitto_folder / "mosquitto.conf"], stderr=log
            )
        eventually(lambda: brokers.listens(self.kick), "mosquitto listens")

    def restart_broker(self):
        self._mosquitto.kill()
        self._mosquitto.wait(10)
        self.start_broker()

    def start_hub(self):
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            self._hub = subprocess.Popen(
                [sys.executable, "-m", "hub", "serve", "--config", self.folder / "hub.toml"],
                cwd=ROOT,
                stderr=log,
            )
        eventually(
            lambda: "broker=connected" in self.says() or self._hub.poll() is not None,
            "the hub at its broker",
            30,
        )
        assert self._hub.poll() is None, self.says()

    def end_hub(self, number=signal.SIGKILL):
        self._hub.send_signal(number)
        self._hub.wait(20)

    def says(self):
        return self.log.read_text(encoding="utf-8")

    def ask_db(self, query, *values):
        """Read the hub's own file."""
        with closing(sqlite3.connect(self.folder / "hub" / "hub.db", timeout=10)) as db:
            return db.execute(query, values).fetchall()

    def known_until(self, device):
        """Until when the hub knows a kiosk by its certificate, or None."""
        rows = self.ask_db("SELECT not_after FROM certificates WHERE device = ?", device)
        return datetime.fromtimestamp(rows[0][0] / 1000, UTC) if rows else None

    def waits(self, device):
        """Whether a request of this kiosk waits at the hub, unanswered."""
        return bool(
            self.ask_db("SELECT 1 FROM renewals WHERE device = ? AND chain IS NULL", device)
        )

    def stop_kiosks(self):
        while self._devices:
            self._devices.pop().stop()

    def close(self):
        self.stop_kiosks()
        for process in (self._hub, self._mosquitto):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(10)
