"""A trigger that swallows what the hub writes, planted in the file of a hub that runs.

Nothing may be answered as done that is not in the file; the guards tell it at the next start.
"""

import sqlite3
from contextlib import closing

import msgspec
import pytest
from feed_world import SMALL, Story
from rulings_world import PDF, RulingHall
from world_hall import NOW, VAULT, a_case

from hub.rules.access import CONSOLE
from hub.rules.proof import FeedRequest
from hub.store import audit, cases, citizens, feed
from hub.store.citizens import Citizen
from hub.store.database import Swallowed


@pytest.fixture
def hall(tmp_path):
    with RulingHall(tmp_path) as hall:
        yield hall


def plant(hall, event, table, when="1"):
    with closing(sqlite3.connect(hall.path, timeout=10)) as raw:
        raw.execute(
            f"CREATE TRIGGER zy BEFORE {event} ON {table} WHEN {when} BEGIN SELECT RAISE(IGNORE);"
            " END"
        )
        raw.commit()


def uproot(hall):
    with closing(sqlite3.connect(hall.path, timeout=10)) as raw:
        raw.execute("DROP TRIGGER zy")
        raw.commit()


def everything(hall):
    """All that the hub keeps of cases, in the ledger, the queue and the audit trail."""
    tables = ("ledger", "audit", "cases", "citizens", "deliveries", "fed", "documents")
    return {
        table: hall.rows(f"SELECT * FROM {table}")  # noqa: S608
        for table in (*tables, "ruling_documents")
    }


def put(db, matter="示例事项"):
    return cases.put(db, VAULT, msgspec.structs.replace(a_case("SLX"), matter=matter), NOW)


def fed(db, said):
    return feed.take(db, VAULT, SMALL, msgspec.convert(said, FeedRequest), NOW)


@pytest.mark.parametrize(
    ("event", "table", "again"),
    [
        ("INSERT", "cases", False),
        ("UPDATE", "cases", True),
        ("INSERT", "deliveries", False),
        ("INSERT", "citizens", False),
        ("UPDATE", "citizens", True),
    ],
)
def test_a_case_that_the_file_does_not_take_is_not_kept_at_all(hall, event, table, again):
    """Neither its facts nor its citizen nor its place in the queue; once mended, it is taken."""
    if again:
        assert hall.writer.call(put)
    before = everything(hall)
    plant(hall, event, table)
    with pytest.raises(Swallowed, match="没有记下"):
        hall.writer.call(lambda db: put(db, "别的示例事项"))
    assert everything(hall) == before
    uproot(hall)
    assert hall.writer.call(put) is not again


@pytest.mark.parametrize(
    ("event", "table", "again"),
    [
        ("INSERT", "ledger", False),
        ("INSERT", "fed", False),
        ("INSERT", "deliveries", False),
        ("UPDATE", "deliveries", True),
        ("UPDATE", "citizens", True),
    ],
)
def test_a_fed_case_that_the_file_does_not_take_is_not_kept_at_all(hall, event, table, again):
    """The smaller hall is not told that it is here, and says it again."""
    story = Story()
    if again:
        assert hall.writer.call(lambda db: fed(db, story.service()))
    before = everything(hall)
    plant(hall, event, table)
    changed = story.service(orgName="示例二局")
    with pytest.raises(Swallowed):
        hall.writer.call(lambda db: fed(db, changed))
    assert everything(hall) == before
    uproot(hall)
    assert hall.writer.call(lambda db: fed(db, changed))


def test_nothing_is_done_of_which_the_audit_trail_takes_no_note(hall):
    """A ruling and a look: both go with their act, or not at all."""
    invitation = hall.rate()
    evidence = [hall.keep()]
    before = everything(hall)
    plant(hall, "INSERT", "audit")
    with pytest.raises(Swallowed, match="操作记录没有记下"):
        hall.rule(invitation, evidence=evidence)
    with pytest.raises(Swallowed):
        hall.ask(hall.rulings.look(invitation, CONSOLE))
    with pytest.raises(Swallowed):
        hall.writer.call(lambda db: audit.note(db, NOW, CONSOLE, "rule"))
    assert everything(hall) == before
    uproot(hall)
    assert hall.rule(invitation, evidence=evidence).told == "waiting"


@pytest.mark.parametrize("table", ["documents", "ruling_documents"])
def test_no_ruling_rests_on_evidence_that_was_swallowed(hall, table):
    """Neither the document itself nor what binds it to the ruling."""
    invitation = hall.rate()
    evidence = [hall.keep(PDF)] if table == "ruling_documents" else None
    before = everything(hall)
    plant(hall, "INSERT", table)
    with pytest.raises(Swallowed, match="证据文件没有记下"):
        hall.rule(invitation, evidence=evidence)
    assert everything(hall) == before


def test_a_document_that_is_put_in_again_is_noticed_too(hall):
    """Its time would not be new, and it would be cleared away under a ruling."""
    hall.keep(PDF)
    plant(hall, "UPDATE", "documents")
    with pytest.raises((Swallowed, sqlite3.IntegrityError)):
        hall.keep(PDF)


def test_a_citizen_that_is_corrected_is_noticed_by_itself(hall):
    """The row that is changed counts, not the one that is emptied before."""
    someone = Citizen(applicant_name="示例甲", applicant_number="ID-JIA")
    hall.writer.call(lambda db: citizens.put(db, VAULT, "SLY", 1, someone))
    longer = msgspec.structs.replace(someone, applicant_name="示例" * 20)
    plant(hall, "UPDATE", "citizens", "substr(NEW.applicant_name, 1, 1) = x'01'")
    with pytest.raises(Swallowed):
        hall.writer.call(lambda db: citizens.put(db, VAULT, "SLY", 1, longer))
    uproot(hall)
    kept = citizens.row(hall.reader, "SLY", 1)
    assert citizens.opened(VAULT, kept) == someone
