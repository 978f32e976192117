"""A hall of hundreds: what needs somebody comes first, anything is found, no page is endless."""

import re
from urllib.parse import quote, unquote

import pages_world
import pytest
from pages_world import CLERK, IT, NOW, SECOND, SUPERVISOR, open_pages

from hub.config import WindowConfig
from hub.store import bindings
from hub.web.pages.assembly import assemble
from protocol import signing
from protocol.messages import Staff

MANY = 302
NAMES = [f"{number:03}号窗口" for number in range(1, MANY + 1)]
KIOSKS = [f"kiosk-{number:03}" for number in range(1, MANY + 1)]
SINCE = NOW - 3_600_000


@pytest.fixture
def hall(tmp_path, monkeypatch):
    """302 windows with a kiosk each, but for the last two; 007 and 150 are away, 151 revoked."""
    windows = tuple(
        WindowConfig(name=name, label="社会保险" if number % 100 == 42 else "综合受理")
        for number, name in enumerate(NAMES, 1)
    )
    away = {"kiosk-007": SINCE, "kiosk-150": 0}
    monkeypatch.setattr(pages_world, "WINDOWS", windows)
    key = signing.generate_key().public_key()
    monkeypatch.setattr(pages_world, "KIOSKS", dict.fromkeys(KIOSKS, key))
    told = {"away_since": away.get, "revoked": lambda: {"kiosk-151"}}
    monkeypatch.setattr(
        pages_world, "assemble", lambda *args, **more: assemble(*args, **more | told)
    )
    with open_pages(tmp_path) as hall:
        hall.online = set(KIOSKS) - {"kiosk-007", "kiosk-150", "kiosk-151"}

        def begin(db):
            for window, device in zip(NAMES[:-2], KIOSKS, strict=False):
                bindings.pair(db, window, device, by="console", now=NOW)
            staff = Staff(name="示例丁", number="0900")
            bindings.sign_on(db, NAMES[149], staff, by="console", now=NOW)
            bindings.sign_on(db, NAMES[19], Staff(name="示例戊"), by="console", now=NOW)

        hall.writer.call(begin)
        yield hall


def rows(page):
    """The first cell of each row."""
    return re.findall(r"<tr>\s*<td[^>]*>(?:<a [^>]*>)?<strong>([^<]*)<", page.text)


def ways(page):
    """The filters: name, count and address."""
    found = page.text.split('<nav class="ways"')[1].split("</nav>")[0]
    links = re.findall(r'href="([^"]*)"[^>]*>(\S+) <strong>(\d+)<', found)
    return {name: (int(count), to.replace("&amp;", "&")) for to, name, count in links}


# ---------------------------------------------------------------- kiosks


def test_kiosks_that_need_somebody_stand_first(hall):
    """Where a clerk waits, then where one will, then what is not paired; revoked ones last."""
    it = hall.signed_in(IT)
    page = it.get("/kiosks")
    assert rows(page)[:4] == ["kiosk-150", "kiosk-007", "kiosk-301", "kiosk-302"]
    assert len(rows(page)) == 50
    assert "302 台已登记" in page.words
    assert "kiosk-150 离线，还没有连上过 150号窗口 示例丁 正在签到" in page.words
    assert "kiosk-007 离线，2026-09-21 21:13 起" in page.words
    assert "第 1 至 50 台，共 302 台" in page.words
    assert rows(it.get("/kiosks?page=7"))[-1] == "kiosk-151"


def test_the_filters_count_and_lead_to_what_they_say(hall):
    it = hall.signed_in(IT)
    found = ways(it.get("/kiosks"))
    assert {name: count for name, (count, _) in found.items()} == {
        "全部": 302,
        "离线": 2,
        "未配对": 2,
        "已吊销": 1,
    }
    assert rows(it.get(found["离线"][1])) == ["kiosk-150", "kiosk-007"]
    assert rows(it.get(found["未配对"][1])) == ["kiosk-301", "kiosk-302"]
    assert rows(it.get(found["已吊销"][1])) == ["kiosk-151"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("kiosk-123", ["kiosk-123"]),
        ("ＫＩＯＳＫ－１２３", ["kiosk-123"]),
        ("042号", ["kiosk-042"]),
        ("社会保险", ["kiosk-042", "kiosk-142", "kiosk-242"]),
        ("社会 142", ["kiosk-142"]),
        ("示例丁", ["kiosk-150"]),
        ("0900", ["kiosk-150"]),
        ("没有这一台", []),
        ("%", []),
        ("<script>", []),
    ],
)
def test_a_kiosk_is_found_by_name_window_matter_and_clerk(hall, words, found):
    page = hall.signed_in(IT).get("/kiosks?q=" + quote(words))
    assert rows(page) == found
    assert "<script" not in page.text
    assert ("没有符合条件的" in page.words) is not found


