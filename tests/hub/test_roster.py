"""A kiosk is known by what the device CA has signed, and by nothing else."""

import json
import sqlite3
import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tls_world import HALL, Papers, issue, new_key, now, self_signed
from world_front import DAY_MS, Front, request, text
from world_hall import rated

from hub.kiosks.keys import remembered
from hub.kiosks.roster import NotBelieved, Roster
from hub.store import database, revocations
from protocol import certificates, signing, wire
from protocol.messages import Renewal, Settings
from protocol.topics import Leaf

NAME = "kiosk-01"


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"), now() - timedelta(days=365))


@pytest.fixture
def front(tmp_path, papers):
    with Front(tmp_path, papers) as front:
        yield front


def unknown(front, device=NAME):
    """Whether nothing of a device is accepted, kept or shown."""
    front.beat(device)
    return (
        device not in front.roster
        and not front.presence.online(device)
        and front.receipts == []
        and front.sent(device, Leaf.SETTINGS) == []
        and front.rows("SELECT * FROM certificates") == []
        and front.rows("SELECT * FROM device_keys") == []
    )


def test_a_certificate_of_the_device_ca_makes_a_kiosk_known(front, papers):
    """From its birth: it is kept, audited, answered, shown a code; its ratings are believed."""
    key = new_key()
    held = issue(papers, key=key)
    front.beat(NAME, held, mono_ms=77)
    assert front.roster[NAME] == key.public_key()
    assert front.learnt == {NAME: key.public_key()}
    assert front.rows("SELECT device, pem FROM certificates") == [(NAME, text(held))]
    assert front.acts() == [("hub", "learn_device", NAME, 1)]
    assert [receipt.echo_ms for _, receipt in front.receipts] == [77]
    settings = wire.decode(Settings, front.sent(NAME, Leaf.SETTINGS)[-1])
    assert len(settings.pairing.code) == 6
    front.rate(rated("a" * 32, NAME), key)
    assert front.refused() == {(NAME, "foreign"): 1}


def test_the_same_certificate_again_is_no_news(front, papers):
    """Each connection shows it; one entry in the trail is enough."""
    held = issue(papers)
    for connection in range(1, 6):
        front.beat(NAME, held, connection=connection)
    assert front.acts() == [("hub", "learn_device", NAME, 1)]
    assert len(front.receipts) == 5


def test_a_known_kiosk_is_remembered_after_a_restart(tmp_path, papers):
    """Before it has said a word to the new process; and it needs no certificate to go on."""
    key = new_key()
    with Front(tmp_path, papers) as front:
        front.beat(NAME, issue(papers, key=key))
    with Front(tmp_path, papers) as front:
        assert front.roster[NAME] == key.public_key()
        assert front.past_keys[NAME] == [key.public_key()]
        front.beat(NAME)
        assert front.presence.online(NAME)


def test_nothing_of_an_unknown_device_is_accepted(front):
    """No presence, no receipt, no settings; ratings, shown and renewals are counted as refused."""
    key = new_key()
    assert unknown(front)
    front.rate(rated("a" * 32, NAME), key)
    front.receive(NAME, Leaf.SHOWN, b"{}")
    front.renew(NAME, key)
    assert front.receipts == []
    assert front.rows("SELECT * FROM renewals") == []
    assert front.refused() == {(NAME, "unknown_device"): 4}


def forged(papers, others, case):
    """A certificate that must not be believed."""
    if case == "self-signed":
        self_signed(others.folder, NAME)
        return (others.folder / "self.pem").read_text("ascii")
    if case == "server":
        key = new_key()
        made = certificates.issue_server(
            key.public_key(),
            names=[NAME],
            issuer=papers.server_ca,
            issuer_key=papers.server_key,
            now=now(),
        )
    elif case == "the CA itself":
        made = papers.device_ca
    elif case == "by a device":
        key = new_key()
        own = issue(papers, "kiosk-02", key=key)
        made = certificates.issue_device(
            new_key().public_key(),
            device=NAME,
            hall=HALL,
            issuer=own,
            issuer_key=key,
            now=now(),
        )
    else:
        made = {
            "another CA": lambda: issue(papers, by=others),
            "another hall": lambda: issue(papers, hall="other"),
            "another name": lambda: issue(papers, "kiosk-02"),
            "expired": lambda: issue(papers, at=now() - timedelta(seconds=1), days=0),
            "not yet": lambda: issue(papers, at=now() + timedelta(days=2)),
        }[case]()
    return text(made)


FORGED = (
    "self-signed",
    "server",
    "the CA itself",
    "by a device",
    "another CA",
    "another hall",
    "another name",
    "expired",
    "not yet",
)


