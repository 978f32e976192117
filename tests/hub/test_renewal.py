"""Certificates renewed without a cable: the hub carries, the desk signs, nobody else gets one."""

import threading
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest
from cryptography import x509
from tls_world import HALL, Papers, new_key, now
from world_front import DAY_MS, Front, request, text
from world_hall import CALLER

from hub.errors import CertificateUnfit, NoRequest
from hub.kiosks import guard
from hub.kiosks.renewal import AGAIN_MS
from hub.store import database, revocations
from hub.store.writer import Busy
from protocol import certificates, wire
from protocol.enrolment.chain import check_chain
from protocol.enrolment.messages import public_bytes
from protocol.messages import Certificate, Renewal
from protocol.topics import Leaf
from provisioning import keystore
from provisioning.authority import Authority

NAME, OTHER = "kiosk-01", "kiosk-02"
SECRET = "示例口令-只用于自动测试"


class Desk:
    """A real authority of the year before, and the kiosks that it has enrolled."""

    def __init__(self, authority):
        self.authority = authority
        self.keys = {name: new_key() for name in (NAME, OTHER)}
        self.enrolled_at = now() - timedelta(days=61)
        self.chains = {
            name: self.enrol(name, key, self.enrolled_at) for name, key in self.keys.items()
        }

    @property
    def device_ca(self):
        return x509.load_pem_x509_certificate(self.authority.device_ca_pem)

    def enrol(self, name, key, at):
        voucher = self.authority.voucher(name, HALL, at)
        return self.authority.issue(request(key, name).encode(), voucher, at).decode()

    def sign(self, asked):
        """What the desk does with what `GET /renewals` has told it."""
        return self.authority.renew(asked.request.encode(), asked.device, now()).decode()


def first(chain):
    return x509.load_pem_x509_certificates(chain.encode())[0]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk") / "authority"
    keystore.create(folder, SECRET, "示例区", now() - timedelta(days=365))
    opened = Authority.open(folder, SECRET)
    yield opened
    opened.close()


@pytest.fixture
def desk(authority):
    return Desk(authority)


@pytest.fixture
def front(tmp_path, desk):
    with Front(tmp_path, desk) as front:
        for name, chain in desk.chains.items():
            front.beat(name, first(chain))
        front.published.clear()
        yield front


def handed_over(front, device=NAME):
    """What is retained for the kiosk now; b"" = it was taken back, None = nothing ever."""
    sent = front.sent(device, Leaf.CERTIFICATE)
    return sent[-1] if sent else None


def answer(front, chain, device=NAME):
    front.ask(front.renewals.answer(device, chain, CALLER))


def waiting(front):
    return front.ask(front.renewals.waiting())


def test_a_renewal_from_the_kiosk_to_the_kiosk(front, desk):
    """Asked over the line, signed by the desk, retained for the kiosk, gone once it shows it."""
    front.renew(NAME, desk.keys[NAME])
    (asked,) = waiting(front)
    assert (asked.device, asked.asked_at, asked.chain) == (NAME, front.now, None)
    chain = desk.sign(asked)
    answer(front, chain)
    assert waiting(front) == []
    given = wire.decode(Certificate, handed_over(front)).chain
    key = public_bytes(desk.keys[NAME].public_key())
    assert check_chain(given, desk.authority.root_pem.decode(), key, NAME, HALL)
    front.beat(NAME, first(given), connection=2)
    assert handed_over(front) == b""
    assert front.rows("SELECT * FROM renewals") == []
    end = int(first(given).not_valid_after_utc.timestamp() * 1000)
    assert front.roster.held()[NAME].not_after == end
    assert [act[:3] for act in front.acts()[2:]] == [
        ("hub", "renewal_asked", NAME),
        ("key:0", "renew", NAME),
        ("hub", "learn_device", NAME),
    ]
    assert handed_over(front, OTHER) is None


def test_a_kiosk_that_asks_again_and_again_asks_once(front, desk):
    """Each request has other bytes; the first one's day counts, and the trail has one entry."""
    asked_at = front.now
    for _ in range(5):
        front.renew(NAME, desk.keys[NAME])
        front.now += 3_600_000
    (asked,) = waiting(front)
    assert asked.asked_at == asked_at
    assert [act[1] for act in front.acts()].count("renewal_asked") == 1


def test_a_kiosk_that_asks_after_the_answer_gets_it_again(front, desk):
    """A broker that forgot what it retained: the same chain is sent, and the desk not bothered."""
    front.renew(NAME, desk.keys[NAME])
    chain = desk.sign(waiting(front)[0])
    answer(front, chain)
    front.published.clear()
    front.renew(NAME, desk.keys[NAME])
    assert wire.decode(Certificate, handed_over(front)).chain == chain
    assert waiting(front) == []


