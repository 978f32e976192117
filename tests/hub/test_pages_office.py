"""Those who look after the windows at the pages: supervisor, office, IT, auditor."""

import re

import pytest
from pages_world import (
    AUDITOR,
    CLERK,
    IT,
    OFFICE,
    OTHER,
    SUPERVISOR,
    WINDOW,
    open_pages,
    window_query,
)

from hub.store import bindings, certificates
from hub.store.certificates import Held

DAY_MS = 86_400_000


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def paired(hall, window=WINDOW, device="kiosk-01"):
    hall.writer.call(lambda db: bindings.pair(db, window, device, by="console", now=hall.now))


def secret(page):
    return re.search(r'class="secret[^"]*">([^<]*)<', page.text)[1]


def seats(hall):
    hall.quiet()
    return {window: seat.staff.name for window, seat in bindings.seats(hall.reader).items()}


# ---------------------------------------------------------------- supervisor and office


def test_a_supervisor_sees_all_windows_and_pauses_one(hall):
    """With the reason that citizens read; without one it is not paused."""
    paired(hall)
    hall.signed_in(CLERK).post("/my-window/sign-on", {"window": WINDOW})
    boss = hall.signed_in(SUPERVISOR)
    page = boss.get("/windows").words
    assert "2 个窗口 1 个有人签到 1 台评价器在线 0 个暂停" in page
    assert "可以评价" in page
    assert boss.post("/window/pause", {"window": WINDOW, "reason": "  "}).status == 422
    assert boss.post("/window/pause", {"window": WINDOW, "reason": "示例原因"}).status == 303
    assert "已暂停：示例原因" in boss.get("/windows").words
    assert "已暂停：示例原因" in hall.signed_in(CLERK).get("/my-window").words
    assert boss.post("/window/resume", {"window": WINDOW}).status == 303
    assert "已暂停" not in boss.get("/windows").words
    assert "解除评价器" not in boss.get(window_query()).words
    assert [act.actor for act in hall.trail("pause", "resume")] == [f"user:{SUPERVISOR}"] * 2


def test_the_history_of_a_window_says_who_was_there_and_where_it_stands_in_the_ledger(hall):
    """Newest first, with who did it."""
    paired(hall)
    clerk = hall.signed_in(CLERK)
    clerk.post("/my-window/sign-on", {"window": WINDOW})
    clerk.post("/my-window/sign-on", {"window": OTHER})
    page = hall.signed_in(SUPERVISOR).get(window_query()).words
    rows = page[page.index("历史") :]
    assert "签退 （到别的窗口签到） 示例甲 工号 0317 账号 jia 3" in rows
    assert "签到 示例甲 工号 0317 账号 jia 2" in rows
    assert "配对 kiosk-01 服务器命令行 1" in rows


def test_the_office_moves_and_unpairs_kiosks(hall):
    """Only to a window without one."""
    paired(hall)
    office = hall.signed_in(OFFICE)
    assert f"<option>{OTHER}</option>" in office.get(window_query()).text
    assert office.post("/window/move", {"window": WINDOW, "to": OTHER}).status == 303
    hall.quiet()
    assert bindings.pairings(hall.reader) == {OTHER: "kiosk-01"}
    assert office.post("/window/move", {"window": WINDOW, "to": OTHER}).status == 409
    assert office.post("/window/unpair", {"window": OTHER}).status == 303
    hall.quiet()
    assert bindings.pairings(hall.reader) == {}
    assert [act.action for act in hall.trail("pair", "unpair")] == ["pair", "unpair"]


def test_a_window_that_is_not_there_is_a_page_with_a_way_back(hall):
    """404, and the list of windows one click away."""
    page = hall.signed_in(SUPERVISOR).get("/window?name=nope")
    assert page.status == 404
    assert 'href="/windows"' in page.text


# ---------------------------------------------------------------- IT


def test_it_sees_its_kiosks_with_window_certificate_and_renewal(hall):
    """Online by what was just heard; the end of the certificate; who waits for the desk."""
    paired(hall)
    held = Held(
        device="kiosk-02", pem="x", not_before=0, not_after=hall.now + 5 * DAY_MS, seen_at=hall.now
    )
    hall.site.roster._held["kiosk-02"] = held
    hall.site.roster._keys["kiosk-02"] = hall.site.roster["kiosk-01"]
    hall.writer.call(lambda db: certificates.ask(db, "kiosk-02", "request", hall.now))
    page = hall.signed_in(IT).get("/kiosks").words
    assert "2 台已登记 1 台在线 1 台等待续期" in page
    assert f"kiosk-01 在线 {WINDOW} 配置文件中的公钥" in page
    assert "kiosk-02 离线 未配对 2026-09-26 2026-09-21 22:13 申请，等待入网台签发" in page


