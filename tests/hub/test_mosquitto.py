"""Each attack on the broker, against the real mosquitto under the generated configuration."""

import contextlib
import re
import shutil
import socket
import ssl
import warnings
from datetime import timedelta

import brokers
import pytest
from brokers import LOOPBACK, eventually
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tls_world import (
    ACCEPTED,
    HALL,
    Papers,
    SecureMosquitto,
    connect_packet,
    knock,
    new_key,
    now,
    refusal,
    self_signed,
)

from hub.link.kick import Kicker, KickError
from protocol import certificates, topics
from protocol.topics import Leaf

HUB = f"hub-{HALL}"
MIB = 1 << 20
UNTRUSTED = {
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV1_ALERT_DECRYPT_ERROR",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
}
"""How a broker says that it does not believe a certificate."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """The broker, and certificates of kiosks a and b; shared by the tests of this file."""
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    folder = tmp_path_factory.mktemp("broker")
    papers = Papers(folder / "papers")
    for name in ("a", "b"):
        papers.device(name)
    made = SecureMosquitto(folder, papers)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def hub(broker):
    """The hub's connection: it hears the up leaves of all."""
    with broker.peer(HUB, subscribe=topics.hub_subscriptions(HALL)) as peer:
        yield peer


def kicker(broker):
    password = (broker.folder / "kick.password").read_text(encoding="ascii").strip()
    return Kicker(broker.kick_port, password)


def topic(device, leaf):
    return topics.topic(HALL, device, leaf)


def test_those_who_belong_here_are_let_in(broker, hub):
    """A kiosk with its certificate speaks to the hub and hears from it, at 64 KiB as well."""
    with broker.peer("a", subscribe=topics.device_subscriptions(HALL, "a")) as a:
        large = b"x" * 65_536
        a.say("a", Leaf.RATING, large)
        hub.say("a", Leaf.RECEIPT, b"yes")
        eventually(lambda: (topic("a", Leaf.RATING), large) in hub.heard, "the rating")
        eventually(lambda: (topic("a", Leaf.RECEIPT), b"yes") in a.heard, "the receipt")


def test_a_cannot_publish_as_b(broker, hub):
    """What A says on B's leaves, or on its own down leaves, reaches nobody."""
    with broker.peer("b", subscribe=["#"]) as b, broker.peer("a", subscribe=["#"]) as a:
        for leaf in Leaf:
            a.say("b", leaf, b"evil")
        for leaf in topics.DOWN:
            a.say("a", leaf, b"evil")
        a.say("a", Leaf.RATING, b"after")
        hub.say("b", Leaf.RECEIPT, b"after")
        eventually(lambda: (topic("a", Leaf.RATING), b"after") in hub.heard, "A's own word")
        eventually(lambda: (topic("b", Leaf.RECEIPT), b"after") in b.heard, "the hub's word")
        assert b"evil" not in {payload for _, payload in (*hub.heard, *b.heard, *a.heard)}


def test_a_cannot_leave_a_will_for_b(broker, hub):
    """A last will is bound by the same rights as any message."""
    will = (topic("b", Leaf.STATE), b"evil", 1, True)
    broker.peer("a", will=will).cut()
    with broker.peer("b") as b:
        eventually(lambda: "Client a closed" in broker.says(), "that A is gone")
        b.say("b", Leaf.STATE, b"after")
        eventually(lambda: (topic("b", Leaf.STATE), b"after") in hub.heard, "B's own word")
    assert (topic("b", Leaf.STATE), b"evil") not in hub.heard


def test_a_hears_nothing_of_b(broker, hub):
    """Whatever A subscribes to, only its own down leaves are delivered, retained or not."""
    hub.say("b", Leaf.INVITATION, b"retained", retain=True)
    greedy = ["#", "+/+/+/+/+", "$SYS/#", "pingyi/v1/+/b/#"]
    greedy += [topic("b", leaf) for leaf in Leaf]
    with broker.peer("a", subscribe=greedy) as a, broker.peer("b") as b:
        b.say("b", Leaf.RATING, b"secret")
        hub.say("b", Leaf.INVITATION, b"", retain=True)
        hub.say("b", Leaf.RECEIPT, b"secret")
        hub.say("a", Leaf.RECEIPT, b"own")
        eventually(lambda: a.heard, "A's own receipt")
        assert {entry for entry in a.heard if entry[0] != topic("a", Leaf.RECEIPT)} == set()


