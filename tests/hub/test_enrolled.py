"""The whole hub as a process: it learns, pairs, renews and forgets kiosks while it runs."""

import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from urllib.parse import quote

import brokers
import pytest
from brokers import eventually, free_port
from click.testing import CliRunner
from tls_world import Papers, SecureMosquitto, new_key, now
from world_enrolled import EnrolledHub, EnrolledKiosk
from world_front import text
from world_hall import OTHER_WINDOW, WINDOW, rated
from world_service import HALL

from hub.__main__ import main as hub_command
from protocol import certificates, topics, wire
from protocol.messages import Settings, State
from protocol.topics import Leaf

NAME = "kiosk-01"
WITHIN_S = 5.0


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"), now() - timedelta(days=365))


@pytest.fixture
def hub(tmp_path, papers):
    hub = EnrolledHub(tmp_path, papers, broker_port=free_port())
    hub.start()
    yield hub
    hub.close()


@contextmanager
def kiosk(hub, device=NAME, **more):
    with EnrolledKiosk(hub.broker_port, device, hub.papers, **more) as made:
        made.birth()
        yield made


def place(rest="", window=WINDOW):
    return f"/api/v1/windows/{quote(window)}{rest}"


def pair(hub, kiosk, window=WINDOW):
    """Type the code that is on the kiosk's screen, and confirm."""
    code = eventually(kiosk.code, "a code on the screen")
    status, found = hub.ask("POST", place("/pairing", window), {"code": code})
    assert (status, found["device"]) == (202, kiosk.device)
    eventually(lambda: kiosk.settings().pairing.window, "the window's name on the screen")
    status, _ = hub.ask("POST", place("/pairing/confirmation", window), {"device": kiosk.device})
    assert status == 200
    eventually(lambda: kiosk.window() == window, "the window")


def refused(hub):
    with closing(sqlite3.connect(hub.db)) as db:
        return dict(db.execute("SELECT device, cause FROM refusals").fetchall())


def certificates_in(hub):
    with closing(sqlite3.connect(hub.db)) as db:
        return {device for (device,) in db.execute("SELECT device FROM certificates")}


def test_a_kiosk_is_learnt_paired_signed_on_and_rates(hub):
    """From its first birth to a rating in the ledger, and nobody has touched a file."""
    hub.ask("DELETE", place("/pairing"))
    with kiosk(hub) as it:
        pair(hub, it)
        assert hub.ask("PUT", place("/staff"), {"name": "示例戊"})[0] == 200
        eventually(lambda: it.clerk() == "示例戊", "the card")
        name = hub.invite()[1]["id"]
        eventually(lambda: it.shows() == name, "the invitation")
        assert it.slot().invitation.staff.name == "示例戊"
        outcome = rated(name, NAME)
        it.rate(outcome)
        eventually(lambda: outcome.id in it.committed(), "the receipt")
    assert hub.invitation(name)["state"] == "rated"
    assert hub.end() == 0
    assert "Traceback" not in hub.says()


def test_a_clerk_who_signs_on_is_on_the_screen_at_once(hub):
    """From the call to the new card at the kiosk: far below five seconds, ten times."""
    took = []
    with kiosk(hub) as it:
        pair(hub, it)
        for number in range(10):
            name = f"示例{number}"
            began = time.monotonic()
            assert hub.ask("PUT", place("/staff"), {"name": name})[0] == 200
            eventually(lambda name=name: it.clerk() == name, "the card", WITHIN_S)
            took.append(time.monotonic() - began)
    assert max(took) < WITHIN_S / 5, took


def test_what_was_learnt_and_bound_is_remembered_after_a_kill(hub):
    """kill -9; the kiosk comes back without its certificate and is what it was."""
    key = new_key()
    with kiosk(hub, key=key) as it:
        pair(hub, it)
    hub.end(signal.SIGKILL)
    hub.start()
    with EnrolledKiosk(hub.broker_port, NAME, hub.papers, key=key, connection=2) as it:
        it.beat(mono_ms=5)
        eventually(lambda: 5 in it.echoes(), "an answer")
        eventually(lambda: it.window() == WINDOW, "its window")
        name = hub.invite()[1]["id"]
        outcome = rated(name, NAME)
        it.rate(outcome)
        eventually(lambda: outcome.id in it.committed(), "the receipt")


