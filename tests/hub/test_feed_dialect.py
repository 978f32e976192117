"""Between two halls, and on to the city: what the dialect `hub` says, hears and passes on."""

import asyncio
import json
import time
from contextlib import closing

import msgspec
import pytest
from feed_world import SMALL, Story
from upstream_world import KEY, City, now
from upstream_world import Hub as Store
from web_world import open_hall

from hub.citizens import retention
from hub.kiosks.keys import pem_of
from hub.rules.access import Scope
from hub.rules.afterwards import Ruled
from hub.rules.proof import FeedRequest
from hub.rules.retention import Retention
from hub.store import (
    additions,
    api_keys,
    deliveries,
    exchanges,
    feed,
    invitations,
    keys,
    ledger,
    rulings,
)
from hub.store.database import connect
from hub.upstream import quirks
from hub.upstream.access import Access
from hub.upstream.dialects import Accepted, AlreadyExists, DialectError, Refused, dialect_of
from hub.upstream.dialects.hub import Hub
from hub.upstream.dialects.transport import Reply, Transport

PROBLEM = "urn:pingyi:problem:"


def speak(url, key):
    return Hub(url, quirks.load("hub"), Transport(timeout_s=5), key=key)


@pytest.mark.parametrize(
    ("status", "said", "meant"),
    [
        (201, {"answer": "accepted"}, Accepted),
        (200, {"answer": "exists"}, AlreadyExists),
        (422, {"type": PROBLEM + "feed_refused", "detail": "示例原因"}, Refused),
        (422, {"type": PROBLEM + "invalid_fields", "detail": "一处"}, Refused),
        (422, {"detail": "somebody in between"}, None),
        (200, {"answer": "accepted"}, None),
        (201, {"answer": "exists"}, None),
        (200, {"success": True, "code": "ok"}, None),
        (200, [], None),
        (302, {}, None),
        (400, {"type": PROBLEM + "malformed_body"}, None),
        (401, {"type": PROBLEM + "unauthorized"}, None),
        (403, {"type": PROBLEM + "forbidden"}, None),
        (404, {"type": PROBLEM + "unknown_route"}, None),
        (413, {"type": PROBLEM + "body_too_large"}, None),
        (429, {}, None),
        (500, {"answer": "accepted"}, None),
        (503, {"type": PROBLEM + "busy"}, None),
        (507, {"type": PROBLEM + "storage_full"}, None),
    ],
)
def test_only_the_larger_hubs_own_words_decide(status, said, meant):
    """Whatever is not its word about the record leaves the record waiting."""
    answer = speak("http://x", "k")._judge(Reply(status, json.dumps(said).encode()))
    wanted = meant.__name__ if meant else "Unavailable"
    assert type(answer).__name__ == wanted


def test_a_hall_that_cannot_be_let_in_does_not_start(tmp_path):
    """No key, a file that all can read, no TLS, a quirks file that renames: said at once."""

    def make(url="https://x", **options):
        return dialect_of("hub", url, base=tmp_path, now=lambda: 0, **options)

    with pytest.raises(DialectError, match=r"upstream\.access\.feed_key：缺少此项"):
        make(access=Access())
    (tmp_path / "key").write_text("pingyi_00000000_x\n", encoding="ascii")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(DialectError, match="chmod 600"):
        make(access=Access(feed_key="key"))
    (tmp_path / "key").chmod(0o600)
    assert make(access=Access(feed_key="key")).additions
    with pytest.raises(DialectError, match="https"):
        make("http://hall.example", access=Access(feed_key="key"))
    changed = quirks.pattern("hub") + '[fields.rename]\norgcode = "orgCode"\n'
    (tmp_path / "own.toml").write_text(changed, encoding="utf-8")
    with pytest.raises(DialectError, match="照原样报送"):
        make(access=Access(feed_key="key"), quirks="own.toml")
    (tmp_path / "key").write_text("two words\n", encoding="ascii")
    with pytest.raises(DialectError, match="不是接口密钥"):
        make(access=Access(feed_key="key"))


def test_all_that_a_small_hall_has_to_say_is_kept_above(tmp_path):
    """Case, rating, correction, later words, ruling: each accepted, none in doubt, no secret."""
    (tmp_path / "small").mkdir()
    with open_hall(tmp_path) as hall, closing(Store(tmp_path / "small")) as small:
        hall.now = time.time_ns() // 1_000_000
        key = hall.writer.call(
            lambda db: api_keys.create(db, SMALL, frozenset({Scope.FEED}), hall.now)
        )[1]
        pem = pem_of(KEY.public_key())
        small.writer.call(lambda db: keys.remember(db, "k1", pem, hall.now))
        small.case()
        rated = small.rate(level=1, reasons=("108",))

        def tell():
            url = f"http://127.0.0.1:{hall.port}"
            return small.forward_until("", small.nothing_waits, dialect=speak(url, key))

        assert tell() == ["accepted", "accepted"]
        small.case(org_name="示例二局")
        change(small, rated)
        assert set(tell()) == {"accepted"}
        with closing(connect(hall.base / "hub.db")) as db:
            kinds = [fed["kind"] for fed in bodies(db)]
            lines = exchanges.latest(small.reader, 99)
        assert sorted(kinds) == ["addition", "rating", "ruling", "service", "service"]
        assert small.reader.execute("SELECT reason FROM deliveries").fetchall() == [("",)] * 4
        kept = "".join(msgspec.json.encode(line).decode() for line in lines)
        for secret in (key, "示例甲", "ID-JIA", "13000000000"):
            assert secret not in kept