@pytest.mark.parametrize("case", FORGED)
def test_what_the_device_ca_has_not_signed_is_refused(front, papers, tmp_path, case):
    """Each is counted with its cause and kept as evidence; the device stays unknown."""
    others = Papers(tmp_path / "others")
    pem = forged(papers, others, case)
    state = {"boot": "a" * 32, "connection": 1, "online": True, "certificate": pem, "v": 1}
    front.receive(NAME, Leaf.STATE, _json(state))
    times = front.refused()
    assert list(times.values()) == [1]
    ((device, cause),) = times
    assert device == NAME
    assert cause in {"certificate_invalid", "certificate_not_valid_now"}
    assert (cause == "certificate_not_valid_now") == (case in ("expired", "not yet"))
    assert unknown(front)


def _json(state):
    return json.dumps(state).encode()


@pytest.mark.parametrize(
    "pem", ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", " " * 100]
)
def test_nonsense_is_refused(front, pem):
    """It is no certificate at all."""
    state = {"boot": "a" * 32, "connection": 1, "online": True, "certificate": pem, "v": 1}
    front.receive(NAME, Leaf.STATE, _json(state))
    assert front.refused() == {(NAME, "certificate_invalid"): 1}
    assert unknown(front)


def test_keys_of_another_kind_are_refused(papers):
    """Only P-256 signs ratings; a certificate for an RSA key or another curve is none of ours."""
    roster = Roster(HALL, {}, {}, text(papers.device_ca))
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        made = issue(papers, key=key)
        with pytest.raises(NotBelieved):
            roster.judge(NAME, text(made), int(now().timestamp() * 1000))


def test_without_a_device_ca_no_certificate_is_believed(tmp_path, papers):
    """A hub that was told of no CA cannot know whom to believe; configured keys go on."""
    key = new_key()
    with Front(tmp_path, None, {"k1": key.public_key()}) as front:
        front.beat(NAME, issue(papers))
        assert front.refused() == {(NAME, "certificate_not_asked"): 1}
        assert NAME not in front.roster
        front.beat("k1", issue(papers, "k1", key=key))
        assert front.presence.online("k1")


def test_a_hub_cannot_be_a_kiosk(front, papers):
    """A certificate of the name of a hub lets its owner speak to all kiosks: never as one."""
    front.beat("hub-demo", issue(papers, "hub-demo"))
    assert front.refused() == {("hub-demo", "certificate_not_asked"): 1}
    assert "hub-demo" not in front.roster


def test_the_configuration_stands_above_a_certificate(tmp_path, papers):
    """A device whose key is written down keeps it: a certificate of another key is refused."""
    key = new_key()
    with Front(tmp_path, papers, {NAME: key.public_key()}) as front:
        front.beat(NAME, issue(papers))
        assert front.refused() == {(NAME, "certificate_of_another_key"): 1}
        assert not front.presence.online(NAME)
        front.beat(NAME, issue(papers, key=key), connection=2)
        assert front.presence.online(NAME)
        assert front.roster[NAME] == key.public_key()
        assert front.rows("SELECT * FROM certificates") == []


# ---------------------------------------------------------------- a new key


def test_a_kiosk_enrolled_anew_replaces_the_old_one(tmp_path, papers):
    """The newer key is believed, the older not any more; what it signed stays verifiable."""
    old, new = new_key(), new_key()
    first = issue(papers, key=old, at=now() - timedelta(days=1))
    with Front(tmp_path, papers) as front:
        front.beat(NAME, first)
        signed = signing.sign(rated("a" * 32, NAME), old)
        front.beat(NAME, issue(papers, key=new), connection=2)
        assert front.roster[NAME] == new.public_key()
        front.rate(rated("b" * 32, NAME), old)
        assert front.refused() == {(NAME, "signature"): 1}
        front.rate(rated("b" * 32, NAME), new)
        assert front.refused()[(NAME, "foreign")] == 1
    with Front(tmp_path, papers) as front:
        assert len(front.past_keys[NAME]) == 2
        assert new.public_key() in front.past_keys[NAME]
        past = remembered(front.writer._db, front.roster, front.now)[NAME]
        assert signing.verify(signed, NAME, next(k for k in past if k == old.public_key()))
        assert front.roster[NAME] == new.public_key()


def test_the_kiosk_before_cannot_come_back(front, papers):
    """Its certificate is older than what replaced it: it is refused, though still valid."""
    first = issue(papers, at=now() - timedelta(days=1))
    second = issue(papers)
    front.beat(NAME, first)
    front.beat(NAME, second, connection=2)
    front.beat(NAME, first, connection=3)
    assert front.refused() == {(NAME, "certificate_replaced"): 1}
    assert front.rows("SELECT pem FROM certificates") == [(text(second),)]


