"""The citizen's own page: what it tells at each moment, and what it never tells."""

import base64
import json
import logging
import re
from contextlib import closing

import pytest
from msgspec import structs
from receipts_world import LEDGER, URL, WORDS, open_receiving
from world_hall import VAULT, WINDOW, an_invitation, expired, rated, withdrawn

from hub import config, configfile
from hub.citizens import receipts
from hub.counter.board import Board
from hub.rules import tree
from hub.rules.checkpoint import opened
from hub.rules.days import DAY_MS
from hub.store import keyring, ledger, recovery
from hub.store.database import connect
from hub.store.vault import Vault, load_or_create
from hub.web.receipt import masked
from protocol import catalogue, wire
from protocol.messages import Slot
from protocol.topics import Leaf


@pytest.fixture
def hall(tmp_path):
    with open_receiving(tmp_path) as hall:
        yield hall


def parts(page):
    """What an expert copies from the page: the line, leaf hash, path, root."""
    found = re.findall(r"<pre>(.*?)</pre>", page.text, re.DOTALL)
    line, leaf, path, root = (each.replace("&#34;", '"').strip() for each in found)
    return line.encode(), leaf, path.split(), root


def test_the_page_follows_a_rating_from_the_way_to_the_ledger(hall):
    """On its way, in but newer than any checkpoint, in and proved."""
    invitation = hall.asked()
    token = hall.token(invitation)
    page = hall.get(token)
    assert (page.status, "还在路上" in page.words, "已收到" in page.words.split("下一步")[0]) == (
        200,
        True,
        True,
    )
    assert "第" not in page.words
    hall.checkpoint()
    hall.rate(invitation)
    position = hall.rows("SELECT position FROM ledger WHERE kind = 'rated'")[0][0]
    page = hall.get(token)
    assert "您的评价已收到" in page.words
    assert f"已记入台账第 {position} 条" in page.words
    assert "比最近的签名检查点还新" in page.words
    assert "核对无误" not in page.words
    hall.checkpoint()
    page = hall.get(token)
    assert "已记入，核对无误" in page.words
    assert f"共 {position} 条" in page.words
    for known in ("示例事项", WINDOW, "＊＊＊＊2345", "2026年9月21日"):
        assert known in page.words
    assert "SL00012345" not in page.text


def test_a_stranger_can_check_what_the_page_shows(hall):
    """With the public checkpoint and key alone, among hundreds of other entries."""
    for number in range(150):
        hall.rate(hall.asked(f"SL9{number:06d}"))
    invitation = hall.asked()
    hall.rate(invitation)
    for number in range(3):
        hall.rate(hall.asked(f"SL8{number:06d}"))
    hall.checkpoint()
    line, leaf, path, root = parts(hall.get(hall.token(invitation)))
    said = json.loads(line)
    assert (said["kind"], said["invitation"]) == ("rated", invitation)
    note = hall.send_http("GET", "/ledger/checkpoint").text
    checkpoint = opened(note, LEDGER)
    own = tree.leaf_hash(line)
    assert base64.b64encode(own).decode() == leaf
    assert base64.b64encode(checkpoint.root).decode() == root
    steps = [base64.b64decode(each) for each in path]
    tree.check_inclusion(own, said["position"] - 1, checkpoint.size, steps, checkpoint.root)
    proof = json.loads(hall.send_http("GET", f"/ledger/inclusion/{said['position']}").text)
    assert proof["proof"] == path


def test_no_page_tells_the_level_the_reasons_or_the_words(hall):
    """Five levels, one and the same page but for numbers and hashes."""
    pages = set()
    for level in range(1, 6):
        invitation = hall.asked(f"SL{level}00077")
        code = f"{level}10"
        hall.rate(invitation, level=level, reasons=(code,), comment=WORDS)
        hall.checkpoint()
        page = hall.get(hall.token(invitation))
        for secret in ("满意", WORDS, *(each.text for each in catalogue.load().reasons(level))):
            assert secret not in page.text
        plain = re.sub(r"<pre>.*?</pre>", "", page.text, flags=re.DOTALL)
        pages.add(re.sub(r"[0-9]+", "0", plain))
    assert len(pages) == 1


@pytest.mark.parametrize("end", [expired, withdrawn])
def test_an_invitation_that_ended_without_a_rating_says_so_and_takes_nothing(hall, end):
    invitation = hall.asked()
    hall.send(end(invitation))
    page = hall.get(hall.token(invitation))
    assert page.status == 200
    assert "这次没有评价" in page.words
    assert "<form" not in page.text
    assert hall.add(hall.token(invitation)).status == 409
    assert hall.added() == []


def test_a_rating_that_could_not_count_is_not_called_received(hall):
    """It came too late: the citizen is told that it does not count."""
    invitation = hall.asked()
    hall.rate(invitation, elapsed_ms=10_000_000)
    page = hall.get(hall.token(invitation))
    assert "没有计入" in page.words
    assert "已收到" not in page.words


