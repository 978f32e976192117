"""The routes of kiosks, clerks and certificates: who may call them, and every way they refuse."""

import itertools
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import pytest
from tls_world import Papers, new_key
from web_world import EMPTY_WINDOW, WINDOW, open_hall, window_path
from world_front import request, text

from hub.counter.pairing import PER_CALLER
from hub.rules.access import KEY_SCOPES, Scope
from hub.rules.case import CaseFacts
from hub.store import api_keys, certificates
from hub.web import counters, openapi
from hub.web.operations import EXAMPLES, OPERATIONS
from hub.web.values import Confirmation, Move, NewCertificate, PairingCode
from protocol.messages import Staff

NAME = "kiosk-01"
BEGIN = datetime.fromtimestamp(1_700_000_000, UTC)
GUARDED = [each for each in OPERATIONS if each.scope is not None]
IDS = [each.name for each in GUARDED]
FILL = {
    "serial": "S1",
    "service_number": "1",
    "window": WINDOW,
    "id": "0" * 32,
    "device": NAME,
    "before": "9",
    "digest": "0" * 64,
}


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """An authority of the year before the hall's clock."""
    return Papers(tmp_path_factory.mktemp("papers"), BEGIN - timedelta(days=365))


@pytest.fixture
def hall(tmp_path, papers):
    with open_hall(tmp_path, device_ca=text(papers.device_ca)) as hall:
        yield hall


@pytest.fixture(scope="module")
def shared(tmp_path_factory, papers):
    """One for the tests that do not mind what was done before."""
    folder = tmp_path_factory.mktemp("shared")
    with open_hall(folder, device_ca=text(papers.device_ca)) as hall:
        yield hall


def key_with(hall, scopes):
    """A new key with these scopes."""
    return hall.writer.call(lambda db: api_keys.create(db, "示例", frozenset(scopes), hall.now))[1]


def call(hall, operation, scopes=None, **fill):
    """Call an operation with its example, as a key with these scopes (all, if not told)."""
    path = operation.path.format(**{name: quote(each) for name, each in (FILL | fill).items()})
    more = {} if scopes is None else {"Authorization": f"Bearer {key_with(hall, scopes)}"}
    body = EXAMPLES.get(operation.takes)
    return hall.ask(operation.method.upper(), path, body, **more)


# ---------------------------------------------------------------- who may


def test_every_route_has_a_scope_in_the_page_and_in_the_code():
    """What the page promises is what the guard asks for."""
    handlers = {
        (method, path): handler.opt["scope"]
        for handler in counters.API
        for path in handler.paths
        for method in handler.http_methods
    }
    described = {
        (each.method.upper(), each.path.removeprefix("/api/v1")): each.scope for each in OPERATIONS
    }
    for (method, path), scope in handlers.items():
        plain = path.replace(":str", "")
        assert described[(method, plain)] is scope
    bare = [each.name for each in OPERATIONS if each.scope is None and each.path.startswith("/api")]
    assert bare == ["openapi"]


@pytest.mark.parametrize("operation", GUARDED, ids=IDS)
def test_a_key_without_the_scope_is_turned_away(shared, operation):
    """403, the scope in words and in the challenge of RFC 6750; nothing has happened."""
    before = shared.writer.call(lambda db: db.conn.total_changes)
    answer = call(shared, operation, KEY_SCOPES - {operation.scope})
    assert (answer.status, answer.kind) == (403, "forbidden")
    assert f"“{operation.scope}”" in answer.body["detail"]
    challenge = answer.headers["WWW-Authenticate"]
    assert f'error="insufficient_scope", scope="{operation.scope}"' in challenge
    after = shared.writer.call(lambda db: db.conn.total_changes)
    assert after == before + 1  # the key itself


@pytest.mark.parametrize("operation", GUARDED, ids=IDS)
def test_a_key_with_the_scope_alone_gets_in(shared, operation):
    """No route needs more than its own scope; whatever it answers, it is not `forbidden`."""
    answer = call(shared, operation, {operation.scope})
    assert answer.status != 401
    assert answer.status < 400 or answer.kind in operation.kinds


