"""A ruling in the hub as it runs: what was answered 201 is there after a kill, at the city too."""

import hashlib
import http.client
import signal
from contextlib import closing

from brokers import LOOPBACK, eventually
from click.testing import CliRunner
from rulings_world import PDF, REASON
from upstream_world import City
from world_hall import rated
from world_service import HubProcess, Kiosk

from hub.__main__ import main


def put_in(hub, data):
    """Send a document as it is."""
    with closing(http.client.HTTPConnection(LOOPBACK, hub.port, timeout=10)) as connection:
        headers = {"Authorization": f"Bearer {hub.key}", "Content-Type": "application/pdf"}
        connection.request("POST", "/api/v1/documents", data, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def validity(city):
    """What the city was told of the rating, in order."""
    return [each["EffectivEvalua"] for each in city.records() if "satisfaction" in each]


def test_a_ruling_outlives_a_kill_and_reaches_the_city(tmp_path, mosquitto):
    """Killed between the answer and the city, and started again: told once, the ledger whole."""
    hub = HubProcess(tmp_path, embedded=False, broker_port=mosquitto.port)
    with closing(City(tmp_path / "city.jsonl")) as city, Kiosk(mosquitto.port) as kiosk:
        with hub.config.open("a", encoding="utf-8") as file:
            file.write(f'[upstream]\ndialect = "plain"\nurl = "{city.url}"\n')
        try:
            hub.start()
            kiosk.beat()
            status, invited = hub.invite()
            assert status == 201, invited
            kiosk.rate(rated(invited["id"], level=1, reasons=("108",)))
            eventually(lambda: validity(city) == ["1"], "the rating is at the city", 20)
            city.control("down")
            assert put_in(hub, PDF) == 201
            digest = hashlib.sha256(PDF).hexdigest()
            path = f"/api/v1/invitations/{invited['id']}/ruling"
            status, made = hub.ask("POST", path, {"reason": REASON, "evidence": [digest]})
            assert status == 201, made
            hub.end(signal.SIGKILL)
            city.control("ok")
            hub.start()
            assert hub.ask("GET", path)[1]["reason"] == REASON
            assert hub.ask("POST", path, {"reason": REASON, "evidence": [digest]})[0] == 409
            eventually(lambda: validity(city) == ["1", "0"], "the ruling is at the city", 30)
            eventually(lambda: hub.ask("GET", path)[1]["told"] == "accepted", "it is noted", 20)
            assert hub.end() == 0
        finally:
            hub.close()
    told = CliRunner().invoke(main, ["verify", "--config", str(hub.config)])
    assert told.exit_code == 0, told.output
    account = CliRunner().invoke(main, ["status", "--config", str(hub.config)])
    assert "有效评价 0 = 已评 1 - 复核不采纳 1 - 重复评价 0" in account.output