def change(small, rated):
    """A corrected case, later words, and a ruling that the rating is not adopted."""

    def job(db):
        now = time.time_ns() // 1_000_000
        deliveries.again(db, "SL0001", 1, now)
        invitations.close(db, rated.invitation, rated.id, "rated")
        kept = invitations.get(db, rated.invitation)
        additions.enter(db, small.vault, kept, "补充的话", now, incomplete="")
        found = rulings.rating(db, rated.invitation)
        ruled = Ruled(of=found.position, by="user:bangong", reason="示例理由")
        rulings.enter(db, small.vault, found, ruled, now)

    small.writer.call(job)


def bodies(db):
    return [json.loads(each.body) for each in ledger.entries(db) if each.kind == "fed"]


@pytest.fixture
def above(tmp_path):
    """A larger hub's store and its city."""
    with closing(City(tmp_path / "city.jsonl")) as city:
        store = Store(tmp_path)
        store.city = city
        yield store
        store.close()


def take(store, *said):
    """Enter records as the larger hub's door does."""
    for each in said:
        request = msgspec.convert(each, FeedRequest)
        now = time.time_ns() // 1_000_000
        assert store.writer.call(
            lambda db, request=request, now=now: feed.take(db, store.vault, SMALL, request, now)
        )


def test_what_was_fed_goes_to_the_city_in_its_order_and_form(above):
    """The very fields that the small hall would have sent; a rating that was ruled on is void."""
    story = Story(level=1, reasons=("108",))
    take(above, story.service(), story.rating(), story.ruling(), story.addition())
    events = above.forward_until(above.city.url, above.nothing_waits)
    assert set(events) == {"accepted"}
    service, *rest = above.city.records()
    assert service == story.service()["record"]
    assert rest[0] == story.record
    assert [(each["assessNumber"], each["EffectivEvalua"]) for each in rest] == [
        ("1", "1"),
        ("1", "0"),
        ("2", "0"),
    ]


def test_own_cases_and_those_of_others_go_side_by_side(above):
    """One queue, one city; what is counted of each is right."""
    above.case("OWN1")
    above.rate("OWN1")
    story = Story()
    take(above, story.service(), story.rating())
    above.forward_until(above.city.url, above.nothing_waits)
    kinds = [(serial, kind) for serial, _, kind in above.city.kept()]
    assert sorted(kinds) == sorted(
        (serial, kind) for serial in ("OWN1", "SL0001") for kind in ("service", "rating")
    )


def test_a_case_that_the_city_refuses_is_mended_by_the_small_hall(above):
    """Set aside with its rating; the corrected case takes the rating along, in the new words."""
    story = Story()
    wrong = story.service(orgName="")
    take(above, wrong, story.rating())
    above.forward_until(above.city.url, above.nothing_waits)
    assert above.row("SL0001", "service")[0] == "set_aside"
    assert above.row("SL0001", "rating")[0] == "set_aside"
    take(above, story.service(orgName="示例二局"))
    above.forward_until(above.city.url, above.nothing_waits)
    assert [each["orgName"] for each in above.city.records()] == ["示例二局"] * 2


def test_what_was_altered_on_the_disk_goes_to_nobody(above):
    """A row beside the ledger that says something else than what came: set aside, named."""
    story = Story()
    take(above, story.service())
    above.writer.call(
        lambda db: db.execute("UPDATE fed SET record = replace(record, '示例局', '别的局')")
    )
    above.forward_until(above.city.url, above.nothing_waits)
    assert above.row("SL0001", "service")[0] == "set_aside"
    assert "疑被改动" in above.row("SL0001", "service")[1]
    assert above.city.records() == []


def test_a_third_hall_above_gets_the_same_proof(above, tmp_path):
    """What came from below is passed on with the first kiosk's signature, not with our word."""
    story = Story()
    take(above, story.service(), story.rating())
    (tmp_path / "top").mkdir()
    with open_hall(tmp_path / "top") as top:
        key = top.writer.call(
            lambda db: api_keys.create(db, "示例中厅", frozenset({Scope.FEED}), top.now)
        )[1]
        url = f"http://127.0.0.1:{top.port}"
        above.forward_until("", above.nothing_waits, dialect=speak(url, key))
        with closing(connect(top.base / "hub.db")) as db:
            assert bodies(db)[1]["jws"] == story.jws


def test_a_rating_without_its_signature_is_never_sent():
    """Where no proof is left, nobody is asked to believe us."""
    dialect = speak("http://127.0.0.1:1", "k")
    answer = asyncio.run(dialect.send("rating", Story().record))
    assert isinstance(answer, Refused)
    assert "签名" in answer.reason


def test_terms_of_retention_leave_no_trace_of_what_was_fed(above, tmp_path):
    """Citizen and words are gone from the file; a ruling that comes later is told as untold."""
    words, later = "一句很长很长的示例的话，用来查找", "手机上补充的另一句很长的示例的话"
    story = Story(level=1, comment=words)
    take(above, story.service(), story.rating(), story.addition(later))
    above.forward_until(above.city.url, above.nothing_waits)
    assert above.counts().set_aside == 0
    assert any(later.encode() in path.read_bytes() for path in tmp_path.glob("hub.db*"))
    terms, then = Retention(citizens_days=1, comments_days=1), now() + 2 * 86_400_000
    done = retention.run(tmp_path, above.vault, terms, then, sure=True)
    assert (done.citizens, done.words, done.traces) == (1, 2, 0)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
    for secret in (words, later, story.jws.rpartition(".")[2]):
        assert secret.encode() not in kept
    take(above, story.ruling())
    above.forward_until(above.city.url, above.nothing_waits)
    state, reason, _ = above.row("SL0001", "ruling")
    assert state == "accepted"
    assert "已按规定删除" in reason
