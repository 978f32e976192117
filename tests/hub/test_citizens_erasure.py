"""Erasing one citizen's data on request: what goes, what stays, and that it is gone."""

import contextlib
from base64 import urlsafe_b64encode

import msgspec
import pytest
from citizens_world import WORDS, Town, erasures, secrets, the_case
from hypothesis import given
from hypothesis import strategies as st
from world_hall import KEYS, rated

from hub.citizens.retention import NotErasable, Result
from hub.rules.access import CONSOLE
from hub.rules.retention import own_part, payload_of, words_of
from hub.store import answers, audit, cases, traces
from protocol import signing


@pytest.fixture
def town(tmp_path):
    with Town(tmp_path) as town:
        yield town


def said(town):
    return [bytes(b).decode() for (b,) in town.rows("SELECT body FROM ledger WHERE kind='erased'")]


def test_an_erased_citizen_is_nowhere_in_the_files(town):
    """Neither plaintext, nor former ciphertext, nor search hash, nor words; all else stays."""
    others = [town.visit(number) for number in range(1, 20)]
    jws = town.visit(50, level=1, reasons=("108",), comment=WORDS)
    town.city_takes_all()
    gone = secrets(town, 50, jws)
    present = [each in town.raw() for each in gone]
    assert present[5:] == [True] * (len(gone) - 6) + [False]  # words: only within the signed bytes
    assert town.erase("SL000050") == Result(citizens=1, words=1, evidence=0)
    raw = town.raw()
    assert [each for each in gone if each in raw] == []
    assert (town.state / "hub.db-wal").stat().st_size == 0
    assert all(jws in raw for jws in others)
    assert town.verified() == []
    assert cases.get(town.reader, town.vault, "SL000050", 1) is None
    assert cases.get(town.reader, town.vault, "SL000007", 1) is not None


def test_the_ledger_says_what_was_erased_and_never_whose(town):
    town.visit(1, comment=WORDS)
    town.visit(2)
    town.city_takes_all()
    position = town.rows("SELECT position FROM ledger WHERE kind = 'rated' ORDER BY 1")[0][0]
    town.erase("SL000001")
    town.erase("SL000002")
    assert erasures(town) == [(position,)]
    first, second = said(town)
    assert f'"positions":[{position}],"by":"console","why":"本人申请：办件人信息 1 件"' in first
    assert '"positions":[]' in second
    assert "SL0000" not in first + second
    last = audit.entries(town.reader, limit=1)[0]
    assert (last.actor, last.action, last.target) == ("console", "erase_citizen", "SL000002/1")


def test_a_rating_without_words_stays_in_the_ledger(town):
    """A level and reasons from the catalogue are no words of the citizen."""
    jws = town.visit(1, level=1, reasons=("108",))
    town.city_takes_all()
    town.erase("SL000001")
    assert erasures(town) == []
    assert town.rows("SELECT body FROM ledger WHERE kind = 'rated'") == [(jws,)]


def test_refused_words_of_the_same_case_go_too(town):
    """In the evidence, and in the entry by which the hub closed the invitation."""
    late = town.case(1)
    jws = town.rate(late, elapsed_ms=10_000_000, comment=WORDS)
    foreign = signing.sign(rated(late, "k2", seq=9, comment=WORDS), KEYS["k2"])
    town.hand_in(foreign, "k2")
    town.hand_in(b"garbage", "k2")
    town.visit(1, comment="再来一次")
    town.city_takes_all()
    assert len(town.evidence()) == 3
    assert town.erase("SL000001") == Result(citizens=1, words=2, evidence=2)
    assert [body for _, _, body in town.evidence()] == [b"garbage"]
    raw = town.raw()
    assert not [each for each in (jws, foreign, own_part(jws)[-40:]) if each in raw]
    assert town.verified() == []
    assert town.counted()["k1", "late"] == 1


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("open", "评价邀请"),
        ("waiting", "等待报送"),
        ("set_aside", "搁置"),
        ("rating lost", "还没有收到"),
        ("unknown", "没有这个办件"),
        ("twice", "已经删除"),
    ],
)
def test_what_the_city_has_not_got_is_never_erased(town, state, why):
    """And the clerk is told what to do."""
    invitation = town.case(1)
    if state == "open":
        town.city_takes_all()
    else:
        town.rate(invitation, comment=WORDS)
    if state == "set_aside":
        town.writer.call(lambda db: answers.set_aside(db, 1, "taskCode", town.now))
    if state in ("rating lost", "twice"):
        town.city_takes_all()
    if state == "rating lost":
        town.writer.call(lambda db: db.execute("DELETE FROM deliveries WHERE kind = 'rating'"))
    if state == "twice":
        town.erase("SL000001")
    before = town.rows("SELECT * FROM citizens"), erasures(town)
    with pytest.raises(NotErasable, match=why):
        town.erase("SL999999" if state == "unknown" else "SL000001")
    assert (town.rows("SELECT * FROM citizens"), erasures(town)) == before
    assert town.rows("SELECT name FROM retention WHERE value = 1") == []


def test_a_case_that_comes_again_can_be_erased_again(town):
    """A window system that repeats an old case makes its citizen known anew."""
    town.visit(1)
    town.city_takes_all()
    town.erase("SL000001")
    town.ask(town.desk.put_case(the_case(1), CONSOLE))
    assert cases.get(town.reader, town.vault, "SL000001", 1) is not None
    assert town.erase("SL000001").citizens == 1


def test_a_rating_that_is_sent_again_after_its_erasure_changes_nothing(town):
    """A kiosk whose receipt was lost repeats the bytes that are no longer here."""
    invitation = town.case(1)
    jws = town.rate(invitation, comment=WORDS)
    town.city_takes_all()
    town.erase("SL000001")
    town.hand_in(jws)
    assert town.account().balanced
    assert town.rows("SELECT count(*) FROM ledger WHERE kind = 'rated'") == [(1,)]
    assert [f for f in town.verified() if f.grave] == []


@given(st.binary(max_size=300))
def test_garbage_says_nothing(body):
    assert words_of(body) == ""
    assert payload_of(body) is None or isinstance(payload_of(body), dict)
    own_part(body)


@given(st.text(max_size=60))
def test_words_are_found_in_signed_bytes(words):
    with contextlib.suppress(ValueError):
        jws = signing.sign(rated("a" * 32), KEYS["k1"])
        assert words_of(jws) == ""
        head, _, tail = jws.split(b".")
        payload = urlsafe_b64encode(msgspec.json.encode({"comment": words})).rstrip(b"=")
        made = b".".join((head, payload, tail))
        assert words_of(made) == words
        assert words_of(msgspec.json.encode({"refused": "late", "jws": made.decode()})) == words
        assert all(part in made for part in traces.needles([own_part(made)[:96]]))
