"""The pages can be followed: what they tell a reader to run is run, on free ports."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import brokers
import msgspec
import pytest
from brokers import eventually
from pages import OPERATIONS, PROTOCOL, READMES, block
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from device import config as kiosk_config
from device import identity
from hub import configfile as hub_configfile
from hub.store import database, ledger
from protocol import signing
from scripts import refresh_docs


@pytest.fixture
def folder(tmp_path, free_port):
    """The folder of someone who follows the README, and the hub's port; ports are free ones."""
    mqtt = brokers.free_port()
    ports = f"[broker]\nport = {mqtt}\n\n[api]\nport = {free_port}\n"
    hub = block(READMES[0], "hub.toml").replace("[api]\n", ports)
    kiosk = block(READMES[0], "kiosk.toml").replace("[hub]\n", f"[hub]\nport = {mqtt}\n")
    (tmp_path / "hub.toml").write_text(hub, encoding="utf-8")
    (tmp_path / "kiosk.toml").write_text(kiosk, encoding="utf-8")
    return tmp_path, free_port, mqtt


def code_in_the_log(log, seconds=60):
    """The pairing code as who follows the README reads it: the newest that the kiosk has told."""

    def told():
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        return re.findall("配对码 ([0-9]{6})", text)

    eventually(told, "the pairing code in the kiosk's log", seconds)
    return told()[-1]