def test_what_is_typed_outlives_a_look_whether_the_rating_is_in(hall):
    """The page has no script: looking again is a button of the same form."""
    invitation = hall.asked()
    token = hall.token(invitation)
    page = hall.post(token, {"do": "look", "text": f"<b>{WORDS}\r\n第二行"})
    assert page.status == 200
    assert f"&lt;b&gt;{WORDS}\n第二行</textarea>" in page.text
    hall.rate(invitation)
    page = hall.post(token, {"do": "look", "text": WORDS})
    assert "您的评价已收到" in page.words
    assert f"{WORDS}</textarea>" in page.text
    assert hall.added() == []


def test_words_are_shown_once_more_then_entered_once_and_never_shown_again(hall):
    invitation = hall.asked()
    token = hall.token(invitation)
    hall.rate(invitation)
    page = hall.post(token, {"do": "check", "text": f"  {WORDS}\r\n<script>&\"'  "})
    assert page.status == 200
    assert "确认提交" in page.words
    assert "<script>" not in page.text
    text = page.field("text")
    assert text == f"{WORDS}\n<script>&\"'"
    assert hall.added() == []
    back = hall.post(token, {"do": "edit", "text": text})
    assert "下一步" in back.words
    sent = hall.post(token, {"do": "send", "text": text})
    assert (sent.status, sent.headers["Location"]) == (303, token)
    [(of, body)] = hall.added()
    assert of == invitation
    assert json.loads(body)["text"] == text
    page = hall.get(token)
    assert "您补充的话已收到" in page.words
    assert WORDS not in page.text
    assert "<textarea" not in page.text
    assert hall.poked == 1


def test_words_may_be_added_before_the_rating_is_in(hall):
    invitation = hall.asked()
    token = hall.token(invitation)
    assert hall.add(token).status == 303
    page = hall.get(token)
    assert "还在路上" in page.words
    assert "您补充的话已收到" in page.words
    look = hall.post(token, {"do": "look"})
    assert (look.status, "还在路上" in look.words, "已经提交过" in look.words) == (200, True, False)
    hall.rate(invitation)
    assert "您的评价已收到" in hall.post(token, {"do": "look"}).words
    assert hall.rows("SELECT kind FROM deliveries ORDER BY id") == [
        ("service",),
        ("rating",),
        ("addition",),
    ]


@pytest.mark.parametrize(("days", "status"), [(30, 303), (30.01, 409), (-1, 303)])
def test_words_are_taken_for_thirty_days(hall, days, status):
    """Counted from the invitation; a clock that was put back shuts nobody out."""
    invitation = hall.asked()
    hall.rate(invitation)
    hall.now += int(days * DAY_MS)
    token = hall.token(invitation)
    assert ("<textarea" in hall.get(token).text) == (status == 303)
    assert hall.add(token).status == status
    assert len(hall.added()) == (status == 303)


def test_a_ledger_that_does_not_prove_the_rating_is_told_to_citizen_and_log(hall, caplog):
    """Somebody has edited it with its guards down: the page does not call it proved."""
    invitation = hall.asked()
    hall.rate(invitation)
    hall.checkpoint()
    hall.writer.call(lambda db: db.execute("DROP TRIGGER ledger_never_updated"))
    hall.writer.call(
        lambda db: db.execute("UPDATE ledger SET recorded_at = recorded_at + 1 WHERE kind='rated'")
    )
    with caplog.at_level(logging.CRITICAL, logger="hub.citizens.receipts"):
        page = hall.get(hall.token(invitation))
    assert "台账核验没有通过" in page.words
    assert "核对无误" not in page.words
    assert "receipt=unproven" in caplog.text
    assert hall.token(invitation) not in caplog.text


def test_a_checkpoint_of_another_key_proves_nothing(hall):
    invitation = hall.asked()
    hall.rate(invitation)
    hall.checkpoint()
    hall.citizens._by = structs.replace(LEDGER, key=bytes(32))
    assert "台账核验没有通过" in hall.get(hall.token(invitation)).words


def test_an_erased_rating_is_still_received_and_proved(hall):
    """Its words are gone, its place is not."""
    invitation = hall.asked()
    hall.rate(invitation, comment=WORDS)
    position = hall.rows("SELECT position FROM ledger WHERE kind = 'rated'")[0][0]
    hall.writer.call(
        lambda db: ledger.erase(db, VAULT, [position], by="hub", why="保存期满", now=hall.now)
    )
    hall.checkpoint()
    page = hall.get(hall.token(invitation))
    assert "已记入，核对无误" in page.words


