"""The citizen's own page under people who guess, push, flood and pry."""

import base64
import http.client
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from receipts_world import WORDS, open_receiving
from world_hall import VAULT, a_case, new_id

from hub.citizens import receipts
from hub.rules.pace import Pace
from hub.store import citizens, invitations
from hub.store.vault import Vault

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def hall(tmp_path):
    with open_receiving(tmp_path) as hall:
        yield hall


@pytest.fixture
def small(tmp_path):
    """Its writer holds three jobs."""
    with open_receiving(tmp_path, limit=3) as hall:
        yield hall


def raw(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def without_date(page):
    return {name: value for name, value in page.headers.items() if name != "date"}


def test_no_address_but_the_one_given_out_opens_a_page(hall):
    """Every letter counts; other hubs, other purposes, other spellings open nothing."""
    invitation = hall.asked()
    hall.rate(invitation)
    token = hall.token(invitation)
    assert hall.citizens.look(token) is not None
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    wrong = [
        token[:at] + alphabet[alphabet.index(token[at]) ^ 1] + token[at + 1 :]
        for at in range(len(token))
    ]
    name = bytes.fromhex(invitation)
    wrong += [
        receipts.token(Vault(b"x" * 32), invitation),
        raw(name + VAULT.digest("invitation", invitation)),
        raw(name + bytes(16)),
        raw(name),
        raw(bytes(32)),
        invitation,
        token + "=",
        token + "A",
        token[:-1],
        token.lower(),
        f" {token}",
        f"{token}\n",
        "",
        "🙂",
        "\ufffd" * 43,
        "a" * 100_000,
    ]
    assert [each for each in wrong if hall.citizens.look(each) is not None] == []


def test_a_guess_and_an_invitation_that_is_lost_get_one_and_the_same_answer(hall, monkeypatch):
    """The same page, headers and work, whether the mark is wrong or the invitation unknown."""
    looked = []
    get = invitations.get

    def counted(db, name):
        looked.append(name)
        return get(db, name)

    monkeypatch.setattr(invitations, "get", counted)
    unknown = hall.token(new_id())
    known = hall.asked()
    hall.rate(known)
    guess = raw(bytes.fromhex(known) + bytes(16))
    looked.clear()
    pages = [hall.get(each) for each in (unknown, guess, "x", "x/y")]
    assert {page.status for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    assert all(without_date(page) == without_date(pages[0]) for page in pages)
    assert len(looked) == len(pages)
    assert known not in looked
    posts = [hall.add(each) for each in (unknown, guess, "x")]
    assert {(page.status, page.text) for page in posts} == {(404, pages[0].text)}
    assert hall.added() == []


def test_every_answer_is_kept_by_nobody_and_tells_nobody(hall):
    """No cookie, no cache, no index, no referrer, no script, no frame; also where it refuses."""
    invitation = hall.asked()
    token = hall.token(invitation)
    pages = [
        hall.get(token),
        hall.get("x"),
        hall.post(token, {"do": "check", "text": WORDS}),
        hall.post(token, {"do": "check", "text": ""}),
        hall.post(token, b"\xff"),
        hall.post(token, {"do": "send", "text": WORDS}, Sec_Fetch_Site="cross-site"),
        hall.add(token),
        hall.add(token),
    ]
    assert [page.status for page in pages] == [200, 404, 200, 422, 400, 403, 303, 409]
    for page in pages:
        headers = {name.lower(): value for name, value in page.headers.items()}
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"] == "noindex, nofollow, noarchive"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "set-cookie" not in headers
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert "<script" not in page.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin", "Origin": "null"}, 303),
        ({"Sec_Fetch_Site": "", "Origin": "null"}, 303),
        ({"Sec_Fetch_Site": "", "Origin": ""}, 303),
        ({"Sec_Fetch_Site": "", "Origin": "https://pj.example.cn"}, 303),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-site", "Origin": "https://pj.example.cn"}, 403),
        ({"Sec_Fetch_Site": "", "Origin": "https://evil.example"}, 403),
    ],
)
def test_a_form_of_another_site_is_refused(hall, headers, status):
    token = hall.token(hall.asked())
    page = hall.post(token, {"do": "send", "text": WORDS}, **headers)
    assert page.status == status
    assert len(hall.added()) == (status == 303)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a" * 1_000_000, FORM, 413),
        (b"do=send&text=%C4%E3%BA%C3", FORM, 400),
        ("do=send&text=你好".encode("gbk"), FORM, 400),
        ("do=send&text=你好".encode("utf-16"), FORM, 400),
        (b"do=send&text=%ED%A0%80", FORM, 400),
        (b"&".join(b"a=b" for _ in range(500)), FORM, 400),
        (b'{"do": "send"}', "application/json", 415),
        (b"--x\r\n\r\nhi\r\n--x--", "multipart/form-data; boundary=x", 415),
        (b"hi", "", 415),
        (b"", FORM, 200),
        (b"do=send", FORM, 422),
        (b"do=send&text=+%0A%E3%80%80", FORM, 422),
        (b"do=send&text=%00%07%E2%80%AE", FORM, 422),
        (b"do=send&text=" + b"x" * 151, FORM, 422),
        (b"do=erase&text=hi", FORM, 200),
    ],
)
def test_what_cannot_be_taken_is_answered_with_a_page_in_words(hall, body, kind, status):
    token = hall.token(hall.asked())
    page = hall.post(token, body, Content_Type=kind)
    assert page.status == status
    assert page.headers["Content-Type"].startswith("text/html")
    assert "示例大厅" in page.words
    assert "Traceback" not in page.text
    assert hall.added() == []


