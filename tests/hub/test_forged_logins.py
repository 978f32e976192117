"""Keys, accounts and sessions put into the hub's file past the hub open nothing, and are told.

Whoever does it has all of SQL, and no key file.
"""

import hashlib
import logging
import sqlite3
from contextlib import closing

import pytest
from pages_world import ARGON2, CLERK, KEPT, NOW, OFFICE, PASSWORD, SUPERVISOR, open_pages

from hub.accounts import changes
from hub.accounts.changes import Job
from hub.accounts.errors import RowForged
from hub.rules.access import CONSOLE, Role, Scope

SECRET = "z" * 43
PLANTED = f"pingyi_aaaaaaaa_{SECRET}"
TOKEN = "t" * 43
LIST = "/api/v1/windows"


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def sql(hall, statement, *values):
    """What an insider does beside the running hub."""
    with closing(sqlite3.connect(hall.path, timeout=10)) as raw, raw:
        return raw.execute(statement, values).fetchall()


def job(hall):
    return lambda db: Job(db=db, now=hall.now, by=CONSOLE, changed=set())


def a_key(hall, *scopes, days=None):
    def make(db):
        return changes.add_key(job(hall)(db), "示例", scopes or (Scope.WINDOWS,), days)

    return hall.writer.call(make)


def plant_key(hall, mark=b""):
    sql(
        hall,
        "INSERT INTO api_keys (id, label, digest, scopes, created_at, mark)"
        " VALUES ('aaaaaaaa', '区系统', ?, '[\"rule\",\"windows\"]', 1, ?)",
        hashlib.sha256(SECRET.encode()).digest(),
        mark,
    )


def plant_session(hall, user, mark=b""):
    sql(
        hall,
        "INSERT INTO sessions (digest, user, csrf, address, created_at, seen_at, mark)"
        " VALUES (?, ?, ?, '127.0.0.1', ?, ?, ?)",
        hashlib.sha256(TOKEN.encode()).digest(),
        user,
        "c" * 43,
        NOW,
        NOW,
        mark,
    )


def told(hall):
    return [(act.actor, act.target, act.allowed) for act in hall.trail("forged")]


def test_a_planted_key_opens_nothing_and_is_told_once(hall, caplog):
    """Used, used again, and taken away again: 401, one entry, the alarm stays for a day."""
    plant_key(hall)
    with caplog.at_level(logging.CRITICAL):
        assert [hall.api("GET", LIST, PLANTED).status for _ in range(3)] == [401] * 3
    sql(hall, "DELETE FROM api_keys WHERE id = 'aaaaaaaa'")
    assert told(hall) == [("hub", "key:aaaaaaaa", False)]
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    assert SECRET not in caplog.text
    forgeries = hall.site.door.forgeries
    assert "密钥 aaaaaaaa不是本服务器登记的" in forgeries.alarm
    hall.now += 86_400_001
    forgeries.look()
    assert forgeries.alarm is None


def test_a_mark_of_another_key_does_not_serve(hall):
    """Nor one of an account or a session."""
    a_key(hall)
    for table in ("api_keys", "users"):
        [[mark]] = sql(hall, f"SELECT mark FROM {table} LIMIT 1")  # noqa: S608
        plant_key(hall, mark)
        assert hall.api("GET", LIST, PLANTED).status == 401
        sql(hall, "DELETE FROM api_keys WHERE id = 'aaaaaaaa'")


@pytest.mark.parametrize(
    "change",
    [
        'scopes = \'["windows", "rule", "cases"]\'',
        "label = '区系统'",
        "expires_at = NULL",
        "expires_at = expires_at + 1",
        "created_at = 1",
        "id = 'bbbbbbbb'",
    ],
)
def test_an_altered_key_opens_nothing(hall, change):
    """Not even what it opened before."""
    name, key = a_key(hall, days=30)
    assert hall.api("GET", LIST, key).status == 200
    sql(hall, f"UPDATE api_keys SET {change}")  # noqa: S608
    assert hall.api("GET", LIST, key.replace(name, "bbbbbbbb")).status == 401
    assert hall.api("GET", LIST, key).status == 401
    assert len(told(hall)) == 1


def test_a_revoked_key_stays_revoked(hall):
    """Set back by hand, or the whole row as it was, its genuine mark too."""
    name, key = a_key(hall)
    before = sql(hall, "SELECT * FROM api_keys")[0]
    hall.writer.call(lambda db: changes.revoke_key(job(hall)(db), name))
    sql(hall, "UPDATE api_keys SET revoked_at = NULL")
    assert hall.api("GET", LIST, key).status == 401
    sql(hall, "DELETE FROM api_keys")
    sql(hall, f"INSERT INTO api_keys VALUES ({','.join('?' * len(before))})", *before)  # noqa: S608
    assert hall.api("GET", LIST, key).status == 401
    assert {target for _, target, _ in told(hall)} == {f"key:{name}"}


