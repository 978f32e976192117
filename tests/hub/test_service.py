"""The whole hub as a process, over both brokers: it answers kiosks, restarts, and ends cleanly."""

import random
import signal
import socket
import sqlite3
from contextlib import closing

import pytest
from brokers import LOOPBACK, eventually, free_port
from world_hall import KEYS, NOW, Hall, an_invitation, rated
from world_service import HALL, HubProcess, Kiosk

from hub.link.client import BACKOFF_CAP_S, HubLink
from protocol import signing, wire
from protocol.messages import Shown, Stamp
from protocol.topics import Leaf


@pytest.fixture(params=["mosquitto", "embedded"])
def hub(request, tmp_path):
    """A running hub with either broker."""
    if request.param == "embedded":
        hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    else:
        port = request.getfixturevalue("mosquitto").port
        hub = HubProcess(tmp_path, embedded=False, broker_port=port)
    hub.start()
    yield hub
    hub.close()


def test_the_way_of_one_rating(hub):
    """Birth, time, settings, invitation, shown, rating, receipt: each step is answered."""
    with Kiosk(hub.broker_port) as kiosk:
        kiosk.beat(mono_ms=77)
        eventually(lambda: 77 in kiosk.echoes(), "the hub's time")
        eventually(lambda: kiosk.all(Leaf.SETTINGS), "settings")
        eventually(kiosk.slot, "a slot")
        assert kiosk.all(Leaf.SETTINGS)[-1].hall_name == "示例大厅"
        assert kiosk.shows() is None

        status, body = hub.invite()
        assert (status, body["device_online"]) == (201, True)
        name = eventually(kiosk.shows, "the invitation")
        assert name == body["id"]
        shown = Shown(invitation=name, stamp=Stamp(boot=kiosk.boot, mono_ms=78))
        kiosk.say(Leaf.SHOWN, wire.encode(shown))
        eventually(lambda: hub.invitation(name)["shown"], "that it is shown")

        outcome = rated(name)
        kiosk.rate(outcome)
        eventually(lambda: outcome.id in kiosk.committed(), "the receipt")
        assert hub.invitation(name)["state"] == "rated"
        eventually(lambda: kiosk.shows() is None, "an empty slot")

        kiosk.cut()
        eventually(lambda: not hub.invitation(name)["device_online"], "the will")
    assert hub.end() == 0


def test_a_restarted_hub_says_everything_again(hub):
    """After a restart, with a broker that forgot or not, the kiosk gets settings and its slot."""
    with Kiosk(hub.broker_port) as kiosk:
        kiosk.beat()
        name = hub.invite()[1]["id"]
        eventually(lambda: kiosk.shows() == name, "the invitation")
        version = kiosk.slot().version
    assert hub.end() == 0
    hub.start()
    with Kiosk(hub.broker_port, connection=2) as kiosk:
        eventually(lambda: kiosk.shows() == name, "the same invitation")
        eventually(lambda: kiosk.all(Leaf.SETTINGS), "settings")
        eventually(lambda: kiosk.slot().version > version, "a higher version")
        outcome = rated(name)
        kiosk.rate(outcome)
        eventually(lambda: outcome.id in kiosk.committed(), "the receipt")


def test_noise_does_not_hurt(hub):
    """Garbage, a mebibyte, strangers and foreign topics pass; the next rating is receipted."""
    with Kiosk(hub.broker_port) as kiosk, Kiosk(hub.broker_port, "k9") as stranger:
        for leaf in (Leaf.RATING, Leaf.STATE, Leaf.SHOWN, Leaf.REPLY):
            kiosk.say(leaf, b"\xff\x00")
        kiosk.say(Leaf.RATING, b"x" * (1 << 20))
        stranger.beat()
        kiosk.beat(mono_ms=5)
        eventually(lambda: 5 in kiosk.echoes(), "an answer after the noise", 20)
        name = hub.invite()[1]["id"]
        outcome = rated(name)
        kiosk.rate(outcome)
        eventually(lambda: outcome.id in kiosk.committed(), "the receipt")
        assert stranger.heard == []
    assert hub.end() == 0
    with closing(sqlite3.connect(hub.db)) as db:
        counted = set(db.execute("SELECT device, cause FROM refusals").fetchall())
    assert counted == {
        ("k1", "signature"),
        ("k1", "malformed"),
        ("k1", "too_large"),
        ("k9", "unknown_device"),
    }


def test_a_retained_state_is_no_presence(tmp_path, mosquitto):
    """What a kiosk said before the hub came does not show it online; its next word does."""
    hub = HubProcess(tmp_path, embedded=False, broker_port=mosquitto.port)
    with Kiosk(mosquitto.port) as kiosk:
        kiosk.beat()
        try:
            hub.start()
            name = hub.invite()[1]["id"]
            eventually(lambda: kiosk.shows() == name, "the invitation")
            assert not hub.invitation(name)["device_online"]
            assert kiosk.echoes() == []
            kiosk.beat(mono_ms=9)
            eventually(lambda: hub.invitation(name)["device_online"], "presence")
        finally:
            hub.close()


