"""From the page to the kiosk, with the real hub over both brokers: wishes and photographs."""

import hashlib
import io
import random
import signal
from contextlib import closing
from types import SimpleNamespace

import pytest
import world_service
from brokers import eventually, free_port
from click.testing import CliRunner
from pages_world import KEPT, PASSWORD, Browser
from PIL import Image
from test_pages_portraits import send
from world_hall import NOW
from world_service import HubProcess, Kiosk

from hub.__main__ import main as hub_command
from hub.accounts import changes
from hub.accounts.changes import Job
from hub.counter.picture import SIZE
from hub.rules.access import CONSOLE, Role
from hub.store import sessions, users
from hub.store.database import connect
from protocol.messages import PICTURE_LIMIT, Portrait, Staff
from protocol.topics import Leaf

WISHES = """
[screens]
english = false
announcements = ["示例公告"]
thanks_s = 25
"""


@pytest.fixture(params=["mosquitto", "embedded"])
def hub(request, tmp_path, monkeypatch):
    """A running hub with either broker, an account for the clerk who is signed on, and wishes."""
    monkeypatch.setitem(world_service.KINDS, Leaf.PORTRAIT, Portrait)
    embedded = request.param == "embedded"
    port = free_port() if embedded else request.getfixturevalue("mosquitto").port
    hub = HubProcess(tmp_path, embedded=embedded, broker_port=port)
    hub.config.write_text(hub.config.read_text(encoding="utf-8") + WISHES, encoding="utf-8")
    with closing(connect(hub.db)) as db, db.atomic():
        job = Job(db=db, now=NOW, by=CONSOLE, changed=set())
        changes.add_user(job, "jia", [Role.WINDOW], Staff(name="示例甲"), KEPT)
        users.set_password(db, "jia", KEPT, NOW, must_change=False)
    hub.start()
    yield hub
    hub.close()


@pytest.fixture
def clerk(hub):
    """The browser of the clerk, signed in."""

    def csrf(token):
        with closing(connect(hub.db)) as db:
            found = sessions.get(db, token)
            return found.csrf if found else ""

    browser = Browser(SimpleNamespace(port=hub.port, csrf=csrf))
    assert browser.sign_in("jia", PASSWORD).status == 303
    yield browser
    browser.close()


@pytest.fixture
def photograph():
    """The worst that there is to a JPEG, so that what travels is as long as can be."""
    noise = random.Random(3).randbytes(720 * 960 * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (720, 960), noise).save(out, "PNG")
    return out.getvalue()


def named(kiosk):
    """Which photograph the settings that came last name."""
    said = kiosk.all(Leaf.SETTINGS)
    return said[-1].portrait if said else None


def shown(kiosk):
    """The photograph that the kiosk may show, or None."""
    came = [message for leaf, message in list(kiosk.heard) if leaf is Leaf.PORTRAIT]
    last = came[-1] if came else None
    return last if last is not None and named(kiosk) == last.digest else None


def test_wishes_and_photograph_reach_the_kiosk(hub, clerk, photograph):
    """Uploaded once, seen by the kiosk that is there, by one that comes, and after a restart."""
    with Kiosk(hub.broker_port) as kiosk:
        kiosk.beat()
        eventually(lambda: named(kiosk) == "", "settings")
        said = kiosk.all(Leaf.SETTINGS)[-1]
        assert (said.thanks_ms, said.reasons_ms, said.english) == (25_000, 60_000, False)
        assert said.announcements == ("示例公告",)
        assert send(clerk, "/my-window", photograph).status == 303
        portrait = eventually(lambda: shown(kiosk), "the photograph")
        leaves = [leaf for leaf, _ in kiosk.heard]
        assert leaves.index(Leaf.PORTRAIT) < len(leaves) - 1 - leaves[::-1].index(Leaf.SETTINGS)
    assert 10_000 < len(portrait.picture) <= PICTURE_LIMIT
    assert portrait.digest == hashlib.sha256(portrait.picture).hexdigest()
    with Image.open(io.BytesIO(portrait.picture)) as found:
        assert (found.format, found.size) == ("JPEG", SIZE)

    with Kiosk(hub.broker_port, connection=2) as later:
        assert eventually(lambda: shown(later), "what the broker retains") == portrait
    assert hub.end(signal.SIGKILL) == -signal.SIGKILL
    hub.start()
    with Kiosk(hub.broker_port, connection=3) as again:
        again.beat()
        assert eventually(lambda: shown(again), "the photograph anew") == portrait
        assert clerk.post("/my-window/portrait/remove").status == 303
        eventually(lambda: named(again) == "", "that it is gone")
        assert shown(again) is None
    with Kiosk(hub.broker_port, connection=4) as last:
        eventually(lambda: last.all(Leaf.SETTINGS), "settings")
        assert last.all(Leaf.PORTRAIT) == []


def test_a_stolen_kiosk_keeps_no_face_on_the_broker(hub, clerk, photograph):
    """Revoked, it is taken back; believed again, it comes again with the next birth."""

    def revoke(*more):
        asked = ["revoke", "k1", "--config", str(hub.config), *more]
        assert CliRunner().invoke(hub_command, asked).exit_code == 0

    send(clerk, "/my-window", photograph)
    with Kiosk(hub.broker_port) as kiosk:
        kiosk.beat()
        eventually(lambda: shown(kiosk), "the photograph")
        revoke()
        eventually(lambda: kiosk.heard[-1] == (Leaf.PORTRAIT, None), "that it is taken back")
        revoke("--lift")
        eventually(lambda: "accepted-again=k1" in hub.says(), "that it is believed again")
        kiosk.beat(mono_ms=2)
    with Kiosk(hub.broker_port, connection=2) as again:
        again.beat()
        eventually(lambda: shown(again), "the photograph anew")
