"""The real hub as its own process, with as many devices as a measurement wants."""

import contextlib
import http.client
import json
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import stand
from hub.rules.access import Scope
from hub.store import api_keys, bindings, database
from protocol.messages import Staff

HALL = "bench"
WINDOW = "1号窗口"
CLERK = Staff(name="示例甲", number="0317")
HOUR = "2026-11-02 09:30:00"


class RunningHub:
    """The process, and the window system that speaks to it over one kept connection."""

    def __init__(self, process: "subprocess.Popen[bytes]", api: int, key: str) -> None:
        self.pid = process.pid
        self._key = key
        self._http = http.client.HTTPConnection(stand.LOOPBACK, api, timeout=10)
        self._run = secrets.token_hex(4)
        self._count = 0

    def invite(self) -> str:
        """Invite for a case that was never seen before; return the invitation's id."""
        self._count += 1
        status = self._ask(
            "POST",
            f"/windows/{quote(WINDOW)}/invitations",
            {"serial": f"BENCH-{self._run}-{self._count:06d}", "service_number": 1, "case": CASE},
        )
        return str(status["id"])

    def state(self, invitation: str) -> str:
        """Return how an invitation stands."""
        return str(self._ask("GET", f"/invitations/{invitation}")["state"])

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            answer = self._answer(method, path, data, headers)
        except ConnectionError:  # closed after a pause; to repeat a call is always allowed
            self._http.close()
            answer = self._answer(method, path, data, headers)
        found: dict[str, Any] = json.loads(answer.read())
        if answer.status >= 400:
            raise stand.BenchError(f"{method} {path}: {answer.status} {found}")
        return found

    def _answer(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        self._http.request(method, "/api/v1" + path, data, headers)
        return self._http.getresponse()


CASE = {
    "matter": "示例事项登记",
    "task_code": "0" * 31,
    "task_type": "01",
    "status": "3",
    "org_code": "00000000-0",
    "org_name": "示例区行政审批局",
    "area_code": "120116",
    "accepted_at": HOUR,
    "finished_at": HOUR,
    "service_name": "办结",
    "service_time": HOUR,
    "applicant": {"name": "示例申请人", "certificate_number": "000000000000000000"},
}


def configure(
    home: Path, broker_port: int, keys: dict[str, Path], more: str = ""
) -> tuple[Path, int, str]:
    """Write the hub's configuration for these devices, pair the first one; sign its clerk on.

    `more`: further sections. Returns file, API port and key.
    """
    api = stand.free_port()
    key = bind(home / "hub", next(iter(keys)))
    lines = [
        f'hall = "{HALL}"\nhall_name = "示例区政务服务中心"\nstate = "hub"',
        f"[api]\nport = {api}",
        f"[broker]\nembedded = false\nport = {broker_port}",
        *(f'[[devices]]\nname = "{name}"\npublic_key = "{pem}"' for name, pem in keys.items()),
        f'[[windows]]\nname = "{WINDOW}"\nlabel = "综合受理"',
        more,
    ]
    file = home / "hub.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file, api, key


def bind(state: Path, device: str) -> str:
    """Pair a kiosk and sign a clerk on before the hub starts; return a key of its interface."""
    state.mkdir(parents=True, exist_ok=True)
    db = database.connect(state / "hub.db")
    database.migrate(db)
    now = time.time_ns() // 1_000_000
    with db.atomic():
        bindings.pair(db, WINDOW, device, by="console", now=now)
        bindings.sign_on(db, WINDOW, CLERK, by="console", now=now)
        _, key = api_keys.create(db, "bench", frozenset({Scope.CASES, Scope.INVITE}), now)
    db.close()
    return key


@contextlib.contextmanager
def hub(
    home: Path, broker_port: int, keys: dict[str, Path], more: str = ""
) -> Iterator[RunningHub]:
    """Run `pingyi-hub serve`; yields when it says that it is ready."""
    file, api, key = configure(home, broker_port, keys, more)
    log = home / "hub.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve", "--config", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )

    def ready() -> bool:
        if process.poll() is not None:
            raise stand.BenchError(f"the hub has ended, see {log}")
        try:
            address = f"http://{stand.LOOPBACK}:{api}/readyz"
            with urllib.request.urlopen(address, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        stand.until(ready, f"the hub is ready (see {log})")
        yield RunningHub(process, api, key)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