def test_no_key_no_entry(shared):
    """401, before anything else is looked at."""
    for operation in GUARDED:
        path = operation.path.format(**{name: quote(each) for name, each in FILL.items()})
        assert shared.ask(operation.method.upper(), path, Authorization="").kind == "unauthorized"


# ---------------------------------------------------------------- what goes well


def show_code(hall, device=NAME, number=0):
    """Let a kiosk stand there unpaired; its code is `number`."""
    numbers = itertools.count(number)
    hall.codes._random_below = lambda _: next(numbers)
    hall.online.add(device)
    return hall.codes.of(device).code


def by_name(name):
    return next(each for each in OPERATIONS if each.name == name)


def good(hall, name, body=None, window=WINDOW, **fill):
    """Call an operation; its answer must be one that the page describes, in form too."""
    operation = by_name(name)
    path = operation.path.format(
        **{n: quote(each) for n, each in (FILL | {"window": window} | fill).items()}
    )
    answer = hall.ask(operation.method.upper(), path, body)
    assert answer.status in operation.answers, answer.text
    kind = operation.answers[answer.status][1]
    return None if kind is None else msgspec.convert(answer.body, kind)


def test_the_examples_of_a_day_work_as_they_stand(hall):
    """Pair by code, sign on, move, unpair: each body copied from the page."""
    assert show_code(hall) == EXAMPLES[PairingCode]["code"]
    good(hall, "unpair")
    candidate = good(hall, "claim", EXAMPLES[PairingCode])
    assert (candidate.device, candidate.window) == (EXAMPLES[Confirmation]["device"], WINDOW)
    assert good(hall, "confirm", EXAMPLES[Confirmation]).device == NAME
    assert good(hall, "signOn", EXAMPLES[Staff]).staff == Staff(**EXAMPLES[Staff])
    good(hall, "unpair", window=EMPTY_WINDOW)
    assert good(hall, "move", EXAMPLES[Move]).device == NAME
    windows = good(hall, "getWindows")
    assert [(each.name, each.device, each.device_online) for each in windows] == [
        (WINDOW, None, False),
        (EMPTY_WINDOW, NAME, True),
    ]
    assert good(hall, "getWindow").staff.name == "示例乙"
    assert good(hall, "signOff").staff is None
    history = good(hall, "getBindings", window=EMPTY_WINDOW)
    assert [(each.kind, each.device) for each in history] == [
        ("paired", NAME),
        ("unpaired", "k2"),
        ("paired", "k2"),
    ]
    show_code(hall, "kiosk-02", 5)
    good(hall, "claim", {"code": "000005"})
    good(hall, "cancel", {"device": "kiosk-02"})


def test_a_certificate_travels_through_the_interface(hall, papers):
    """The desk takes the request, hands back the chain, and the kiosk is sent it."""
    key = ask_for_one(hall, papers)
    (asked,) = good(hall, "getRenewals")
    assert (asked.device, asked.chain) == (NAME, None)
    chain = a_chain(papers, key)
    good(hall, "answerRenewal", {"chain": chain})
    assert good(hall, "getRenewals") == []
    ((device, leaf, payload),) = hall.published
    assert (device, str(leaf)) == (NAME, "certificate")
    assert msgspec.json.decode(payload)["chain"] == chain


def a_chain(papers, key, at=BEGIN, days=90):
    made = papers.device(NAME, key=key, at=at, days=days)
    return text(made) + text(papers.device_ca)


def ask_for_one(hall, papers):
    """Let a kiosk of 61 days be known, and have asked for its next certificate."""
    key = new_key()
    old = papers.device(NAME, key=key, at=BEGIN - timedelta(days=61))
    hall.roster.add(hall.roster.judge(NAME, text(old), hall.now))
    csr = request(key, NAME)
    hall.writer.call(lambda db: certificates.ask(db, NAME, csr, hall.now))
    return key


