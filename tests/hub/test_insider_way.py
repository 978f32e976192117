"""The way to the city under an insider: what he bends in its tables is named, and never sent.

He has the whole database by SQL, its guards down, and not `citizens.key`.
"""

import json
from contextlib import closing

import insider
import msgspec
import pytest
from citizens_world import Town
from upstream_world import City, a_case, now
from upstream_world import Hub as Store

from hub.errors import UnknownCase
from hub.rules.access import CONSOLE
from hub.rules.afterwards import Ruled
from hub.store import additions, cases, deliveries, invitations, keyring, ledger, reckoning, rulings
from hub.store.cases import CaseAltered
from hub.store.database import connect
from hub.store.vault import Vault
from hub.upstream.contents import CASE_ALTERED
from hub.verification import beside, report

BODY = (
    "UPDATE cases SET body = CAST(replace(CAST(body AS TEXT), '示例局', '别的局') AS BLOB)"
    " WHERE serial = 'SL0001'"
)
MATTER = "UPDATE cases SET matter = '别的事项' WHERE serial = 'SL0001'"
COPIED = (
    "UPDATE cases SET (body, mark) = (SELECT body, mark FROM cases WHERE serial = 'SL0002')"
    " WHERE serial = 'SL0001'"
)


@pytest.fixture
def store(tmp_path):
    """A hub's store with two cases that wait, their ratings too; its city."""
    with closing(City(tmp_path / "city.jsonl")) as city, closing(Store(tmp_path)) as found:
        found.city = city
        for serial in ("SL0001", "SL0002"):
            found.case(serial)
            found.rate(serial)
        yield found


@pytest.fixture
def town(tmp_path):
    with Town(tmp_path) as found:
        yield found


def do(world, *statements):
    """As a job of the hub's own writer."""
    world.writer.call(lambda db: insider.do(db.conn, *statements))


def around(world):
    """What `verify` says of the tables beside the ledger, and what it did not look at."""
    found = []
    with closing(connect(world.path)) as db:
        left = report.around(db, found.append, world.vault)
    return [each for each in found if each.what in ("delivery", "case", "counts")], left


def lacking(world):
    return [(each.of, each.serial) for each in reckoning.lacks(world.reader)]


# ------------------------------------------------------------ the case itself


@pytest.mark.parametrize("deed", [BODY, MATTER, COPIED], ids=["body", "matter", "copied"])
def test_a_case_that_was_edited_is_named_and_not_sent(store, deed):
    """Neither it nor its rating; the other case goes, and so does this one when it is mended."""
    do(store, deed)
    found, _ = around(store)
    assert [(each.what, each.grave) for each in found] == [("case", True)]
    assert "SL0001/1" in found[0].text
    store.forward_until(store.city.url, store.nothing_waits)
    assert {each["projectNo"] for each in store.city.records()} == {"SL0002"}
    assert store.row("SL0001", "service")[:2] == ("set_aside", CASE_ALTERED)
    assert store.row("SL0001", "rating")[0] == "set_aside"
    store.case("SL0001")
    store.writer.call(lambda db: deliveries.again(db, "SL0001", 1, now()))
    assert around(store)[0] == []
    store.forward_until(store.city.url, store.nothing_waits)
    sent = [each for each in store.city.records() if each["projectNo"] == "SL0001"]
    assert len(sent) == 2
    assert "别的" not in json.dumps(sent, ensure_ascii=False)


def test_a_case_edited_after_its_service_record_went_keeps_its_rating_back(store):
    """The rating carries the case's fields, too."""
    store.writer.call(lambda db: db.execute("DELETE FROM deliveries WHERE kind = 'rating'"))
    store.forward_until(store.city.url, lambda: store.row("SL0001", "service")[0] == "accepted")
    do(store, BODY)
    place = store.reader.execute("SELECT min(position) FROM ledger WHERE kind = 'rated'").fetchone()
    store.writer.call(
        lambda db: deliveries.queue(db, "rating", ("SL0001", 1), int(place[0]), now())
    )
    store.forward_until(store.city.url, lambda: store.row("SL0001", "rating")[0] == "set_aside")
    assert store.row("SL0001", "rating")[1] == CASE_ALTERED


