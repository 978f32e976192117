"""What a larger hub takes from smaller halls, what it refuses, and what it keeps of it."""

import json
from contextlib import closing

import msgspec
import pytest
from feed_world import OTHER, SMALL, Story
from web_world import case_path, open_hall
from world_hall import KEYS, a_case, expired, rated

from hub.kiosks.keys import pem_of
from hub.rules.access import Scope
from hub.rules.case import Applicant, Person
from hub.store import answers, api_keys, audit, citizens, deliveries, erasure, fed, ledger
from hub.store.database import connect
from hub.store.vault import Vault
from hub.verification import report, sources
from protocol import signing

VAULT = Vault(b"k" * 32)
PERSON = Applicant(name="示例甲甲甲", certificate_number="ID-JIA-0001", mobile="13000000001")


@pytest.fixture
def hall(tmp_path):
    """A larger hall with an interface key for one smaller hall."""
    with open_hall(tmp_path) as opened:
        opened.small = give(opened, SMALL)
        yield opened


def give(hall, label):
    return hall.writer.call(
        lambda db: api_keys.create(db, label, frozenset({Scope.FEED}), hall.now)
    )[1]


def send(hall, said, key=None):
    return hall.ask("POST", "/api/v1/feed", said, Authorization=f"Bearer {key or hall.small}")


def taken(hall, *said):
    """Status by status what became of records."""
    return [send(hall, each).status for each in said]


def refused(hall, said, key=None):
    """Why a record was refused."""
    answer = send(hall, said, key)
    assert (answer.status, answer.kind) == (422, "feed_refused"), answer.text
    return answer.body["detail"]


def entries(hall):
    with closing(connect(hall.base / "hub.db")) as db:
        return [json.loads(each.body) for each in ledger.entries(db) if each.kind == "fed"]


def rows(hall):
    with closing(connect(hall.base / "hub.db")) as db:
        return db.conn.execute(
            "SELECT kind, state, position FROM deliveries ORDER BY id"
        ).fetchall()


def found(hall):
    """What a verification of the larger hall finds; its interface keys are a test's own."""
    seen = []
    with closing(connect(hall.base / "hub.db")) as db:
        report.verify(sources.live(db, None, VAULT), seen.append)
        report.around(db, seen.append, VAULT)
    return [
        each.text for each in seen if each.what != "gap" and not each.text.startswith("接口密钥")
    ]


def test_each_record_is_kept_once_and_in_its_order(hall):
    """All four kinds: 201, and 200 for ever after; one entry each, on their way to the city."""
    story = Story(level=1, reasons=("108",))
    said = (story.service(), story.rating(), story.ruling(), story.addition())
    for _ in range(2):
        statuses = taken(hall, *said)
        assert statuses == ([201] * 4 if _ == 0 else [200] * 4)
    assert [each["kind"] for each in entries(hall)] == ["service", "rating", "ruling", "addition"]
    assert [row[0] for row in rows(hall)] == ["service", "rating", "ruling", "addition"]
    assert found(hall) == []
    with closing(connect(hall.base / "hub.db")) as db:
        [origin] = fed.origins(db)
    assert (origin.name, origin.came, origin.waiting) == (SMALL, 4, 4)


def test_the_ledger_holds_the_very_bytes_that_the_kiosk_signed(hall):
    """With the key and the place in the small hall's ledger: anyone can check it for themselves."""
    story = Story()
    assert taken(hall, story.service(), story.rating()) == [201, 201]
    kept = entries(hall)[1]
    assert kept["jws"] == story.jws
    assert kept["of"] == 7
    again = signing.verify(kept["jws"].encode(), "k1", KEYS["k1"].public_key())
    assert again == story.rated
    assert kept["key"].encode() == pem_of(KEYS["k1"].public_key())


def test_nothing_of_the_citizen_lies_in_clear(hall):
    """Not in the file, its log or the ledger; the fields are sealed as those of own cases."""
    agent = Person(name="示例乙乙乙", certificate_number="ID-YI-0002")
    case = msgspec.structs.replace(a_case(), applicant=PERSON, agent=agent)
    assert taken(hall, Story(case=case).service()) == [201]
    files = b"".join(path.read_bytes() for path in hall.base.glob("hub.db*"))
    for secret in (PERSON.name, "ID-JIA-0001", "13000000001", agent.name, "ID-YI-0002"):
        assert secret.encode() not in files
    with closing(connect(hall.base / "hub.db")) as db:
        record = fed.service(db, VAULT, "SL0001", 1)
        assert citizens.find(db, VAULT, "ID-YI-0002") == [("SL0001", 1)]
    assert record == Story(case=case).service()["record"]


