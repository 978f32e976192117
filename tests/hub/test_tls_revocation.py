"""A stolen kiosk is out at once: the hub, the broker and the revocation list together."""

import sqlite3
import time
from contextlib import closing
from datetime import timedelta

import brokers
import pytest
from brokers import eventually
from click.testing import CliRunner
from tls_world import HALL, Papers, SecureMosquitto, knock, now, refusal
from world_hall import KEYS, rated
from world_service import HubProcess

from hub.__main__ import main as hub_command
from hub.kiosks import guard as guarding
from hub.kiosks.guard import Guard
from hub.kiosks.guard import Papers as Watched
from hub.link.kick import KickError
from hub.store import database, revocations
from protocol import signing, topics, wire
from protocol.messages import Receipt, State
from protocol.topics import Leaf

WITHIN_S = 5.0


@pytest.fixture
def broker(tmp_path):
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    papers = Papers(tmp_path / "papers")
    papers.stolen = papers.device("k1", key=KEYS["k1"])
    papers.device("k2", key=KEYS["k2"])
    made = SecureMosquitto(tmp_path, papers)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def hub(tmp_path, broker):
    """A running hub that is connected to the broker by TLS."""
    process = HubProcess(tmp_path, embedded=False, broker_port=broker.port)
    text = process.config.read_text(encoding="utf-8")
    plain = f"[broker]\nembedded = false\nport = {broker.port}\n"
    assert plain in text
    process.config.write_text(text.replace(plain, broker.section), encoding="utf-8")
    process.start()
    yield process
    process.close()


def revoke(hub, device, *more):
    """Run the command beside the running hub."""
    ran = CliRunner().invoke(hub_command, ["revoke", device, "--config", str(hub.config), *more])
    assert ran.exit_code == 0, ran.output
    return ran.output


def arrive(broker, device, connection=1):
    """Connect as a kiosk does: a will, its own leaves, a first word."""
    boot = "a" * 32
    will = State(boot=boot, connection=connection, online=False)
    peer = broker.peer(
        device,
        will=(topics.topic(HALL, device, Leaf.STATE), wire.encode(will), 1, True),
        subscribe=topics.device_subscriptions(HALL, device),
    )
    here = State(boot=boot, connection=connection, online=True, mono_ms=connection)
    peer.say(device, Leaf.STATE, wire.encode(here), retain=True)
    return peer


def invitations(peer):
    return [payload for topic, payload in peer.heard if topic.endswith("/invitation") and payload]


def receipts(peer):
    found = [wire.decode(Receipt, body) for topic, body in peer.heard if topic.endswith("receipt")]
    return {name for receipt in found for name in receipt.committed}


def refused(hub):
    with closing(sqlite3.connect(hub.db)) as db:
        return db.execute("SELECT device, cause, body FROM evidence").fetchall()


def test_a_revoked_kiosk_is_gone_within_five_seconds(hub, broker):
    """Its session ends, its presence too; the kiosk beside it goes on."""
    with arrive(broker, "k1") as stolen, arrive(broker, "k2") as other:
        name = hub.invite()[1]["id"]
        eventually(lambda: hub.invitation(name)["device_online"], "presence")
        eventually(lambda: invitations(stolen), "the invitation")
        began = time.monotonic()
        assert "已吊销" in revoke(hub, "k1", "--reason", "被盗")
        assert stolen.gone.wait(WITHIN_S)
        eventually(lambda: not hub.invitation(name)["device_online"], "absence", WITHIN_S)
        assert time.monotonic() - began < WITHIN_S
        assert not other.gone.is_set()
    assert "revoked=k1" in hub.says()
    assert "kicked=k1" in hub.says()