def test_a_case_without_its_mark_is_one_of_before_or_was_edited(store, tmp_path):
    """What the hub marked once it marks no second time: the key file says since when."""
    do(store, "UPDATE cases SET mark = x'' WHERE serial = 'SL0001'")
    older, marking = store.vault, msgspec.structs.replace(store.vault.ring, marks_since=1)
    since = Vault(marking)
    assert cases.unmarked(store.reader, older) == 1
    assert list(cases.altered(store.reader, older)) == []
    assert cases.get(store.reader, older, "SL0001", 1) is not None
    assert cases.unmarked(store.reader, since) == 0
    assert list(cases.altered(store.reader, since)) == [("SL0001", 1)]
    with pytest.raises(CaseAltered, match="重新登记"):
        cases.get(store.reader, since, "SL0001", 1)
    assert any("没有标记" in each for each in beside.unchecked(store.reader, older))
    assert any("与登记时的一致" in each for each in beside.unchecked(store.reader, None))


def test_cases_of_before_are_marked_once(store):
    """As they are then; what is edited afterwards is named."""
    do(store, "UPDATE cases SET mark = x''")
    assert store.writer.call(lambda db: cases.mark_all(db, store.vault)) == 2
    assert list(cases.altered(store.reader, store.vault)) == []
    do(store, BODY)
    assert list(cases.altered(store.reader, store.vault)) == [("SL0001", 1)]


def test_another_key_is_no_forgery(store):
    """The city waits for the right key; nothing is set aside."""
    other = Vault(keyring.fresh("aes-256-gcm", 0))
    with pytest.raises(keyring.VaultError) as error:
        cases.get(store.reader, other, "SL0001", 1)
    assert not isinstance(error.value, CaseAltered)


def test_nobody_is_asked_about_a_matter_that_was_edited(town):
    """The window system registers the case again, and all is right."""
    town.case(1)
    do(town, "UPDATE cases SET matter = '别的事项'")
    with pytest.raises(CaseAltered, match="重新登记"):
        town.ask(town.desk.invite("2号窗口", "SL000001", 1))
    with pytest.raises(UnknownCase):
        town.ask(town.desk.invite("2号窗口", "SL000009", 1))


def test_registering_again_puts_an_edited_case_right(town):
    """Though what it was cannot be read; the audit trail says that all of it was corrected."""
    town.case(1)
    do(town, "UPDATE cases SET body = x'7b7d'")
    case = msgspec.structs.replace(a_case("SL000001"), matter="示例事项")
    town.ask(town.desk.put_case(case, CONSOLE))
    assert list(cases.altered(town.reader, town.vault)) == []
    assert cases.get(town.reader, town.vault, "SL000001", 1) == case


# ------------------------------------------------------------ rows that are gone


def test_what_the_hub_itself_leaves_lacks_nothing(town):
    """Waiting, accepted, set aside, erased, ruled on, with later words, without a city."""
    town.visit(1)
    town.visit(2)
    town.city_takes_all_but("rating", "SL000002")
    town.visit(3)
    ruled_and_added(town)
    town.city_takes_all_but("service", "SL000003")
    town.after(400)
    found, left = around(town)
    assert found == []
    assert any("条记录被搁置" in each for each in left), left
    assert lacking(town) == []


def ruled_and_added(town):
    """Rule on the rating of SL000001 and add words to it."""
    name = town.rows("SELECT id FROM invitations WHERE serial = 'SL000001'")[0][0]

    def job(db):
        rating = rulings.rating(db, name)
        said = Ruled(of=rating.position, by="user:bangong", reason="示例", evidence=())
        rulings.enter(db, town.vault, rating, said, town.now)
        additions.enter(
            db, town.vault, invitations.get(db, name), "示例追评", town.now, incomplete="x"
        )

    town.writer.call(job)


@pytest.mark.parametrize(
    ("deed", "lack"),
    [
        ("DELETE FROM deliveries WHERE kind = 'service' AND serial = 'SL000001'", "service"),
        ("DELETE FROM deliveries WHERE kind = 'ruling'", "ruling"),
        ("DELETE FROM deliveries WHERE kind = 'addition'", "addition"),
        ("DELETE FROM cases WHERE serial = 'SL000001'", "case"),
        ("DELETE FROM citizens WHERE serial = 'SL000001'", "citizen"),
        (
            "UPDATE citizens SET applicant_name = zeroblob(60) WHERE serial = 'SL000001'",
            "erased",
        ),
    ],
)
def test_a_row_that_was_taken_out_is_named(town, deed, lack):
    """The case, its citizen, its places in the queue: by serial and number."""
    town.visit(1)
    town.visit(2)
    ruled_and_added(town)
    do(town, deed)
    assert lacking(town) == [(lack, "SL000001")]
    found, _ = around(town)
    assert any(each.grave and "SL000001/1" in each.text for each in found)