def test_what_a_kiosk_cannot_use_is_signed_anew(front, desk):
    """A day after the answer it still asks: the desk sees it again."""
    front.renew(NAME, desk.keys[NAME])
    answer(front, desk.sign(waiting(front)[0]))
    front.now += AGAIN_MS
    front.renew(NAME, desk.keys[NAME])
    assert [each.device for each in waiting(front)] == [NAME]


def test_the_answer_outlives_a_restart(tmp_path, desk):
    """Asked, signed, then the hub starts anew: the kiosk's next question is answered."""
    with Front(tmp_path, desk) as front:
        front.beat(NAME, first(desk.chains[NAME]))
        front.renew(NAME, desk.keys[NAME])
    with Front(tmp_path, desk) as front:
        chain = desk.sign(waiting(front)[0])
        answer(front, chain)
    with Front(tmp_path, desk) as front:
        front.renew(NAME, desk.keys[NAME])
        assert wire.decode(Certificate, handed_over(front)).chain == chain


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [("key", "signature"), ("name", "request"), ("nonsense", "malformed"), ("no csr", "request")],
)
def test_a_kiosk_asks_for_its_own_key_and_name_only(front, desk, wrong, cause):
    """Anything else is refused, counted and kept as evidence; the desk never sees it."""
    key = desk.keys[NAME]
    if wrong == "key":
        front.renew(NAME, new_key())
    elif wrong == "name":
        body = {"v": 1, "request": request(key, OTHER)}
        front.receive(NAME, Leaf.RENEWAL, msgspec.json.encode(body))
    elif wrong == "no csr":
        front.receive(NAME, Leaf.RENEWAL, msgspec.json.encode({"v": 1, "request": "x"}))
    else:
        front.receive(NAME, Leaf.RENEWAL, b"\xff")
    assert front.refused() == {(NAME, cause): 1}
    assert waiting(front) == []


def unfit(front, chain, device=NAME, match=""):
    with pytest.raises(CertificateUnfit, match=match):
        answer(front, chain, device)
    assert handed_over(front, device) is None
    assert front.rows("SELECT chain FROM renewals WHERE device = ?", device) == [(None,)]


def issue(desk, key, *, device=NAME, hall=HALL, at=None, days=90):
    """A chain that the authority's own key has signed, right or wrong."""
    made = certificates.issue_device(
        key.public_key(),
        device=device,
        hall=hall,
        issuer=desk.authority._devices.certificate,
        issuer_key=desk.authority._devices.key,
        now=at or now(),
        days=days,
    )
    return text(made) + desk.authority.device_ca_pem.decode()


