"""What a clerk does at the pages: sign on and off, pair a kiosk; and when the hub cannot."""

import re
import sqlite3
from urllib.parse import urlencode

import pytest
from pages_world import (
    CLERK,
    IT,
    OTHER,
    SECOND,
    WINDOW,
    open_pages,
    take_over,
)

from hub.store import bindings

DAY_MS = 86_400_000


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def paired(hall, window=WINDOW, device="kiosk-01"):
    hall.writer.call(lambda db: bindings.pair(db, window, device, by="console", now=hall.now))


def seats(hall):
    hall.quiet()
    return {window: seat.staff.name for window, seat in bindings.seats(hall.reader).items()}


# ---------------------------------------------------------------- the clerk


def test_a_clerk_signs_on_with_one_click_and_off_with_another(hall):
    """As themselves, with the kiosk told; the trail and the ledger name the user."""
    paired(hall)
    clerk = hall.signed_in(CLERK)
    assert "您还没有签到" in clerk.get("/my-window").words
    assert clerk.post("/my-window/sign-on", {"window": WINDOW}).to == "/my-window?done=on"
    page = clerk.get("/my-window?done=on").words
    assert "已签到" in page
    assert f"{WINDOW} 综合受理 示例甲 工号 0317" in page
    assert "kiosk-01 在线" in page
    assert hall.changed == ["kiosk-01"]
    assert clerk.post("/my-window/sign-off", {"window": WINDOW}).to == "/my-window?done=off"
    assert seats(hall) == {}
    kinds = [(each.kind, each.change.by) for each in bindings.history(hall.reader, WINDOW)]
    assert kinds[:2] == [("signed_off", f"user:{CLERK}"), ("signed_on", f"user:{CLERK}")]
    assert [act.actor for act in hall.trail("sign_on", "sign_off")] == [f"user:{CLERK}"] * 2


def test_a_clerk_who_takes_over_signs_the_other_off(hall):
    """Asked first; the other sees it at once and cannot sign them off in return."""
    first, second = hall.signed_in(CLERK), hall.signed_in(SECOND)
    first.post("/my-window/sign-on", {"window": WINDOW})
    page = second.get("/my-window")
    assert 'href="/my-window/take-over?window=' in page.text
    asked = second.get("/my-window/take-over?" + urlencode({"window": WINDOW})).words
    assert "由您接替吗？ 接替后，示例甲自动签退" in asked
    assert seats(hall) == {WINDOW: "示例甲"}
    assert take_over(second, WINDOW).to == "/my-window?done=over"
    assert "已接替签到" in second.get("/my-window?done=over").words
    assert seats(hall) == {WINDOW: "示例乙"}
    assert "您还没有签到" in first.get("/my-window").words
    page = first.post("/my-window/sign-off", {"window": WINDOW})
    assert page.status == 403
    assert "只能由本人签退" in page.words
    assert 'href="/my-window"' in page.text


def test_a_take_over_by_mistake_is_undone_by_signing_off_and_on(hall):
    first, second = hall.signed_in(CLERK), hall.signed_in(SECOND)
    first.post("/my-window/sign-on", {"window": WINDOW})
    take_over(second, WINDOW)
    assert second.post("/my-window/sign-off", {"window": WINDOW}).status == 303
    assert first.post("/my-window/sign-on", {"window": WINDOW}).to == "/my-window?done=on"
    assert seats(hall) == {WINDOW: "示例甲"}


@pytest.mark.parametrize("over", ["", "示例甲", "yes"])
def test_nobody_is_signed_off_without_the_question(hall, over):
    """A form that was made while the window was free, or is made up, only leads to it."""
    first, second = hall.signed_in(CLERK), hall.signed_in(SECOND)
    first.post("/my-window/sign-on", {"window": WINDOW})
    answer = second.post("/my-window/sign-on", {"window": WINDOW, "over": over})
    assert answer.to == "/my-window/take-over?" + urlencode({"window": WINDOW})
    assert seats(hall) == {WINDOW: "示例甲"}