def forgeries():
    """What a smaller hall, or whoever has its key, could try; why it is refused."""
    story, other = Story(), Story("SL0002")
    head, body, end = story.jws.split(".")
    late = Story(elapsed_ms=61_001)
    silent = Story(level=1)
    unasked = Story()
    unasked.jws = signing.sign(rated(unasked.asked.id), KEYS["k1"]).decode()
    out = signing.sign(expired(story.asked.id, asked=story.asked), KEYS["k1"]).decode()
    stranger = pem_of(signing.generate_key().public_key()).decode()
    pad = story.proof
    return {
        "another level": (story.rating(satisfaction="1"), "satisfaction 与"),
        "reasons": (story.rating(evalDetail="501"), "evalDetail 与"),
        "words": (story.rating(writingEvaluation="示例的话"), "writingEvaluation 与"),
        "the clerk": (story.rating(proManager="示例丁"), "proManager 与"),
        "the matter": (story.rating(taskName="别的事项"), "taskName 与"),
        "not a person": (story.rating(isdefault="1"), "isdefault 与"),
        "not valid": (story.rating(appStatus="3"), "不是有效评价"),
        "another service": (story.rating(proof=other.proof()), "另一个办件"),
        "another number": (Story(number=2).rating(serviceNumber="1"), "另一个办件"),
        "a stranger's key": (story.rating(proof=pad(key=stranger)), "核验不通过"),
        "another kiosk": (story.rating(proof=pad(device="k2")), "核验不通过"),
        "no key": (story.rating(proof=pad(key="示例".encode().hex())), "公钥无法读取"),
        "cut": (story.rating(proof=pad(jws=f"{head}.{body}.{end[:-2]}")), "核验不通过"),
        "no algorithm": (story.rating(proof=pad(jws=f"eyJhbGciOiJub25lIn0.{body}.")), "核验不通过"),
        "nobody rated": (story.rating(proof=pad(jws=out)), "不是一次评价"),
        "an old kiosk": (unasked.rating(), "软件太旧"),
        "too late": (late.rating(), "时限"),
        "bad without a word": (silent.rating(), "差评缺少"),
        "no proof": (story.rating() | {"proof": None}, "没有附上"),
        "a proof of a case": (story.service() | {"proof": story.proof()}, "不能附上"),
        "a ruling that is none": (story.ruling(EffectivEvalua="1"), "不是有效评价"),
        "an addition with a level": (story.addition(satisfaction="1"), "satisfaction 与"),
        "a missing field": (without(story.rating(), "satisfaction"), "缺少字段 satisfaction"),
        "a foreign field": (story.service(level="5"), "没有 level 这个字段"),
        "a number in other digits": (story.service(serviceNumber="٣"), "serviceNumber"),
        "a number with a nought": (story.service(serviceNumber="01"), "serviceNumber"),
        "no number": (story.service(serviceNumber="100"), "serviceNumber"),
        "a serial with a slash": (story.service(projectNo="a/b"), "projectNo"),
        "no time": (story.service(acceptDate="昨天"), "acceptDate"),
    }


def without(said, field):
    return said | {"record": {k: v for k, v in said["record"].items() if k != field}}


@pytest.mark.parametrize("how", forgeries())
def test_what_no_kiosk_has_signed_is_refused(hall, how):
    """Each in plain words; nothing is entered, and the true record is taken after it."""
    assert taken(hall, Story().service()) == [201]
    said, why = forgeries()[how]
    assert why in refused(hall, said)
    assert len(entries(hall)) == 1
    assert taken(hall, Story().rating()) == [201]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"kind": "rated", "record": {}},
        {"kind": "service", "record": []},
        {"kind": "service", "record": {"taskCode": 7}},
        {"kind": "service", "record": {"taskCode": "x" * 301}},
        {"kind": "service", "record": {"taskCode": "\x00"}},
        {"kind": "service", "record": {}, "origin": "示例"},
        {"kind": "rating", "record": {}, "proof": {"device": "k1"}},
        [],
    ],
)
def test_what_has_not_the_form_of_a_record_is_refused_by_field(hall, said):
    """422 with the fields named, as everywhere in the interface."""
    answer = send(hall, said)
    assert (answer.status, answer.kind) == (422, "invalid_fields")
    assert answer.faults
    assert entries(hall) == []


def test_a_rating_comes_after_its_case_and_what_follows_it_after_it(hall):
    """Out of order is refused, and taken once the order is right."""
    story = Story()
    assert "请先报送办件" in refused(hall, story.rating())
    assert taken(hall, story.service()) == [201]
    assert "请先报送评价" in refused(hall, story.ruling())
    assert "请先报送评价" in refused(hall, story.addition())
    assert taken(hall, story.rating(), story.addition(), story.ruling()) == [201] * 3
    assert found(hall) == []


def test_one_service_is_rated_once_ruled_on_once_added_to_once(hall):
    """A second rating that a kiosk really signed is refused, and so are other words."""
    first, second = Story(), Story()
    assert taken(hall, first.service(), first.rating()) == [201, 201]
    assert "一次服务只评一次" in refused(hall, second.rating())
    assert "不是办件 SL0001/1 已报送的那次评价" in refused(hall, second.ruling())
    assert "不是办件 SL0001/1 已报送的那次评价" in refused(hall, second.addition())
    assert taken(hall, first.addition()) == [201]
    assert "一次服务只评一次" in refused(hall, first.addition("换了一句示例的话"))


