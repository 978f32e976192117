"""The audit trail: what was done stays written as it was."""

import sqlite3
from contextlib import closing

import pytest

from hub.rules.access import Caller
from hub.store import audit
from hub.store.database import GuardsMissing, check_guards, connect, migrate

NOW = 1_790_000_000_000


@pytest.fixture
def db(tmp_path):
    with closing(connect(tmp_path / "hub.db")) as db:
        migrate(db)
        with db.atomic():
            for number in range(3):
                audit.note(db, NOW + number, "user:jia", "sign_on", f"{number}号窗口")
        yield db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'user:yi'",
        "DELETE FROM audit WHERE position = 2",
        "DELETE FROM audit",
        "REPLACE INTO audit VALUES (2, 1, 'x', 'x', 'x', 1, '{}', x'')",
        "INSERT INTO audit VALUES (9, 1, 'x', 'x', 'x', 1, '{}', x'')",
    ],
)
def test_nothing_in_it_is_altered_removed_or_put_in_between(db, statement):
    with pytest.raises(sqlite3.IntegrityError, match="audit trail"):
        db.conn.execute(statement)
    assert [act.target for act in audit.entries(db)] == ["2号窗口", "1号窗口", "0号窗口"]


def test_without_its_guards_the_hub_does_not_start(db):
    db.conn.execute("DROP TRIGGER audit_never_deleted")
    with pytest.raises(GuardsMissing, match="audit_never_deleted"):
        check_guards(db)


def test_who_came_from_where_is_told(db):
    caller = Caller(name="key:0a1b", scopes=frozenset(), address="192.0.2.7")
    audit.note(db, NOW, caller, "pair", "1号窗口", allowed=False, detail={"why": "wrong_code"})
    [act] = audit.entries(db, limit=1)
    assert (act.actor, act.allowed) == ("key:0a1b", False)
    assert act.detail == {"why": "wrong_code", "address": "192.0.2.7"}


def test_it_is_read_backwards_by_actor_and_by_denial(db):
    audit.note(db, NOW, "user:yi", "pair", "x", allowed=False)
    assert [act.position for act in audit.entries(db, denied=True)] == [4]
    assert [act.position for act in audit.entries(db, actor="user:jia", before=3)] == [2, 1]
    assert [act.position for act in audit.entries(db, limit=2)] == [4, 3]


def test_a_name_that_somebody_made_up_fills_no_disk(db):
    audit.note(db, NOW, "user:" + "x" * 10_000, "sign_in", "y" * 10_000, allowed=False)
    [act] = audit.entries(db, limit=1)
    assert len(act.actor) == len(act.target) == audit.TEXT_LIMIT
