"""Photographs of clerks at the pages: given, seen, replaced, taken away, and by whom."""

import io
import secrets

import pytest
from pages_world import CLERK, IT, SECOND, STAFF, SUPERVISOR, WINDOW, open_pages
from PIL import Image

from hub.counter.picture import SIZE, UPLOAD_LIMIT
from hub.store import bindings, portraits
from hub.web.pages import forms

RED, BLUE = (255, 0, 0), (0, 0, 255)
ACCOUNT, MINE = f"/accounts/{CLERK}", "/my-window"
MULTIPART = "multipart/form-data; boundary="


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def photograph(colour=RED, form="JPEG", size=(600, 800)):
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form)
    return out.getvalue()


def parts(*given):
    """A form with files as browsers send it, and the boundary between its parts."""
    boundary = secrets.token_hex(12)
    body = b""
    for name, filename, content in given:
        said = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        body += f"--{boundary}\r\nContent-Disposition: {said}\r\n".encode()
        body += b"Content-Type: image/jpeg\r\n" if filename else b""
        body += b"\r\n" + content + b"\r\n"
    return boundary, body + f"--{boundary}--\r\n".encode()


def send(browser, where, picture, *, token=None, **headers):
    """Send a photograph as our own page would."""
    token = browser.csrf() if token is None else token
    boundary, body = parts(("csrf", "", token.encode()), ("portrait", "示例.jpg", picture))
    return browser.send(
        "POST", f"{where}/portrait", body, **({"Content_Type": MULTIPART + boundary} | headers)
    )


def seen(browser, where):
    """The photograph as the browser gets it, None if there is none."""
    browser.connection.request(
        "GET",
        f"{where}/portrait",
        headers={"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())},
    )
    answer = browser.connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        return None
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "no-store"
    with Image.open(io.BytesIO(data)) as found:
        assert (found.format, found.size) == ("JPEG", SIZE)
        red, _, blue = found.getpixel((100, 100))
    return RED if red > blue else BLUE


@pytest.mark.parametrize(("name", "where"), [(IT, ACCOUNT), (CLERK, MINE)])
def test_a_photograph_is_given_seen_replaced_and_taken_away(hall, name, where):
    """By the administrator on the account's page, by the clerk on their own; the trail tells."""
    browser = hall.signed_in(name)
    assert "还没有照片" in browser.get(where).words
    assert seen(browser, where) is None
    page = send(browser, where, photograph())
    assert (page.status, page.to) == (303, f"{where}?done=portrait")
    page = browser.get(page.to)
    assert "照片已保存" in page.words
    assert f'<img src="{where}/portrait"' in page.text
    assert seen(browser, where) == RED
    assert send(browser, where, photograph(BLUE, "PNG")).status == 303
    assert seen(browser, where) == BLUE
    page = browser.post(f"{where}/portrait/remove")
    assert "照片已删除" in browser.get(page.to).words
    assert seen(browser, where) is None
    assert browser.post(f"{where}/portrait/remove").status == 303
    told = hall.trail("add_portrait", "remove_portrait")
    assert [act.action for act in told] == ["add_portrait"] * 2 + ["remove_portrait"]
    assert {(act.actor, act.target) for act in told} == {(f"user:{name}", f"user:{CLERK}")}
    assert told[0].detail == {
        "address": "127.0.0.1",
        "name": STAFF[CLERK].name,
        "number": STAFF[CLERK].number,
    }


def test_the_trail_says_it_in_chinese(hall):
    """No word of the code is left in what an auditor reads."""
    send(hall.signed_in(IT), ACCOUNT, photograph())
    hall.signed_in(IT).post(ACCOUNT + "/portrait/remove")
    page = hall.signed_in("shenji").get("/audit").words
    assert "上传工作人员照片" in page
    assert "删除工作人员照片" in page


def test_the_kiosk_where_the_clerk_sits_is_told(hall):
    """And no other."""
    hall.writer.call(lambda db: bindings.pair(db, WINDOW, "kiosk-01", by="console", now=hall.now))
    clerk, other = hall.signed_in(CLERK), hall.signed_in(SECOND)
    clerk.post("/my-window/sign-on", {"window": WINDOW})
    hall.quiet()
    hall.changed.clear()
    send(other, MINE, photograph())
    hall.quiet()
    assert hall.changed == []
    send(clerk, MINE, photograph())
    clerk.post(MINE + "/portrait/remove")
    hall.quiet()
    assert hall.changed == ["kiosk-01", "kiosk-01"]


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"", 422, "请先选择文件"),
        (b"GIF89a", 422, "请另选一张 JPG 或 PNG"),
        (photograph(size=(100, 100)), 422, "照片太小"),
        (photograph(form="WEBP"), 422, "打不开"),
        (b"\xff\xd8" + bytes(UPLOAD_LIMIT), 413, "文件超过 20 MB：请把照片缩小"),
        (b"\xff\xd8" + bytes(2 * UPLOAD_LIMIT), 413, "文件太大，一次最多 20 MB：请缩小"),
    ],
    ids=["nothing", "gif", "small", "webp", "large", "larger"],
)
def test_what_is_no_photograph_is_answered_with_what_to_do(hall, data, status, said):
    """A page with a way back; the photograph that was there stays."""
    it = hall.signed_in(IT)
    send(it, ACCOUNT, photograph(BLUE))
    page = send(it, ACCOUNT, data)
    assert page.status == status
    assert said in page.words
    assert f'href="{ACCOUNT}"' in page.text
    assert seen(it, ACCOUNT) == BLUE


