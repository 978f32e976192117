"""The audit trail under who has SQL: what was altered, put in or taken out is named."""

from contextlib import closing

import insider
import pytest
import world_file
from world_hall import NOW, VAULT

from hub.rules.access import Role
from hub.store import audit, database, keyring, marking, portraits, signet, users
from hub.store.vault import Vault
from hub.verification import people, report
from protocol.messages import Staff

CLERK = Staff(name="示例甲", number="0317")


@pytest.fixture
def db(tmp_path):
    with closing(world_file.opened(tmp_path / "hub.db")) as db:
        with db.atomic():
            for number in range(5):
                audit.note(db, NOW + number, "user:jia", "sign_on", f"{number}号窗口")
        yield db


def deed(db, *statements):
    """In the file itself, past the connection that the hub has."""
    insider.sql(db.conn.execute("PRAGMA database_list").fetchone()[2], *statements)


def said(db, vault=VAULT):
    found = []
    unchecked = report.around(db, found.append, vault)
    return [each.text for each in found], unchecked


def test_a_trail_as_the_hub_has_written_it_has_nothing_to_be_told(db):
    assert said(db) == ([], ())


@pytest.mark.parametrize(
    "change",
    [
        "at = at + 1",
        "actor = 'user:yi'",
        "action = 'sign_off'",
        "target = '9号窗口'",
        "allowed = 0",
        'detail = \'{"why":"x"}\'',
        "detail = 'x'",
        "actor = CAST(x'ff' AS TEXT)",
        "mark = x''",
        "mark = (SELECT mark FROM audit WHERE position = 2)",
    ],
)
@pytest.mark.parametrize("position", [1, 3, 5])
def test_an_altered_entry_is_named(db, position, change):
    """By its number, and no other but the one behind it where the mark itself was changed."""
    deed(db, f"UPDATE audit SET {change} WHERE position = {position}")  # noqa: S608
    texts, _ = said(db)
    if position == 1 and change == "mark = x''":
        assert f"第 {position + 1} 条" in texts[0]
        return
    assert f"操作记录第 {position} 条不是本服务器记下的" in texts[0]
    assert len(texts) <= 2
    if not change.startswith("mark"):
        assert len(texts) == 1


def test_an_entry_that_was_put_in_is_named_and_those_after_it_are_not(db):
    deed(
        db,
        "INSERT INTO audit (at, actor, action, target, allowed, detail)"
        " VALUES (1, 'user:bangong', 'rule', 'SL1/1', 1, '{}')",
    )
    audit.note(db, NOW, "user:jia", "sign_off")
    texts, _ = said(db)
    assert [text[:8] for text in texts] == ["操作记录第 6 条"[:8]]


def test_an_entry_that_was_copied_is_named(db):
    """With its mark: it is of another place."""
    deed(
        db,
        "INSERT INTO audit (at, actor, action, target, allowed, detail, mark)"
        " SELECT at, actor, action, target, allowed, detail, mark FROM audit WHERE position = 2",
    )
    assert "第 6 条" in said(db)[0][0]


def test_an_entry_that_was_taken_out_is_named_though_the_numbers_are_closed_up(db):
    deed(
        db,
        "DELETE FROM audit WHERE position = 3",
        "UPDATE audit SET position = position - 1 WHERE position = 4",
        "UPDATE audit SET position = position - 1 WHERE position = 5",
    )
    assert [text[:8] for text in said(db)[0]] == ["操作记录第 3 条"[:8], "操作记录第 4 条"[:8]]


def test_without_the_key_it_is_said_that_nothing_was_checked(db):
    deed(db, "UPDATE audit SET actor = 'user:yi' WHERE position = 2")
    assert said(db, None) == ([], ("账号、密钥、吊销和操作记录：需要服务器上的 citizens.key",))
    assert "第 1 条" in said(db, Vault(b"x" * 32))[0][0]


# ---------------------------------------------------------------- what hubs of before have left


@pytest.fixture
def older(db):
    """A file as a hub of before left it: nothing is marked."""
    users.add(db, "jia", [Role.WINDOW], CLERK, password="-", now=NOW)
    portraits.put(db, "jia", CLERK, b"a picture", NOW)
    audit.note(db, NOW, "console", "add_user", "user:jia", detail={"roles": "window"})
    db.conn.commit()
    for table in ("audit", "users", "portraits"):
        deed(db, f"UPDATE {table} SET mark = x''")  # noqa: S608
    return db


def begin(db, tmp_path, now=NOW):
    path = tmp_path / "citizens.key"
    return marking.begin(db, Vault(keyring.read(path), path), path, now)