@pytest.mark.parametrize("name", ["b", HUB])
def test_a_with_the_client_id_of_another_is_a(broker, hub, name):
    """Client id and user name that A invents are not heeded: nobody is unseated, no right won."""
    with (
        broker.peer("b", subscribe=topics.device_subscriptions(HALL, "b")) as b,
        broker.peer("a", client_id=name, user=name, subscribe=["#"]) as a,
    ):
        a.say("b", Leaf.RATING, b"evil")
        a.say("b", Leaf.RECEIPT, b"evil")
        a.say("a", Leaf.RATING, b"mine")
        hub.say("b", Leaf.RECEIPT, b"after")
        eventually(lambda: (topic("a", Leaf.RATING), b"mine") in hub.heard, "A as A")
        eventually(lambda: (topic("b", Leaf.RECEIPT), b"after") in b.heard, "B is still there")
        assert not b.gone.is_set()
        assert not hub.gone.is_set()
        assert {place for place, _ in a.heard} == set()
        assert (topic("b", Leaf.RATING), b"evil") not in hub.heard


def test_no_certificate_no_entry(broker):
    """Without a certificate there is no CONNACK."""
    assert refusal(broker.port, broker.papers.context()) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def test_plain_text_is_not_answered(broker):
    """A client that does not begin with TLS gets nothing."""
    with socket.create_connection((LOOPBACK, broker.port), timeout=10) as line:
        line.sendall(connect_packet("a"))
        with contextlib.suppress(ConnectionError):
            assert not line.recv(100).startswith(b"\x20")


def test_an_expired_certificate_is_refused(broker):
    """One second too late is too late."""
    assert knock(broker.port, broker.papers.context("a"))
    broker.papers.device("a", file="expired", at=now() - timedelta(seconds=1), days=0)
    assert (
        refusal(broker.port, broker.papers.context("expired")) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"
    )


def test_a_self_signed_certificate_is_refused(broker):
    """It names itself A; nobody we know has signed it."""
    self_signed(broker.papers.folder, "a")
    assert refusal(broker.port, broker.papers.context("self")) == "TLSV1_ALERT_UNKNOWN_CA"


def test_another_authority_of_the_same_names_is_refused(broker, tmp_path):
    """A root, a CA and a device of our names, but of other keys."""
    others = Papers(tmp_path / "others")
    others.device("a")
    shutil.copy(broker.papers.folder / "root.pem", others.folder / "root.pem")
    assert refusal(broker.port, others.context("a")) in UNTRUSTED


def test_a_server_certificate_is_no_ticket(broker):
    """The broker's own certificate, stolen, does not let anybody in as a client."""
    assert refusal(broker.port, broker.papers.context("server")) in UNTRUSTED


def test_a_device_cannot_sign_for_another(broker):
    """A certificate for B that A's own key has signed is worth nothing."""
    papers = broker.papers
    key, forged = new_key(), new_key()
    own = papers.device("a", file="signer", key=key)
    made = certificates.issue_device(
        forged.public_key(), device="b", hall=HALL, issuer=own, issuer_key=key, now=now()
    )
    papers.write("forged", made, own, papers.device_ca, key=forged)
    assert refusal(broker.port, papers.context("forged")) in UNTRUSTED


def test_tls_1_1_is_refused(broker):
    """A client that speaks TLS 1.1 at most is told so."""
    context = broker.papers.context("a")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert refusal(broker.port, context) == "TLSV1_ALERT_PROTOCOL_VERSION"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert knock(broker.port, context)


def test_a_mebibyte_ends_the_connection_of_its_sender_only(broker, hub):
    """The broker does not take it, the hub never sees it, the others notice nothing."""
    with broker.peer("b") as b, broker.peer("a") as a:
        a.client.publish(topic("a", Leaf.RATING), b"x" * MIB, 1)
        assert a.gone.wait(10)
        b.say("b", Leaf.RATING, b"after")
        eventually(lambda: (topic("b", Leaf.RATING), b"after") in hub.heard, "B's word")
        assert max(len(payload) for _, payload in hub.heard) < 100
        assert not hub.gone.is_set()