def test_the_hub_refuses_its_ratings_whatever_the_broker_does(hub, broker):
    """Let in again by its broker, it hears nothing, gets no receipt, and is kicked again."""
    with arrive(broker, "k1") as stolen:
        name = hub.invite()[1]["id"]
        eventually(lambda: invitations(stolen), "the invitation")
        revoke(hub, "k1")
        assert stolen.gone.wait(WITHIN_S)
    status, told = hub.invite("SL0002")
    assert (status, told["type"]) == (409, "urn:pingyi:problem:not_paired")
    assert "已吊销" in told["detail"]
    signed = signing.sign(rated(name), KEYS["k1"])
    again = broker.peer("k1", subscribe=topics.device_subscriptions(HALL, "k1"))
    with again:
        again.say("k1", Leaf.RATING, signed)
        eventually(lambda: refused(hub) == [("k1", "revoked", signed)], "the evidence")
        assert again.gone.wait(WITHIN_S)
        assert again.heard == []
    assert hub.invitation(name)["state"] == "open"
    assert "k1：拒收 revoked 1 次" in (
        CliRunner().invoke(hub_command, ["status", "--config", str(hub.config)]).output
    )
    assert hub.end() == 0
    hub.start()
    with broker.peer("k1", subscribe=topics.device_subscriptions(HALL, "k1")) as later:
        later.say("k1", Leaf.RATING, signing.sign(rated(name), KEYS["k1"]))
        eventually(lambda: len(refused(hub)) == 2, "a refusal after the restart")
        assert later.gone.wait(WITHIN_S)
        assert receipts(later) == set()


def test_what_was_revoked_by_mistake_is_taken_back(hub, broker):
    """After --lift the same key is believed again, and its rating counts."""
    revoke(hub, "k1")
    eventually(lambda: "revoked=k1" in hub.says(), "the revocation")
    assert "恢复接受" in revoke(hub, "k1", "--lift")
    assert "没有被吊销" in revoke(hub, "k1", "--lift")
    eventually(lambda: "accepted-again=k1" in hub.says(), "that it is taken back")
    with arrive(broker, "k1", connection=2) as kiosk:
        name = hub.invite()[1]["id"]
        eventually(lambda: invitations(kiosk), "the invitation")
        outcome = rated(name)
        kiosk.say("k1", Leaf.RATING, signing.sign(outcome, KEYS["k1"]))
        eventually(lambda: outcome.id in receipts(kiosk), "the receipt")


def test_a_new_list_shuts_the_door(hub, broker):
    """`revoke --crl` installs the list; once the broker has read it there is no way back in."""
    with arrive(broker, "k1") as stolen:
        broker.papers.revoked.append(broker.papers.stolen.serial_number)
        revoke(hub, "k1", "--crl", str(broker.papers.crl()))
        broker.reload()
        assert stolen.gone.wait(WITHIN_S)
    assert refusal(broker.port, broker.papers.context("k1")) == "SSLV3_ALERT_CERTIFICATE_REVOKED"
    assert knock(broker.port, broker.papers.context("k2"))


def test_a_list_alone_is_enough(hub, broker):
    """A certificate that only the authority revoked: everybody is kicked once, one stays out."""
    with arrive(broker, "k1") as stolen, arrive(broker, "k2") as other:
        name = hub.invite()[1]["id"]
        eventually(lambda: hub.invitation(name)["device_online"], "presence")
        broker.revoke(broker.papers.stolen)
        assert stolen.gone.wait(WITHIN_S)
        assert other.gone.wait(WITHIN_S)
    assert not knock(broker.port, broker.papers.context("k1"))
    assert knock(broker.port, broker.papers.context("k2"))


@pytest.mark.parametrize(
    ("days", "status", "word"), [(10, 200, "到期"), (0, 503, "过期")], ids=["soon", "over"]
)
def test_an_ageing_list_is_told(hub, broker, days, status, word):
    """/readyz and the log name it: ready while the list still holds, not ready when it is over."""
    assert hub.ask("GET", "/readyz") == (200, {"ready": True, "reasons": []})
    (broker.out / "crl.pem").write_bytes(broker.papers.crl(days=days).read_bytes())
    answer = eventually(lambda: (a := hub.ask("GET", "/readyz"))[1]["reasons"] and a, "the alarm")
    assert answer[0] == status
    assert word in answer[1]["reasons"][0]
    assert "吊销名单" in hub.says()


@pytest.fixture
def folder(tmp_path):
    """A database, and the papers of an authority."""
    path = tmp_path / "hub.db"
    db = database.connect(path)
    database.migrate(db)
    db.close()
    return path, Papers(tmp_path / "papers")


def watch(folder, **more):
    path, papers = folder
    papers.device(f"hub-{HALL}")
    watched = Watched(
        crl=papers.folder / "list.pem",
        device_ca=papers.folder / "device-ca.pem",
        certificate=papers.folder / f"hub-{HALL}.pem",
    )
    wiring = {"dismiss": lambda _: None, "kick": lambda _: None} | more
    return Guard(path, {"k1": KEYS["k1"].public_key()}, watched, **wiring)