def test_a_service_belongs_to_the_hall_that_said_it_first(hall):
    """Another hall is refused in plain words, and so is this hall's own window system."""
    story = Story()
    assert taken(hall, story.service()) == [201]
    theirs = give(hall, OTHER)
    assert f"已由“{SMALL}”报送" in refused(hall, story.service(), theirs)
    assert f"已由“{SMALL}”报送" in refused(hall, story.rating(), theirs)
    facts = msgspec.to_builtins(a_case())
    del facts["serial"], facts["service_number"]
    answer = hall.ask("PUT", case_path("SL0001"), facts)
    assert (answer.status, answer.kind) == (409, "of_another_hall")
    assert hall.ask("PUT", case_path("SL0009"), facts).status == 201
    assert "已由本厅登记" in refused(hall, Story("SL0009").service())
    assert send(hall, Story(number=2).service(), theirs).status == 201


def test_a_new_key_of_the_same_label_is_the_same_hall(hall):
    """A key that is changed goes on where the old one was."""
    story = Story()
    assert taken(hall, story.service()) == [201]
    assert send(hall, story.service(), give(hall, SMALL)).status == 200


def test_a_corrected_case_goes_to_the_city_again_and_back_once_more(hall):
    """A, then B, then A: each is news; the same one twice in a row is not."""
    story = Story()
    assert taken(hall, story.service()) == [201]
    hall.now += 1000
    hall.writer.call(
        lambda db: db.execute("UPDATE deliveries SET state = 'accepted', settled_at = 1")
    )
    changed = story.service(userName="示例甲二")
    assert taken(hall, changed, changed) == [201, 200]
    assert [row[1] for row in rows(hall)] == ["waiting"]
    hall.now += 1000
    assert taken(hall, story.service(), story.service(), changed) == [201, 200, 201]
    with closing(connect(hall.base / "hub.db")) as db:
        assert fed.service(db, VAULT, "SL0001", 1)["userName"] == "示例甲二"
        [delivery] = deliveries.due(db, hall.now, 9)
    assert delivery.task == "check"
    assert found(hall) == []


def test_words_that_came_by_phone_complete_a_bad_rating(hall):
    """Neither reason nor words on the kiosk: what the phone said stands, the level is signed."""
    story = Story(level=1)
    assert taken(hall, story.service(), story.rating(writingEvaluation="示例的话")) == [201, 201]
    assert found(hall) == []


def test_verify_names_what_was_put_past_the_door(hall):
    """A rating that nobody signed, entered by hand; a row altered beside the ledger."""
    story = Story()
    assert taken(hall, story.service(), story.rating()) == [201, 201]
    kept = entries(hall)[1]
    kept["own"]["satisfaction"] = "1"
    kept["service_number"] = 2
    forged = msgspec.convert(kept, fed.Fed)

    def job(db):
        entry = ledger.Entry(
            kind="fed",
            recorded_at=hall.now,
            device="",
            invitation="",
            body=msgspec.json.encode(forged),
        )
        ledger.append(db, entry)
        db.execute("UPDATE fed SET digest = 'x' WHERE kind = 'service'")

    hall.writer.call(job)
    texts = found(hall)
    assert any("与评价器的签名不符" in each for each in texts)
    assert any("没有在它之前报送的办件" in each for each in texts)
    assert any("表被改动过" in each for each in texts)


def test_terms_of_retention_hold_for_what_was_fed(hall):
    """Once the city has all of it: citizen and words go, the ledger stays whole and says so."""
    story = Story(level=1, comment="一句很长很长的示例的话，用来查找")
    assert taken(hall, story.service(), story.rating(), story.addition()) == [201] * 3

    def job(db):
        assert erasure.words_due(db, hall.now, 0, 9, 9)[0] == []
        while due := deliveries.due(db, hall.now, 9):
            for each in due:
                answers.accepted(db, each.id, hall.now)
        words, _ = erasure.words_due(db, hall.now, 0, 9, 9)
        assert len(words) == 2
        assert erasure.due(db, hall.now, 9) == [("SL0001", 1)]
        assert sorted(erasure.words_of_case(db, "SL0001", 1)) == words
        told, _ = erasure.erase_words(db, VAULT, words, by="hub", why="示例", now=hall.now)
        audit.note(db, hall.now, "hub", "retention", "comments", detail={"entry": told})
        assert citizens.erase(db, "SL0001", 1)
        assert fed.service(db, VAULT, "SL0001", 1) is None

    hall.writer.call(job)
    assert found(hall) == []
    assert taken(hall, story.service(), story.rating(), story.addition()) == [200] * 3
