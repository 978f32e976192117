import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICE = {
    "taskCode": "T" * 31,
    "taskHandleItem": "T" * 33,
    "taskName": "示例事项",
    "taskType": "01",
    "projectNo": "SL0001",
    "proStatus": "3",
    "orgcode": "ORG1",
    "orgName": "示例局",
    "areaCode": "120116000000",
    "acceptDate": "2026-11-20 09:00:00",
    "resultDate": "2026-11-20 10:00:00",
    "userProp": "1",
    "userName": "示例甲",
    "userPageType": "111",
    "certKey": "ID-JIA",
    "mobile": "",
    "serviceName": "办结",
    "serviceNumber": "1",
    "serviceTime": "2026-11-20 10:00:00",
    "projectType": "2",
    "proManager": "",
    "dataSource": "112",
}
RATING = SERVICE | {
    "pf": "4",
    "satisfaction": "2",
    "evalDetail": "209,207",
    "writingEvaluation": "",
    "assessTime": "2026-11-20 10:01:00",
    "appStatus": "1",
    "isdefault": "0",
    "EffectivEvalua": "1",
    "assessNumber": "1",
}


class City:
    def __init__(self, out):
        self.out = out
        self.start()

    def start(self):
        command = [sys.executable, "-m", "demo.city", "--port", "0", "--out", self.out]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def ask(self, path, value=None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=None if value is None else body
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read() if error.code == 500 else json.load(error)

    def code(self, path, value):
        return self.ask(path, value)[1]["code"]

    def lines(self):
        return [json.loads(line) for line in self.out.read_bytes().splitlines()]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path / "out" / "city.jsonl")
    yield city
    if city.process.poll() is None:
        assert city.end() == 0


def test_what_is_accepted_stands_in_the_file_as_received(city):
    """One line per record, in order, not a field more."""
    assert city.ask("/service", SERVICE)[1]["success"] is True
    assert city.ask("/evaluate", RATING)[1] == {
        "success": True,
        "code": "ok",
        "message": "接收成功",
    }
    assert [list(line.items()) for line in city.lines()] == [
        list(SERVICE.items()),
        list(RATING.items()),
    ]
    assert city.ask("/health") == (200, {"mode": "ok", "accepted": 2})


def test_a_rating_before_its_service_record_is_refused(city):
    """The other services of the case do not help."""
    assert city.code("/evaluate", RATING) == "order"
    city.ask("/service", SERVICE)
    assert city.code("/evaluate", RATING | {"serviceNumber": "2"}) == "order"
    assert len(city.lines()) == 1


def test_a_repeat_is_said_to_exist_and_not_kept_twice(city):
    """Each service of a case has one rating, and one addition to it."""
    for path, record in (("/service", SERVICE), ("/evaluate", RATING)):
        assert [city.code(path, record) for _ in range(2)] == ["ok", "exists"]
    assert city.code("/evaluate", RATING | {"assessNumber": "2"}) == "ok"
    assert city.code("/service", SERVICE | {"serviceNumber": "2"}) == "ok"
    assert city.code("/evaluate", RATING | {"serviceNumber": "2"}) == "ok"
    assert len(city.lines()) == 5


BAD_SERVICES = {
    "taskCode": ["", "T" * 30, "T" * 33, "事" * 31, 1, None],
    "taskHandleItem": ["T" * 31, "X" * 33],
    "taskType": ["02", "1"],
    "proStatus": ["1", "4"],
    "areaCode": ["120116", "12011600000X", "１２０１１６０００００００"],
    "acceptDate": ["2026-02-30 09:00:00", "2026-11-20", "2026-11-20T09:00:00"],
    "resultDate": ["", "morgen"],
    "userProp": ["7", ""],
    "userName": ["", ["示例甲"]],
    "mobile": ["123"],
    "serviceNumber": ["0", "100", "01", 1],
    "projectType": ["3"],
    "dataSource": ["012"],
    "handleUserName": ["示例乙"],
    "somethingElse": ["x"],
}


