"""What `verify` says of accounts, keys and rulings that somebody with SQL has made up."""

import sqlite3
from contextlib import closing

import pytest
import world_file
from rulings_world import RulingHall
from world_hall import NOW, VAULT

from hub.accounts import changes
from hub.accounts.changes import Job
from hub.rules.access import CONSOLE, Role, Scope
from hub.rules.afterwards import Ruled
from hub.store import audit, keyring, marking, rulings, users
from hub.store.database import connect
from hub.store.vault import Vault
from hub.verification import people


@pytest.fixture
def db(tmp_path):
    with closing(world_file.opened(tmp_path / "hub.db")) as db:
        with db.atomic():
            changes.add_user(a_job(db), "bangong", [Role.OFFICE, Role.IT], None, "-")
            changes.add_key(a_job(db), "示例", [Scope.RULE], None)
        yield db


def a_job(db):
    return Job(db=db, now=NOW, by=CONSOLE, changed=set())


def sql(db, statement, *values):
    path = db.conn.execute("PRAGMA database_list").fetchone()[2]
    with closing(sqlite3.connect(path, timeout=10)) as raw, raw:
        return raw.execute(statement, values).fetchall()


def said(db, vault=VAULT):
    return [(each.text, each.grave) for each in people.beside(db, vault)]


def test_what_the_hub_has_made_has_nothing_to_be_told(db):
    assert said(db) == []


def test_rows_that_were_put_in_are_named(db):
    sql(
        db,
        "INSERT INTO users (name, roles, password, must_change, created_at, changed_at)"
        " VALUES ('evil', '[\"office\"]', '-', 0, 1, 1)",
    )
    sql(db, "UPDATE api_keys SET label = '区系统'")
    sql(db, "INSERT INTO sessions VALUES (x'00', 'bangong', 'c', '-', 1, 1, NULL, '', x'')")
    [[key]] = sql(db, "SELECT id FROM api_keys")
    names = ("账号 evil", f"接口密钥 {key}", "账号 bangong 的登录")
    expected = [(f"{name}不是本服务器登记的，或被改动过（不起作用）", True) for name in names]
    assert said(db) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda job: changes.set_roles(job, "bangong", [Role.AUDITOR]),
        lambda job: changes.disable(job, "bangong"),
    ],
)
def test_an_account_that_was_set_back_is_named(db, change):
    """The whole row as it was, with the mark that was genuine then."""
    [before] = sql(db, "SELECT * FROM users")
    with db.atomic():
        change(a_job(db))
    assert said(db) == []
    sql(db, "DELETE FROM users")
    sql(db, f"INSERT INTO users VALUES ({','.join('?' * len(before))})", *before)  # noqa: S608
    assert said(db) == [
        ("账号 bangong 的角色或停用与操作记录不符：可能被换回了以前的样子（不能登录）", True)
    ]


def test_one_who_was_taken_over_and_whom_nobody_has_made_is_told(db, tmp_path):
    """Put in before the upgrade: marked with all the others, but the trail does not know them."""
    path = tmp_path / "citizens.key"
    with db.atomic():
        users.add(db, "evil", [Role.OFFICE], None, password="-", now=NOW)
    vault = Vault(keyring.read(path), path)
    assert marking.begin(db, vault, path, NOW)
    assert said(db, Vault(keyring.read(path))) == [
        ("账号 evil 的新建没有操作记录：请核对是谁的", False)
    ]


@pytest.mark.parametrize("by", ["user:evil", "key:aaaaaaaa", "key:bangong", "evil", "console"])
def test_a_ruling_by_somebody_of_whom_nobody_knows_is_named(tmp_path, by):
    """Whatever its mark: neither an account nor a key of that name was ever made here."""
    with RulingHall(tmp_path) as hall:
        hall.rule(hall.rate("SL1", level=1, reasons=("108",)))
        other = hall.rate("SL2", level=1, reasons=("108",))
        digest = hall.keep()
        found = rulings.rating(hall.reader, other)

        def job(db):
            ruled = Ruled(of=found.position, by=by, reason="示例理由", evidence=(digest,))
            return rulings.enter(db, VAULT, found, ruled, NOW).position

        position = hall.writer.call(job)
        told = [each for each in people.beside(hall.reader, VAULT) if each.what == "ruling"]
        assert [(each.position, by in each.text) for each in told] == [(position, True)]


def test_a_made_up_ruler_is_not_known_by_a_made_up_act(db):
    """The act by which somebody should have made the account is named itself."""
    db.conn.execute(
        "INSERT INTO audit (at, actor, action, target, allowed, detail)"
        " VALUES (1, 'console', 'add_user', 'user:evil', 1, '{\"roles\":\"office\"}')"
    )
    db.conn.commit()
    [(text, grave)] = said(db)
    assert grave
    assert f"操作记录第 {audit.newest(db)} 条不是本服务器记下的" in text


def test_a_file_of_a_hub_of_before_is_said_to_be_unchecked(tmp_path):
    """No columns for marks yet: nothing to look at, and nothing that breaks."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE audit (position INTEGER PRIMARY KEY)")
        raw.execute("INSERT INTO audit VALUES (1)")
    with closing(connect(path)) as db:
        assert people.beside(db, VAULT) == []
        assert "旧版本" in people.unchecked(db, VAULT)[0]