def after(tmp_path):
    """The vault as it is on disk now."""
    path = tmp_path / "citizens.key"
    return Vault(keyring.read(path), path)


def test_what_older_hubs_left_is_taken_over_once(older, tmp_path):
    """Told in the trail with its counts; what was noted before is tied up, and said to be."""
    with pytest.raises(signet.Forged):
        users.get(older, "jia")
    assert begin(older, tmp_path)
    assert users.get(older, "jia").staff == CLERK
    assert portraits.digest_of(older, CLERK)
    [act] = audit.entries(older, limit=1)
    assert (act.actor, act.action) == ("hub", "begin_marks")
    assert (act.detail["entries"], act.detail["users"], act.detail["keys"]) == (6, 1, 0)
    texts, unchecked = said(older, after(tmp_path))
    assert texts == []
    assert "操作记录的前 6 条是旧版本记下的" in unchecked[0]


def test_nobody_has_the_hub_mark_a_second_time(older, tmp_path):
    """All marks and the note of it are wiped away, and an account is planted: it stays planted."""
    begin(older, tmp_path)
    deed(
        older,
        "DELETE FROM audit WHERE action = 'begin_marks'",
        "UPDATE users SET mark = x''",
        "INSERT INTO users (name, roles, password, must_change, created_at, changed_at)"
        " VALUES ('evil', '[\"office\"]', '-', 0, 1, 1)",
    )
    assert not begin(older, tmp_path)
    for name in ("jia", "evil"):
        with pytest.raises(signet.Forged):
            users.get(older, name)
    texts, _ = said(older, after(tmp_path))
    assert "账号 evil不是本服务器登记的，或被改动过（不起作用）" in texts
    assert "操作记录的前 6 条（升级之前的）被改动过，或有增减" in texts


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor = 'user:yi' WHERE position = 2",
        "INSERT INTO audit VALUES (0, 1, 'x', 'x', 'x', 1, '{}', x'')",
        "DELETE FROM audit WHERE position = 1",
    ],
)
def test_what_was_noted_before_the_upgrade_is_not_altered_after_it(older, tmp_path, change):
    begin(older, tmp_path)
    deed(older, change)
    assert any("升级之前的）被改动过" in text for text in said(older, after(tmp_path))[0])


def test_a_power_cut_before_the_key_file_is_written_has_it_done_again(older, tmp_path):
    """The key file says nothing yet: marked once more, and the trail holds."""
    path = tmp_path / "citizens.key"
    kept = path.read_bytes()
    begin(older, tmp_path)
    path.write_bytes(kept)
    assert begin(older, tmp_path)
    assert said(older, after(tmp_path))[0] == []
    assert not begin(older, tmp_path)


def test_changing_keys_leaves_every_mark_fitting(older, tmp_path):
    begin(older, tmp_path)
    path = tmp_path / "citizens.key"
    keyring.write(path, keyring.with_new(keyring.read(path), "sm4-gcm", NOW))
    with closing(database.connect(tmp_path / "hub.db")) as again:
        assert users.get(again, "jia") is not None
        assert said(again, after(tmp_path))[0] == []
    assert keyring.read(path).marks_since == NOW


# ---------------------------------------------------------------- photographs


@pytest.mark.parametrize(
    "change",
    [
        "picture = x'00'",
        "digest = lower(hex(zeroblob(32)))",
        "name = '示例乙'",
        "added_at = 1",
    ],
)
def test_a_photograph_that_was_exchanged_is_shown_to_nobody(db, change):
    users.add(db, "jia", [Role.WINDOW], CLERK, password="-", now=NOW)
    digest = portraits.put(db, "jia", CLERK, b"a picture", NOW)
    db.conn.commit()
    assert portraits.digest_of(db, CLERK) == digest
    deed(db, f"UPDATE portraits SET {change}")  # noqa: S608
    assert portraits.digest_of(db, CLERK) == ""
    assert not portraits.of_user(db, "jia").shown
    assert [each.text for each in people.beside(db, VAULT) if each.grave] == [
        "账号 jia 的照片不是从本系统上传的，或被换过（不会显示）"
    ]


def test_a_photograph_exchanged_after_it_was_looked_up_is_not_sent(db):
    """Its bytes are looked at once more."""
    users.add(db, "jia", [Role.WINDOW], CLERK, password="-", now=NOW)
    digest = portraits.put(db, "jia", CLERK, b"a picture", NOW)
    db.conn.commit()
    assert portraits.picture(db, digest) == b"a picture"
    deed(db, "UPDATE portraits SET picture = x'00'")
    with pytest.raises(KeyError):
        portraits.picture(db, digest)
