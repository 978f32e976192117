"""Signing in and out at the pages: sessions, forms, and what each role may open."""

import re
from collections import Counter

import pytest
from pages_world import (
    AUDITOR,
    CLERK,
    IT,
    OFFICE,
    PASSWORD,
    SECOND,
    SUPERVISOR,
    WINDOW,
    open_pages,
)

from hub.config import ApiConfig
from hub.store import sessions
from hub.web.pages.guard import cookie

HOUR_MS, MINUTE_MS, DAY_MS = 3_600_000, 60_000, 86_400_000
COOKIE = "pingyi-session"
NEW = "另一个示例口令-雨伞"


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def test_signing_in_leads_to_what_the_role_uses_every_day(hall):
    """A new token each time, kept from scripts and other sites, known to the hub as a hash."""
    tokens = set()
    for name, to in {
        CLERK: "/my-window",
        SUPERVISOR: "/windows",
        OFFICE: "/windows",
        IT: "/kiosks",
        AUDITOR: "/audit",
    }.items():
        browser = hall.browser()
        page = browser.sign_in(name)
        assert (page.status, page.to) == (303, "/")
        assert browser.get("/").to == to
        assert browser.get(to).status == 200
        tokens.add(browser.cookies[COOKIE])
        (line,) = (each for each in page.headers.get_all("Set-Cookie") if COOKIE in each)
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(line.split("; "))
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 43
    kept = b"".join(path.read_bytes() for path in hall.path.parent.glob("hub.db*"))
    assert not any(token.encode() in kept for token in tokens)


def test_somebody_with_several_roles_chooses(hall):
    """The first page is a menu of what they may do."""
    it = hall.signed_in(IT)
    it.post(f"/accounts/{CLERK}/roles", {"role": ["window", "supervisor"]})
    page = hall.signed_in(CLERK).get("/")
    assert page.status == 200
    assert "我的窗口" in page.words
    assert "窗口一览" in page.words
    assert "账号" not in page.words


def test_under_tls_the_cookies_are_bound_to_it(tmp_path):
    """Secure, and with the prefix that keeps another host from setting them (RFC 6265bis)."""
    with open_pages(tmp_path, ApiConfig(address="https://hub.example")) as hall:
        browser = hall.browser()
        page = browser.get("/sign-in")
        (line,) = page.headers.get_all("Set-Cookie")
        assert line.startswith("__Host-pingyi-form=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} <= set(line.split("; "))
        assert "Domain" not in line
    assert cookie("session", "x", secure=True).key == "__Host-pingyi-session"


def test_a_cookie_is_worth_nothing_after_signing_out(hall):
    """Replayed it leads to the sign-in, changes nothing, and stands in the trail."""
    clerk = hall.signed_in(CLERK)
    stolen, csrf = dict(clerk.cookies), clerk.csrf()
    assert clerk.post("/sign-out").to == "/sign-in?why=sign_out"
    assert COOKIE not in clerk.cookies
    thief = hall.browser("127.0.0.66")
    thief.cookies = stolen
    assert thief.get("/my-window").to.startswith("/sign-in")
    page = thief.send("POST", "/my-window/sign-on", {"csrf": csrf, "window": WINDOW})
    assert page.to.startswith("/sign-in")
    assert hall.trail("sign_on") == []
    (told,) = hall.trail("session")
    assert not told.allowed
    assert told.target == f"user:{CLERK}"
    assert told.detail == {"why": "sign_out", "address": "127.0.0.66"}


def test_signing_in_again_ends_the_session_before_and_takes_no_token_from_outside(hall):
    """A token that somebody planted is not taken over (session fixation)."""
    clerk = hall.signed_in(CLERK)
    before = clerk.cookies[COOKIE]
    clerk.sign_in(CLERK)
    assert clerk.cookies[COOKIE] != before
    old = hall.browser()
    old.cookies = {COOKIE: before}
    assert old.get("/").to.startswith("/sign-in")
    planted = hall.browser()
    planted.cookies = {COOKIE: "planted"}
    planted.sign_in(CLERK)
    assert planted.cookies[COOKIE] != "planted"


def test_a_session_ends_when_nobody_clicks_and_at_the_end_of_the_shift(hall):
    """30 minutes after the last click, 12 hours after signing in; the reason is said."""
    clerk, busy = hall.signed_in(CLERK), hall.signed_in(SECOND)
    for _ in range(24):
        hall.now += 29 * MINUTE_MS
        assert busy.get("/my-window").status == 200
        hall.quiet()
    assert clerk.get("/my-window").to == "/sign-in?then=%2Fmy-window&why=idle"
    hall.site.door.tend()
    hall.quiet()  # it is ended by the clock of now, not by that of later on
    page = clerk.get("/sign-in?why=idle")
    assert "长时间没有操作" in page.words
    hall.now += 29 * MINUTE_MS
    assert busy.get("/my-window").to.endswith("why=over")
    hall.site.door.tend()
    ended = Counter(act.detail["why"] for act in hall.trail("sign_out"))
    assert ended == {"idle": 1, "over": 1}


def test_a_clock_that_jumps_ends_sessions_rather_than_keep_them(hall):
    """Put forward: idle. Put back by more than five minutes: ended. By a little: nothing."""
    clerk = hall.signed_in(CLERK)
    hall.now -= 4 * MINUTE_MS
    assert clerk.get("/my-window").status == 200
    hall.now -= DAY_MS
    assert clerk.get("/my-window").to.endswith("why=clock")
    hall.site.door.tend()
    hall.quiet()
    hall.now += 2 * DAY_MS
    assert clerk.get("/my-window").to.startswith("/sign-in")


def test_a_session_survives_a_restart_of_the_hub(tmp_path):
    """Nobody has to sign in again because of it."""
    with open_pages(tmp_path) as hall:
        cookies = hall.signed_in(CLERK).cookies
    with open_pages(tmp_path) as hall:
        clerk = hall.browser()
        clerk.cookies = cookies
        assert clerk.get("/my-window").status == 200


def test_a_given_password_must_be_changed_first(hall):
    """Until then nothing else opens; all other sessions of the user end with it."""
    given = secret(hall.signed_in(IT).post(f"/accounts/{CLERK}/password"))
    clerk, other = hall.browser(), hall.browser()
    assert clerk.sign_in(CLERK).status == 401
    assert clerk.sign_in(CLERK, given).status == 303
    other.sign_in(CLERK, given)
    assert clerk.get("/").to == "/password"
    assert clerk.get("/my-window").to == "/password?then=%2Fmy-window"
    to = clerk.get("/pair?code=123456").to
    assert clerk.get(to).field("then") == "/pair?code=123456"
    assert clerk.post("/my-window/sign-on", {"window": WINDOW}).to == "/password"
    before = clerk.cookies[COOKIE]
    chosen = {"old": given, "new": NEW, "again": NEW, "then": "/pair?code=123456"}
    assert clerk.post("/password", chosen).to == "/pair?code=123456"
    assert clerk.cookies[COOKIE] != before
    assert clerk.get("/my-window").status == 200
    assert other.get("/my-window").to.startswith("/sign-in")
    assert hall.browser().sign_in(CLERK, given).status == 401
    assert hall.browser().sign_in(CLERK, NEW).status == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "says"),
    [
        ("wrong", NEW, NEW, "原口令不对"),
        (PASSWORD, NEW, NEW + "x", "两次输入的新口令不一样"),
        (PASSWORD, "short", "short", "10 至 128 个字符"),
        (PASSWORD, "1234567890", "1234567890", "太容易被猜到"),
        (PASSWORD, PASSWORD, PASSWORD, "与原口令相同"),
        (PASSWORD, f"my name is {CLERK}!", f"my name is {CLERK}!", "不能含有账号名"),
    ],
)
def test_a_password_that_is_not_taken_says_why(hall, old, new, again, says):
    """The old one stays, and so does the session."""
    clerk = hall.signed_in(CLERK)
    page = clerk.post("/password", {"old": old, "new": new, "again": again})
    assert page.status in (401, 422)
    assert says in page.words
    assert clerk.get("/my-window").status == 200
    assert hall.browser().sign_in(CLERK).status == 303