def test_all_examples_are_of_their_form():
    """Each can be read as what the operation takes."""
    for kind, example in EXAMPLES.items():
        msgspec.convert(example, kind)
    assert {each.takes for each in OPERATIONS} - {None, bytes} == set(EXAMPLES)
    assert CaseFacts in EXAMPLES
    assert NewCertificate in EXAMPLES


# ---------------------------------------------------------------- what goes wrong


def wish(method, rest, body=None, window=WINDOW):
    """A request about a window, to be made later."""
    path = window_path(rest, window).rstrip("/")
    return lambda hall, _: hall.ask(method, path, body)


def another_window(method, rest, body=None):
    return wish(method, rest, body, "9号窗口")


def guess_too_often(hall, _):
    for _ in range(PER_CALLER.free):
        assert hall.ask("POST", window_path("pairing"), {"code": "999999"}).kind == "wrong_code"
    answer = hall.ask("POST", window_path("pairing"), {"code": "999999"})
    assert answer.headers["Retry-After"] == "30"
    return answer


def take_a_working_one(hall, _):
    hall.online.add("k1")
    hall.key = key_with(hall, {Scope.PAIR})
    return hall.ask("POST", window_path("pairing"), {"code": show_code(hall)})


def confirm_a_working_one(hall, _):
    """The kiosk was away when the code was typed, and is back."""
    hall.key = key_with(hall, {Scope.PAIR})
    answer = hall.ask("POST", window_path("pairing"), {"code": show_code(hall)})
    assert answer.status == 202
    hall.online.add("k1")
    return hall.ask("POST", window_path("pairing/confirmation"), {"device": NAME})


def take_off_twice(method, rest, body=None):
    def both(hall, _):
        hall.ask("DELETE", window_path("pairing"))
        return hall.ask(method, window_path(rest), body)

    return both


def answer_without_request(hall, papers):
    key = ask_for_one(hall, papers)
    hall.writer.call(lambda db: certificates.fulfilled(db, NAME))
    return hall.ask("PUT", f"/api/v1/renewals/{NAME}", {"chain": a_chain(papers, key)})


REFUSALS = {
    "getWindow": {"unknown_window": another_window("GET", "")},
    "getBindings": {"unknown_window": another_window("GET", "bindings")},
    "signOn": {"unknown_window": another_window("PUT", "staff", EXAMPLES[Staff])},
    "signOff": {"unknown_window": another_window("DELETE", "staff")},
    "claim": {
        "unknown_window": another_window("POST", "pairing", {"code": "000000"}),
        "wrong_code": wish("POST", "pairing", {"code": "999999"}),
        "too_many_tries": guess_too_often,
        "kiosk_works": take_a_working_one,
    },
    "confirm": {
        "unknown_window": another_window("POST", "pairing/confirmation", {"device": NAME}),
        "nothing_to_confirm": wish("POST", "pairing/confirmation", {"device": NAME}),
        "kiosk_works": confirm_a_working_one,
    },
    "cancel": {"nothing_to_confirm": wish("POST", "pairing/cancellation", {"device": NAME})},
    "unpair": {
        "unknown_window": another_window("DELETE", "pairing"),
        "not_paired": take_off_twice("DELETE", "pairing"),
    },
    "move": {
        "unknown_window": wish("POST", "pairing/move", {"to": "9号窗口"}),
        "not_paired": take_off_twice("POST", "pairing/move", {"to": EMPTY_WINDOW}),
        "window_taken": wish("POST", "pairing/move", {"to": EMPTY_WINDOW}),
    },
    "answerRenewal": {
        "no_request": answer_without_request,
        "certificate_unfit": lambda hall, _: hall.ask(
            "PUT", f"/api/v1/renewals/{NAME}", EXAMPLES[NewCertificate]
        ),
    },
}
EACH = [(name, kind) for name, kinds in REFUSALS.items() for kind in kinds]


