"""From an empty authority to a rating in the ledger, every wire with certificates on both ends."""

import signal
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime

import brokers
import pytest
from brokers import eventually
from cryptography.hazmat.primitives import serialization
from whole_hall import CASE, DEVICE, HALL, SECRET, WINDOW, Desk, Finger

from device import identity
from protocol import certificates, signing
from protocol.enrolment.messages import Terms
from provisioning.authority import Authority


def enrol(desk):
    """Give the kiosk its identity, as the cable does at its end."""
    state = desk.folder / "kiosk"
    public = desk.run("device", "enrol", "--config", desk.folder / "kiosk.toml")
    (desk.folder / f"{DEVICE}.pem").write_text(public, encoding="ascii")
    key = identity.load(state / "device-key.pem")
    request = certificates.request(key, DEVICE).public_bytes(serialization.Encoding.PEM)
    now = datetime.now(UTC)
    with closing(Authority.open(desk.folder / "authority", SECRET)) as authority:
        chain = authority.issue(request, authority.voucher(DEVICE, HALL, now), now)
        ca = authority.root_pem.decode()
    terms = Terms(device=DEVICE, hall=HALL, host="localhost", port=desk.mqtt, ca=ca)
    identity.store(state, chain.decode(), terms)


@pytest.fixture
def desk(tmp_path):
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    made = Desk(tmp_path)
    yield made
    made.stop()


def test_a_rating_travels_under_certificates_only_and_a_stolen_kiosk_is_out(desk):
    """Enrolled, known by its certificate, paired by its code; a tap, the ledger; then revoked."""
    (desk.folder / "passphrase").write_text(SECRET, encoding="ascii")
    (desk.folder / "passphrase").chmod(0o600)
    desk.provision("init")
    papers = desk.folder / "papers"
    desk.provision("server-certificate", "--name", "localhost", "--hall", HALL, "--out", papers)
    desk.configure()
    desk.make_key()
    enrol(desk)
    mosquitto = desk.broker()
    hub = (sys.executable, "-m", "hub", "serve", "--config", desk.folder / "hub.toml")
    _, hub_says = desk.start("hub", *hub)
    eventually(lambda: "broker=connected" in hub_says(), "the hub at its broker", 20)
    kiosk = Finger(desk)
    desk.bind(eventually(lambda: kiosk.seen.get("code"), "the code on the kiosk's screen", 40))
    eventually(lambda: kiosk.seen.get("window") == WINDOW, "the window on its screen", 5)
    eventually(lambda: kiosk.seen.get("clerk") == "示例甲", "the clerk's card on its screen", 5)

    invited = desk.invite("S0001", CASE)
    path = f"/invitations/{invited['id']}"
    eventually(lambda: desk.ask("GET", path)["device_online"], "its presence", 20)
    eventually(lambda: kiosk.seen.get("invitation") == invited["id"], "the invitation", 20)
    kiosk.tap_until("level-5", lambda: kiosk.seen.get("screen") == "thanks")
    kiosk.tap_until("done", lambda: kiosk.seen.get("invitation") is None)
    eventually(lambda: desk.ask("GET", path)["state"] == "rated", "the rating", 20)

    with closing(sqlite3.connect(desk.folder / "hub" / "hub.db")) as db:
        ((body,),) = db.execute("SELECT body FROM ledger WHERE kind = 'rated'").fetchall()
    key = serialization.load_pem_public_key((desk.folder / f"{DEVICE}.pem").read_bytes())
    assert signing.verify(body, DEVICE, key).level == 5

    assert f"device=known name={DEVICE}" in hub_says()

    new = desk.folder / "new.crl"
    desk.provision("revoke", DEVICE, "--reason", "被盗", "--out", new)
    desk.run("hub", "revoke", DEVICE, "--config", desk.folder / "hub.toml", "--crl", new)
    mosquitto.send_signal(signal.SIGHUP)
    eventually(lambda: not kiosk.seen["connected"], "that the kiosk is cut off", 5)
    eventually(lambda: not desk.ask("GET", path)["device_online"], "its absence", 5)
    eventually(lambda: "hub=closed-the-door" in kiosk.log(), "that the door stays closed", 20)
    assert "Traceback" not in hub_says() + kiosk.log()
