"""Certificates renewed over the kiosks' own connections: kiosk, broker, hub and desk, all real."""

import signal
import subprocess
import sys

import brokers
import pytest
from brokers import eventually
from renew_world import DAY, ROOT, Hall, now

from device.events import Close
from provisioning import console, renew_commands, renewing
from provisioning.register import milliseconds


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    hall = Hall(tmp_path_factory.mktemp("hall"))
    try:
        hall.start_broker()
        hall.start_hub()
        yield hall
    finally:
        hall.close()


@pytest.fixture
def hall(built):
    yield built
    built.stop_kiosks()
    assert "Traceback" not in built.says()


def waiting(hall, name, age=70):
    """A running kiosk that has asked for its renewal."""
    kiosk = hall.kiosk(name, age).start()
    eventually(lambda: hall.waits(name), f"{name} asks", 20)
    return kiosk


def test_a_kiosk_is_renewed_over_its_own_connection_and_uses_the_new_certificate(hall):
    """It asks, the desk signs, it connects with the new one; what it had to say is not lost."""
    kiosk = waiting(hall, "kiosk-01")
    old = kiosk.until()
    assert hall.known_until("kiosk-01") == old
    kiosk.keeper.screen("invited")
    ran = hall.renew()
    assert ran.exit_code == 0, ran.output
    until = now() + 90 * DAY
    assert f"kiosk-01：已续期，有效期至 {until.astimezone():%Y-%m-%d}" in ran.stdout
    assert "共 1 台，已续期 1，没有续期 0" in ran.stdout
    eventually(lambda: kiosk.until() > old, "the new certificate on the kiosk's disk")
    assert hall.known_until("kiosk-01") == old
    ended = [f"{number:032x}" for number in range(50)]
    for name in ended:
        kiosk.keeper.carry_out(Close(name, kind="expired", elapsed_ms=9))
    kiosk.keeper.screen("idle")
    eventually(lambda: hall.known_until("kiosk-01") == kiosk.until(), "the birth shows it", 60)
    eventually(lambda: kiosk.keeper._outbox.depth() == 0, "every outcome is answered for")
    # This hub had not invited: it answers for each as refused, and only its answer empties that.
    assert kiosk.keeper.refused["hub_foreign"] >= len(ended)
    assert not hall.ask_db("SELECT 1 FROM renewals WHERE device = 'kiosk-01'")

    with hall.authority() as authority:
        first, second = authority.register.of_name("kiosk-01")
        with authority.register.writing():
            authority.register.revoke(first.serial_number, milliseconds(now()), "示例")
        (hall.mosquitto_folder / "crl.pem").write_bytes(authority.crl(now()))
    before = kiosk.connections
    hall.restart_broker()
    eventually(
        lambda: kiosk.connections > before and kiosk.keeper._connected,
        "it connects where the old certificate is not let in",
        20,
    )
    assert second.revoked_at is None


def test_one_that_is_refused_does_not_stop_the_others(hall):
    """Each has its line; the code says that something is left to do."""
    kiosks = [waiting(hall, f"kiosk-1{n}") for n in range(3)]
    before = [kiosk.until() for kiosk in kiosks]
    with hall.authority() as authority:
        authority.revoke("kiosk-11", "示例", now())
    ran = hall.renew()
    assert ran.exit_code == 1
    lines = ran.stdout.splitlines()
    assert [line.split("，")[0] for line in lines[:3:2]] == ["kiosk-10：已续期", "kiosk-12：已续期"]
    assert lines[1].startswith("kiosk-11：没有续期：kiosk-11 没有可以续期的证书")
    assert "请开具新的入网凭证" in lines[1]
    assert lines[3] == "共 3 台，已续期 2，没有续期 1。"
    for kiosk, old in zip(kiosks[::2], before[::2], strict=True):
        eventually(lambda kiosk=kiosk, old=old: kiosk.until() > old, "the others are renewed")
    assert kiosks[1].until() == before[1]