def test_no_file_chosen(hall):
    """As browsers send an empty file field, and as a form without the field."""
    clerk = hall.signed_in(CLERK)
    assert "请先选择文件" in clerk.post(MINE + "/portrait").words
    boundary = "b" * 16
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{clerk.csrf()}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="portrait"; filename=""\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n\r\n--{boundary}--\r\n"
    )
    page = clerk.send("POST", MINE + "/portrait", body, Content_Type=MULTIPART + boundary)
    assert page.status == 422
    assert "请先选择文件" in page.words


def test_a_photograph_needs_a_clerk(hall):
    """An account that citizens do not see has no face; one that is not there is 404."""
    it = hall.signed_in(IT)
    page = send(it, f"/accounts/{SUPERVISOR}", photograph())
    assert page.status == 409
    assert "请先补充" in page.words
    assert "照片" not in it.get(f"/accounts/{SUPERVISOR}").words
    assert send(it, "/accounts/nobody", photograph()).status == 404
    assert it.post("/accounts/nobody/portrait/remove").status == 404


def test_a_photograph_of_who_the_account_was_is_pointed_out(hall):
    """Another number is another clerk: shown to nobody, until somebody sees to it."""
    it = hall.signed_in(IT)
    send(it, ACCOUNT, photograph())
    it.post(ACCOUNT + "/staff", {"staff_name": "示例甲", "number": "0400", "post": ""})
    for browser, where in ((it, ACCOUNT), (hall.signed_in(CLERK), MINE)):
        assert "与现在登记的姓名或工号不同，评价器不显示" in browser.get(where).words
    it.post(ACCOUNT + "/staff", {"staff_name": "", "number": "", "post": ""})
    assert "删除照片" in it.get(ACCOUNT).words
    assert "换一张" not in it.get(ACCOUNT).words
    assert it.post(ACCOUNT + "/portrait/remove").status == 303
    hall.quiet()
    assert portraits.of_user(hall.reader, CLERK) is None


# ---------------------------------------------------------------- who may, and from where