def test_a_chain_that_is_not_this_kiosks_is_refused(front, desk, tmp_path):
    """Of another key, kiosk or hall, of another CA, over, not begun, not newer, not whole."""
    key = desk.keys[NAME]
    front.renew(NAME, key)
    good = desk.sign(waiting(front)[0])
    leaf, ca = text(first(good)), desk.authority.device_ca_pem.decode()
    others = Papers(tmp_path / "others", now() - timedelta(days=365))
    foreign = certificates.issue_device(
        key.public_key(),
        device=NAME,
        hall=HALL,
        issuer=others.device_ca,
        issuer_key=others.device_key,
        now=now(),
    )
    unfit(front, issue(desk, new_key()), match="线缆")
    unfit(front, issue(desk, key, device=OTHER), match="certificate_invalid")
    unfit(front, issue(desk, key, hall="other"), match="certificate_invalid")
    unfit(front, text(foreign) + text(others.device_ca), match="certificate_without_issuer")
    unfit(front, text(foreign) + ca, match="certificate_invalid")
    over = issue(desk, key, at=now() - timedelta(days=50), days=40)
    unfit(front, over, match="certificate_not_valid_now")
    unfit(front, issue(desk, key, at=now() + timedelta(days=3)), match="not_valid_now")
    unfit(front, desk.chains[NAME], match="同样新或更新")
    unfit(front, leaf, match="certificate_without_issuer")
    unfit(front, leaf + ca + ca, match="certificate_without_issuer")
    unfit(front, ca + leaf, match="certificate_without_issuer")
    unfit(front, leaf + desk.authority.root_pem.decode(), match="certificate_without_issuer")
    for nonsense in ("x", "-----BEGIN CERTIFICATE-----\n", leaf[:-40], leaf[: len(leaf) // 2]):
        unfit(front, nonsense, match="certificate_invalid")
    answer(front, good)
    assert wire.decode(Certificate, handed_over(front)).chain == good


def test_nobody_gets_what_they_did_not_ask_for(front, desk):
    """A certificate without a request is not handed over; one for a stranger neither."""
    with pytest.raises(NoRequest):
        answer(front, issue(desk, desk.keys[NAME]))
    with pytest.raises(CertificateUnfit):
        answer(front, issue(desk, new_key(), device="kiosk-09"), "kiosk-09")
    assert front.published == []
    assert "renew" not in {act[1] for act in front.acts()}


def test_a_revoked_kiosk_is_not_renewed(front, desk):
    """Neither asked for, nor shown to the desk, nor taken from it; taken back, it is."""
    key = desk.keys[NAME]
    front.renew(NAME, key)
    chain = desk.sign(waiting(front)[0])
    db = database.connect(front.path)
    with db.atomic():
        revocations.revoke(db, NAME, revocations.digest(key.public_key()), "被盗", front.now)
    assert waiting(front) == []
    unfit(front, chain, match="已吊销")
    front.guard.look()
    front.renew(NAME, key)
    assert front.refused() == {(NAME, "revoked"): 1}
    with db.atomic():
        revocations.lift(db, NAME, front.now)
    db.close()
    answer(front, chain)
    assert handed_over(front)


def test_a_new_key_ends_the_request_of_the_old_one(front, desk):
    """A kiosk enrolled anew by cable has no use for what the old key asked for."""
    front.renew(NAME, desk.keys[NAME])
    key = new_key()
    front.beat(NAME, first(desk.enrol(NAME, key, now())), connection=2)
    assert waiting(front) == []
    front.now += 1_000
    front.renew(NAME, key)
    assert [each.device for each in waiting(front)] == [NAME]


def test_a_full_writer_drops_a_request_and_goes_on(front, desk):
    """The kiosk asks again; its line is not hurt by an error."""
    message = wire.encode(wire_renewal(desk.keys[NAME]))
    entered, gate = threading.Event(), threading.Event()

    def hold(_):
        entered.set()
        assert gate.wait(10)

    front.writer.submit(hold)
    assert entered.wait(10)
    try:
        last = fill(front.writer)
        front.reception.receive(NAME, Leaf.RENEWAL, message, retained=False)
    finally:
        gate.set()
    last.result(10)
    assert waiting(front) == []
    front.now += AGAIN_MS
    front.reception.receive(NAME, Leaf.RENEWAL, message, retained=False)
    assert [each.device for each in waiting(front)] == [NAME]


def fill(writer):
    """Leave no room; return what comes last."""
    last = None
    with suppress(Busy):
        while True:
            last = writer.submit(lambda _: None)
    return last


def test_a_stopped_writer_drops_a_request_without_a_word(front, desk):
    """What comes while the hub ends is said again to the next one."""
    front.writer.stop()
    message = wire.encode(wire_renewal(desk.keys[NAME]))
    front.reception.receive(NAME, Leaf.RENEWAL, message, retained=False)
    assert front.rows("SELECT count(*) FROM renewals") == [(0,)]


def wire_renewal(key):
    return Renewal(request=request(key, NAME))


# ---------------------------------------------------------------- what hall IT is told in time


def alarms(front, days=0):
    front.now += days * DAY_MS
    front.guard.look()
    return list(front.guard.alarms)


def test_a_certificate_near_its_end_rings(front, desk, caplog):
    """Ten of ninety days before its end, and again in other words when it is over."""
    assert alarms(front) == []
    assert alarms(front, 18) == []  # 11 days are left
    (text_,) = alarms(front, 2)
    assert "即将到期" in text_
    assert "（kiosk-01、kiosk-02）" in text_
    assert "续期" in text_
    assert caplog.text.count("即将到期") == 1
    (text_,) = alarms(front, 10)
    assert "已过期" in text_
    assert "线缆" in text_


def test_a_renewal_ends_the_alarm(front, desk):
    """As soon as the kiosk has shown its next certificate."""
    key = desk.keys[NAME]
    assert "kiosk-01、kiosk-02" in alarms(front, 21)[0]
    front.beat(NAME, first(issue(desk, key)), connection=2)
    (text_,) = alarms(front)
    assert NAME not in text_
    assert OTHER in text_


def test_a_request_that_waits_for_a_week_rings(front, desk):
    """The desk has forgotten it; an answer ends the alarm."""
    front.renew(NAME, desk.keys[NAME])
    assert alarms(front, guard.RENEWAL_DAYS) == []
    front.now += 1
    (text_,) = alarms(front)
    assert "续期申请已等待超过 7 天（kiosk-01）" in text_
    answer(front, desk.sign(waiting(front)[0]))
    assert alarms(front) == []


def test_a_revoked_kiosk_rings_no_more(front, desk):
    """A kiosk out of use is revoked, and its old certificate is nobody's concern."""
    front.renew(NAME, desk.keys[NAME])
    assert len(alarms(front, 40)) == 2
    db = database.connect(front.path)
    with db.atomic():
        for name, key in desk.keys.items():
            digest = revocations.digest(key.public_key())
            revocations.revoke(db, name, digest, "停用", front.now)
    db.close()
    assert alarms(front) == []


def test_an_alarm_names_a_few_and_counts_all(front, desk):
    """Five hundred names are no message."""
    for number in range(3, 30):
        name = f"kiosk-{number:02d}"
        front.beat(name, first(issue(desk, new_key(), device=name, at=desk.enrolled_at)))
    (text_,) = alarms(front, 25)
    assert "kiosk-05 等 29 台）" in text_
    assert "kiosk-06" not in text_
