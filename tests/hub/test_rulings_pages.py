"""The office's pages: find a rating, look at it, rule on it in two steps, see what was ruled."""

import re

import pytest
from pages_world import AUDITOR, CLERK, IT, KIOSK_KEY, OFFICE, SUPERVISOR, open_pages
from rulings_world import JPEG, PDF, PNG, enter_rating

from hub.rules.documents import LIMIT

WORDS = "窗口的人一直在打电话，<b>没有理我</b>"
WHY = "经核实，办事人误按，\r\n已电话确认。"


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


@pytest.fixture
def invitation(hall):
    change = {"level": 1, "reasons": ("108", "115"), "comment": WORDS}
    return hall.writer.call(lambda db: enter_rating(db, KIOSK_KEY, **change))


def multipart(fields, files=()):
    """A form with files as a browser sends it: body and type."""
    parts = [
        f'--line\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    parts += [
        f'--line\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + b"--line--\r\n", "multipart/form-data; boundary=line"


def check(browser, invitation, *, reason=WHY, files=(("a.pdf", PDF),), kept=(), csrf=None):
    fields = [("csrf", browser.csrf() if csrf is None else csrf), ("reason", reason)]
    body, kind = multipart([*fields, *(("kept", each) for each in kept)], files)
    return browser.send("POST", f"/rulings/rating/{invitation}/check", body, Content_Type=kind)


def kept_of(page):
    return list(dict.fromkeys(re.findall(r'name="kept" value="([0-9a-f]{64})"', page.text)))


def test_the_office_finds_looks_rules_and_sees_it_in_the_list(hall, invitation):
    """From the serial to the ruling; each look is in the trail, the serial in no address."""
    office = hall.signed_in(OFFICE)
    assert "复核认定" in office.get("/windows").words
    found = office.post("/rulings/find", {"serial": "SL0001", "service_number": "1"})
    assert (found.status, found.to) == (303, f"/rulings/rating/{invitation}")
    page = office.get(found.to)
    for text in ("非常不满意", "差评", "在办事指南之外增加新的审批条件；服务态度差效率低"):
        assert text in page.words
    assert WORDS in page.words
    assert "<b>没有" not in page.text
    assert "示例甲" in page.words
    assert len(hall.trail("look_rating")) == 1
    asked = check(office, invitation, files=(("a.pdf", PDF), ("b.png", PNG)))
    assert asked.status == 200
    assert "不能撤销" in asked.words
    assert "经核实，办事人误按， 已电话确认。" in asked.words
    assert len(kept_of(asked)) == 2
    assert hall.trail("rule") == []
    given = {"reason": WHY, "kept": kept_of(asked)}
    done = office.post(f"/rulings/rating/{invitation}/rule", given)
    assert done.status == 303
    after = office.get(done.to)
    assert "已认定：这次评价不予采纳，按未评计。" in after.words
    assert "下一步" not in after.words
    assert hall.queued == [hall.now]
    listed = office.get("/rulings")
    assert "SL0001" in listed.words
    assert "等待报送" in listed.words
    assert "非常不满意" not in listed.words
    (act,) = hall.trail("rule")
    assert act.detail["reason"] == "经核实，办事人误按，\n已电话确认。"
    file = office.get(f"/rulings/document/{kept_of(asked)[0]}")
    assert file.text == PDF.decode()
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert file.headers["Content-Type"] == "application/pdf"
    assert len(hall.trail("look_document")) == 1
    words = hall.signed_in(AUDITOR).get("/audit").words
    for text in ("查看评价", "存入证据文件", "复核认定不采纳", "查看证据文件", "台账序号"):
        assert text in words


def test_nobody_else_sees_a_rating_or_rules(hall, invitation):
    """Clerk, supervisor, IT, audit: 403, in the trail, and no place in their menu."""
    for name in (CLERK, SUPERVISOR, IT, AUDITOR):
        browser = hall.signed_in(name)
        for path in ("/rulings", f"/rulings/rating/{invitation}", "/rulings/document/" + "0" * 64):
            page = browser.get(path)
            assert page.status == 403
            assert "非常不满意" not in page.text
        assert browser.post("/rulings/find", {"serial": "SL0001"}).status == 403
        assert check(browser, invitation).status in (403, 415)
        assert browser.post(f"/rulings/rating/{invitation}/rule", {"reason": "x"}).status == 403
        assert "复核认定" not in browser.get("/password").words
    assert hall.trail("look_rating", "rule", "keep_document") == []


def test_what_is_missing_is_said_and_what_was_given_stays(hall, invitation):
    """No reason, no file, a wrong one: the reason and the good files need not be given again."""
    office = hall.signed_in(OFFICE)
    empty = check(office, invitation, reason="  ")
    assert (empty.status, "请填写不予采纳的理由" in empty.words) == (422, True)
    (digest,) = kept_of(empty)
    bare = check(office, invitation, files=[("", b"")])
    assert (bare.status, "请上传 1 至 10 份证据文件" in bare.words) == (422, True)
    assert "办事人误按" in bare.words
    wrong = check(office, invitation, files=[("a.pdf", PDF), ("b.docx", b"PK\x03\x04")])
    assert (wrong.status, "只收 PDF、JPEG、PNG" in wrong.words) == (422, True)
    assert kept_of(wrong) == [digest]
    large = check(office, invitation, files=[("a.pdf", PDF + bytes(LIMIT))], kept=[digest])
    assert (large.status, "超过 10 MB" in large.words) == (422, True)
    assert kept_of(large) == [digest]
    many = check(office, invitation, files=[(f"{n}.jpg", JPEG + bytes([n])) for n in range(11)])
    assert (many.status, "1 至 10 份" in many.words) == (422, True)
    good = check(office, invitation, files=[], kept=[digest])
    assert (good.status, kept_of(good)) == (200, [digest])
    back = office.post(
        f"/rulings/rating/{invitation}/check", {"reason": WHY, "kept": [digest], "answer": "change"}
    )
    assert (back.status, kept_of(back)) == (200, [digest])
    assert "下一步" in back.words
    assert hall.trail("rule") == []


def test_the_second_of_two_who_rule_at_once_is_told(hall, invitation):
    """Both have the page open: the first counts."""
    office = hall.signed_in(OFFICE)
    kept = kept_of(check(office, invitation))
    given = {"reason": WHY, "kept": kept}
    assert office.post(f"/rulings/rating/{invitation}/rule", given).status == 303
    second = office.post(f"/rulings/rating/{invitation}/rule", given)
    assert second.status == 409
    assert "不能重复认定" in second.words
    assert len(hall.trail("rule")) == 1


def test_a_form_with_files_of_another_site_is_refused(hall, invitation):
    """Without the token, or cut short: nothing is kept."""
    office = hall.signed_in(OFFICE)
    assert check(office, invitation, csrf="x").status == 403
    body, kind = multipart([("csrf", office.csrf()), ("reason", WHY)], [("a.pdf", PDF)])
    path = f"/rulings/rating/{invitation}/check"
    for broken in (body[:-20], b"", b"--line", b"\xff" * 5000, body.replace(b"form-data", b"x")):
        page = office.send("POST", path, broken, Content_Type=kind)
        assert 400 <= page.status < 500
    assert hall.trail("keep_document", "rule") == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"serial": "SL9999"}, "没有评价"),
        ({"serial": ""}, "不能为空"),
        ({"serial": "SL0001", "service_number": "x"}, "1 至 99"),
        ({"serial": "SL0001", "service_number": "0"}, "1 至 99"),
        ({"serial": "x" * 65}, "64"),
        ({"serial": "a/b"}, "不"),
    ],
)
def test_a_rating_that_is_not_found_is_said_on_the_same_page(hall, invitation, given, says):
    """What was typed stays."""
    page = hall.signed_in(OFFICE).post("/rulings/find", given)
    assert 400 <= page.status < 500
    assert says in page.words
    assert page.field("serial") == given["serial"]
    assert hall.trail("look_rating") == []


def test_odd_addresses_of_ratings_are_pages_that_say_so(hall, invitation):
    """404 or 422, never a fault."""
    office = hall.signed_in(OFFICE)
    for path in ("/rulings/rating/" + "0" * 32, "/rulings/document/" + "0" * 64):
        assert office.get(path).status == 404
    for path in ("/rulings/rating/x", "/rulings/document/x", "/rulings/rating/%ff"):
        assert office.get(path).status in (400, 422)
    assert office.get("/rulings?before=x").status == 200
    assert office.get("/rulings?before=" + "9" * 30).status == 200