def test_a_case_wiped_with_all_that_belongs_to_it_is_known_by_its_rating(town):
    """Case, citizen and service record are gone; the rating's place is left."""
    town.visit(1)
    do(
        town,
        "DELETE FROM cases",
        "DELETE FROM citizens",
        "DELETE FROM deliveries WHERE kind = 'service'",
    )
    assert lacking(town) == [("service", "SL000001")]
    do(town, "DELETE FROM deliveries")
    assert reckoning.not_on_their_way(town.reader)


def test_citizens_that_were_swapped_are_named(town):
    """What is sealed is bound to its case: it opens nowhere else."""
    town.visit(1)
    town.visit(2)
    do(
        town,
        "UPDATE citizens SET applicant_name = (SELECT applicant_name FROM citizens AS c"
        " WHERE c.serial = 'SL000002') WHERE serial = 'SL000001'",
    )
    found, _ = around(town)
    assert [(each.what, "SL000001/1" in each.text) for each in found] == [("case", True)]


def test_a_place_kept_for_a_case_that_a_disaster_took_is_no_finding(town):
    """A restored hub waits for the window system to register it again; the ledger says so."""
    town.visit(1)
    do(town, "DELETE FROM cases", "DELETE FROM citizens")
    assert lacking(town) == [("case", "SL000001")]
    body = b'{"recovery":"begun","since":1}'
    entry = ledger.Entry(kind="settings", recorded_at=1, device="", invitation="", body=body)
    town.writer.call(lambda db: ledger.append(db, entry))
    assert lacking(town) == []


# ------------------------------------------------------------ counts


def test_counts_that_were_bent_are_named_and_put_right_at_the_next_start(town, caplog):
    """By hand, and by rows that were taken out: 等待 1 for ever."""
    town.visit(1)
    town.visit(2)
    assert reckoning.miscounted(town.reader) == []
    do(town, "UPDATE delivery_counts SET n = 0")
    assert [each.what for each in around(town)[0]] == ["counts"]
    town.writer.call(reckoning.recount)
    assert deliveries.counts(town.reader).waiting == 4
    do(town, "DELETE FROM deliveries WHERE kind = 'rating'")
    assert deliveries.counts(town.reader).waiting == 4
    town.writer.call(reckoning.recount)
    assert deliveries.counts(town.reader).waiting == 2
    assert reckoning.miscounted(town.reader) == []
    assert [each for each in caplog.records if "deliveries=miscounted" in each.message]


def test_what_is_kept_aside_is_told_with_what_proves_it_nothing(town):
    """A rating that an insider set aside looks like one that the city refused: say so."""
    town.visit(1)
    assert not any("搁置" in each for each in around(town)[1])
    do(
        town,
        "UPDATE deliveries SET state = 'set_aside', reason = '不收' WHERE kind = 'rating'",
        "UPDATE delivery_counts SET n = (SELECT count(*) FROM deliveries AS d"
        " WHERE d.kind = delivery_counts.kind AND d.state = delivery_counts.state)",
    )
    [said] = [each for each in around(town)[1] if "搁置" in each]
    assert said.startswith("1 条记录被搁置")


def test_a_file_of_an_older_hub_is_looked_at_without_what_it_has_not(tmp_path):
    """No marks, no citizens of their own, nothing fed: nothing fails, and it is said."""
    with closing(connect(tmp_path / "hub.db")) as db:
        db.conn.execute("CREATE TABLE cases (serial TEXT, service_number INTEGER)")
        db.conn.execute("INSERT INTO cases VALUES ('SL1', 1)")
        assert cases.unmarked(db, Vault(b"k" * 32)) == 1
        assert list(reckoning.lacks(db)) == []


def test_later_words_and_rulings_are_what_they_were(town):
    """The world of these tests really has both, and both are on their way."""
    town.visit(1)
    ruled_and_added(town)
    kinds = town.rows("SELECT kind FROM deliveries ORDER BY kind")
    assert [kind for (kind,) in kinds] == ["addition", "rating", "ruling", "service"]