def test_only_the_own_photograph_and_only_from_our_page(hall):
    """A clerk reaches nobody else's; forms of others and other forms change nothing."""
    clerk, second = hall.signed_in(CLERK), hall.signed_in(SECOND)
    assert send(clerk, f"/accounts/{SECOND}", photograph()).status == 415  # not even read
    assert clerk.get(f"/accounts/{SECOND}/portrait").status == 403
    assert clerk.post(f"/accounts/{SECOND}/portrait").status == 403
    for token in ("", "x", second.csrf()):
        assert send(clerk, MINE, photograph(), token=token).status == 403
    assert send(clerk, MINE, photograph(), Origin="https://evil.example").status == 403
    assert hall.trail("add_portrait") == []
    stranger = hall.browser()
    assert send(stranger, MINE, photograph(), token="x").to.startswith("/sign-in")


def test_other_forms_take_no_files(hall):
    """What is not made for files is refused as before."""
    it = hall.signed_in(IT)
    boundary, body = parts(("csrf", "", it.csrf().encode()), ("staff_name", "", b"x"))
    page = it.send("POST", ACCOUNT + "/staff", body, Content_Type=MULTIPART + boundary)
    assert page.status == 415


FIELD = b'--xx\r\nContent-Disposition: form-data; name="csrf"'
END = b"\r\n--xx--\r\n"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MULTIPART + "xx", b"nothing of the kind"),
        (MULTIPART + "xx", FIELD + b"\r\n"),
        (MULTIPART + "xx", b""),
        (MULTIPART + "xx", FIELD + b"\r\nContent-Type: text/plain; charset=nope\r\n\r\nx" + END),
        (MULTIPART + "xx", FIELD + b"\r\n\r\n\xff\xfe" + END),
        (MULTIPART + "xx", (FIELD + b"\r\n\r\nx\r\n") * 2_000 + b"--xx--\r\n"),
        (MULTIPART + "xx", FIELD + b'; filename="a"\r\n\r\nx' + END),
        ("multipart/form-data", FIELD + b"\r\n\r\nx" + END),
    ],
    ids=["text", "half", "empty", "charset", "not-utf8", "many", "token-in-a-file", "no-boundary"],
)
def test_garbage_for_a_form_with_files_is_refused(hall, kind, body):
    """4xx and a page, never a fault of the hub."""
    page = hall.signed_in(CLERK).send("POST", MINE + "/portrait", body, Content_Type=kind)
    assert 400 <= page.status < 500
    assert "返回" in page.words


# Litestar leaves what has come of a file to the collector, which closes it and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_browser_that_gives_up_in_the_middle_harms_nobody(hall):
    """Nothing is kept, and the next photograph is taken."""
    clerk = hall.signed_in(CLERK)
    boundary, body = parts(("csrf", "", clerk.csrf().encode()), ("portrait", "a.jpg", photograph()))
    connection = clerk.connection
    connection.putrequest("POST", MINE + "/portrait")
    for name, value in (
        ("Cookie", "; ".join(f"{k}={v}" for k, v in clerk.cookies.items())),
        ("Origin", clerk.origin),
        ("Content-Type", MULTIPART + boundary),
        ("Content-Length", str(len(body))),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body[: len(body) // 2])
    connection.close()
    assert send(clerk, MINE, photograph(BLUE)).status == 303
    assert [act.action for act in hall.trail("add_portrait")] == ["add_portrait"]
    assert seen(clerk, MINE) == BLUE


def test_a_form_far_too_large_is_not_even_read(hall):
    """Beyond the hub's patience it hangs up; what was there stays."""
    clerk = hall.signed_in(CLERK)
    size = forms.patience(UPLOAD_LIMIT) * 2
    page = clerk.send(
        "POST",
        MINE + "/portrait",
        b"",
        Content_Type=MULTIPART + "xx",
        Content_Length=str(size),
    )
    assert page.status == 413
    assert "请缩小" in page.words
    clerk.connection.close()  # the hub still waits there for what was announced
    assert seen(clerk, MINE) is None