def test_codes_of_before_a_restart_open_nothing(hub):
    """The kiosk shows another code as soon as it is heard by the new process."""
    key = new_key()
    with kiosk(hub, key=key) as it:
        old = eventually(it.code, "a code")
    hub.end()
    hub.start()
    with kiosk(hub, key=key, connection=2) as it:
        new = eventually(it.code, "a code")
        if old != new:  # one in a million
            assert hub.ask("POST", place("/pairing"), {"code": old})[0] == 404
        pair(hub, it, OTHER_WINDOW)


def test_whoever_the_device_ca_does_not_know_is_nobody(hub, tmp_path):
    """Another CA, another hall, another name, an end: no settings, no answer, no presence."""
    others = Papers(tmp_path / "others")

    def made(device, hall=HALL, by=hub.papers, days=90, at=None):
        key = new_key()
        return key, certificates.issue_device(
            key.public_key(),
            device=device,
            hall=hall,
            issuer=by.device_ca,
            issuer_key=by.device_key,
            now=at or now(),
            days=days,
        )

    strangers = {
        "s-ca": made("s-ca", by=others),
        "s-hall": made("s-hall", hall="other"),
        "s-name": made("kiosk-09"),
        "s-over": made("s-over", days=1, at=now() - timedelta(days=2)),
    }
    with kiosk(hub) as good:
        for device, (key, certificate) in strangers.items():
            with kiosk(hub, device, key=key, certificate=certificate) as stranger:
                stranger.rate(rated("a" * 32, device))
                stranger.renew()
                good.birth(mono_ms=hash(device) % 1000 + 2)
                eventually(lambda device=device: device in refused(hub), "the refusal")
                assert stranger.heard == []
        eventually(good.code, "that the good one goes on")
    assert certificates_in(hub) == {NAME}


def test_a_renewal_over_the_real_line(hub):
    """The kiosk asks, the desk answers by the interface, the kiosk has it and shows it."""
    key = new_key()
    old = hub.papers.device(NAME, key=key, at=now() - timedelta(days=61))
    with kiosk(hub, key=key, certificate=old) as it:
        it.renew()
        (asked,) = eventually(lambda: hub.ask("GET", "/api/v1/renewals")[1], "the request")
        assert certificates.check_request(asked["request"].encode(), NAME) == key.public_key()
        new = hub.papers.device(NAME, key=key)
        chain = text(new) + text(hub.papers.device_ca)
        assert hub.ask("PUT", f"/api/v1/renewals/{NAME}", {"chain": chain})[0] == 204
        given = eventually(lambda: it.all(Leaf.CERTIFICATE), "the certificate", WITHIN_S)
        assert given[-1].chain == chain
    with kiosk(hub, key=key, certificate=new, connection=2) as it:
        eventually(it.code, "that it is known")
        eventually(lambda: (Leaf.CERTIFICATE, None) in it.heard, "that it is taken back")
    with kiosk(hub, key=key, certificate=new, connection=3) as it:
        eventually(it.code, "that it is known")
        assert it.all(Leaf.CERTIFICATE) == []
    assert hub.ask("GET", "/api/v1/renewals") == (200, [])


def test_an_ending_certificate_is_told_by_readyz_and_log(hub):
    """The hub works on and says in Chinese what to do."""
    key = new_key()
    ending = hub.papers.device(NAME, key=key, at=now() - timedelta(days=85))
    assert hub.ask("GET", "/readyz") == (200, {"ready": True, "reasons": []})
    with kiosk(hub, key=key, certificate=ending):
        (reason,) = eventually(lambda: hub.ask("GET", "/readyz")[1]["reasons"], "the alarm")
    assert NAME in reason
    assert "即将到期" in reason
    assert "续期" in reason
    assert f"alarm={reason}" in hub.says()
    assert hub.ask("GET", "/readyz")[0] == 200


