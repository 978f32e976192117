import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from http.client import HTTPConnection, RemoteDisconnected
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


def test_an_addition_before_its_rating_is_refused(city):
    """追评 (assessNumber 2) follows the first rating of the same service."""
    city.ask("/service", SERVICE)
    addition = RATING | {"assessNumber": "2", "pf": "3", "writingEvaluation": "示例：再说几句"}
    assert city.code("/evaluate", addition) == "order"
    assert city.code("/evaluate", RATING) == "ok"
    assert city.code("/evaluate", addition) == "ok"
    assert city.code("/evaluate", addition) == "exists"
    assert len(city.lines()) == 3


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


def raw(city, record):
    """What the city answers, whatever it is: status and bytes, redirects not followed."""
    connection = HTTPConnection("127.0.0.1", city.port, timeout=10)
    connection.request("POST", "/service", json.dumps(record))
    with closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read()


def test_the_muddled_answers_that_it_plays(city):
    """None of them is a plain yes; nothing is accepted unless that was asked for."""
    seen = {}
    for mode in ("busy", "bytes", "huge", "redirect"):
        city.ask("/control", {"mode": mode, "count": 1})
        seen[mode] = raw(city, SERVICE)
    assert city.lines() == []
    assert json.loads(seen["busy"][1])["success"] is False
    with pytest.raises(UnicodeDecodeError):
        seen["bytes"][1].decode()
    assert len(seen["huge"][1]) == 10 << 20
    assert seen["redirect"] == (302, b"")


def test_it_can_accept_a_record_and_muddle_the_answer(city):
    """The record is in the file once, and the next try hears that it is there."""
    for number, mode in enumerate(("error", "html", "empty", "busy", "bytes", "redirect"), 1):
        record = SERVICE | {"serviceNumber": str(number)}
        city.ask("/control", {"mode": mode, "count": 1, "after": True})
        raw(city, record)
        assert len(city.lines()) == number, mode
        assert city.code("/service", record) == "exists"


def test_a_dripping_answer_comes_whole_at_last_and_a_repeat_is_said_of_what_is_new(city):
    """Both are records that were taken."""
    city.ask("/control", {"mode": "drip", "seconds": 0.5, "count": 1})
    assert city.code("/service", SERVICE) == "ok"
    city.ask("/control", {"mode": "repeat", "count": 1})
    assert city.code("/service", SERVICE | {"serviceNumber": "2"}) == "exists"
    assert len(city.lines()) == 2


def test_a_muddled_city_still_refuses_what_is_wrong(city):
    """No fault makes a success of a record that it does not take."""
    for mode in ("drop", "drip", "repeat", "bytes"):
        city.ask("/control", {"mode": mode, "count": 1, "after": True})
        assert city.code("/service", SERVICE | {"taskType": "02"}) == "value"
    assert city.lines() == []


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