def test_a_revoked_certificate_is_refused(broker):
    """After a reload the list holds, for new sessions and for resumed ones; others stay."""
    thief = broker.papers.device("thief")
    with broker.peer("b") as b:
        context = broker.papers.context("thief")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection((LOOPBACK, broker.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=LOOPBACK) as line,
        ):
            line.sendall(connect_packet("thief"))
            assert line.recv(4) == ACCEPTED
            session = line.session
        broker.revoke(thief)
        assert refusal(broker.port, context) == "SSLV3_ALERT_CERTIFICATE_REVOKED"
        assert not knock(broker.port, context, session=session)
        modern = broker.papers.context("thief")
        assert refusal(broker.port, modern) == "SSLV3_ALERT_CERTIFICATE_REVOKED"
        assert not b.gone.is_set()
    assert knock(broker.port, broker.papers.context("a"))


def test_a_renewed_server_certificate_is_served_after_a_reload(broker, hub):
    """Nobody is disconnected over it, and the door is as shut as before."""
    papers = broker.papers

    def served():
        context = papers.context("b")
        with (
            socket.create_connection((LOOPBACK, broker.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=LOOPBACK) as line,
        ):
            return line.getpeercert()["serialNumber"]

    before = served()
    renewed = papers.server("renewed")
    for kind in ("pem", "key"):
        data = (papers.folder / f"renewed.{kind}").read_bytes()
        (broker.out / f"server.{kind}").write_bytes(data)
    broker.reload()
    assert int(served(), 16) == renewed.serial_number != int(before, 16)
    assert not hub.gone.is_set()
    assert refusal(broker.port, papers.context()) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def test_a_kick_ends_a_session(broker, hub):
    """The hub takes over the client id on loopback; the will is told, and A may come again."""
    will = (topic("a", Leaf.STATE), b"gone", 1, True)
    with broker.peer("a", will=will) as a:
        kicker(broker).kick("a")
        assert a.gone.wait(5)
    eventually(lambda: (topic("a", Leaf.STATE), b"gone") in hub.heard, "the will")
    assert knock(broker.port, broker.papers.context("a"))
    kicker(broker).kick("nobody-there")


def test_the_kick_listener_gives_no_rights(broker, hub):
    """Not without its password; and with it nothing may be said or heard."""
    with pytest.raises(KickError, match="kick_password"):
        Kicker(broker.kick_port, "wrong").kick("a")
    heard, answers = [], []
    client = Client(CallbackAPIVersion.VERSION2, client_id=HUB + "-x")
    client.username_pw_set("kick", (broker.folder / "kick.password").read_text().strip())
    client.on_message = lambda _client, _data, message: heard.append(message.topic)
    client.on_subscribe = lambda *_: answers.append(1)
    client.connect(LOOPBACK, broker.kick_port)
    client.subscribe("#")
    client.loop_start()
    try:
        eventually(lambda: answers, "the subscription")
        client.publish(topic("kick", Leaf.RATING), b"evil", 1).wait_for_publish(5)
        with broker.peer("b") as b:
            b.say("b", Leaf.RATING, b"after")
            eventually(lambda: (topic("b", Leaf.RATING), b"after") in hub.heard, "B's word")
    finally:
        client.disconnect()
        client.loop_stop()
    assert heard == []
    assert b"evil" not in {payload for _, payload in hub.heard}


def test_the_configuration_is_said_in_full(broker):
    """Two listeners and no other, anonymous refused on both, nothing kept, no delay."""
    lines = (broker.out / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
    assert lines.count("allow_anonymous false") == 2
    assert [line for line in lines if line.startswith("listener")] == [
        f"listener {broker.port} {LOOPBACK}",
        f"listener {broker.kick_port} 127.0.0.1",
    ]
    opened = re.findall(r"Opening ipv[46] listen socket on port (\d+)", broker.says())
    assert set(map(int, opened)) == {broker.port, broker.kick_port}  # no third by default
    for line in ("persistence false", "set_tcp_nodelay true", "per_listener_settings true"):
        assert line in lines
    assert {path.stat().st_mode & 0o777 for path in broker.out.glob("*.key")} == {0o640}
