"""What the hub alone can have entered: forged answers of the city, erasures, records of halls.

An insider here has all of the database by INSERT, guards standing, and not `citizens.key`.
"""

import json
import time
from contextlib import closing

import msgspec
import pytest
from feed_world import SMALL, Story
from upstream_world import City
from upstream_world import Hub as Store

from hub.rules.proof import FeedRequest
from hub.store import afterwards, answers, audit, deliveries, feed, ledger, marks
from hub.store.vault import Vault
from hub.verification import report, sources

NOW = 1_790_000_000_000


@pytest.fixture
def store(tmp_path):
    """A hub's store with its city, and a rating with its case that the city has taken."""
    with closing(City(tmp_path / "city.jsonl")) as city:
        store = Store(tmp_path)
        store.city = city
        store.case("OWN1")
        store.rate("OWN1")
        store.forward_until(city.url, store.nothing_waits)
        yield store
        store.close()


def take(store, *said):
    """Enter records as the larger hub's door does."""
    for each in said:
        request = msgspec.convert(each, FeedRequest)
        store.writer.call(
            lambda db, request=request: feed.take(db, store.vault, SMALL, request, millis())
        )


def millis():
    return time.time_ns() // 1_000_000


def verified(store, vault=True):
    """What verify says of marks, and what it could not check."""
    found = []
    material = sources.live(store.reader, None, store.vault if vault else None)
    result = report.verify(material, found.append)
    return [each for each in found if each.what == "mark"], result.unchecked


def insert(store, kind, body, at=NOW):
    """Enter by SQL alone."""
    text = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return store.writer.call(
        lambda db: (
            db.execute(
                "INSERT INTO ledger (kind, recorded_at, device, invitation, body)"
                " VALUES (?, ?, '', '', ?)",
                (kind, at, text),
            ).lastrowid
        )
    )


def entries(store, kind):
    """Position, time and body of all entries of a kind."""
    rows = store.reader.execute(
        "SELECT position, recorded_at, body FROM ledger WHERE kind = ? ORDER BY position", (kind,)
    )
    return [(row[0], row[1], bytes(row[2])) for row in rows.fetchall()]


def test_what_the_hub_enters_itself_is_known_by_its_mark(store):
    """Deliveries, an erasure, four records of a smaller hall: all genuine, none unchecked."""
    story = Story(level=1, reasons=("108",))
    take(store, story.service(), story.rating(), story.ruling(), story.addition())
    rated = entries(store, "rated")[0][0]
    store.writer.call(
        lambda db: ledger.erase(db, store.vault, [rated], by="hub", why="示例", now=NOW)
    )
    for kind, count in (("delivered", 2), ("erased", 1), ("fed", 4)):
        there = entries(store, kind)
        assert len(there) == count
        assert all(marks.genuine(store.vault, kind, *each) for each in there)
    found, unchecked = verified(store)
    assert found == []
    for name in ("报送结果", "删除记录", "下级大厅报送"):
        assert not any(f"条{name}（" in each for each in unchecked), unchecked


@pytest.mark.parametrize("how", ["unmarked", "made up", "copied", "later", "again", "longer"])
def test_an_answer_of_the_city_that_never_came_is_named(store, how):
    """Case and rating are noted as accepted, and the ledger says so: by nobody who could."""
    store.case("OWN2")
    store.rate("OWN2")
    (_, at, honest), *_ = entries(store, "delivered")
    of = store.reader.execute("SELECT max(position) FROM ledger WHERE kind = 'rated'").fetchone()[0]
    said = {"serial": "OWN2", "service_number": 1, "kind": "rating", "of": of, "answer": "accepted"}
    mark = json.loads(honest)["mark"]
    body, when = {
        "unmarked": (said, at),
        "made up": (said | {"mark": "0" * 32}, at),
        "copied": (said | {"mark": mark}, at),
        "later": (honest, at + 1),
        "again": (honest, at),
        "longer": (json.dumps(said).encode()[:-1] + b"," + honest[1:], at),
    }[how]
    position = insert(store, "delivered", body, when)
    store.writer.call(
        lambda db: db.execute("UPDATE deliveries SET state = 'accepted', settled_at = 1")
    )
    found, _ = verified(store)
    assert [(each.position, each.grave) for each in found] == [(position, True)]
    assert "报送结果不是本服务器登记的" in found[0].text


@pytest.mark.parametrize("mark", [None, "0" * 32])
def test_an_erasure_that_the_office_never_ordered_is_named(store, mark):
    """Entry, its hash, the act in the audit trail: all in SQL that no guard refuses."""
    rated, _, signed = entries(store, "rated")[0]
    said = {"positions": [rated], "by": "hub", "why": "保存期满：留言 1 条"}
    position = insert(store, "erased", said if mark is None else said | {"mark": mark})
    known = bytes.fromhex(ledger.digest(signed))

    def job(db):
        db.execute("INSERT INTO erasures VALUES (?, ?, ?)", (rated, known, position))
        db.execute("UPDATE ledger SET body = x'' WHERE position = ?", (rated,))
        audit.note(db, NOW, "hub", "retention", "comments", detail={"entry": position})

    store.writer.call(job)
    found, _ = verified(store)
    assert [(each.position, each.grave) for each in found] == [(position, True)]
    assert "删除记录不是本服务器登记的" in found[0].text