def test_an_older_certificate_of_the_same_key_is_no_attack(front, papers):
    """The newer one is still on its way to the kiosk: it is heard, and nothing is put back."""
    key = new_key()
    older = issue(papers, key=key, at=now() - timedelta(days=60))
    newer = issue(papers, key=key)
    front.beat(NAME, older)
    front.beat(NAME, newer, connection=2)
    front.beat(NAME, older, connection=3, mono_ms=9)
    assert front.refused() == {}
    assert front.receipts[-1][1].echo_ms == 9
    assert front.rows("SELECT pem FROM certificates") == [(text(newer),)]


def revoke(front, key, device=NAME):
    db = database.connect(front.path)
    with db.atomic():
        revocations.revoke(db, device, revocations.digest(key.public_key()), "", front.now)
    db.close()
    front.guard.look()


def test_a_revoked_key_does_not_come_back_by_a_newer_certificate(front, papers):
    """The thief's kiosk renews or is issued anew by mistake: its key stays out."""
    key = new_key()
    front.beat(NAME, issue(papers, key=key, at=now() - timedelta(days=1)))
    revoke(front, key)
    front.receipts.clear()
    front.beat(NAME, issue(papers, key=key), connection=2)
    assert front.refused() == {(NAME, "revoked"): 1}
    assert front.receipts == []
    assert front.guard.revoked(NAME)
    front.rate(rated("a" * 32, NAME), key)
    assert front.refused() == {(NAME, "revoked"): 2}


def test_after_a_theft_a_new_machine_may_have_the_old_name(front, papers):
    """A new key under the same name is believed, the revoked one is not."""
    stolen, new = new_key(), new_key()
    front.beat(NAME, issue(papers, key=stolen, at=now() - timedelta(days=1)))
    revoke(front, stolen)
    assert front.dismissed == [NAME]
    front.beat(NAME, issue(papers, key=new), connection=2)
    front.guard.look()
    front.beat(NAME, connection=3)
    assert not front.guard.revoked(NAME)
    assert front.presence.online(NAME)
    front.rate(rated("a" * 32, NAME), stolen)
    assert front.refused() == {(NAME, "signature"): 1}


def test_a_certificate_that_cannot_be_kept_is_shown_again(front, papers):
    """A full disk when it came: nothing is half known, the next connection makes it whole."""
    held = issue(papers)
    front.writer.call(lambda db: db.execute("PRAGMA query_only = ON"))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        front.beat(NAME, held)
    assert NAME not in front.roster
    front.writer._db.execute("PRAGMA query_only = OFF")  # no group begins while it is on
    front.beat(NAME, held, connection=2)
    assert NAME in front.roster
    assert front.presence.online(NAME)


def test_what_a_kiosk_says_right_after_its_birth_is_not_lost(front, papers):
    """Its outbox and its request come while its certificate is still being written."""
    key = new_key()
    held = issue(papers, key=key, at=now() - timedelta(days=61))
    turn, go_on = threading.Event(), threading.Event()
    front.writer.submit(lambda _: (turn.set(), go_on.wait(10)))
    assert turn.wait(10)
    birth = {"v": 1, "boot": "a" * 32, "connection": 1, "online": True, "certificate": text(held)}
    say = front.reception.receive
    say(NAME, Leaf.STATE, _json(birth), retained=False)
    outcomes = [rated("a" * 32, NAME), rated("b" * 32, NAME)]
    for outcome in outcomes:
        say(NAME, Leaf.RATING, signing.sign(outcome, key), retained=False)
    say(NAME, Leaf.RENEWAL, wire.encode(Renewal(request=request(key, NAME))), retained=False)
    assert NAME not in front.roster
    go_on.set()
    front.quiet()
    answered = [refusal.id for _, receipt in front.receipts for refusal in receipt.refused]
    assert answered == [outcome.id for outcome in outcomes]
    assert front.refused() == {(NAME, "foreign"): 2}
    assert [each.device for each in front.ask(front.renewals.waiting())] == [NAME]


def test_a_kiosk_heard_again_after_a_silence_gets_a_new_code(front, papers):
    """Its line was dead for a minute but never closed: its code went, so it needs another."""
    front.beat(NAME, issue(papers))
    before = wire.decode(Settings, front.sent(NAME, Leaf.SETTINGS)[-1]).pairing.code
    front.now += 60_000
    front.board.tidy()
    front.quiet()
    front.beat(NAME, mono_ms=60_001)
    after = wire.decode(Settings, front.sent(NAME, Leaf.SETTINGS)[-1]).pairing
    assert after.code != before
    assert front.codes.claim(after.code, "1号窗口", "key:0")[0].device == NAME


def test_a_certificate_outlives_the_clock(front, papers):
    """Known once, a kiosk stays known while the hub's clock is wrong for a while."""
    held = issue(papers)
    front.beat(NAME, held)
    front.now += 400 * DAY_MS
    front.beat(NAME, held, connection=2)
    assert front.presence.online(NAME)
    assert front.refused() == {}
