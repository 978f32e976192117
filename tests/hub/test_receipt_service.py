"""The citizen's own page of a real hub: from the kiosk's slot to the ledger, and a restart."""

import http.client
import signal
from contextlib import closing
from urllib.parse import urlencode, urlsplit

import pytest
from brokers import LOOPBACK, eventually, free_port
from world_hall import rated
from world_service import HubProcess, Kiosk

from hub.store.database import connect

WORDS = "示例：希望增加一台自助机"


def phone(link, words=None):
    """Open the page of a link, or post words there; return status and text."""
    at = urlsplit(link)
    with closing(http.client.HTTPConnection(LOOPBACK, at.port, timeout=10)) as connection:
        if words is None:
            connection.request("GET", at.path, headers={"Accept": "text/html"})
        else:
            form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null"}
            body = urlencode({"do": "send", "text": words})
            connection.request("POST", at.path, body, form)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture
def hub(tmp_path):
    """A hub that announces itself on loopback, with a checkpoint every second."""
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    text = hub.config.read_text(encoding="utf-8")
    public = f'[public]\nurl = "http://127.0.0.1:{hub.port}"\n[ledger]\ncheckpoint_s = 1\n'
    hub.config.write_text(text.replace("[[windows]]", f"{public}[[windows]]"), encoding="utf-8")
    hub.start()
    yield hub
    hub.close()


def test_a_citizen_follows_the_qr_to_the_proof_and_adds_once(hub):
    """Slot with link, page on the way, rated, proved, added; killed and started in between."""
    with Kiosk(hub.broker_port) as kiosk:
        kiosk.beat()
        name = hub.invite("SL00012345")[1]["id"]
        eventually(lambda: kiosk.shows() == name, "the invitation")
        link = kiosk.slot().link
        assert link.startswith(f"http://127.0.0.1:{hub.port}/r/")
        status, text = phone(link)
        assert (status, "还在路上" in text) == (200, True)
        outcome = rated(name, level=1)
        kiosk.rate(outcome)
        eventually(lambda: outcome.id in kiosk.committed(), "the receipt")
        eventually(lambda: "已收到" in phone(link)[1], "the page that it is in")
    before = hub.says()
    hub.end(signal.SIGKILL)
    hub.start()
    eventually(lambda: "核对无误" in phone(link)[1], "the proof")
    assert phone(link, WORDS)[0] == 303
    assert phone(link, WORDS)[0] == 409
    with closing(connect(hub.db)) as db:
        added = db.execute("SELECT invitation FROM ledger WHERE kind = 'added'").fetchall()
        kinds = [row[0] for row in db.execute("SELECT kind FROM deliveries ORDER BY id")]
    assert added == [(name,)]
    assert kinds == ["service", "rating", "addition"]
    token = link.rpartition("/")[2]
    assert phone(link[:-2] + "AA")[0] == 404
    assert hub.end() == 0
    said = before + hub.says()
    assert token not in said
    assert WORDS not in said
    for path in hub.folder.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


def test_without_a_public_address_there_is_neither_link_nor_page(tmp_path):
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    hub.start()
    try:
        with Kiosk(hub.broker_port) as kiosk:
            kiosk.beat()
            name = hub.invite()[1]["id"]
            eventually(lambda: kiosk.shows() == name, "the invitation")
            assert kiosk.slot().link == ""
        assert phone(f"http://127.0.0.1:{hub.port}/r/x")[0] == 404
        assert "receipt.css" not in phone(f"http://127.0.0.1:{hub.port}/r/x")[1]
    finally:
        hub.close()