def test_a_confirmation_is_of_who_sat_there_then(hall):
    """Whoever signed on again meanwhile is asked about anew."""
    first, second = hall.signed_in(CLERK), hall.signed_in(SECOND)
    first.post("/my-window/sign-on", {"window": WINDOW})
    page = second.get("/my-window/take-over?" + urlencode({"window": WINDOW}))
    first.post("/my-window/sign-off", {"window": WINDOW})
    hall.now += 1
    first.post("/my-window/sign-on", {"window": WINDOW})
    old = {"window": WINDOW, "over": page.field("over")}
    assert second.post("/my-window/sign-on", old).to.startswith("/my-window/take-over")
    assert seats(hall) == {WINDOW: "示例甲"}


@pytest.mark.parametrize("window", [OTHER, WINDOW])
def test_there_is_nothing_to_ask_where_nobody_else_sits(hall, window):
    """A free window, or one's own."""
    clerk = hall.signed_in(CLERK)
    clerk.post("/my-window/sign-on", {"window": WINDOW})
    asked = clerk.get("/my-window/take-over?" + urlencode({"window": window}))
    assert asked.to == "/my-window"
    missing = clerk.get("/my-window/take-over?" + urlencode({"window": "没有的窗口"}))
    assert missing.status == 404


def test_nobody_signs_on_as_somebody_else(hall):
    """Fields of a form that say otherwise mean nothing."""
    clerk = hall.signed_in(CLERK)
    clerk.post("/my-window/sign-on", {"window": WINDOW, "staff": "示例乙", "number": "0318"})
    assert seats(hall) == {WINDOW: "示例甲"}


def test_a_user_who_is_no_clerk_is_told_what_is_missing(hall):
    """Role without name and number: no button that would fail."""
    hall.signed_in(IT).post(f"/accounts/{CLERK}/staff", {"staff_name": "", "number": ""})
    clerk = hall.signed_in(CLERK)
    page = clerk.get("/my-window")
    assert "还不能签到" in page.words
    assert "sign-on" not in page.text
    assert clerk.post("/my-window/sign-on", {"window": WINDOW}).status == 403


def test_a_kiosk_is_paired_by_its_code_and_a_look_at_it(hall):
    """From the QR: sign in, choose the window, see its name on the kiosk, confirm."""
    code = hall.code()
    clerk = hall.browser()
    clerk.sign_in(CLERK, then=f"/pair?code={code}")
    clerk.post("/my-window/sign-on", {"window": WINDOW})
    page = clerk.get(f"/pair?code={code}")
    assert page.field("code") == code
    assert re.search(rf'value="{WINDOW}" required checked', page.text)
    to = clerk.post("/pair", {"window": WINDOW, "code": code}).to
    page = clerk.get(to)
    assert f"评价器 kiosk-01 正显示 {WINDOW} 看到了吗？" in page.words
    assert "还剩 60 秒" in page.words
    assert page.headers["Refresh"] == "5"
    hall.now += 17_000
    assert "还剩 43 秒" in clerk.get(to).words
    given = {"window": WINDOW, "device": "kiosk-01", "answer": "yes"}
    assert clerk.post("/pair/confirm", given).to == "/my-window?done=paired"
    assert "kiosk-01 在线" in clerk.get("/my-window").words
    (told,) = hall.trail("pair")
    assert (told.actor, told.target, told.detail["device"]) == (
        f"user:{CLERK}",
        WINDOW,
        "kiosk-01",
    )


def test_if_it_was_another_kiosk_it_is_left_alone(hall):
    """It shows a new code; the clerk is back at the code, the window still chosen."""
    clerk, code = hall.signed_in(CLERK), hall.code()
    clerk.post("/pair", {"window": OTHER, "code": code})
    to = clerk.post("/pair/confirm", {"window": OTHER, "device": "kiosk-01", "answer": "no"}).to
    page = clerk.get(to)
    assert "已取消" in page.words
    assert re.search(rf'value="{OTHER}" required checked', page.text)
    assert hall.code() != code
    assert bindings.pairings(hall.reader) == {}