def test_a_planted_session_is_nobodys(hall):
    """For the office, with a token of one's own: to the sign-in, and told."""
    plant_session(hall, OFFICE)
    browser = hall.browser()
    browser.cookies["pingyi-session"] = TOKEN
    page = browser.get("/rulings")
    assert (page.status, page.to.partition("?")[0]) == (303, "/sign-in")
    assert browser.send("POST", "/sign-out", {"csrf": "c" * 43}).to.startswith("/sign-in")
    assert told(hall) == [("hub", f"session:{OFFICE}", False)]


@pytest.mark.parametrize(
    "change", [f"user = '{OFFICE}'", "csrf = 'c'", "created_at = created_at + 1", "mark = x''"]
)
def test_ones_own_session_does_not_become_another(hall, change):
    """One who is signed in, and has SQL."""
    browser = hall.signed_in(SUPERVISOR)
    assert browser.get("/windows").status == 200
    sql(hall, f"UPDATE sessions SET {change}")  # noqa: S608
    assert browser.get("/windows").to.startswith("/sign-in")


def test_a_session_that_has_ended_does_not_begin_anew(hall):
    """The cookie of before, with the end taken back in the file."""
    browser = hall.signed_in(SUPERVISOR)
    kept = dict(browser.cookies)
    browser.post("/sign-out")
    sql(hall, "UPDATE sessions SET ended_at = NULL, why = ''")
    browser.cookies = kept
    assert browser.get("/windows").to.startswith("/sign-in")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("roles", '["office", "it"]'),
        ("staff", '{"name": "示例冤"}'),
        pytest.param("password", ARGON2.hash("区里的一句口令呀"), id="password"),
        ("must_change", 1),
        ("created_at", 1),
        ("disabled_at", 1),
    ],
)
def test_an_altered_account_is_nobodys(hall, column, value):
    """Neither a session that it has nor either password opens anything."""
    browser = hall.signed_in(CLERK)
    sql(hall, f"UPDATE users SET {column} = ? WHERE name = ?", value, CLERK)  # noqa: S608
    assert browser.get("/window").to.startswith("/sign-in")
    for password in (PASSWORD, "区里的一句口令呀"):
        assert hall.browser().sign_in(CLERK, password).status == 401
    assert told(hall) == [("hub", f"user:{CLERK}", False)]
    assert hall.signed_in(SUPERVISOR).get("/windows").status == 200


def test_a_disabled_account_stays_disabled(hall):
    """Enabled by SQL it cannot sign in; by the hub it can."""
    hall.writer.call(lambda db: changes.disable(job(hall)(db), CLERK))
    sql(hall, "UPDATE users SET disabled_at = NULL WHERE name = ?", CLERK)
    assert hall.browser().sign_in(CLERK).status == 401
    assert told(hall) == [("hub", f"user:{CLERK}", False)]


@pytest.mark.parametrize("column", ["roles", "disabled_at"])
def test_an_account_set_back_to_what_it_was_lets_nobody_in(hall, column):
    """The whole row as it was, genuine mark and all: not by password, nor by a session for long."""
    [before] = sql(hall, "SELECT * FROM users WHERE name = ?", OFFICE)
    old = hall.signed_in(OFFICE)
    [session] = sql(hall, "SELECT * FROM sessions WHERE user = ?", OFFICE)
    kept = dict(old.cookies)
    if column == "roles":
        change = lambda db: changes.set_roles(job(hall)(db), OFFICE, [Role.AUDITOR])  # noqa: E731
    else:
        change = lambda db: changes.disable(job(hall)(db), OFFICE)  # noqa: E731
    hall.writer.call(change)
    for table, row in (("users", before), ("sessions", session)):
        holes = ",".join("?" * len(row))
        sql(hall, f"INSERT OR REPLACE INTO {table} VALUES ({holes})", *row)  # noqa: S608
    assert hall.browser().sign_in(OFFICE).status == 401
    hall.site.door.forgeries.look()
    old.cookies = kept
    assert old.get("/rulings").to.startswith("/sign-in")
    assert told(hall) == [("hub", f"user:{OFFICE}", False)]
    hall.writer.call(lambda db: changes.set_roles(job(hall)(db), OFFICE, [Role.OFFICE, Role.IT]))
    hall.writer.call(lambda db: changes.disable(job(hall)(db), OFFICE))
    hall.writer.call(lambda db: changes.enable(job(hall)(db), OFFICE))
    hall.site.door.forgeries.look()
    assert hall.signed_in(OFFICE).get("/rulings").status == 200


