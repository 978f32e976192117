"""Who is let in to the pages: forms of our own, and what each role may open."""

import re

import pytest
from pages_world import (
    CLERK,
    IT,
    PASSWORD,
    ROLES,
    SECOND,
    WINDOW,
    open_pages,
    window_query,
)

from hub.rules.access import ROLES as SCOPES

COOKIE = "pingyi-session"


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def routes(hall, method):
    """The pages behind the sign-in: path and the scope that each takes."""
    return {
        route.path.replace("{name:str}", CLERK): handler.opt.get("scope")
        for route in hall.app.routes
        if not route.path.startswith(("/api/", "/healthz", "/readyz"))
        for of, (handler, _) in getattr(route, "route_handler_map", {}).items()
        if of == method and route.path not in ("/sign-in", "/style.css", "/icon.svg")
    }


# ---------------------------------------------------------------- forms of others


def test_a_form_of_another_site_changes_nothing(hall):
    """Without the token, with that of somebody else, or from elsewhere: 403, in the trail."""
    clerk, other = hall.signed_in(CLERK), hall.signed_in(SECOND)
    paths = routes(hall, "POST")
    assert len(paths) > 15
    for path in paths:
        for token in ("", "x", other.csrf()):
            assert clerk.send("POST", path, {"csrf": token}).status == 403, path
        for odd in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "", "Referer": "https://evil.example/x"},
            {"Origin": ""},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert clerk.post(path, **odd).status == 403, (path, odd)
        bare = clerk.post(path, Content_Type="text/plain")
        assert bare.status == 415, path
    assert hall.trail("sign_on", "sign_out", "change_password") == []
    assert {act.detail["why"] for act in hall.trail("forbidden")} == {"csrf"}


def test_nobody_is_signed_in_by_a_form_of_another_site(hall):
    """The sign-in has a token of its own, of this browser (login CSRF)."""
    victim = hall.browser()
    given = {"name": CLERK, "password": PASSWORD}
    assert victim.send("POST", "/sign-in", given | {"csrf": "x"}).status == 403
    token = victim.cookies["pingyi-form"]
    stranger = hall.browser()
    assert stranger.send("POST", "/sign-in", given | {"csrf": token}).status == 403
    odd = {"Origin": "https://evil.example"}
    assert victim.send("POST", "/sign-in", given | {"csrf": token}, **odd).status == 403
    assert COOKIE not in victim.cookies
    assert hall.looked_at == []
    assert victim.send("POST", "/sign-in", given | {"csrf": token}).status == 303


def test_a_browser_that_says_where_its_form_stood_is_believed(hall):
    """Fetch metadata, Origin, or Referer where there is neither."""
    clerk = hall.signed_in(CLERK)
    here = f"http://127.0.0.1:{hall.port}"
    for said in (
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": here},
        {"Origin": "", "Referer": here + "/my-window"},
    ):
        assert clerk.post("/my-window/sign-on", {"window": WINDOW}, **said).status == 303


def test_garbage_in_a_form_is_refused(hall):
    """Not a fault of the hub: 4xx and a page that says so."""
    clerk = hall.signed_in(CLERK)
    for body in ("%ff%fe", "a=%GG&csrf=", "&".join(["x=1"] * 300), "csrf=" + "y" * 70_000, "\x00"):
        page = clerk.send("POST", "/my-window/sign-on", body)
        assert 400 <= page.status < 500
        assert "返回" in page.words


# ---------------------------------------------------------------- what goes with every page


def test_every_answer_tells_the_browser_to_load_nothing_from_elsewhere(hall):
    """Also errors and the interface: no script, no frame, no guessing, no cache."""
    clerk = hall.signed_in(CLERK)
    for path in ("/my-window", "/windows", "/nope", "/sign-in", "/style.css", "/api/v1/windows"):
        headers = clerk.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        if path != "/style.css":
            assert headers["Cache-Control"] == "no-store"


def test_no_page_holds_script_style_or_anything_from_elsewhere(hall):
    """The policy would forbid it; the pages do not even try."""
    for name in ROLES:
        browser = hall.signed_in(name)
        for path in routes(hall, "GET"):
            text = browser.get(path if path != "/window" else window_query()).text
            assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", text), path


def test_what_people_typed_is_shown_as_text(hall):
    """A name with markup in it is not markup."""
    it = hall.signed_in(IT)
    evil = "<b>甲</b>"
    page = it.post(f"/accounts/{CLERK}/staff", {"staff_name": evil, "number": "1", "post": ""})
    assert page.status == 303
    text = it.get(f"/accounts/{CLERK}").text
    assert evil not in text
    assert "&lt;b&gt;" in text
    assert "<i>" not in hall.browser().sign_in("<i>x", "y").text


# ---------------------------------------------------------------- roles


def test_each_role_opens_its_own_pages_and_no_others(hall):
    """Every page and every change, by the table of roles; a denial is in the trail."""
    for name, role in ROLES.items():
        browser = hall.signed_in(name)
        for method in ("GET", "POST"):
            for path, scope in routes(hall, method).items():
                if path in ("/sign-out", "/password"):
                    continue
                at = window_query() if path == "/window" else path
                page = browser.get(at) if method == "GET" else browser.post(at)
                allowed = scope is None or scope in SCOPES[role]
                assert (page.status != 403) == allowed, (name, method, path)
                if not allowed:
                    assert "您的账号没有这项权限" in page.words
                    assert "返回" in page.words
    denied = hall.trail("forbidden")
    assert {act.actor for act in denied} == {f"user:{name}" for name in ROLES}
    assert all(act.detail["address"] == "127.0.0.1" for act in denied)


def test_a_clerk_calls_nothing_of_supervisor_office_or_it(hall):
    """By name, so that a slip in the table of roles is seen too."""
    clerk = hall.signed_in(CLERK)
    for path in ("/windows", window_query(), "/kiosks", "/accounts", "/keys", "/audit"):
        assert clerk.get(path).status == 403
    for path in (
        "/window/pause",
        "/window/unpair",
        "/window/move",
        "/accounts/new",
        f"/accounts/{CLERK}/roles",
        f"/accounts/{IT}/password",
        f"/accounts/{IT}/disable",
        "/keys",
        "/keys/revoke",
    ):
        assert clerk.post(path, {"window": WINDOW, "role": "it", "name": "x1"}).status == 403
    page = clerk.get("/my-window").words
    assert not any(word in page for word in ("窗口一览", "账号", "操作记录", "接口密钥"))


def test_nobody_without_a_session_sees_any_page(hall):
    """All lead to the sign-in."""
    for method in ("GET", "POST"):
        for path in routes(hall, method):
            if path.startswith("/ledger/"):  # checkpoints and proofs are for everyone
                continue
            assert hall.browser().send(method, path, "").to.startswith("/sign-in"), path


def test_an_address_that_is_not_there_is_told_as_it_is_asked(hall):
    """People get a page, programs a problem."""
    browser = hall.browser()
    assert "没有这个页面" in browser.get("/nope").words
    answer = browser.get("/nope", Accept="*/*")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
    answer = browser.get("/api/v1/nope")
    assert answer.headers["Content-Type"] == "application/problem+json"
