"""An insider with SQL on a hub's file: what start, receipts and `verify` say of each deed."""

import sqlite3
from contextlib import closing

import insider
import pytest
from citizens_world import WORDS, Town
from rulings_world import JPEG, PDF, PNG, RulingHall
from world_hall import KEYS, VAULT, Hall, rated

from hub.kiosks.keys import pem_of
from hub.rules.days import DAY_MS
from hub.rules.retention import Retention
from hub.store import answers, audit, database, deliveries, documents, keys, ledger, reckoning
from hub.store.database import GuardsMissing, check_guards, connect, migrate
from hub.store.schema import guards, migrations
from hub.store.vault import Vault
from hub.verification import report

SWALLOW = (
    "CREATE TRIGGER zy BEFORE INSERT ON {} WHEN NEW.kind = '{}' BEGIN SELECT RAISE(IGNORE); END"
)


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


@pytest.fixture
def town(tmp_path):
    with Town(tmp_path) as town:
        yield town


def deed(hall, *statements):
    """In the file of the running hub."""
    insider.sql(hall.path, *statements)


# ---------------------------------------------------------------- what acts in the file


@pytest.mark.parametrize(
    "sabotage",
    [
        SWALLOW.format("ledger", "rated"),
        SWALLOW.format("deliveries", "rating"),
        "CREATE VIEW zy AS SELECT * FROM ledger",
    ],
)
def test_a_hub_does_not_start_with_a_trigger_or_view_more(tmp_path, sabotage):
    """One that swallows entries is named, as is one that shows others."""
    with closing(connect(tmp_path / "hub.db")) as db:
        migrate(db)
        check_guards(db)
        db.execute(sabotage)
        with pytest.raises(GuardsMissing, match="zy"):
            check_guards(db)


def test_each_trigger_that_is_taken_away_or_altered_is_named(tmp_path):
    """All that the migrations make, those of documents and of the counts among them."""
    with closing(connect(tmp_path / "hub.db")) as db:
        migrate(db)
        made = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        assert {"documents_stay", "ruling_documents_stay", "deliveries_counted"} <= {
            name for name, _ in made
        }
        for name, sql in made:
            db.execute(f"DROP TRIGGER {name}")
            assert guards.doubts(db) == [name]
            db.execute(f"{sql[: sql.rindex('BEGIN')]} BEGIN SELECT 1; END")
            assert guards.doubts(db) == [name]
            db.execute(f"DROP TRIGGER {name}")
            db.execute(sql)
            assert guards.doubts(db) == []


def test_a_file_of_an_older_hub_is_judged_by_its_own_steps(tmp_path):
    """And not by fewer than it has taken: the tables of the others are there."""
    with closing(connect(tmp_path / "hub.db")) as db:
        migrations.apply(db, stop_before="m012_documents")
        assert guards.doubts(db) == []
        migrate(db)
        db.execute("DELETE FROM _sqlite_migrations WHERE name >= 'm012_documents'")
        db.execute("DROP TRIGGER documents_stay")
        assert "documents" in guards.doubts(db)
        db.execute("DELETE FROM _sqlite_migrations")
        db.execute("DROP TRIGGER ledger_never_updated")
        assert "ledger_never_updated" in guards.doubts(db)


@pytest.mark.parametrize(("table", "kind"), [("ledger", "rated"), ("deliveries", "rating")])
def test_a_rating_that_is_swallowed_gets_no_receipt(hall, table, kind):
    """The kiosk keeps it and says it again; once the file is whole again, it is entered."""
    invitation = hall.invite().status.id
    with closing(sqlite3.connect(hall.path, timeout=10)) as raw:
        raw.execute(SWALLOW.format(table, kind))
        raw.commit()
    outcome = rated(invitation)
    jws = hall.send(outcome)
    assert hall.committed() == []
    assert hall.ledger(invitation) == []
    assert hall.rows("SELECT outcome FROM invitations") == [(None,)]
    with closing(sqlite3.connect(hall.path, timeout=10)) as raw:
        raw.execute("DROP TRIGGER zy")
        raw.commit()
    hall.hand_in(jws)
    assert hall.committed() == [outcome.id]
    assert hall.ledger(invitation) == ["rated"]
    assert database.Swallowed("台账").args[0].startswith("台账没有记下")


