"""A hub with its pages behind real HTTP, browsers that keep cookies, and a clock in hand."""

import contextlib
import http.client
import secrets
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote, urlencode

import world_file
import world_http
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from world_http import Page

from hub.accounts import changes
from hub.accounts.changes import Job
from hub.config import ApiConfig, HubConfig, WindowConfig
from hub.counter.bindings import Bindings
from hub.counter.desk import Desk
from hub.counter.pairing import Codes
from hub.counter.windows import Windows
from hub.feed import Feeds
from hub.kiosks.renewal import Renewals
from hub.kiosks.roster import Roster
from hub.rules.access import CONSOLE, Role
from hub.rules.checkpoint import Verifier
from hub.rulings import Rulings
from hub.store import audit, sessions, users
from hub.store.database import connect
from hub.store.vault import Vault
from hub.store.writer import Writer
from hub.web import app, auth
from hub.web.ledger import PublicLedger
from hub.web.pages.assembly import assemble
from hub.web.values import Health
from protocol import signing
from protocol.messages import Staff

NOW = 1_790_000_000_000
WINDOW, OTHER = "1号窗口", "2号窗口"
KIOSK_KEY = signing.generate_key()
KIOSKS = {"kiosk-01": KIOSK_KEY.public_key()}
WINDOWS = (WindowConfig(name=WINDOW, label="综合受理"), WindowConfig(name=OTHER))
PASSWORD = "示例口令-正确-马-电池"
CLERK, SECOND, SUPERVISOR, OFFICE, IT, AUDITOR = "jia", "yi", "ducha", "bangong", "admin1", "shenji"
STAFF = {
    CLERK: Staff(name="示例甲", number="0317", post="综合受理"),
    SECOND: Staff(name="示例乙", number="0318"),
}
ROLES = {
    CLERK: Role.WINDOW,
    SECOND: Role.WINDOW,
    SUPERVISOR: Role.SUPERVISOR,
    OFFICE: Role.OFFICE,
    IT: Role.IT,
    AUDITOR: Role.AUDITOR,
}
ARGON2 = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
"""Real Argon2id, at a cost that lets a test guess often."""
KEPT = ARGON2.hash(PASSWORD)


class Browser:
    """Keeps cookies, and sends what browsers send with forms; from one address of loopback.

    `hall` has a `port` and a `csrf(token)`; with `tls` (a context) it is asked by TLS.
    """

    def __init__(self, hall, address="127.0.0.1", tls=None):
        self.hall = hall
        self.cookies = {}
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{hall.port}"
        self.prefix = "__Host-" if tls else ""
        options = {"timeout": 30, "source_address": (address, 0)}
        self.connection = (
            http.client.HTTPSConnection("127.0.0.1", hall.port, context=tls, **options)
            if tls
            else http.client.HTTPConnection("127.0.0.1", hall.port, **options)
        )

    def send(self, method, path, data=None, **headers):
        sent = {
            "Accept": "text/html",
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
        }
        if method == "POST":
            sent |= {
                "Origin": self.origin,
                "Content-Type": "application/x-www-form-urlencoded",
            }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = urlencode(data, doseq=True) if isinstance(data, dict) else data
        sent = {name: value for name, value in sent.items() if value}
        try:
            page = self._ask(method, path, body, sent)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.connection.close()  # the hub hung up meanwhile, as it may: browsers ask again
            page = self._ask(method, path, body, sent)
        for header in page.headers.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
        self.cookies = {name: value for name, value in self.cookies.items() if value}
        return page

    def _ask(self, method, path, body, headers):
        self.connection.request(method, path, body, headers)
        return Page(self.connection.getresponse())

    def get(self, path, **headers):
        return self.send("GET", path, **headers)

    def post(self, path, data=None, **headers):
        """Send a form as our own page would, with the token of the session."""
        return self.send("POST", path, {"csrf": self.csrf()} | (data or {}), **headers)

    def csrf(self):
        return self.hall.csrf(self.cookies.get(f"{self.prefix}pingyi-session", ""))

    def sign_in(self, name, password=PASSWORD, **more):
        token = self.cookies.get(f"{self.prefix}pingyi-form")
        token = token or self.get("/sign-in", Cookie="").field("csrf")
        return self.send(
            "POST", "/sign-in", {"csrf": token, "name": name, "password": password} | more
        )

    def close(self):
        self.connection.close()