def test_who_holds_a_session_cannot_guess_its_password(hall):
    """Changing the password counts wrong ones as signing in does."""
    clerk = hall.signed_in(CLERK)
    guess = {"old": "guess", "new": NEW, "again": NEW}
    assert [clerk.post("/password", guess).status for _ in range(7)] == [401] * 5 + [429] * 2


@pytest.mark.parametrize(
    "change",
    [
        (f"/accounts/{CLERK}/disable", {}),
        (f"/accounts/{CLERK}/roles", {"role": ["supervisor"]}),
        (f"/accounts/{CLERK}/password", {}),
    ],
)
def test_what_is_changed_of_an_account_ends_its_sessions(hall, change):
    """Disabled, with other roles or another password: the open browser is out at once."""
    clerk = hall.signed_in(CLERK)
    assert hall.signed_in(IT).post(*change).status in (200, 303)
    assert clerk.get("/my-window").to.startswith("/sign-in")


def test_after_signing_in_one_is_where_one_wanted_to_go(hall):
    """Also with the code of the QR; never at another site."""
    clerk = hall.browser()
    to = clerk.get("/pair?code=123456").to
    assert to == "/sign-in?then=%2Fpair%3Fcode%3D123456"
    assert clerk.get(to).field("then") == "/pair?code=123456"
    assert clerk.sign_in(CLERK, then="/pair?code=123456").to == "/pair?code=123456"
    for evil in ("//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil", "x"):
        assert hall.browser().sign_in(CLERK, then=evil).to == "/"


def test_the_trail_tells_of_signing_in_and_out(hall):
    """Who, from where, what; nothing that opens anything."""
    clerk = hall.browser("127.0.0.7")
    clerk.sign_in(CLERK, "wrong")
    clerk.sign_in(CLERK)
    clerk.post("/sign-out")
    told = [
        (act.actor, act.action, act.target, act.allowed, act.detail["address"])
        for act in hall.trail("sign_in", "sign_out")
    ]
    user = f"user:{CLERK}"
    assert told == [
        ("unknown", "sign_in", user, False, "127.0.0.7"),
        (user, "sign_in", user, True, "127.0.0.7"),
        (user, "sign_out", user, True, "127.0.0.7"),
    ]


def test_what_ended_long_ago_is_dropped(hall):
    """Sessions after sixty days; the trail keeps what is to be known."""
    clerk = hall.signed_in(CLERK)
    token = clerk.cookies[COOKIE]
    clerk.post("/sign-out")
    hall.now += 61 * DAY_MS
    hall.site.door.tend()
    hall.quiet()
    assert sessions.get(hall.reader, token) is None
    assert len(hall.trail("sign_in")) == 1


def secret(page):
    return re.search(r'class="secret[^"]*">([^<]*)<', page.text)[1]
