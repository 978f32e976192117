"""Whatever is wrong with a request is answered as a problem that says what to do."""

import json
import logging
import socket
import threading
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_world import CASE, CITIZEN, EMPTY_WINDOW, case_path, open_hall, window_path


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    with open_hall(tmp_path_factory.mktemp("hall")) as hall:
        yield hall


@pytest.fixture
def own(tmp_path):
    with open_hall(tmp_path, limit=3) as hall:
        yield hall


def test_unknown_things_are_404(hall):
    """Each kind of thing has its own word."""
    hall.ask("PUT", case_path("已登记"), CASE)
    assert hall.ask("GET", "/nowhere").kind == "unknown_route"
    assert hall.ask("GET", "/api/v1/cases/a%2Fb/1").kind == "unknown_route"
    assert hall.ask("GET", case_path("未登记")).kind == "unknown_case"
    assert hall.invite("未登记").kind == "unknown_case"
    assert hall.invite("已登记", window="9号窗口").kind == "unknown_window"
    assert hall.ask("DELETE", window_path("pause", "9号窗口")).kind == "unknown_window"
    assert hall.ask("GET", "/api/v1/invitations/" + "0" * 32).kind == "unknown_invitation"
    empty = hall.ask("DELETE", window_path("invitations/current", EMPTY_WINDOW))
    assert (empty.status, empty.kind) == (404, "nothing_open")


def test_conflicts_are_409(own):
    """What the desk refuses keeps its stable word."""
    own.ask("PUT", case_path("甲"), CASE)
    answer = own.invite("甲", window=EMPTY_WINDOW)
    assert (answer.status, answer.kind) == (409, "nobody_signed_on")
    own.invite("甲")
    answer = own.invite("甲", staff={"name": "示例乙"})
    assert (answer.status, answer.kind) == (409, "another_clerk")
    own.ask("PUT", window_path("staff", EMPTY_WINDOW), {"name": "示例乙"})
    answer = own.invite("甲", window=EMPTY_WINDOW)
    assert (answer.status, answer.kind) == (409, "open_elsewhere")
    own.ask("PUT", window_path("pause"), {"reason": "系统维护"})
    answer = own.invite("甲")
    assert (answer.status, answer.kind) == (409, "window_paused")


def test_a_wrong_method_names_the_right_ones(hall):
    """405 with Allow."""
    answer = hall.ask("PATCH", case_path(), {})
    assert (answer.status, answer.kind) == (405, "method_not_allowed")
    assert {"GET", "PUT"} <= set(answer.headers["Allow"].replace(" ", "").split(","))


@pytest.mark.parametrize(
    "media_type", ["text/plain", "", "application/xml", "application/json; charset=gbk"]
)
def test_only_json_in_utf8_is_read(hall, media_type):
    """415 for anything else, and for a body of no named kind."""
    answer = hall.ask("PUT", window_path("pause"), b'{"reason":"x"}', Content_Type=media_type)
    assert (answer.status, answer.kind) == (415, "unsupported_media_type")


def test_a_charset_of_utf8_may_be_named(hall):
    """Many clients do."""
    answer = hall.ask(
        "PUT",
        window_path("pause", EMPTY_WINDOW),
        {"reason": "x"},
        Content_Type="application/json; charset=UTF-8",
    )
    assert answer.status == 204


def test_long_bodies_are_413(hall):
    """64 KiB is read, one byte more is not, whether its length is announced or not."""
    fits = b'{"reason":"x"}'.ljust(64 * 1024)
    path = window_path("pause", EMPTY_WINDOW)
    assert hall.ask("PUT", path, fits).status == 204
    assert hall.ask("PUT", path, fits + b" ").kind == "body_too_large"

    with socket.create_connection(("127.0.0.1", hall.port), timeout=10) as line:
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {hall.key}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        line.sendall(head.encode() + b"10001\r\n" + fits + b" \r\n")
        assert line.recv(4096).startswith(b"HTTP/1.1 413 ")


