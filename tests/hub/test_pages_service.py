"""The pages of the real hub, as a process of its own: under TLS, and through a power cut."""

import signal
import ssl
import subprocess
import sys
from contextlib import closing

import pytest
from brokers import eventually, free_port
from pages_world import Browser, take_over
from tls_world import Papers
from world_hall import WINDOW
from world_service import ROOT, HubProcess, Kiosk

from hub.clock import epoch_ms
from hub.store import attendance, audit, bindings, sessions
from hub.store.database import connect
from protocol.topics import Leaf

GIVEN, OWN = "雨伞在第三个抽屉里呀", "新的雨伞在门后面挂着"


class RunningHub(HubProcess):
    """With one clerk, whose password is `OWN` after `furnish`."""

    tls = None

    def command(self, *words):
        done = subprocess.run(
            [sys.executable, "-m", "hub", *words, "--config", str(self.config)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def encrypt(self):
        papers = Papers(self.folder / "papers")
        papers.server()
        text = self.config.read_text(encoding="utf-8")
        lines = 'certificate = "papers/server.pem"\nkey = "papers/server.key"\n[broker]'
        self.config.write_text(text.replace("[broker]", lines), encoding="utf-8")
        self.tls = ssl.create_default_context(cafile=papers.folder / "root.pem")

    def csrf(self, token):
        with closing(connect(self.db)) as db:
            found = sessions.get(db, token)
            return found.csrf if found else ""

    def trail(self):
        with closing(connect(self.db)) as db:
            return list(reversed(audit.entries(db, limit=1000)))


@pytest.fixture
def hub(tmp_path):
    hub = RunningHub(tmp_path, embedded=True, broker_port=free_port())
    (tmp_path / "given").write_text(GIVEN, encoding="utf-8")
    name = ("--staff-name", "示例乙", "--staff-number", "0318")
    password = ("--password-file", str(tmp_path / "given"))
    hub.command("user", "add", "yi", "--role", "window", *name, *password)
    yield hub
    hub.close()


def begin(browser):
    """Sign in for the first time, with another password."""
    assert browser.sign_in("yi", GIVEN).status == 303
    page = browser.post("/password", {"old": GIVEN, "new": OWN, "again": OWN})
    assert page.to == "/?done=password"


def test_a_clerk_pairs_a_kiosk_and_signs_on_and_the_kiosk_shows_them(hub):
    """From the code on the kiosk to the clerk's name on it, all by the pages."""
    hub.start()
    with (
        closing(Browser(hub)) as clerk,
        Kiosk(hub.broker_port, "k2") as kiosk,
    ):
        kiosk.beat()
        begin(clerk)
        eventually(lambda: any(s.pairing for s in kiosk.all(Leaf.SETTINGS)), "a code is shown")
        code = next(s.pairing.code for s in kiosk.all(Leaf.SETTINGS) if s.pairing)
        to = clerk.post("/pair", {"window": WINDOW, "code": code}).to
        eventually(
            lambda: any(s.pairing and s.pairing.window for s in kiosk.all(Leaf.SETTINGS)),
            "the kiosk shows the window",
        )
        assert "看到了吗？" in clerk.get(to).words
        given = {"window": WINDOW, "device": "k2", "answer": "yes"}
        assert clerk.post("/pair/confirm", given).to == "/my-window?done=paired"
        assert take_over(clerk, WINDOW).to == "/my-window?done=over"
        eventually(
            lambda: any(
                s.staff and s.staff.name == "示例乙" and s.window.name == WINDOW
                for s in kiosk.all(Leaf.SETTINGS)
            ),
            "the kiosk shows the clerk",
        )


def test_sessions_and_locks_outlive_a_power_cut(hub):
    """Killed and started again: who was in is in, who was locked out is locked out."""
    hub.start()
    with closing(Browser(hub)) as clerk, closing(Browser(hub, "127.0.0.66")) as thief:
        begin(clerk)
        for _ in range(5):
            assert thief.sign_in("yi", "guess").status == 401
        hub.end(signal.SIGKILL)
        hub.start()
        assert clerk.get("/my-window").status == 200
        assert thief.sign_in("yi", OWN).status == 429
        assert hub.end() == 0
    failed = [act for act in hub.trail() if act.action == "sign_in" and not act.allowed]
    assert len(failed) == 5


def test_status_beside_the_running_hub_and_after_it_knows_who_is_here(hub):
    """Who came, and that the hub itself is gone by then: nothing is asked of it."""
    hub.start()
    with Kiosk(hub.broker_port, "k2") as kiosk:
        kiosk.beat()
        eventually(lambda: "在线 1，离线 1" in hub.command("status"), "k2 is told as here", 30)
    assert hub.end() == 0
    with closing(connect(hub.db)) as db:
        past = epoch_ms() - 600_000
        attendance.note(db, {}, (), past)
        db.conn.commit()
    said = hub.command("status")
    assert "服务器没有运行" in said
    assert "  离线 k1（1号窗口" in said


def test_under_tls_the_session_is_bound_to_it(hub):
    """The certificate of `[api]` serves the pages; the cookie has the prefix of its host."""
    hub.encrypt()
    hub.start()
    with closing(Browser(hub, tls=hub.tls)) as clerk:
        begin(clerk)
        assert take_over(clerk, WINDOW).to == "/my-window?done=over"
        (name,) = (name for name in clerk.cookies if "session" in name)
        assert name == "__Host-pingyi-session"
    with closing(connect(hub.db)) as db:
        assert bindings.seat(db, WINDOW).staff.name == "示例乙"


def test_a_proxy_on_the_machine_says_where_people_come_from(hub):
    """`X-Forwarded-For` of loopback: one guesser behind a proxy does not lock out the others."""
    hub.start()
    with closing(Browser(hub)) as guesser, closing(Browser(hub)) as clerk:
        begin(clerk)
        for _ in range(6):
            page = guesser.sign_in("yi", "guess")
        assert page.status == 429
        token = clerk.get("/sign-in", Cookie="").field("csrf")
        given = {"csrf": token, "name": "yi", "password": OWN}
        page = clerk.send("POST", "/sign-in", given, X_Forwarded_For="192.0.2.7")
        assert page.status == 303
    assert hub.trail()[-1].detail["address"] == "192.0.2.7"