@pytest.mark.parametrize(
    "text",
    [
        "字" * 150,
        "🙂" * 150,
        "𠮷" * 150,
        "字\r\n" * 74 + "字字",
        "  " + "字" * 150 + "\r\n",
        "字" * 150 + "\u202e\x00",
    ],
)
def test_exactly_150_characters_are_taken_as_people_count_them(hall, text):
    """Code points, a line's end as one; what nobody sees is not counted, nor kept."""
    token = hall.token(hall.asked())
    assert hall.add(token, text).status == 303
    assert len(hall.added()) == 1
    kept = hall.added()[0][1].decode()
    assert "\\r" not in kept
    assert "\\u0000" not in kept
    assert "\u202e" not in kept


def test_of_many_at_once_exactly_one_is_entered(hall):
    """Two phones, a finger that taps twice: the others are told that it is done."""
    token = hall.token(hall.asked())
    gate = threading.Barrier(8)

    def one(number):
        gate.wait(10)
        return hall.add(token, f"{WORDS}{number}")

    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(one, range(8)))
    assert sorted(page.status for page in pages) == [303] + [409] * 7
    assert all("已经提交过" in page.words for page in pages if page.status == 409)
    assert len(hall.added()) == 1
    assert hall.poked == 1


def test_a_page_that_is_asked_for_too_often_rests_and_no_other_does(hall):
    token, other = (hall.token(hall.asked(f"SL{n}0000")) for n in (1, 2))
    assert {hall.get(token).status for _ in range(30)} == {200}
    page = hall.get(token)
    assert page.status == 429
    assert int(page.headers["Retry-After"]) == 2
    assert "太频繁" in page.words
    assert hall.add(token).status == 429
    assert hall.get(other).status == 200
    hall.mono += 2_000
    assert hall.get(token).status == 200
    assert hall.get(token).status == 429


def test_an_address_that_guesses_rests_and_no_other_does(hall):
    """Three hundred at once, then five a second: a hall's Wi-Fi stands behind one address."""
    token = hall.token(hall.asked())
    assert {hall.get(f"guess{n}").status for n in range(300)} == {404}
    assert hall.get(token).status == 429
    assert hall.get(token, address="127.0.0.2").status == 200
    hall.mono += 200
    assert hall.get(token).status == 200


def test_behind_a_proxy_of_this_machine_each_phone_counts_for_itself(hall):
    """By X-Forwarded-For, which nobody but a proxy on loopback is believed."""
    token = hall.token(hall.asked())
    first, second = ({"X_Forwarded_For": f"203.0.113.{n}"} for n in (1, 2))
    assert {hall.get(f"guess{n}", **first).status for n in range(300)} == {404}
    assert hall.get(token, **first).status == 429
    assert hall.get(token, **second).status == 200