BAD_BODIES = {
    "empty": (b"", "为空"),
    "blank": (b" \n", "为空"),
    "cut": (b'{"reason"', "第 1 行"),
    "two values": (b'{"reason":"x"}{}', "第 1 行第 15 列"),
    "key twice": (b'{"reason":"x","reason":"y"}', "重复出现"),
    "NaN": (b'{"reason":NaN}', "NaN"),
    "infinity": (b'{"reason":-Infinity}', "-Infinity"),
    "huge number": (b'{"reason":1e999}', "超出范围"),
    "endless integer": (b'{"reason":' + b"9" * 5000 + b"}", "超出范围"),
    "lone surrogate": (rb'{"reason":"\ud800"}', "代理字符"),
    "surrogate key": (rb'{"\udc00":1}', "代理字符"),
    "deep array": (b"[" * 30_000, "嵌套过深"),
    "deep object": (b'{"a":' * 10_000, "嵌套过深"),
    "GBK": ('{"reason":"午休"}'.encode("gbk"), "UTF-8"),
    "UTF-16": ('{"reason":"午休"}'.encode("utf-16"), "UTF-8"),
    "BOM": (b'\xef\xbb\xbf{"reason":"x"}', "BOM"),
    "bare control": (b'{"reason":"a\nb"}', "第 1 行"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_what_is_not_clean_json_is_400(hall, name):
    """Each is told in Chinese what is wrong with it."""
    body, told = BAD_BODIES[name]
    answer = hall.ask("PUT", window_path("pause", EMPTY_WINDOW), body)
    assert (answer.status, answer.kind) == (400, "malformed_body")
    assert told in answer.body["detail"]


@pytest.mark.parametrize("body", [[], None, 5, "x", True, 1.5])
def test_a_body_is_an_object(hall, body):
    """Other JSON is well formed, but says nothing."""
    answer = hall.ask("PUT", case_path(), body if body is not None else b"null")
    assert (answer.status, answer.kind) == (422, "invalid_fields")
    assert list(answer.faults) == ["$"]


def test_every_wrong_field_is_named_at_once(hall):
    """One answer lists them all, in address and body, each with what should stand there."""
    answer = hall.invite(
        serial="津 1",
        number="1",
        window="9" * 41,
        timeout_s=601,
        staff={"name": "", "nickname": "x"},
        level=5,
        case=CASE
        | {
            "task_code": "1",
            "task_type": "02",
            "accepted_at": "2026/1/31",
            "matter": None,
            "applicant": {"name": "a\u202eb", "kind": 1, "mobile": "1"},
            "agent": [],
        },
    )
    assert answer.status == 422
    assert set(answer.faults) == {
        "window",
        "serial",
        "service_number",
        "timeout_s",
        "staff.name",
        "staff.nickname",
        "level",
        "case.task_code",
        "case.task_type",
        "case.accepted_at",
        "case.matter",
        "case.applicant.name",
        "case.applicant.kind",
        "case.applicant.mobile",
        "case.applicant.certificate_number",
        "case.agent",
    }
    assert answer.faults["timeout_s"].startswith("不能大于 600")
    assert answer.faults["case.task_type"].startswith('只能是 "01"、"05"')
    assert "形如 2026-01-31 09:30:00" in answer.faults["case.accepted_at"]
    assert answer.faults["level"] == "没有这一项，请检查拼写"
    for message in answer.faults.values():
        assert "Expected" not in message
        assert "[^" not in message


def test_a_rule_across_fields_names_its_part(hall):
    """A finished case says when it was finished."""
    answer = hall.invite(case=CASE | {"status": "3"})
    assert "必须填写" in answer.faults["case.finished_at"]
    answer = hall.ask("PUT", case_path(), CASE | {"finished_at": "2026-01-31 09:30:00"})
    assert "不得填写" in answer.faults["finished_at"]
    answer = hall.ask("PUT", case_path(), CASE | {"accepted_at": "2026-02-30 09:30:00"})
    assert list(answer.faults) == ["accepted_at"]
    assert "不是存在的时间" in answer.faults["accepted_at"]


def test_times_that_cannot_be_are_refused_by_name(hall):
    """A year of another age, an end before the beginning; advice may come before acceptance."""
    answer = hall.ask("PUT", case_path(), CASE | {"accepted_at": "2999-01-06 09:30:00"})
    assert (answer.status, list(answer.faults)) == (422, ["accepted_at"])
    early = {"status": "3", "finished_at": "2020-01-01 09:30:00"}
    answer = hall.invite(case=CASE | early)
    assert list(answer.faults) == ["case.finished_at"]
    assert "早于受理时间" in answer.faults["case.finished_at"]
    before = {"service_name": "咨询", "service_time": "2020-01-01 09:30:00"}
    assert hall.ask("PUT", case_path(), CASE | before).status == 201


def test_a_reason_for_a_pause_says_something(hall):
    """Blanks, line feeds and more than 60 characters are no reason."""
    for reason in ("", "  ", "\u3000", "a\nb", "长" * 61, "\u202e", 5, None):
        answer = hall.ask("PUT", window_path("pause", EMPTY_WINDOW), {"reason": reason})
        assert list(answer.faults) == ["reason"], reason


def test_a_clerk_has_a_name_that_can_be_seen(hall):
    """Nothing that looks like nothing, and no second name that looks like the first."""
    for name in ("", " ", "\u3000", "示例甲\u200b", "\u200d", "\ufe0f", "示\u00ad例甲", "\u2060甲"):
        answer = hall.ask("PUT", window_path("staff", EMPTY_WINDOW), {"name": name})
        assert (answer.status, list(answer.faults)) == (422, ["name"]), name


@pytest.mark.parametrize("sign", ["\u200b", "\u200d", "\u2060", "\u00ad"])
def test_a_serial_holds_nothing_that_cannot_be_seen(hall, sign):
    """Else two cases look like one on every screen."""
    answer = hall.ask("PUT", case_path(f"甲{sign}"), CASE)
    assert answer.status in (400, 404, 422), sign
    assert hall.ask("GET", case_path("甲")).kind == "unknown_case"


def test_a_list_of_faults_has_an_end(hall):
    """A body of nothing but unknown names is not answered at ten times its length."""
    answer = hall.ask("PUT", case_path(), {f"x{index}": 0 for index in range(3000)})
    assert len(answer.body["errors"]) == 101
    assert "未列出" in answer.body["errors"][-1]["message"]


def test_an_address_in_gbk_is_refused(hall):
    """Two serials in GBK could otherwise become the same one."""
    answer = hall.ask("GET", "/api/v1/cases/" + quote("津1".encode("gbk")) + "/1")
    assert (answer.status, answer.kind) == (400, "malformed_address")


@pytest.mark.parametrize(
    "key", ["x%20y/1", "%00/1", "x/0", "x/100", "x/%EF%BC%91", "x/-1", "x/1.0"]
)
def test_a_key_of_a_case_is_checked(hall, key):
    """The same rules hold in an address as in a message."""
    answer = hall.ask("PUT", f"/api/v1/cases/{key}", CASE)
    assert answer.kind == "invalid_fields"
    assert set(answer.faults) <= {"serial", "service_number"}


def test_a_full_writer_says_when_to_come_again(own):
    """503 with Retry-After; nothing was taken."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_db):
        begun.set()
        assert go_on.wait(10)

    try:
        own.writer.submit(hold)
        assert begun.wait(10)
        for _ in range(3):
            own.writer.submit(lambda _db: None)
        answer = own.ask("PUT", case_path(), CASE)
    finally:
        go_on.set()
    assert (answer.status, answer.kind) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_full_disk_says_what_to_do(own):
    """507: SQLite's own limit stands for the disk's; nothing is said to be saved."""
    own.writer.call(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
    answers = [
        own.ask("PUT", case_path(f"满{index}"), CASE | {"matter": "长" * 200})
        for index in range(40)
    ]
    full = answers[-1]
    assert (full.status, full.kind) == (507, "storage_full")
    assert "磁盘" in full.body["detail"]
    refused = next(index for index, answer in enumerate(answers) if answer.status == 507)
    assert own.ask("GET", case_path(f"满{refused}")).kind == "unknown_case"


def test_the_unforeseen_is_a_500_without_its_inside(own, caplog):
    """Neither answer nor log quotes the error, which might quote a citizen."""
    own.broken = True
    with caplog.at_level(logging.ERROR, logger="hub.web.problems"):
        answer = own.invite(case=CASE)
    assert (answer.status, answer.kind) == (500, "internal")
    assert "Traceback" not in answer.text
    assert CITIZEN not in answer.text
    assert "RuntimeError" in caplog.text
    assert "presence" in caplog.text
    assert CITIZEN not in caplog.text


def test_a_client_that_hangs_up_leaves_the_hub_well(hall):
    """A body that never ends is nobody's problem but its sender's."""
    with socket.create_connection(("127.0.0.1", hall.port), timeout=10) as line:
        head = (
            f"PUT {case_path()} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {hall.key}"
            "\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
        )
        line.sendall(head.encode())
    assert hall.ask("GET", "/healthz").status == 200


names = st.sampled_from([*CASE, "case", "staff", "serial", "service_number", "timeout_s", "reason"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=70)
    | st.sampled_from(["1", "01", "津1", "120000", "2026-01-31 09:30:00", "1" * 31])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner),
    max_leaves=12,
)
nearly = st.dictionaries(names, values, max_size=4).map(lambda change: CASE | change)
invitations = st.fixed_dictionaries(
    {"serial": scalars, "service_number": scalars}, optional={"case": nearly | values}
)
bodies = (values | nearly | invitations).map(lambda value: json.dumps(value).encode())
targets = st.sampled_from(
    [
        ("PUT", case_path()),
        ("POST", window_path("invitations")),
        ("PUT", window_path("pause", EMPTY_WINDOW)),
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(targets, bodies | st.binary(max_size=200))
def test_no_body_whatever_is_a_500(hall, target, body):
    """Any bytes are answered by a success or by a whole problem that names the fault."""
    answer = hall.ask(*target, body)
    assert answer.status < 500
    if answer.status >= 400:
        assert answer.kind


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["cases/{}/1", "cases/x/{}", "windows/{}/pause", "invitations/{}", "{}"]),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=80),
)
def test_no_address_whatever_is_a_500(hall, path, part):
    """Any bytes in an address are answered by a whole problem."""
    answer = hall.ask("PUT", "/api/v1/" + path.format(quote(part, safe="")), {"reason": 5})
    assert 400 <= answer.status < 500
    assert answer.kind