def test_a_planted_account_cannot_sign_in_and_looks_like_none(hall):
    """The answer is that of a wrong password, and the work too."""
    sql(
        hall,
        "INSERT INTO users (name, roles, password, must_change, created_at, changed_at)"
        " VALUES ('evil', '[\"office\"]', ?, 0, 1, 1)",
        KEPT,
    )
    wrong = hall.browser().sign_in("nobody")
    page = hall.browser().sign_in("evil")
    assert (page.status, wrong.status) == (401, 401)
    assert hall.looked_at == [False, False]
    assert told(hall) == [("hub", "user:evil", False)]


def test_the_hub_does_not_sign_what_somebody_else_has_written(hall):
    """A change of a forged account would mark it: it is refused, and only removing it goes."""
    sql(hall, "UPDATE users SET roles = '[\"office\"]' WHERE name = ?", CLERK)
    for change in (
        lambda job: changes.set_roles(job, CLERK, [Role.WINDOW]),
        lambda job: changes.set_staff(job, CLERK, None),
        lambda job: changes.give_password(job, CLERK, KEPT),
        lambda job: changes.enable(job, CLERK),
    ):
        with pytest.raises(RowForged, match="pingyi-hub user disable jia"):
            hall.writer.call(lambda db, change=change: change(job(hall)(db)))
    hall.writer.call(lambda db: changes.disable(job(hall)(db), CLERK))
    assert sql(hall, "SELECT * FROM users WHERE name = ?", CLERK) == []
    hall.writer.call(lambda db: changes.add_user(job(hall)(db), CLERK, [Role.WINDOW], None, KEPT))
    assert hall.browser().sign_in(CLERK).status == 303


def test_a_forged_key_is_removed_by_revoking_it(hall):
    plant_key(hall)
    hall.writer.call(lambda db: changes.revoke_key(job(hall)(db), "aaaaaaaa"))
    assert sql(hall, "SELECT * FROM api_keys") == []
    hall.site.door.forgeries.look()
    assert hall.site.door.forgeries.alarm is None


def test_what_nobody_has_used_yet_is_found_too(hall):
    """Looked for now and then; whatever bytes stand there end nothing. Gone, the alarm is over."""
    forgeries = hall.site.door.forgeries
    forgeries.look()
    assert forgeries.alarm is None
    plant_key(hall)
    plant_session(hall, OFFICE)
    sql(
        hall,
        "INSERT INTO users (name, roles, password, must_change, created_at, changed_at)"
        " VALUES ('evil', CAST(x'ff' AS TEXT), '-', 0, 1, 1)",
    )
    sql(
        hall,
        "INSERT INTO portraits (user, name, number, digest, picture, added_at)"
        " VALUES (?, '示例甲', '0317', '0', x'00', 1)",
        CLERK,
    )
    for _ in range(2):
        forgeries.look()
    names = [f"session:{OFFICE}", "key:aaaaaaaa", f"portrait:{CLERK}", "user:evil"]
    assert sorted(target for _, target, _ in told(hall)) == sorted(names)
    for text in ("账号 evil", "密钥 aaaaaaaa", f"账号 {OFFICE} 的登录", f"账号 {CLERK} 的照片"):
        assert text in forgeries.alarm
    for table, which in (
        ("users", "name = 'evil'"),
        ("api_keys", "1"),
        ("sessions", "1"),
        ("portraits", "1"),
    ):
        sql(hall, f"DELETE FROM {table} WHERE {which}")  # noqa: S608
    forgeries.look()
    assert forgeries.alarm is None


def test_a_restart_does_not_tell_the_same_row_again(tmp_path):
    with open_pages(tmp_path) as hall:
        plant_key(hall)
        assert hall.api("GET", LIST, PLANTED).status == 401
        assert len(told(hall)) == 1
    with open_pages(tmp_path) as hall:
        hall.site.door.forgeries.look()
        assert hall.api("GET", LIST, PLANTED).status == 401
        assert len(told(hall)) == 1
        assert "aaaaaaaa" in hall.site.door.forgeries.alarm


def test_the_newest_entries_of_the_trail_are_missed_though_they_leave_no_gap(hall):
    """Cut off beside the running hub, others in their place: told at the next look, once."""
    a_key(hall)
    a_key(hall)
    hall.site.door.forgeries.look()
    last = hall.trail()[-1].position
    with closing(sqlite3.connect(hall.path, timeout=10)) as raw, raw:
        [kept] = raw.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_never_deleted'")
        raw.execute("DROP TRIGGER audit_never_deleted")
        raw.execute("DELETE FROM audit WHERE position = ?", (last,))
        raw.execute(*kept)
    a_key(hall)
    assert hall.trail()[-1].position == last
    for _ in range(2):
        hall.site.door.forgeries.look()
    assert told(hall) == [("hub", f"act:{last}", False)]
    assert f"操作记录第 {last} 条" in hall.site.door.forgeries.alarm