def test_a_certificate_that_did_not_arrive_is_handed_over_again_not_signed_again(hall):
    """The hub dies with its memory between signing and delivery: one certificate, not two."""
    kiosk = waiting(hall, "kiosk-20")
    with hall.authority() as authority:
        chain = authority.renew(kiosk.request(), "kiosk-20", now())
    ran = hall.renew()
    assert "kiosk-20：已续期" in ran.stdout
    eventually(lambda: identity_chain(kiosk) == chain.decode(), "that very certificate")
    with hall.authority() as authority:
        assert len(authority.register.of_name("kiosk-20")) == 2


def identity_chain(kiosk):
    return (kiosk.state / "identity" / "device.pem").read_text("ascii")


def test_a_kiosk_that_slept_past_its_expiry_needs_a_cable(hall):
    """Nobody lets it in and nobody renews it; enrolment with a fresh voucher brings it back."""
    kiosk = hall.kiosk("kiosk-30", age=95).start()
    eventually(lambda: kiosk.connections >= 3, "it is turned away", 20)
    assert not kiosk.keeper._connected
    (hall.folder / "late.csr").write_bytes(kiosk.request())
    by_hand = ("kiosk-30", "--request", hall.folder / "late.csr", "--out", hall.folder / "late.pem")
    refused = hall.desk("renew", *by_hand)
    assert refused.exit_code == 1
    assert "请开具新的入网凭证，重新入网" in refused.stderr
    assert not (hall.folder / "late.pem").exists()
    kiosk.enrol()
    eventually(lambda: kiosk.keeper.hub_is_there, "it is back, by itself", 40)
    eventually(lambda: hall.known_until("kiosk-30") == kiosk.until(), "the hub knows it")


def test_a_watch_says_once_that_the_hub_is_away_and_once_that_it_is_back(hall):
    """Rounds go on meanwhile; who asked before is renewed after."""
    said = []
    with hall.authority() as authority:
        watch = renewing.Watch(
            lambda: renew_commands._round(hall.url, hall.key_file, hall.root, authority),
            said.append,
            register_unusable=console.register_unusable,
        )
        watch.turn()
        assert [line for line in said if "kiosk-11" not in line] == []  # refused above, for good
        said.clear()
        kiosk = waiting(hall, "kiosk-40")
        old = kiosk.until()
        hall.end_hub()
        for _ in range(3):
            watch.turn()
        assert len(said) == 1
        assert said[0].startswith(f"连接不上 {hall.url}")
        hall.start_hub()
        for _ in range(3):
            watch.turn()
    assert said[1].startswith("kiosk-40：已续期")
    assert said[2:] == ["已恢复正常，继续续期。"]
    eventually(lambda: kiosk.until() > old, "the kiosk has it")


def test_the_command_watches_until_it_is_stopped(hall):
    """As a service: a line as soon as a kiosk is renewed, on a pipe as well."""
    waiting(hall, "kiosk-50")
    words = ("--dir", hall.folder / "authority", "--passphrase-file", hall.passphrase)
    way = ("--hub", hall.url, "--key-file", hall.key_file, "--ca", hall.root, "--watch", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "provisioning", "renew", *words, *way],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "")
        assert any("kiosk-50：已续期" in line for line in lines)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()


@pytest.mark.parametrize(
    ("scope", "words"), [("windows", "没有“renewals”权限"), (None, "接口密钥不正确")]
)
def test_a_key_that_opens_nothing_is_explained(hall, scope, words):
    """With the command that makes the right one; nothing is signed."""
    key = hall.new_key(scope) if scope else "0" * 40
    ran = hall.renew(key_file=hall.write_secret("other-key", key))
    assert ran.exit_code == 1
    assert words in ran.stderr
    assert "pingyi-hub key add 入网台 --scope renewals" in ran.stderr
    assert key not in ran.output


def test_a_hub_that_another_root_has_signed_is_not_trusted(hall):
    """The key is not told to it."""
    ran = hall.renew(ca=hall.papers / "device-ca.pem")
    assert ran.exit_code == 1
    assert "服务器证书不可信" in ran.stderr
    assert "--ca" in ran.stderr