def test_a_certificate_swapped_in_the_file_is_told_and_its_owner_is_nobody(hub, tmp_path):
    """An insider's certificate with a later begin is not believed; the true kiosk is, once back."""
    key, other = new_key(), Papers(tmp_path / "other")
    with kiosk(hub, key=key) as it:
        eventually(it.code, "that it is known")
    hub.end()
    own = new_key()
    swapped = other.device(NAME, key=own)
    with closing(sqlite3.connect(hub.db)) as db, db:
        db.execute("UPDATE certificates SET pem = ?, not_before = not_before + 1", (text(swapped),))
    hub.start()
    status, told = hub.ask("GET", "/readyz")
    assert (status, told["ready"]) == (200, True)
    assert any(NAME in reason and "证书不是签发 CA 签的" in reason for reason in told["reasons"])
    assert f"certificate=dropped device={NAME}" in hub.says()
    with kiosk(hub, key=own, certificate=swapped, connection=2) as it:
        it.rate(rated("a" * 32, NAME))
        eventually(lambda: refused(hub).get(NAME), "the refusal")
    with kiosk(hub, key=key, connection=3) as it:
        eventually(it.code, "that it is known again")
    assert hub.ask("GET", "/readyz") == (200, {"ready": True, "reasons": []})


def test_a_learnt_kiosk_is_revoked_by_its_name(hub):
    """It stands in no file; the command knows it by its certificate. Lifted, it is back."""
    key = new_key()
    with kiosk(hub, key=key) as it:
        eventually(it.code, "a code")
        assert run(hub, "revoke", NAME, "--reason", "被盗")[1] == f"{NAME} 已吊销。\n"
        eventually(lambda: (Leaf.SETTINGS, None) in it.heard, "that all is taken back", WITHIN_S)
        it.rate(rated("a" * 32, NAME))
        eventually(lambda: refused(hub).get(NAME) == "revoked", "the refusal")
        assert "没有名为“kiosk-77”" in run(hub, "revoke", "kiosk-77")[2]
        assert run(hub, "revoke", NAME, "--lift")[0] == 0
        eventually(lambda: f"accepted-again={NAME}" in hub.says(), "that it is taken back")
    with kiosk(hub, key=key, connection=2) as it:
        eventually(it.code, "a code")


# ---------------------------------------------------------------- keys


def run(hub, *words):
    ran = CliRunner().invoke(hub_command, [*words, "--config", str(hub.config)])
    return ran.exit_code, ran.stdout, ran.stderr


def test_a_key_works_at_once_and_is_out_at_once(hub):
    """Made and revoked by commands beside the running hub; no restart, no waiting."""
    code, key, told = run(hub, "key", "add", "示例系统", "--scope", "windows")
    assert code == 0
    assert "只显示这一次" in told
    hub.key = key.strip()
    assert hub.ask("GET", "/api/v1/windows")[0] == 200
    assert hub.ask("GET", "/api/v1/renewals")[0] == 403
    name = hub.key.split("_")[1]
    code, listed, _ = run(hub, "key", "list")
    line = next(line for line in listed.splitlines() if line.startswith(name))
    assert "有效" in line
    assert "示例系统  windows" in line
    assert hub.key.split("_", 2)[2] not in listed
    code, told, _ = run(hub, "key", "revoke", name)
    assert (code, told) == (0, f"密钥 {name} 已停用。\n")
    status, problem = hub.ask("GET", "/api/v1/windows")
    assert (status, problem["type"]) == (401, "urn:pingyi:problem:unauthorized")
    assert "已停用" in run(hub, "key", "list")[1]
    code, _, told = run(hub, "key", "revoke", name)
    assert code == 1
    assert "没有编号" in told


# ---------------------------------------------------------------- over TLS


def test_the_same_over_tls_with_a_real_mosquitto(tmp_path, papers):
    """Birth with its certificate as client certificate: learnt, shown a code, paired."""
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    broker = SecureMosquitto(tmp_path, papers)
    broker.start()
    hub = EnrolledHub(tmp_path, papers, broker_port=broker.port, section=broker.section)
    try:
        hub.start()
        own = papers.device(NAME)
        with broker.peer(NAME, subscribe=topics.device_subscriptions(HALL, NAME)) as peer:
            state = State(boot="a" * 32, connection=1, online=True, certificate=text(own))
            peer.say(NAME, Leaf.STATE, wire.encode(state), retain=True)

            def shown():
                topic = topics.topic(HALL, NAME, Leaf.SETTINGS)
                found = [wire.decode(Settings, body) for of, body in peer.heard if of == topic]
                return found[-1] if found else None

            code = eventually(lambda: shown() and shown().pairing, "a code").code
            assert hub.ask("POST", place("/pairing"), {"code": code})[0] == 202
            assert hub.ask("POST", place("/pairing/confirmation"), {"device": NAME})[0] == 200
            eventually(lambda: shown().window and shown().window.name == WINDOW, "its window")
        assert hub.end() == 0
    finally:
        hub.close()
        broker.kill()