@pytest.mark.parametrize(("name", "kind"), EACH, ids=[f"{n}-{k}" for n, k in EACH])
def test_every_refusal_of_the_page_is_real(hall, papers, name, kind):
    """It can be met, has its word and its status, and says in Chinese what to do."""
    answer = REFUSALS[name][kind](hall, papers)
    assert answer.kind == kind
    operation = by_name(name)
    described = openapi.document()["paths"][operation.path][operation.method]["responses"]
    assert f"{kind}（" in described[str(answer.status)]["description"]
    assert any("\u4e00" <= sign <= "\u9fff" for sign in answer.body["detail"])


def test_the_page_promises_no_refusal_that_cannot_be_met():
    """The table above is complete: it has what the operations name, and no more."""
    routes = {path.replace(":str", "") for handler in counters.API for path in handler.paths}
    ours = [each for each in OPERATIONS if each.path.removeprefix("/api/v1") in routes]
    general = {"invalid_fields", "storage_full"}
    assert {each.name: set(each.kinds) - general for each in ours if set(each.kinds) - general} == {
        name: set(kinds) for name, kinds in REFUSALS.items()
    }


LONG = "长" * 41
WRONG_FIELDS = [
    (wish("GET", "", None, LONG), {"window"}),
    (wish("GET", "bindings", None, LONG), {"window"}),
    (wish("DELETE", "staff", None, LONG), {"window"}),
    (wish("DELETE", "pairing", None, LONG), {"window"}),
    (wish("POST", "pairing", {"code": "12345"}, LONG), {"window", "code"}),
    (wish("POST", "pairing", {"code": 123456}), {"code"}),
    (wish("POST", "pairing", {"code": "１２３４５６"}), {"code"}),
    (wish("POST", "pairing/confirmation", {"device": "K 1", "x": 1}), {"device", "x"}),
    (wish("POST", "pairing/cancellation", {}), {"device"}),
    (wish("POST", "pairing/move", {"to": ""}), {"to"}),
    (wish("PUT", "staff", {"name": "", "number": 1, "post": LONG}), {"name", "number", "post"}),
    (lambda hall, _: hall.ask("PUT", "/api/v1/renewals/K", {"chain": "…"}), {"device", "chain"}),
]


@pytest.mark.parametrize(("wrong", "fields"), WRONG_FIELDS)
def test_wrong_fields_are_named_all_at_once(shared, wrong, fields):
    """422, in address and body, in Chinese."""
    answer = wrong(shared, None)
    assert (answer.status, answer.kind) == (422, "invalid_fields")
    assert set(answer.faults) == fields


def test_a_full_disk_is_told(hall):
    """507: nothing was changed, and the same call works once there is room."""
    path = window_path("staff")
    hall.writer.call(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
    people = [{"name": "示例", "number": str(number), "post": "岗" * 40} for number in range(60)]
    for person in people:
        answer = hall.ask("PUT", path, person)
        if answer.status != 200:
            break
        sat = person
    assert (answer.status, answer.kind) == (507, "storage_full")
    assert good(hall, "getWindow").staff.number == sat["number"]
    hall.writer.call(lambda db: db.execute("PRAGMA max_page_count = 1073741823").fetchone())
    assert hall.ask("PUT", path, person).status == 200


def test_denied_tries_are_in_the_audit_trail(hall):
    """Who typed a wrong code, or wanted to take a working kiosk, and where."""
    hall.ask("POST", window_path("pairing"), {"code": "999999"})
    take_a_working_one(hall, None)
    hall.writer.call(lambda _: None)
    rows = hall.writer.call(
        lambda db: db.execute(
            "SELECT action, target, json_extract(detail, '$.why') FROM audit WHERE NOT allowed"
        ).fetchall()
    )
    assert rows == [("pair", WINDOW, "wrong_code"), ("pair", WINDOW, "kiosk_works")]