def test_the_pace_forgets_who_asked_longest_ago_and_never_grows():
    pace = Pace(burst=1, each_ms=1_000, known=100)
    for number in range(10_000):
        assert pace.wait_ms(f"n{number}", 0) == 0
    assert len(pace._due) == 100
    assert pace.wait_ms("n9999", 0) == 1_000
    assert pace.wait_ms("n0", 0) == 0
    assert pace.wait_ms("n9999", 1_000) == 0


def test_no_address_and_no_words_get_into_the_log(hall, caplog):
    """Whatever goes wrong."""
    token = hall.token(hall.asked())
    with caplog.at_level(logging.DEBUG):
        hall.get(token)
        hall.get(token + "x")
        hall.post(token, {"do": "check", "text": WORDS})
        hall.post(token, b"\xff" + WORDS.encode())
        hall.post(token, b"a" * 1_000_000)
        hall.citizens._path = hall.path.parent / "gone" / "hub.db"
        assert hall.get(token).status == 500
    assert "request failed" in caplog.text
    # The hub keeps no access log; pytest puts a handler of its own there.
    records = [each for each in caplog.records if each.name != "uvicorn.access"]
    said = "\n".join(f"{each.getMessage()} {each.exc_text}" for each in records)
    for secret in (token, token[:20], WORDS):
        assert secret not in said


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_change_nothing(hall, method):
    token = hall.token(hall.asked())
    assert hall.send_http(method, f"/r/{token}").status in (204, 405)
    assert hall.added() == []


def test_words_that_find_no_room_are_kept_on_the_page(small):
    """The writer is full: nothing is entered, nothing typed is lost, a second try is offered."""
    token = small.token(small.asked())
    begun, go_on = threading.Event(), threading.Event()

    def hold(_db):
        begun.set()
        assert go_on.wait(10)

    try:
        small.writer.submit(hold)
        assert begun.wait(10)
        for _ in range(3):
            small.writer.submit(lambda _db: None)
        page = small.add(token)
    finally:
        go_on.set()
    assert page.status == 503
    assert int(page.headers["Retry-After"]) > 0
    assert "还没有保存" in page.words
    assert page.field("text") == WORDS
    small.quiet()
    assert small.added() == []
    assert small.add(token).status == 303


def test_words_on_a_full_disk_are_kept_on_the_page(hall):
    """SQLite's own limit stands for the disk's; nothing is said to be entered that is not."""
    tokens = [hall.token(hall.asked(f"SL{number:06d}")) for number in range(40)]
    hall.writer.call(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
    pages = [hall.add(each, "长" * 150) for each in tokens]
    full = next(number for number, page in enumerate(pages) if page.status == 507)
    assert {page.status for page in pages} == {303, 507}
    assert len(hall.added()) == sum(page.status == 303 for page in pages)
    assert "还没有保存" in pages[full].words
    assert pages[full].field("text") == "长" * 150
    hall.writer.call(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchall())
    assert hall.add(tokens[full], "长" * 150).status == 303


def test_words_on_a_case_whose_citizen_was_erased_are_not_taken(hall):
    """They could not be sent any more."""
    invitation = hall.asked()
    hall.rate(invitation)
    token = hall.token(invitation)
    case = a_case("SL00012345")
    hall.writer.call(lambda db: citizens.erase(db, case.serial, case.service_number))
    assert "<textarea" not in hall.get(token).text
    assert hall.add(token).status == 409
    assert hall.added() == []


def test_a_phone_that_hangs_up_in_the_middle_disturbs_nobody(hall):
    token = hall.token(hall.asked())
    line = http.client.HTTPConnection("127.0.0.1", hall.port, timeout=10)
    line.putrequest("POST", f"/r/{token}")
    line.putheader("Content-Type", FORM)
    line.putheader("Content-Length", "1000")
    line.endheaders(b"do=send&text=hi")
    line.close()
    assert hall.get(token).status == 200
    assert hall.added() == []
