"""From an empty directory to a rating at the city, by the commands and pages that people use.

Authority, papers, broker, hub and its first account; a kiosk enrolled by its cable; a clerk who
signs in, pairs it by the code on its screen and signs on; a window system that invites; a tap;
the ledger, verified; the city. Every wire is mutual TLS or, within the machine, loopback.
"""

import html
import http.client
import json
import re
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlencode

import brokers
import pytest
from brokers import LOOPBACK, eventually, free_port
from cables import Cable
from whole_hall import CASE, DEVICE, HALL, SECRET, WINDOW, Desk, Finger

from device import identity

FIRST, OWN = "example-first-word", "example-own-word-2"


class Browser:
    """A clerk's browser: it keeps cookies, follows redirections, and fills in forms."""

    def __init__(self, port):
        self._port = port
        self._cookies = {}
        self.page = ""

    def open(self, path, fields=None):
        """Get a page, or send a form; return where that led."""
        headers = {
            "Accept": "text/html",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        if fields is not None:
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"http://{LOOPBACK}:{self._port}",
            }
        with closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=10)) as connection:
            body = None if fields is None else urlencode(fields)
            connection.request("GET" if fields is None else "POST", path, body, headers)
            answer = connection.getresponse()
            self.page = answer.read().decode()
            for cookie in answer.headers.get_all("Set-Cookie") or ():
                name, _, rest = cookie.partition("=")
                self._cookies[name] = rest.partition(";")[0]
            where = answer.headers.get("Location")
        assert answer.status < 400, (answer.status, self.page)
        return self.open(where) if where else path

    def send(self, action, **fields):
        """Send the form with this action, with what it hides and these fields."""
        for form in re.findall(r"<form.*?</form>", self.page, re.DOTALL):
            if f'action="{action}"' not in form:
                continue
            hidden = {}
            for tag in re.findall(r"<input[^>]*>", form):
                found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
                if found.get("type") == "hidden":
                    hidden[found["name"]] = html.unescape(found["value"])
            if all(hidden.get(name, value) == value for name, value in fields.items()):
                return self.open(action, hidden | fields)
        raise AssertionError(f"no form {action} with {fields}: {self.page}")


@pytest.fixture
def desk(tmp_path):
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    made = Desk(tmp_path)
    made.city = free_port()
    yield made
    made.stop()


def enrol_by_cable(desk):
    """Both halves as two people start them; return the numbers that both sides showed."""
    cable = Cable(desk.folder)
    try:
        kiosk, _ = desk.start(
            "enrol",
            *(sys.executable, "-m", "device", "enrol", "--port", cable.kiosk),
            *("--config", desk.folder / "kiosk.toml"),
            stdout=subprocess.PIPE,
        )
        said = desk.provision(
            "enrol",
            *("--port", cable.desk, "--device", DEVICE, "--hall", HALL),
            *("--hub", f"localhost:{desk.mqtt}", "--yes"),
        )
        shown = kiosk.communicate(timeout=30)[0].decode()
        assert kiosk.returncode == 0, shown
    finally:
        cable.close()
    number = re.compile(r"\d{3} \d{3}")
    return number.findall(said), number.findall(shown)