@pytest.mark.parametrize(("days", "alarms"), [(13, 0), (17, 1), (31, 1), (77, 2)])
def test_every_paper_with_an_end_is_watched(folder, days, alarms):
    """The list (30 days) and the hub's certificate (90): two weeks before, and when it is over."""
    guard = watch(folder, now=lambda: now() + timedelta(days=days))
    guard.look()
    assert len(guard.alarms) == alarms
    assert guard.locked_out == (days > 30)


def test_a_list_of_another_authority_is_told(folder, tmp_path):
    """A file that would make the broker refuse everybody is named."""
    guard = watch(folder)
    Papers(tmp_path / "others")
    (folder[1].folder / "list.pem").write_bytes((tmp_path / "others" / "list.pem").read_bytes())
    guard.look()
    assert "不是评价器签发 CA 签的" in guard.alarms[0]
    (folder[1].folder / "list.pem").unlink()
    guard.look()
    assert "无法读取吊销名单" in guard.alarms[0]


def test_a_kick_that_fails_is_tried_again(folder):
    """A broker that is away for a moment does not save the session of a revoked kiosk."""
    tries = []

    def kick(device):
        tries.append(device)
        if len(tries) < 3:
            raise KickError("不通")

    guard = watch(folder, kick=kick)
    db = database.connect(folder[0])
    with db.atomic():
        revocations.revoke(db, "k1", revocations.digest(KEYS["k1"].public_key()), "", 1)
    db.close()
    for _ in range(5):
        guard.look()
    assert tries == ["k1"] * 3


def test_a_list_that_grew_kicks_everybody_even_if_the_broker_is_late(folder):
    """Whom a kick did not reach is kicked with a later look, once."""
    tries, at = [], [now()]

    def kick(device):
        tries.append(device)
        if len(tries) < 3:
            raise KickError("不通")

    guard = watch(folder, kick=kick, now=lambda: at[0])
    guard.look()
    folder[1].revoked.append(77)
    folder[1].crl()
    guard.look()
    assert tries == []
    at[0] += timedelta(seconds=guarding.RELOAD_S)
    for _ in range(5):
        guard.look()
    assert tries == ["k1"] * 3


def test_another_key_of_the_same_name_is_not_revoked(folder):
    """Who was enrolled anew under the name is believed: a revocation is of a key."""
    db = database.connect(folder[0])
    with db.atomic():
        assert revocations.revoke(db, "k1", b"another key", "", 1)
        assert not revocations.revoke(db, "k1", b"another key", "", 2)
    db.close()
    guard = watch(folder)
    guard.look()
    assert not guard.revoked("k1")


def test_a_list_that_would_lock_out_is_not_installed(hub, broker, tmp_path):
    """Of another authority, over, or older than the present one: the command says so."""
    present = (broker.out / "crl.pem").read_bytes()
    others = Papers(tmp_path / "others")
    old = tmp_path / "old.pem"
    old.write_bytes(present)
    (broker.out / "crl.pem").write_bytes(broker.papers.crl().read_bytes())
    present = (broker.out / "crl.pem").read_bytes()
    lists = {
        others.crl(): "不是评价器签发 CA 签的",
        broker.papers.crl("over", days=0): "已经过期",
        old: "比正在使用的旧",
    }
    for path, words in lists.items():
        asked = ["revoke", "k2", "--config", str(hub.config), "--crl", str(path)]
        ran = CliRunner().invoke(hub_command, asked)
        assert ran.exit_code == 1
        assert words in ran.output
    assert (broker.out / "crl.pem").read_bytes() == present


def test_a_new_list_is_installed_by_itself(hub, broker):
    """Before the old one is over; without a name nobody is revoked."""
    new = broker.papers.crl()
    asked = ["revoke", "--config", str(hub.config), "--crl", str(new)]
    assert CliRunner().invoke(hub_command, asked).exit_code == 0
    assert (broker.out / "crl.pem").read_bytes() == new.read_bytes()
    ran = CliRunner().invoke(hub_command, ["revoke", "--config", str(hub.config)])
    assert ran.exit_code == 2
    assert "请写明评价器的代号" in ran.output


def test_nobody_unknown_is_revoked(hub):
    """A mistyped name is told, and nothing is written."""
    ran = CliRunner().invoke(hub_command, ["revoke", "k77", "--config", str(hub.config)])
    assert ran.exit_code == 1
    assert "k77" in ran.output