@pytest.mark.parametrize("field", BAD_SERVICES)
def test_a_service_record_of_wrong_form_is_refused(city, field):
    """Missing, of another type, of a code that is in no table: refused with the field's name."""
    for value in BAD_SERVICES[field]:
        status, answer = city.ask("/service", SERVICE | {field: value})
        assert (status, answer["success"]) == (400, False), value
    if field not in ("taskHandleItem", "handleUserName", "somethingElse"):
        short = {name: value for name, value in SERVICE.items() if name != field}
        assert city.code("/service", short) in ("missing", "value")
    assert city.lines() == []


BAD_RATINGS = [
    {"satisfaction": "0"},
    {"satisfaction": "6"},
    {"satisfaction": 2},
    {"satisfaction": "5"},  # with the reasons of level 2
    {"evalDetail": "209,209"},
    {"evalDetail": "299"},
    {"evalDetail": "209, 207"},
    {"evalDetail": "", "writingEvaluation": ""},
    {"evalDetail": "", "writingEvaluation": " \n"},
    {"writingEvaluation": "字" * 151},
    {"pf": "8"},
    {"assessTime": "2026-11-20 25:00:00"},
    {"appStatus": "0"},
    {"assessNumber": "3"},
]


def test_a_rating_of_wrong_form_is_refused(city):
    """Above all a bad one without reason and text, and reasons of another level."""
    city.ask("/service", SERVICE)
    for change in BAD_RATINGS:
        assert city.ask("/evaluate", RATING | change)[0] == 400, change
    assert len(city.lines()) == 1
    assert city.code("/evaluate", RATING | {"evalDetail": "", "writingEvaluation": "慢"}) == "ok"


def test_what_is_no_record_at_all_is_refused(city):
    """Whatever the bytes are, the city answers and lives."""
    for body in (b"\xff", b"[]", b"1", b'{"a": "\\ud800"}', b"[" * 50_000, b"null"):
        assert city.ask("/service", body)[0] == 400
    assert city.ask("/control", {"mode": "no such mode"})[0] == 400
    assert city.ask("/control", b"[]")[0] == 400


def test_the_faults_it_plays(city):
    """Each for the number of requests that was asked for, then it is well again."""
    city.ask("/control", {"mode": "down", "count": 2})
    for _ in range(2):
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            city.ask("/service", SERVICE)
    city.ask("/control", {"mode": "error", "count": 1})
    assert city.ask("/service", SERVICE)[0] == 500
    for mode in ("html", "empty"):
        city.ask("/control", {"mode": mode, "count": 1})
        with pytest.raises(json.JSONDecodeError):
            city.ask("/service", SERVICE)
    assert city.lines() == []
    city.ask("/control", {"mode": "drop", "count": 1})
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        city.ask("/service", SERVICE)
    assert len(city.lines()) == 1
    city.ask("/control", {"mode": "slow", "seconds": 0.05, "count": 1})
    assert city.code("/service", SERVICE) == "exists"
    city.ask("/control", {"mode": "error", "seconds": 0})
    assert city.code("/service", SERVICE) == "exists"


def test_killed_and_started_again_it_knows_what_it_accepted(city):
    """Kill -9; the torn last line of a write that was never answered is cut off."""
    city.ask("/service", SERVICE)
    assert city.end(signal.SIGKILL) == -9
    with city.out.open("ab") as file:
        file.write(json.dumps(SERVICE | {"serviceNumber": "2"}).encode()[:-9])
    city.start()
    assert city.code("/service", SERVICE) == "exists"
    assert city.code("/service", SERVICE | {"serviceNumber": "2"}) == "ok"
    assert [line["serviceNumber"] for line in city.lines()] == ["1", "2"]


def test_it_listens_on_loopback_only(city):
    """Another address of this machine refuses."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", city.port), 5).close()