def test_a_hub_before_its_broker(tmp_path, mosquitto):
    """Without a broker the hub takes invitations, says that it is not ready, and joins later."""
    mosquitto.kill()
    hub = HubProcess(tmp_path, embedded=False, broker_port=mosquitto.port)
    try:
        hub.start(until="broker=unreachable")
        eventually(lambda: answers(hub), "the interface")
        assert hub.ask("GET", "/readyz")[0] == 503
        assert hub.ask("GET", "/healthz")[0] == 200
        name = hub.invite()[1]["id"]
        mosquitto.start()
        with Kiosk(mosquitto.port) as kiosk:
            eventually(lambda: kiosk.shows() == name, "the invitation", 20)
        assert hub.ask("GET", "/readyz")[0] == 200
        assert hub.says().count("broker=unreachable") == 1
        assert hub.end() == 0
    finally:
        hub.close()


def test_a_hub_without_broker_ends_in_time(tmp_path, free_port):
    """While it looks for its broker in vain, the hub still stops when it is told to."""
    hub = HubProcess(tmp_path, embedded=False, broker_port=free_port)
    try:
        hub.start(until="broker=unreachable")
        assert hub.end() == 0
    finally:
        hub.close()


def answers(hub):
    try:
        return hub.ask("GET", "/healthz")[0] == 200
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize("taken", ["the interface's", "the broker's"])
def test_a_taken_port_is_said_in_words(tmp_path, taken):
    """If a port is in use the hub says which and what to do, in Chinese, and ends with 1."""
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    port = hub.port if taken == "the interface's" else hub.broker_port
    with socket.create_server((LOOPBACK, port)):
        assert hub.run_to_the_end() == 1
    assert f"{LOOPBACK}:{port}" in hub.says()
    assert "请检查端口是否被占用" in hub.says()
    assert "Traceback" not in hub.says()


def test_it_ends_within_its_time_while_a_client_hangs(hub):
    """A window system that keeps its connection open does not keep the hub from ending."""
    with (
        socket.create_connection((LOOPBACK, hub.port)) as idle,
        socket.create_connection((LOOPBACK, hub.port)) as half,
    ):
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200")
        half.sendall(b"POST /api/v1/windows/x/invitations HTTP/1.1\r\nContent-Length: 99\r\n")
        assert hub.end(seconds=10) == 0
    assert "hub=down" in hub.says()
    assert "Traceback" not in hub.says()
    assert "ResourceWarning" not in hub.says()


def test_what_was_receipted_survives_a_kill(tmp_path, mosquitto):
    """kill -9 in the middle of many ratings: all that were receipted are in the ledger file."""
    hub = HubProcess(tmp_path, embedded=False, broker_port=mosquitto.port)
    waiting = [an_invitation(f"SL{number}", issued_at=NOW + number) for number in range(900)]
    with Hall(hub.db.parent) as hall:
        hall.issue(*waiting)
    outcomes = [rated(each.id) for each in waiting]
    signed = {each.id: signing.sign(each, KEYS["k1"]) for each in outcomes}
    with Kiosk(mosquitto.port) as kiosk:
        try:
            for goal in (50, 350):
                hub.start()
                say_again(kiosk, signed)
                eventually(lambda goal=goal: len(kiosk.committed()) >= goal, "receipts", 20)
                hub.end(signal.SIGKILL)
                receipted = kiosk.committed()
                assert receipted <= in_ledger(hub)
            hub.start()
            say_again(kiosk, signed)
            eventually(lambda: len(kiosk.committed()) == len(outcomes), "all receipts", 30)
            assert hub.end() == 0
        finally:
            hub.close()
    with Hall(hub.db.parent) as hall:
        assert (hall.account().rated, hall.account().open) == (len(outcomes), 0)
        assert len(hall.ledger()) == len(in_ledger(hub)) == len(outcomes)


def say_again(kiosk, signed):
    for name in sorted(signed.keys() - kiosk.committed()):
        kiosk.say(Leaf.RATING, signed[name])


def in_ledger(hub):
    with closing(sqlite3.connect(hub.db)) as db:
        return {name for (name,) in db.execute("SELECT outcome FROM ledger WHERE kind = 'rated'")}


MANY = 1_800  # 1.5 ** 1751 is no float


class NoWait(random.Random):
    """Jitter that falls on nought `MANY` times: hours of attempts in a second; it counts them."""

    attempts = 0

    def uniform(self, shortest, longest):
        self.attempts += 1
        assert longest <= BACKOFF_CAP_S
        return shortest if self.attempts <= MANY else 0.02


@pytest.fixture
def look_for_broker():
    """Start a link of the hub to a port; it is stopped at the end."""
    links = []

    def start(port):
        rng = NoWait(1)
        link = HubLink(
            HALL, LOOPBACK, port, receive=lambda *_: None, connected=lambda: None, rng=rng
        )
        links.append(link)
        link.start()
        return link, rng

    yield start
    for link in links:
        link.stop()


def test_the_link_never_gives_up(look_for_broker, mosquitto):
    """After more failures than a float can take powers of, the link still connects."""
    mosquitto.kill()
    with socket.create_server((mosquitto.host, mosquitto.port)) as closed_door:
        closed_door.settimeout(10)
        link, rng = look_for_broker(mosquitto.port)
        while rng.attempts < MANY:
            closed_door.accept()[0].close()
    assert not link.up
    mosquitto.start()
    eventually(lambda: link.up, "the connection")


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x05", b"\0" * 64]
)
def test_what_is_no_broker_does_not_end_the_link(look_for_broker, words):
    """Where something else answers on the port, the link keeps trying."""
    with socket.create_server((LOOPBACK, 0)) as other:
        _, rng = look_for_broker(other.getsockname()[1])
        other.settimeout(10)
        for _ in range(3):
            caller, _ = other.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(words)
        eventually(lambda: rng.attempts > 2, "more attempts")