# ---------------------------------------------------------------- erasures


def erase(db, position, now, why="保存期满：留言 1 条"):
    """Erase as the hub does, but for the audit trail: guards let this pass."""
    return ledger.erase(db, VAULT, [position], by="hub", why=why, now=now)


def a_place(hall, kind="rated"):
    return hall.rows("SELECT position FROM ledger WHERE kind = ?", kind)[0][0]


def test_an_erasure_of_which_the_audit_trail_knows_nothing_is_named(town):
    """Entry, row of erasures, empty body, all by rule, in SQL alone: no guard is in the way."""
    town.visit(1, level=1, reasons=("108",))
    town.city_takes_all()
    assert town.verified() == []
    position = a_place(town)
    told = town.writer.call(lambda db: erase(db, position, town.now))
    found = [each for each in town.verified() if each.grave]
    assert [each.position for each in found] == [told]
    assert "没有操作记录" in found[0].text


def test_what_the_hub_itself_erases_is_named_in_the_audit_trail(town):
    """On request and by terms: each entry has its act, and nothing is found."""
    for number in range(3):
        town.visit(number, comment=WORDS)
    town.city_takes_all()
    town.erase("SL000000")
    town.after(4000)
    town.opens()
    town.run(Retention(citizens_days=366, comments_days=366, evidence_days=366), sure=True)
    told = [p for (p,) in town.rows("SELECT position FROM ledger WHERE kind = 'erased'")]
    assert len(told) >= 3
    entries = town.rows("SELECT json_extract(detail, '$.entry') FROM audit ORDER BY 1")
    assert sorted(told) == [entry for (entry,) in entries if entry is not None]
    assert town.verified() == []


def test_an_act_of_an_older_hub_stands_for_one_erasure_and_no_more(town):
    """It names no entry: moment and name are what they have in common."""
    for number in range(2):
        town.visit(number, comment=WORDS)
    town.city_takes_all()
    first, second = (p for (p,) in town.rows("SELECT position FROM ledger WHERE kind = 'rated'"))

    def older(db):
        erase(db, first, town.now)
        audit.note(db, town.now, "hub", "retention", "comments", detail={"times": 1})
        audit.note(db, town.now, "hub", "retention", "evidence", detail={"times": 1})

    town.writer.call(older)
    assert town.verified() == []
    told = town.writer.call(lambda db: erase(db, second, town.now))
    assert [each.position for each in town.verified() if each.grave] == [told]


# ---------------------------------------------------------------- the way to the city


def test_a_rating_that_was_taken_off_its_way_is_named(town):
    """The city would never hear of it."""
    town.visit(1)
    town.visit(2)
    town.city_takes_all()
    assert town.verified() == []
    position = a_place(town)
    deed(town, "DELETE FROM deliveries WHERE kind = 'rating' AND serial = 'SL000001'")
    assert [(each.what, each.position) for each in town.verified()] == [
        ("delivery", position),
        ("counts", None),
    ]


@pytest.mark.parametrize("kind", ["service", "rating"])
def test_what_was_set_aside_and_noted_as_accepted_is_named(town, kind):
    """By serial; the ledger knows of no answer."""
    town.visit(1)
    town.visit(2)
    town.city_takes_all_but(kind, "SL000001")
    assert town.verified() == []
    deed(town, "UPDATE deliveries SET state = 'accepted' WHERE serial = 'SL000001'")
    found = [each for each in town.verified() if each.what != "counts"]
    assert len(found) == (1 if kind == "rating" else 2)  # a service record takes its rating along
    assert all(each.grave and "SL000001/1" in each.text for each in found)


def test_a_second_rating_of_a_service_needs_no_way(town):
    """Of it the city hears nothing; of its first one it does."""
    first, second = town.case(1), town.case(1)
    town.rate(first)
    town.rate(second)
    town.city_takes_all()
    assert town.verified() == []


def test_what_is_asked_for_again_and_registered_again_is_no_finding(town):
    """Accepted once, it may wait, be refused, be left, without another entry."""
    town.visit(1)
    town.city_takes_all()

    def again(db):
        deliveries.again(db, "SL000001", 1, town.now + 1)
        (each,) = deliveries.due(db, town.now + 1, 9)
        answers.left(db, each.id, each.version, "未告知", town.now)

    town.writer.call(again)
    assert town.verified() == []