def test_it_adds_a_clerk_who_can_begin(hall):
    """The password is shown once; whoever signs in with it has to choose their own."""
    it = hall.signed_in(IT)
    given = {
        "name": "Bing",
        "role": ["window"],
        "staff_name": "示例丙",
        "number": "0400",
        "post": "综合受理",
    }
    page = it.post("/accounts/new", given)
    password = secret(page)
    assert password not in it.get("/accounts/bing").text
    clerk = hall.browser()
    assert clerk.sign_in("bing", password).status == 303
    assert clerk.get("/").to == "/password"
    (told,) = [act for act in hall.trail("add_user") if act.actor == f"user:{IT}"]
    assert told.target == "user:bing"
    assert told.detail["roles"] == "window"
    assert password not in str(hall.trail())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "示例"}, "小写字母、数字"),
        ({"name": "x"}, "小写字母、数字"),
        ({"name": CLERK}, "已有名为"),
        ({"role": []}, "请至少选择一个角色"),
        ({"role": ["root"]}, "请至少选择一个角色"),
        ({"number": "0317"}, "已登记为示例甲"),
        ({"staff_name": ""}, "不能为空"),
        ({"staff_name": "x" * 41}, "最多 40 个字符"),
    ],
)
def test_an_account_that_is_not_taken_keeps_what_was_filled_in(hall, change, says):
    """The page says what is wrong; nothing is added."""
    given = {"name": "bing", "role": ["window"], "staff_name": "示例丙", "number": "0400"} | change
    page = hall.signed_in(IT).post("/accounts/new", given)
    assert 400 <= page.status < 500
    assert says in page.words
    assert page.field("number") == given["number"]
    assert ("checked" in page.text) == (given["role"] == ["window"])
    assert "Traceback" not in page.text
    assert len(hall.trail("add_user")) == 6


def test_a_disabled_clerk_is_out_and_off_their_window(hall):
    """Kiosk and window system see nobody there; enabled again they sign in as before."""
    paired(hall)
    clerk, it = hall.signed_in(CLERK), hall.signed_in(IT)
    clerk.post("/my-window/sign-on", {"window": WINDOW})
    hall.changed.clear()
    it.post(f"/accounts/{CLERK}/disable")
    assert seats(hall) == {}
    assert hall.changed == ["kiosk-01"]
    assert hall.browser().sign_in(CLERK).status == 401
    it.post(f"/accounts/{CLERK}/enable")
    assert hall.browser().sign_in(CLERK).status == 303


def test_a_clerk_whose_card_is_changed_is_signed_off_as_the_one_before(hall):
    """Nobody sits at a window under a name that is no account's any more."""
    hall.signed_in(CLERK).post("/my-window/sign-on", {"window": WINDOW})
    it = hall.signed_in(IT)
    it.post(f"/accounts/{CLERK}/staff", {"staff_name": "示例甲", "number": "0999"})
    assert seats(hall) == {}


def test_nobody_shuts_themselves_out(hall):
    """The last administrator cannot disable themselves or give up the role."""
    it = hall.signed_in(IT)
    assert it.post(f"/accounts/{IT}/disable").status == 409
    assert it.post(f"/accounts/{IT}/roles", {"role": ["window"]}).status == 422
    assert it.get("/accounts").status == 200
    assert it.get("/accounts/nobody").status == 404


def test_a_key_is_shown_once_works_within_its_scope_and_is_revoked(hall):
    """Made, used, revoked; the list never shows it again."""
    it = hall.signed_in(IT)
    page = it.post("/keys", {"label": "示例系统", "scope": ["windows"], "days": "30"})
    key = secret(page)
    assert hall.api("GET", "/api/v1/windows", key).status == 200
    assert hall.api("GET", "/api/v1/renewals", key).status == 403
    listed = it.get("/keys")
    assert "示例系统" in listed.words
    assert key not in listed.text
    name = key.split("_")[1]
    assert it.post("/keys/revoke", {"id": name}).status == 303
    assert hall.api("GET", "/api/v1/windows", key).status == 401
    assert it.post("/keys/revoke", {"id": name}).status == 404
    told = hall.trail("add_key", "revoke_key")
    assert [(act.actor, act.target) for act in told] == [(f"user:{IT}", name)] * 2
    assert key.split("_", 2)[2] not in str(told)


@pytest.mark.parametrize(
    "given",
    [
        {"label": "", "scope": ["windows"], "days": ""},
        {"label": "示例", "scope": [], "days": ""},
        {"label": "示例", "scope": ["accounts", "audit", "sign_on"], "days": ""},
        {"label": "示例", "scope": ["windows"], "days": "0"},
        {"label": "示例", "scope": ["windows"], "days": "一年"},
    ],
)
def test_a_key_that_is_not_fit_is_not_made(hall, given):
    """Without a name, without scopes, with those of people, or without an end that is one."""
    page = hall.signed_in(IT).post("/keys", given)
    assert page.status == 422
    assert 'role="alert"' in page.text
    assert hall.trail("add_key") == []


# ---------------------------------------------------------------- the auditor


def test_the_auditor_pages_through_the_trail_and_filters_it(hall):
    """Newest first, 50 a page; by actor; only what was denied."""
    it, auditor = hall.signed_in(IT), hall.signed_in(AUDITOR)
    for number in range(60):
        it.post(f"/accounts/{CLERK}/staff", {"staff_name": "示例甲", "number": f"1{number:03d}"})
    hall.signed_in(CLERK).get("/audit")
    page = auditor.get("/audit")
    assert page.text.count("<tr>") == 51
    older = re.search(r'href="(/audit\?before=\d+)"', page.text)[1]
    page = auditor.get(older)
    assert page.text.count("<tr>") > 15
    assert "没有更早的记录了" in page.words
    assert "最新" in page.words
    page = auditor.get("/audit?denied=1").words
    assert "无权操作 被拒绝 GET /audit" in page
    assert "修改工作人员信息" not in page
    page = auditor.get(f"/audit?actor={CLERK}").words
    assert f"账号 {CLERK} 登录" in page
    assert "修改工作人员信息" not in page
    assert "没有符合条件的记录" in auditor.get("/audit?actor=nobody").words
    for odd in ("before=x", "before=" + "9" * 40, "actor=%00", "before=-1", "actor=" + "x" * 5000):
        assert auditor.get(f"/audit?{odd}").status == 200