def test_the_examples_load_as_they_stand(tmp_path):
    """Both files of the README load, once the files that they name are there."""
    for name in ("hub.toml", "kiosk.toml"):
        (tmp_path / name).write_text(block(READMES[0], name), encoding="utf-8")
    (tmp_path / "kiosk-01.pem").touch()
    hub = hub_configfile.load(tmp_path / "hub.toml")
    kiosk = kiosk_config.load(tmp_path / "kiosk.toml")
    assert kiosk.hall == hub.hall
    assert kiosk.device == hub.devices[0].name


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed (apt install curl)")
def test_the_readme_can_be_followed_to_the_letter(folder):
    """Start, pair and call as the README says: a case, an invitation, taken back, all well."""
    directory, port, mqtt = folder
    start = block(READMES[0], "start").replace("pingyi-kiosk run", "pingyi-kiosk run --headless")
    start = start.replace("--config hub.toml &", "--config hub.toml 2> hub.log &")
    start = start.replace("--config kiosk.toml &", "--config kiosk.toml 2> kiosk.log &")
    pair, calls = (
        block(READMES[0], name).replace("8750", str(port)).replace("\n", "\necho\n")
        for name in ("pair", "curl")
    )
    pair = pair.replace("CODE=000000", "CODE=$(cat code)")
    # What runs behind ends with the shell, whatever becomes of the rest.
    script = "\n".join(
        (
            "trap 'kill $(jobs -p); wait' EXIT",
            start,
            "until grep -q kiosk=here hub.log; do sleep 0.1; done",
            "until [ -s code ]; do sleep 0.1; done",
            pair,
            block(READMES[0], "case.json"),
            calls,
        )
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=directory,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        eventually(lambda: brokers.listens(mqtt), "the broker", 60)
        code = code_in_the_log(directory / "kiosk.log")
        (directory / "code.new").write_text(code, encoding="ascii")
        (directory / "code.new").rename(directory / "code")
        out, err = shell.communicate(timeout=60)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    answers = [msgspec.json.decode(line) for line in out.splitlines() if line]
    assert len(answers) == 8, out + err + (directory / "hub.log").read_text(encoding="utf-8")
    candidate, paired, signed_on, case, invited, status, taken_back, ready = answers
    assert candidate["device"] == paired["device"] == "kiosk-01"
    assert signed_on["staff"]["name"] == "示例甲"
    assert case["matter"] == "企业设立登记"
    assert invited["state"] == "open"
    assert invited["device_online"]
    assert [each["id"] for each in status["invitations"]] == [invited["id"]]
    assert taken_back["withdrawal_requested"]
    assert ready["ready"]


def test_an_auditor_can_follow_the_page(tmp_path, monkeypatch, capsys):
    """The snippet checks a signed rating in a real file, and another key does not pass."""
    key = signing.generate_key()
    (tmp_path / "hub").mkdir()
    (tmp_path / "kiosk-01.pem").write_bytes(identity.public_pem(key))
    db = database.connect(tmp_path / "hub" / "hub.db")
    database.migrate(db)
    rating = refresh_docs.EXAMPLES["rating"]
    entry = ledger.Entry(
        kind="rated",
        recorded_at=1,
        device=rating.device,
        invitation=rating.invitation,
        outcome=rating.id,
        seq=rating.seq,
        body=signing.sign(rating, key),
    )
    with db.atomic():
        ledger.append(db, entry)
    monkeypatch.chdir(tmp_path)
    snippet = compile(block(PROTOCOL, "audit.py"), "audit.py", "exec")
    names = {}
    exec(snippet, names)  # noqa: S102 - the page's own words
    names["ledger"].close()
    assert capsys.readouterr().out == f"1 kiosk-01 {rating.invitation} verified\n"
    (tmp_path / "kiosk-01.pem").write_bytes(identity.public_pem(signing.generate_key()))
    names = {}
    with pytest.raises(Exception, match=r"[Ss]ignature"):
        exec(snippet, names)  # noqa: S102
    names["ledger"].close()
    db.close()


def test_the_mosquitto_of_the_manual_carries_both_ways(tmp_path):
    """Under the manual's rights a kiosk speaks for itself, hears its own, and no other's."""
    if not brokers.mosquitto_is_there():
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    port = brokers.free_port()
    acl = tmp_path / "pingyi.acl"
    acl.write_text(block(OPERATIONS, "/etc/mosquitto/pingyi.acl"), encoding="ascii")
    acl.chmod(0o644)
    tmp_path.chmod(0o755)
    config = block(OPERATIONS, "/etc/mosquitto/conf.d/pingyi.conf")
    config = config.replace("listener 1883", f"listener {port} 127.0.0.1")
    config = config.replace("/etc/mosquitto/pingyi.acl", str(acl))
    user = "user root\n" if os.geteuid() == 0 else ""
    (tmp_path / "pingyi.conf").write_text(user + config, encoding="ascii")
    broker = subprocess.Popen(
        [brokers.MOSQUITTO, "-c", str(tmp_path / "pingyi.conf")], stderr=subprocess.PIPE
    )
    heard = []
    clients = {}
    base = "pingyi/v1/sample-hall"
    try:
        eventually(lambda: brokers.listens(port), "mosquitto listens")
        for name in ("hub-sample-hall", "kiosk-01", "kiosk-02"):
            client = clients[name] = Client(CallbackAPIVersion.VERSION2, client_id=name)
            client.username_pw_set(name)
            client.on_message = lambda _, name, message: heard.append((name, message.topic))
            client.user_data_set(name)
            client.on_subscribe = lambda _, name, *_rest: heard.append((name, "ready"))
            client.connect("127.0.0.1", port)
            client.subscribe("pingyi/v1/#", qos=1)
            client.loop_start()
        eventually(lambda: len(heard) == 3, "all subscribed")
        heard.clear()
        clients["kiosk-02"].publish(f"{base}/kiosk-01/rating", b"x", qos=1).wait_for_publish(5)
        clients["kiosk-01"].publish(f"{base}/kiosk-01/rating", b"x", qos=1).wait_for_publish(5)
        clients["hub-sample-hall"].publish(f"{base}/kiosk-01/receipt", b"x", qos=1)
        wanted = {
            ("hub-sample-hall", f"{base}/kiosk-01/rating"),
            ("kiosk-01", f"{base}/kiosk-01/receipt"),
        }
        eventually(lambda: wanted <= set(heard), "both ways")
        assert sorted(heard) == sorted(wanted)
    finally:
        for client in clients.values():
            client.disconnect()
            client.loop_stop()
        broker.kill()
        broker.communicate()