def test_what_a_hub_accepted_before_it_entered_answers_is_no_finding(town):
    """An old file: nothing but invitations and outcomes, and then entries of a newer hub.

    What came behind those has its answer, or is named.
    """
    town.visit(1)
    town.city_takes_all()
    moved = "UPDATE ledger SET position = position + 100, recorded_at = 1 WHERE position < 99"
    deed(
        town,
        "DELETE FROM ledger WHERE kind NOT IN ('invited', 'rated')",
        "INSERT INTO ledger (position, kind, recorded_at, device, invitation, body)"
        " VALUES (99, 'settings', 9223372036854775807, '', '', x'7b7d')",
    )
    assert reckoning.never_delivered(town.reader) == []
    deed(town, moved, "UPDATE deliveries SET position = position + 100")
    assert [each[:2] for each in reckoning.never_delivered(town.reader)] == [
        ("rating", "SL000001"),
    ]
    deed(town, "UPDATE ledger SET position = 1 WHERE position = 99")
    assert [each[:2] for each in reckoning.never_delivered(town.reader)] == [
        ("rating", "SL000001"),
        ("service", "SL000001"),
    ]


# ---------------------------------------------------------------- evidence and the audit trail


@pytest.fixture
def office(tmp_path):
    """A hall with two rulings, each on a document of its own."""
    with RulingHall(tmp_path) as hall:
        pem = pem_of(KEYS["k1"].public_key())
        hall.writer.call(lambda db: keys.remember(db, "k1", pem, hall.now))
        for number, data in enumerate((PDF, PNG), start=1):
            invitation = hall.rate(f"SL{number}", level=1, reasons=("108",), seq=number)
            hall.rule(invitation, evidence=[hall.keep(data)])
        yield hall


def around(hall, vault=VAULT):
    found = []
    with closing(connect(hall.path)) as db:
        unchecked = report.around(db, found.append, vault)
    return found, unchecked


def ruled(hall):
    return [p for (p,) in hall.rows("SELECT position FROM ledger WHERE kind = 'ruled'")]


def test_evidence_that_was_exchanged_is_named_where_it_can_be_opened(office):
    """Without the key it is said that nobody looked."""
    assert around(office) == ([], ())
    office.writer.call(
        lambda db: db.execute(
            "UPDATE documents SET sealed = (SELECT sealed FROM documents WHERE kind = 'png')"
        )
    )
    found, _ = around(office)
    assert [(each.what, each.position, each.grave) for each in found] == [
        ("evidence", ruled(office)[0], True)
    ]
    found, unchecked = around(office, None)
    assert found == []
    assert "证据文件的内容" in unchecked[0]
    found, _ = around(office, Vault(b"x" * 32))
    assert [each.position for each in found if each.what == "evidence"] == ruled(office)


def test_what_a_ruling_rests_on_is_known_from_the_ledger(office):
    """The table beside it may be emptied: it is named, and no document is cleaned away."""
    deed(office, "DELETE FROM ruling_documents")
    found, _ = around(office)
    assert [(each.what, each.position) for each in found] == [
        ("evidence", position) for position in ruled(office)
    ]
    assert documents.unused(office.reader) == 0
    office.now += 3 * DAY_MS
    office.keep(JPEG)
    assert len(office.rows("SELECT 1 FROM documents")) == 3
    office.now += 3 * DAY_MS
    office.keep(PNG)
    assert len(office.rows("SELECT 1 FROM documents")) == 2


def test_an_entry_missing_from_the_audit_trail_is_named(office):
    """One in the midst, and the first ones; the numbers say which."""
    deed(office, "DELETE FROM audit WHERE position IN (1, 3)")
    found, _ = around(office)
    assert [each.text for each in found if each.what == "audit"] == [
        "操作记录缺第 1 条：被删去了",
        "操作记录缺第 3 条：被删去了",
        "操作记录第 2 条不是本服务器记下的，被改动过，或它之前有删去的",
        "操作记录第 4 条不是本服务器记下的，被改动过，或它之前有删去的",
    ]