def test_the_address_is_in_the_slot_alone(hall):
    """The kiosk gets it beside the invitation; ledger, window system and pages never do."""
    board = Board(
        hall.writer,
        "示例大厅",
        {},
        ("k1",),
        hall.codes,
        now=hall.clock,
        online=lambda _: True,
        publish=hall._publish,
        link_of=receipts.linker(VAULT, f"{URL}/pj"),
    )
    status = hall.invite()
    hall.published.clear()
    board.everything()
    hall.quiet()
    slot = wire.decode(Slot, hall.sent("k1", Leaf.INVITATION)[-1])
    token = hall.token(status.status.id)
    assert slot.link == f"{URL}/pj/r/{token}"
    assert token.encode() not in b"".join(bytes(b) for (b,) in hall.rows("SELECT body FROM ledger"))
    assert token not in str(status)
    hall.send(rated(status.status.id))
    board.everything()
    hall.quiet()
    assert wire.decode(Slot, hall.sent("k1", Leaf.INVITATION)[-1]).link == ""


def test_without_a_public_address_or_without_the_key_there_is_no_link(tmp_path):
    """And the kiosk does all else."""
    path = tmp_path / "citizens.key"
    vault = load_or_create(path)
    name = an_invitation().id
    assert receipts.linker(vault, "")(name) == ""
    assert receipts.linker(vault, URL)(name).startswith(f"{URL}/r/")
    path.unlink()
    assert receipts.linker(vault, URL)(name) == ""


def test_an_address_outlives_changed_keys_and_a_restore(tmp_path):
    """Made of the index key, which stays, and comes back with citizens.key."""
    path = tmp_path / "citizens.key"
    name = an_invitation().id
    before = receipts.token(load_or_create(path), name)
    ring = keyring.read(path)
    keyring.write(path, keyring.with_new(ring, "sm4-gcm", 1))
    copied = tmp_path / "restored.key"
    copied.write_bytes(path.read_bytes())
    copied.chmod(0o600)
    assert receipts.token(load_or_create(copied, needed=True), name) == before
    assert receipts.token(Vault(b"x" * 32), name) != before


def test_an_address_works_again_once_the_kiosk_has_said_what_a_restored_hub_lost(hall):
    """The backup does not know the invitation; the kiosk brings it back with its rating."""
    lost = recovery.sealed(VAULT, "k1", an_invitation("SL00012345"))
    with closing(connect(hall.path)) as db:
        recovery.begin(db, since=hall.now, made_at=hall.now - 1, checkpoint="")
    token = hall.token(lost.id)
    assert hall.get(token).status == 404
    hall.rate(lost.id, asked=lost)
    assert "您的评价已收到" in hall.get(token).words
    assert hall.add(token).status == 303


@pytest.mark.parametrize(
    ("serial", "shown"),
    [
        ("津示例00001", "＊＊＊＊0001"),
        ("ABC12", "＊＊＊＊12"),
        ("A1", "＊＊＊＊1"),
        ("X", "＊＊＊＊"),
    ],
)
def test_a_serial_shows_its_end_and_at_most_half_of_it(serial, shown):
    assert masked(serial) == shown


def configured(folder, *lines):
    path = folder / "hub.toml"
    text = 'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n[public]\n'
    path.write_text(text + "\n".join(lines), encoding="utf-8")
    return configfile.load(path, files=False).public


@pytest.mark.parametrize(
    "url",
    [
        "",
        URL,
        f"{URL}:8443/hall-1/pj",
        "https://[2001:db8::1]",
        "http://127.0.0.1:8750",
        "http://localhost",
    ],
)
def test_a_public_address_makes_links_that_fit_into_a_slot(tmp_path, url):
    public = configured(tmp_path, f'url = "{url}"')
    link = receipts.linker(VAULT, public.url)(an_invitation().id)
    assert link.startswith(f"{url}/r/" if url else "")
    assert wire.decode(Slot, wire.encode(Slot(version=1, link=link))).link == link


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://pj.example.cn", "须以 https:// 开头"),
        (f"{URL}/", "格式不对"),
        ("pj.example.cn", "格式不对"),
        ("ftp://pj.example.cn", "格式不对"),
        (f"{URL}?a=b", "格式不对"),
        (f"{URL}/a/../b/#x", "格式不对"),
        ("https://user:word@pj.example.cn", "格式不对"),
        ("https://评价.example.cn", "格式不对"),
        ("https://:443", "主机名或端口不对"),
        (f"{URL}:99999", "主机名或端口不对"),
        ("https://[::1", "主机名或端口不对"),
        ("https://" + "a" * 120, "最多"),
    ],
)
def test_a_public_address_that_phones_cannot_use_is_told(tmp_path, url, why):
    with pytest.raises(config.ConfigError, match=f"public.url：.*{why}"):
        configured(tmp_path, f'url = "{url}"')


def test_a_plain_public_address_needs_somebodys_word(tmp_path):
    public = configured(tmp_path, 'url = "http://192.0.2.7"', "insecure = true")
    assert public.url == "http://192.0.2.7"