def test_a_confirmation_that_comes_too_late_or_from_another_is_refused(hall):
    """After a minute, and by whoever did not type the code: the page leads back to it."""
    clerk, other, code = hall.signed_in(CLERK), hall.signed_in(SECOND), hall.code()
    to = clerk.post("/pair", {"window": WINDOW, "code": code}).to
    given = {"window": WINDOW, "device": "kiosk-01", "answer": "yes"}
    assert other.get(to).status == 404
    assert other.post("/pair/confirm", given).status == 404
    hall.now += 60_000
    page = clerk.get(to)
    assert page.status == 404
    assert "请重新输入屏幕上的配对码" in page.words
    assert 'href="/pair"' in page.text
    assert page.headers["Refresh"] is None
    assert clerk.post("/pair/confirm", given).status == 404
    assert bindings.pairings(hall.reader) == {}


def test_a_wrong_code_is_said_beside_what_was_typed(hall):
    """Blanks and full-width digits are understood; after five wrong ones one has to wait."""
    clerk, code = hall.signed_in(CLERK), hall.code()
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for text, says in (("12345", "六位数字"), ("abcdef", "六位数字"), ("", "六位数字")):
        page = clerk.post("/pair", {"window": WINDOW, "code": text})
        assert (page.status, says in page.words) == (422, True)
    page = clerk.post("/pair", {"window": "", "code": code})
    assert "请先选择要配对的窗口" in page.words
    for _ in range(5):
        page = clerk.post("/pair", {"window": WINDOW, "code": wrong})
        assert (page.status, "请核对屏幕上的六位数字" in page.words) == (404, True)
        assert page.field("code") == wrong
    page = clerk.post("/pair", {"window": WINDOW, "code": code})
    assert (page.status, "请等 30 秒" in page.words) == (429, True)
    hall.now += 30_000
    wide = " ".join(chr(ord(digit) + 0xFEE0) for digit in code)
    assert clerk.post("/pair", {"window": WINDOW, "code": wide}).status == 303


def test_a_clerk_does_not_replace_a_kiosk_that_works(hall):
    """The window is not offered, and refused when it is asked for all the same."""
    paired(hall)
    clerk = hall.signed_in(CLERK)
    assert f'value="{WINDOW}"' not in clerk.get("/pair").text
    page = clerk.post("/pair", {"window": WINDOW, "code": "000000"})
    assert page.status == 403
    assert "请联系信息化管理员" in page.words
    hall.online.clear()
    assert f'value="{WINDOW}"' in clerk.get("/pair").text


# ---------------------------------------------------------------- when the machine cannot


def test_a_full_disk_is_said_on_the_page_and_nothing_is_half_done(hall):
    """Neither signed on nor told so; signing in says it, too; with room again all works."""
    clerk = hall.signed_in(CLERK)

    def fill(db):
        db.conn.execute("CREATE TABLE filler (x BLOB)")
        (pages,) = db.conn.execute("PRAGMA page_count").fetchone()
        db.conn.execute(f"PRAGMA max_page_count = {pages}")

    hall.writer.call(fill)
    with pytest.raises(sqlite3.OperationalError):
        hall.writer.call(lambda db: db.execute("INSERT INTO filler VALUES (zeroblob(1000000))"))
    for window in [WINDOW, OTHER] * 100:
        page = clerk.post("/my-window/sign-on", {"window": window})
        if page.status != 303:
            break
    assert page.status == 507
    assert "磁盘已满" in page.words
    assert 'href="/my-window"' in page.text
    assert [act.target for act in hall.trail("sign_on")].count(window) == sum(
        each.kind == "signed_on" for each in bindings.history(hall.reader, window)
    )
    hall.writer.call(lambda db: db.conn.execute("PRAGMA max_page_count = 1000000").fetchall())
    assert clerk.post("/my-window/sign-on", {"window": window}).status == 303
    assert hall.browser().sign_in(SECOND).status == 303


def test_a_hub_that_is_stopping_says_so(hall):
    """503 and a way back, also at the sign-in; nothing hangs."""
    clerk = hall.signed_in(CLERK)
    hall.writer.stop()
    for page in (
        clerk.get("/my-window"),
        clerk.post("/my-window/sign-on", {"window": WINDOW}),
        hall.browser().sign_in(SECOND),
    ):
        assert page.status == 503
        assert "请稍后重试" in page.words
