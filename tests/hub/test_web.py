"""The HTTP interface when all goes well: one real server, one real store."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from web_world import CASE, CERTIFICATE, CITIZEN, WINDOW, case_path, open_hall, window_path

from hub.rules.case import CaseFacts
from hub.store import invitations, ledger
from hub.web import openapi
from hub.web.values import Health, InvitationRequest, PauseRequest
from protocol.messages import Staff


@pytest.fixture
def hall(tmp_path):
    with open_hall(tmp_path) as hall:
        yield hall


def rate(hall, identifier):
    """Let the citizen have pressed 非常不满意, as ingest commits it."""

    def job(db):
        entry = ledger.Entry(
            kind="rated",
            recorded_at=hall.now,
            device="k1",
            invitation=identifier,
            outcome="e" * 32,
            seq=1,
            body=b'{"level": 1}',
        )
        ledger.append(db, entry)
        invitations.close(db, identifier, "e" * 32, "rated")

    hall.writer.call(job)


def test_a_case_is_registered_then_replaced(hall):
    """The first PUT is 201, the second 200, and both tell the status, not the citizen."""
    first = hall.ask("PUT", case_path(), CASE)
    second = hall.ask("PUT", case_path(), CASE | {"matter": "示例事项二"})

    assert (first.status, second.status) == (201, 200)
    assert second.body == {
        "serial": "津示例0001",
        "service_number": 1,
        "matter": "示例事项二",
        "rated": False,
        "invitations": [],
    }
    assert hall.ask("GET", case_path()).body == second.body


def test_an_invitation_says_when_it_ends_and_where_to_look(hall):
    """201, a Location that answers the same, and the deadline in Beijing time."""
    hall.ask("PUT", case_path(), CASE)
    hall.online.add("k1")

    made = hall.invite(timeout_s=90)

    assert made.status == 201
    assert made.body["state"] == "open"
    assert made.body["window"] == WINDOW
    assert made.body["device_online"] is True
    assert made.body["deadline_at"] == hall.now + 90_000
    assert made.body["deadline"] == "2023-11-15T06:14:50.000+08:00"
    assert hall.changed == ["k1"]
    assert hall.ask("GET", made.headers["Location"]).body == made.body


def test_a_kiosk_that_is_not_seen_is_not_called_online(hall):
    """Presence is asked at the moment of the answer."""
    made = hall.invite(case=CASE)
    assert made.body["device_online"] is False

    hall.online.add("k1")
    assert hall.ask("GET", made.headers["Location"]).body["device_online"] is True


def test_the_same_call_again_gives_the_same_invitation(hall):
    """A window system that lost the answer repeats its call: 200, the same id."""
    first = hall.invite(case=CASE)
    again = hall.invite(case=CASE)

    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert again.headers["Location"] == first.headers["Location"]


def test_the_same_call_many_times_at_once_gives_one_invitation(hall):
    """However the calls fall together, one of them is 201 and all name the same."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hall.invite(case=CASE), range(16)))

    assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
    assert len({answer.body["id"] for answer in answers}) == 1


def test_a_case_may_come_with_its_invitation(hall):
    """The case in the body is registered by the same call; the clerk there is who signed on."""
    signed_on = hall.ask("PUT", window_path("staff", "2号窗口"), {"name": "示例乙"})
    assert signed_on.body["staff"]["name"] == "示例乙"
    made = hall.invite(case=CASE, staff={"name": "示例乙"}, window="2号窗口")

    assert made.status == 201
    assert hall.ask("GET", case_path()).body["invitations"][0]["id"] == made.body["id"]


def test_what_is_open_is_taken_back(hall):
    """DELETE asks the kiosk back; the invitation stays open until the kiosk says so."""
    made = hall.invite(case=CASE)

    back = hall.ask("DELETE", window_path("invitations/current"))

    assert back.status == 200
    assert back.body == made.body | {"withdrawal_requested": True}


def test_a_paused_window_opens_again(hall):
    """PUT and DELETE of a pause answer 204, also when repeated."""
    for _ in range(2):
        answer = hall.ask("PUT", window_path("pause"), {"reason": "午间休息"})
        assert (answer.status, answer.text) == (204, "")
    assert hall.invite(case=CASE).kind == "window_paused"
    for _ in range(2):
        assert hall.ask("DELETE", window_path("pause")).status == 204
    assert hall.invite(case=CASE).status == 201


def test_the_clerk_is_blind(hall):
    """After a rating no answer holds a level or a word about the citizen."""
    made = hall.invite(case=CASE)
    rate(hall, made.body["id"])

    answers = [
        hall.ask("GET", made.headers["Location"]),
        hall.ask("GET", case_path()),
        hall.ask("PUT", case_path(), CASE),
        hall.invite(case=CASE),
        hall.ask("DELETE", window_path("invitations/current")),
    ]

    assert answers[0].body["state"] == "rated"
    assert answers[1].body["rated"] is True
    assert answers[3].kind == "already_rated"
    for answer in answers:
        assert not re.search("level|satisf|reasons|comment|满意", answer.text)
        assert CITIZEN not in answer.text
        assert CERTIFICATE not in answer.text


def test_machines_are_told_whether_it_lives_and_works(hall):
    """Both need no key; not ready is 503 with the reasons."""
    assert hall.ask("GET", "/healthz", Authorization="").body == {"alive": True}
    assert hall.ask("GET", "/readyz", Authorization="").body == {"ready": True, "reasons": []}

    hall.health = Health(ready=False, reasons=("消息服务连接中断",))
    answer = hall.ask("GET", "/readyz", Authorization="")
    assert answer.status == 503
    assert answer.body == {"ready": False, "reasons": ["消息服务连接中断"]}


def test_no_answer_is_kept_by_a_proxy(hall):
    """Status pages change from moment to moment."""
    for path in ("/healthz", case_path(), "/nowhere"):
        assert hall.ask("GET", path).headers["Cache-Control"] == "no-store"


def test_the_openapi_page_names_every_route(hall):
    """The page is served from here, and what is served is on it."""
    page = hall.ask("GET", "/api/v1/openapi.json").body

    described = {(path, verb.upper()) for path, verbs in page["paths"].items() for verb in verbs}
    served = {
        (re.sub(r":\w+}", "}", route.path_format), method)
        for route in hall.app().routes
        for method in route.methods
        if method != "OPTIONS"
    }
    assert described == served


def test_the_openapi_page_is_whole_and_chinese(hall):
    """Every reference resolves, every field and schema says in Chinese what it means."""
    page = openapi.document()
    schemas = page["components"]["schemas"]

    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(page)):
        assert name in schemas
    for schema in schemas.values():
        for part in (schema, *schema["properties"].values()):
            assert re.search("[\u4e00-\u9fff]", part["description"]), part
    assert "http" not in openapi.page().decode().replace('"type": "http"', "")
    assert page["paths"]["/api/v1/windows/{window}/invitations"]["post"]["security"]
    for verbs in page["paths"].values():
        for operation in verbs.values():
            assert "application/problem+json" in operation["responses"]["500"]["content"]


def test_the_examples_of_the_openapi_page_work(hall):
    """An integrator who copies them, in the order of a day, gets no error."""
    example = openapi.EXAMPLES
    asked = example[InvitationRequest]
    assert hall.ask("PUT", case_path(asked["serial"]), example[CaseFacts]).status == 201
    assert hall.ask("PUT", window_path("staff"), example[Staff]).status == 200
    assert hall.ask("POST", window_path("invitations"), asked).status == 201
    assert hall.ask("PUT", window_path("pause"), example[PauseRequest]).status == 204