class PagesHall:
    """A hub with one user of each role, all with `PASSWORD`; a file that is there is used."""

    def __init__(self, base: Path, api: ApiConfig):
        self.path = base / "hub.db"
        self.now = NOW
        self.mono = 0
        self.online = {"kiosk-01"}
        self.changed = []
        new = not self.path.exists()
        db = world_file.opened(self.path)
        with db.atomic():
            for name, role in ROLES.items() if new else ():
                job = Job(db=db, now=NOW, by=CONSOLE, changed=set())
                changes.add_user(job, name, [role], STAFF.get(name), KEPT)
                users.set_password(db, name, KEPT, NOW, must_change=False)
        self.writer = Writer(db)
        self.reader = connect(self.path)
        windows = Windows(WINDOWS)
        config = HubConfig(hall="demo", hall_name="示例大厅", state=".", api=api, windows=WINDOWS)
        self.codes = Codes(now=self.clock, random_below=secrets.randbelow)
        bindings = Bindings(
            self.writer,
            windows,
            self.codes,
            now=self.clock,
            online=self.here,
            changed=self.changed.extend,
        )
        desk = Desk(
            self.writer, Vault(b"k" * 32), windows, now=self.clock, changed=self.changed.extend
        )
        roster = Roster("demo", KIOSKS, {}, None)
        renewals = Renewals(self.writer, roster, now=self.clock, publish=lambda *_: None)
        self.queued = []
        rulings = Rulings(
            self.path,
            self.writer,
            Vault(b"k" * 32),
            verify=lambda device, jws: signing.verify(jws, device, KIOSKS[device]),
            now=self.clock,
            queued=lambda: self.queued.append(self.now),
        )
        self.site = assemble(
            config,
            self.path,
            writer=self.writer,
            bindings=bindings,
            desk=desk,
            codes=self.codes,
            renewals=renewals,
            roster=roster,
            rulings=rulings,
            online=self.here,
            revoked=frozenset,
            changed=self.changed.extend,
            now=self.clock,
            monotonic=lambda: self.mono,
        )
        self.looked_at = []
        self._count()
        self.app = app.create(
            app.Rooms(
                desk=desk,
                bindings=bindings,
                renewals=renewals,
                rulings=rulings,
                feeds=Feeds(self.writer, Vault(b"k" * 32), now=self.clock),
                keys=auth.Keys(
                    self.path,
                    now=self.clock,
                    denied=self.site.denials.note,
                    forged=self.site.door.forgeries.note,
                ),
                ledger=PublicLedger(self.path, Verifier("pingyi/demo", bytes(32))),
            ),
            presence=self.here,
            health=lambda: Health(ready=True),
            site=self.site,
        )
        self.port = 0
        self.browsers = contextlib.ExitStack()

    def _count(self):
        """Note whenever a password is really looked at: True where there is such a user."""
        self.site.hasher._hashes = ARGON2
        hasher, verify = self.site.hasher, self.site.hasher._verify

        def counted(password, kept):
            self.looked_at.append(kept is not None)
            return verify(password, kept)

        hasher._verify = counted

    def clock(self):
        return self.now

    def here(self, device):
        return device in self.online

    def browser(self, address="127.0.0.1"):
        return self.browsers.enter_context(contextlib.closing(Browser(self, address)))

    def signed_in(self, name):
        browser = self.browser()
        assert browser.sign_in(name).status == 303
        return browser

    def csrf(self, token):
        """The token that the forms of a session hold."""
        found = sessions.get(self.reader, token)
        return found.csrf if found else ""

    def quiet(self):
        for _ in range(2):
            self.writer.call(lambda _: None)

    def trail(self, *actions, denied=None):
        """The audit trail, the oldest first."""
        self.quiet()
        found = reversed(audit.entries(self.reader, limit=10_000))
        return [
            act
            for act in found
            if (not actions or act.action in actions) and denied in (None, not act.allowed)
        ]

    def api(self, method, path, key, **headers):
        sent = {"Authorization": f"Bearer {key}"} | headers
        return world_http.ask(self.port, method, path, None, sent, kind=Page)

    def code(self, device="kiosk-01"):
        return self.codes.of(device).code


def take_over(browser, window):
    """Sign on where somebody else sits, as the page leads: the question, and its form."""
    page = browser.get("/my-window/take-over?" + urlencode({"window": window}))
    return browser.post("/my-window/sign-on", {"window": window, "over": page.field("over")})


def window_query(name=WINDOW):
    return f"/window?name={quote(name)}"


@contextlib.contextmanager
def open_pages(base: Path, api: ApiConfig | None = None):
    """Serve until the block ends; nothing is left running."""
    hall = PagesHall(base, api or ApiConfig())
    hall.writer.start()
    try:
        with world_http.served(hall.app, timeout_keep_alive=60) as hall.port, hall.browsers:
            yield hall
    finally:
        hall.writer.stop()
        hall.reader.close()