@pytest.mark.parametrize("how", ["unmarked", "copied"])
@pytest.mark.parametrize("kind", ["ruling", "addition", "service", "rating"])
def test_a_record_that_no_hall_has_fed_is_named_and_the_city_never_hears_it(store, kind, how):
    """With its row beside the ledger and its place in the queue; all else of it is as it must."""
    story, other = Story(level=1, reasons=("108",)), Story("SL0002", level=1, reasons=("108",))
    take(store, other.service(), other.rating(), other.ruling(), other.addition())
    before = {"service": [], "rating": ["service"]}.get(kind, ["service", "rating"])
    take(store, *(getattr(story, each)() for each in before))
    store.forward_until(store.city.url, store.nothing_waits)
    honest = {json.loads(body)["kind"]: body for _, _, body in entries(store, "fed")[:4]}
    said = json.loads(honest[kind]) | {"serial": "SL0001"}
    if kind in ("ruling", "rating"):  # the digest that a rating of this service has, or would have
        fitting = [json.loads(body) for _, _, body in entries(store, "fed")]
        own = [each for each in fitting if each["serial"] == "SL0001" and each["kind"] == "rating"]
        said["digest"] = own[0]["digest"] if own else said["digest"]
    if kind == "rating":
        said["jws"] = story.jws
    if how == "unmarked":
        del said["mark"]
    position = insert(store, "fed", said, millis())
    record = entries_of_cases(store, other)

    def job(db):
        row = (position, SMALL, kind, "SL0001", 1, "", said["digest"], record, NOW)
        db.execute("INSERT INTO fed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute(
            "INSERT INTO deliveries (serial, service_number, kind, position, next_at, queued_at)"
            " VALUES ('SL0001', 1, ?, ?, 0, 0)",
            (kind, position),
        )

    store.writer.call(job)
    told = len(store.city.records())
    store.forward_until(store.city.url, store.nothing_waits)
    found, _ = verified(store)
    assert [(each.position, each.grave) for each in found] == [(position, True)]
    assert "下级大厅报送不是本服务器登记的" in found[0].text
    assert len(store.city.records()) == told
    assert store.row("SL0001", kind)[0] == "set_aside"
    if kind == "ruling":
        assert not afterwards.void(store.reader, store.vault, "SL0001", 1)
        assert afterwards.void(store.reader, store.vault, "SL0002", 1)


def test_an_older_version_of_a_fed_case_cannot_be_put_back(store):
    """Copied byte for byte with its own mark and time: at another place it is none."""
    story = Story()
    take(store, story.service())
    take(store, story.service(orgName="示例二局"))
    store.forward_until(store.city.url, store.nothing_waits)
    (_, at, first), _ = entries(store, "fed")
    position = insert(store, "fed", first, at)

    def job(db):
        digest = json.loads(first)["digest"]
        db.execute("UPDATE fed SET position = ? WHERE digest = ?", (position, digest))
        deliveries.again(db, "SL0001", 1, millis())

    told = len(store.city.records())
    store.writer.call(job)
    store.forward_until(store.city.url, store.nothing_waits)
    found, _ = verified(store)
    assert [each.position for each in found] == [position]
    assert len(store.city.records()) == told
    assert store.row("SL0001", "service")[0] == "set_aside"


def entries_of_cases(store, story):
    """The clear part of a case as the table beside the ledger has it."""
    return store.reader.execute(
        "SELECT record FROM fed WHERE kind = 'service' AND serial = ?",
        (story.service()["record"]["projectNo"],),
    ).fetchone()[0]


def test_entries_of_an_older_hub_are_told_as_unchecked_until_the_first_mark(tmp_path):
    """How many, from which on; one without a mark behind them is not one of theirs."""
    with closing(Store(tmp_path)) as old:
        old.case("OWN1")
        old.rate("OWN1")

        def job(db):
            for each in (*deliveries.due(db, millis(), 9), *deliveries.due(db, millis(), 9)):
                answers.accepted(db, each.id, millis())
            rated = db.execute("SELECT position FROM ledger WHERE kind = 'rated'").fetchone()[0]
            entry = ledger.erase(db, Vault(b"x" * 32), [rated], by="hub", why="示例", now=NOW)
            return rated, entry

        old.writer.call(job)
        found, unchecked = verified(old)
        assert [each.text for each in found] == ["标记不对：这条删除记录不是本服务器登记的"]
        first = entries(old, "delivered")[0][0]
        assert any(f"报送结果（第 {first} 条起）没有标记" in each for each in unchecked)
        body = {"serial": "OWN1", "service_number": 1, "kind": "service", "of": None}
        before = insert(old, "delivered", body | {"answer": "exists"})
        old.case("OWN3")
        with closing(City(tmp_path / "city.jsonl")) as city:
            old.forward_until(city.url, old.nothing_waits)
        after = insert(old, "delivered", body | {"answer": "exists"})
        found, unchecked = verified(old)
        assert [each.position for each in found][1:] == [after]
        assert before not in [each.position for each in found]
        assert any(each.startswith("2 条报送结果") for each in unchecked), unchecked


def test_without_the_key_all_that_carries_marks_is_said_to_be_unchecked(store):
    """By name: what is there, and nothing else."""
    take(store, Story().service())
    found, unchecked = verified(store, vault=False)
    assert found == []
    [said] = [each for each in unchecked if "没有可用的 citizens.key" in each]
    assert said.startswith("报送结果、下级大厅报送的记录是否由服务器登记")