def test_words_and_filter_go_together_and_from_page_to_page(hall):
    it = hall.signed_in(IT)
    found = ways(it.get("/kiosks?q=" + quote("综合受理")))
    assert found["全部"][0] == 297
    assert found["离线"][0] == 2
    page = it.get("/kiosks?q=" + quote("综合受理") + "&page=2")
    [after] = re.findall(r'class="button" href="([^"]*)">下一页', page.text)
    assert unquote(after).replace("&amp;", "&") == "/kiosks?q=综合受理&page=3"
    assert "第 101 至 150 台，共 297 台" in it.get(after.replace("&amp;", "&")).words
    assert 'name="show" value="away"' in it.get("/kiosks?show=away").text


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=99999999999999999999", "show=x", "q=%00%ff"]
)
def test_an_address_that_makes_no_sense_still_shows_a_page(hall, query):
    assert hall.signed_in(IT).get("/kiosks?" + query).status == 200


def test_a_page_behind_the_last_is_the_last(hall):
    assert "第 301 至 302 台" in hall.signed_in(IT).get("/kiosks?page=500").words


# ---------------------------------------------------------------- windows


def test_windows_where_nobody_can_rate_stand_first(hall):
    """A clerk without a kiosk, then what is paused, then kiosks that are away."""
    boss = hall.signed_in(SUPERVISOR)
    boss.post("/window/pause", {"window": NAMES[200], "reason": "示例原因"})
    page = boss.get("/windows")
    assert rows(page)[:4] == ["150号窗口", "201号窗口", "007号窗口", "151号窗口"]
    assert rows(page)[4] == "001号窗口"
    assert len(rows(page)) == 50
    found = ways(page)
    assert {name: count for name, (count, _) in found.items()} == {
        "全部": 302,
        "不能评价": 1,
        "评价器离线": 3,
        "没有评价器": 2,
        "已暂停": 1,
        "无人签到": 300,
    }
    assert rows(boss.get(found["不能评价"][1])) == ["150号窗口"]
    assert rows(boss.get("/windows?q=kiosk-299")) == ["299号窗口"]
    assert rows(boss.get("/windows?q=" + quote("示例戊"))) == ["020号窗口"]


# ---------------------------------------------------------------- my window


def windows_of(page):
    return re.findall(r"<h3>([^<]*)</h3>", page.text)


def test_a_clerk_finds_their_window_among_hundreds(hall):
    """Free ones with a kiosk that answers first; a taken one is found by who sits there."""
    clerk = hall.signed_in(CLERK)
    page = clerk.get("/my-window")
    assert windows_of(page)[0] == "001号窗口"
    assert len(windows_of(page)) == 48
    assert windows_of(clerk.get("/my-window?page=7"))[-2:] == ["020号窗口", "150号窗口"]
    assert windows_of(clerk.get("/my-window?q=" + quote("042"))) == ["042号窗口"]
    assert windows_of(clerk.get("/my-window?q=" + quote("示例戊"))) == ["020号窗口"]
    assert windows_of(clerk.get("/my-window?q=042&show=ready")) == ["042号窗口"]
    clerk.post("/my-window/sign-on", {"window": "042号窗口"})
    assert "042号窗口" not in windows_of(clerk.get("/my-window?q=042"))


def test_the_window_of_a_new_kiosk_is_chosen_from_a_list_that_unfolds(hall):
    """Those that need one first; who may not rebind is offered no window that works."""
    offered = re.findall(r'<option value="([^"]+)"', hall.signed_in(IT).get("/pair").text)
    missing = ["007号窗口", "150号窗口", "151号窗口", "301号窗口", "302号窗口"]
    assert (offered[:5], len(offered)) == (missing, MANY)
    clerk = hall.signed_in(CLERK)
    assert re.findall(r'<option value="([^"]+)"', clerk.get("/pair").text) == missing
    chosen = clerk.get("/pair?window=" + quote("301号窗口")).text
    assert '<option value="301号窗口" selected>' in chosen


# ---------------------------------------------------------------- few


def test_a_small_hall_has_no_field_to_search(tmp_path):
    with open_pages(tmp_path) as hall:
        assert 'type="search"' not in hall.signed_in(SUPERVISOR).get("/windows").text
        assert 'type="search"' not in hall.signed_in(SECOND).get("/my-window").text
        assert 'type="search"' not in hall.signed_in(IT).get("/kiosks").text