def test_a_hall_from_an_empty_directory_to_its_first_rating(desk):
    """Init, papers, broker, hub, cable, pair, sign on, invite, rate, verify, city."""
    (desk.folder / "passphrase").write_text(SECRET, encoding="ascii")
    (desk.folder / "passphrase").chmod(0o600)
    desk.provision("init")
    papers = desk.folder / "papers"
    desk.provision("server-certificate", "--name", "localhost", "--hall", HALL, "--out", papers)
    desk.configure()
    config = desk.folder / "hub.toml"
    config.write_text(
        config.read_text(encoding="utf-8")
        + f'\n[upstream]\nurl = "http://{LOOPBACK}:{desk.city}"\n[ledger]\ncheckpoint_s = 1\n',
        encoding="utf-8",
    )
    (desk.folder / "kiosk.toml").write_text(  # where the hub is, enrolment says
        f'hall = "{HALL}"\ndevice = "{DEVICE}"\nstate = "kiosk"\n[screen]\nfullscreen = false\n',
        encoding="utf-8",
    )
    (desk.folder / "first").write_text(FIRST, encoding="ascii")
    (desk.folder / "first").chmod(0o600)
    desk.run(
        *("hub", "user", "add", "jia", "--role", "window", "--config", config),
        *("--staff-name", "示例甲", "--staff-number", "0317", "--staff-post", "综合窗口"),
        *("--password-file", desk.folder / "first"),
    )
    desk.key = desk.run(
        *("hub", "key", "add", "示例窗口系统", "--config", config),
        *("--scope", "cases", "--scope", "invite", "--scope", "windows"),
    ).strip()
    city_file = desk.folder / "city.jsonl"
    desk.start(
        "city",
        *(sys.executable, "-m", "demo.city", "--port", str(desk.city), "--out", city_file),
    )
    desk.broker()
    _, hub_says = desk.start("hub", sys.executable, "-m", "hub", "serve", "--config", config)
    eventually(lambda: "broker=connected" in hub_says(), "the hub at its broker", 20)

    at_the_desk, on_the_kiosk = enrol_by_cable(desk)
    assert at_the_desk
    assert at_the_desk == on_the_kiosk
    enrolled = identity.enrolled(desk.folder / "kiosk")
    assert (enrolled.terms.host, enrolled.terms.port) == ("localhost", desk.mqtt)

    kiosk = Finger(desk)
    code = eventually(lambda: kiosk.seen.get("code"), "the code on the kiosk's screen", 60)
    clerk = Browser(desk.api)
    assert clerk.open("/my-window").startswith("/sign-in")
    clerk.send("/sign-in", name="jia", password=FIRST)
    clerk.send("/password", old=FIRST, new=OWN, again=OWN)
    clerk.open("/pair")
    clerk.send("/pair", window=WINDOW, code=code)
    eventually(lambda: kiosk.seen.get("candidate") == WINDOW, "the name, for the clerk to see", 10)
    clerk.send("/pair/confirm", window=WINDOW, device=DEVICE, answer="yes")
    eventually(lambda: kiosk.seen.get("window") == WINDOW, "the window on its screen", 10)
    clerk.open("/my-window")
    clerk.send("/my-window/sign-on", window=WINDOW)
    eventually(lambda: kiosk.seen.get("clerk") == "示例甲", "the clerk's card", 5)

    invited = desk.invite("S0001", CASE)
    path = f"/invitations/{invited['id']}"
    eventually(lambda: kiosk.seen.get("invitation") == invited["id"], "the invitation", 20)
    kiosk.tap_until("level-5", lambda: kiosk.seen.get("screen") == "thanks")
    kiosk.tap_until("done", lambda: kiosk.seen.get("invitation") is None)
    eventually(lambda: desk.ask("GET", path)["state"] == "rated", "the rating", 20)

    def at_the_city():
        lines = city_file.read_text(encoding="utf-8").splitlines() if city_file.exists() else []
        return [each for each in map(json.loads, lines) if "satisfaction" in each]

    [rating] = eventually(at_the_city, "the rating at the city", 20)
    assert (rating["projectNo"], rating["satisfaction"]) == ("S0001", "5")
    assert (rating["proManager"], rating["pf"]) == ("示例甲", "4")

    checked = desk.run("hub", "verify", "--config", config)
    assert "没有发现改动" in checked
    bound = [line for line in hub_says().splitlines() if "Traceback" in line]
    assert not bound
    trail = desk.run("hub", "audit", "--config", config)
    for act in ("新建账号", "登录", "修改口令", "配对", "签到"):
        assert act in trail
    assert OWN not in trail + hub_says()
    assert (desk.folder / "kiosk" / "device-key.pem").stat().st_mode & 0o077 == 0
