"""The commands by which a hall gets its first users, and reads its audit trail."""

import threading

import pytest
from click.testing import CliRunner
from pages_world import CLERK, PASSWORD, open_pages

from hub.__main__ import main
from hub.store import users
from hub.store.database import connect

NEW = "雨伞在第三个抽屉里呀"


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "hub.toml"
    file.write_text('hall = "demo"\nhall_name = "示例大厅"\nstate = "."\n', encoding="utf-8")
    return file


@pytest.fixture
def run(config):
    def run(*words, typed=None):
        return CliRunner().invoke(main, [*words, "--config", str(config)], input=typed)

    return run


def test_the_first_user_of_a_fresh_hub_is_made_at_its_console(run, tmp_path):
    """Asked for the password twice; it appears nowhere, and has to be changed."""
    assert "还没有账号" in run("user", "list").output
    done = run("user", "add", "admin1", "--role", "it", typed=f"{NEW}\n{NEW}\n")
    assert done.exit_code == 0, done.output
    assert NEW not in done.output
    listed = run("user", "list").output
    assert "admin1  等待首次修改口令  信息化管理员" in listed
    with open_pages(tmp_path) as hall:
        browser = hall.browser()
        assert browser.sign_in("admin1", NEW).status == 303
        assert browser.get("/").to == "/password"
    trail = run("audit").output
    assert "服务器命令行  新建账号  账号 admin1  角色 信息化管理员" in trail
    assert NEW not in trail


def test_a_password_comes_from_a_file_or_the_keyboard_never_the_command_line(run, tmp_path):
    """The first line of the file; typed differently the second time it is asked again."""
    (tmp_path / "given").write_text(NEW + "\n", encoding="utf-8")
    done = run(
        "user", "add", "one", "--role", "auditor", "--password-file", str(tmp_path / "given")
    )
    assert done.exit_code == 0, done.output
    done = run("user", "add", "two", "--role", "auditor", typed=f"{NEW}\nother\n{NEW}\n{NEW}\n")
    assert done.exit_code == 0, done.output
    assert run("user", "add", "three", "--role", "auditor", "--password", NEW).exit_code == 2
    assert "--password " not in run("user", "add", "--help").output


@pytest.mark.parametrize(
    ("words", "typed", "says"),
    [
        (("add", "示例", "--role", "it"), f"{NEW}\n{NEW}\n", "小写字母、数字"),
        (("add", "good", "--role", "it"), "short\nshort\n", "10 至 128 个字符"),
        (("add", "good", "--role", "it"), "1234567890\n1234567890\n", "太容易被猜到"),
        (("add", "good", "--role", "it", "--staff-number", "1"), f"{NEW}\n{NEW}\n", "不能为空"),
        (("disable", "nobody"), None, "没有名为“nobody”的账号"),
        (("enable", "nobody"), None, "没有名为“nobody”的账号"),
        (("unlock", "nobody"), None, "没有名为“nobody”的账号"),
        (("password", "nobody"), f"{NEW}\n{NEW}\n", "没有名为“nobody”的账号"),
    ],
)
def test_what_cannot_be_done_is_said_in_chinese(run, words, typed, says):
    """Exit code 1, no traceback, nothing changed."""
    done = run("user", *words, typed=typed)
    assert done.exit_code == 1
    assert says in done.output
    assert "还没有账号" in run("user", "list").output


def test_a_second_user_of_a_name_is_refused(run):
    """The first stays as it was."""
    for code in (0, 1):
        done = run("user", "add", "admin1", "--role", "it", typed=f"{NEW}\n{NEW}\n")
        assert done.exit_code == code
    assert "已有名为" in done.output


def test_the_console_changes_users_beside_a_running_hub(run, tmp_path):
    """Disabled at the console: the open browser is out at once. All of it is in the trail."""
    with open_pages(tmp_path) as hall:
        clerk = hall.signed_in(CLERK)
        assert run("user", "disable", CLERK).exit_code == 0
        assert clerk.get("/my-window").to.startswith("/sign-in")
        assert hall.browser().sign_in(CLERK).status == 401
        assert "停用" in run("user", "list").output
        assert run("user", "enable", CLERK).exit_code == 0
        assert hall.browser().sign_in(CLERK).status == 303
        for _ in range(6):
            hall.browser().sign_in(CLERK, "wrong")
        assert hall.browser().sign_in(CLERK).status == 429
        assert run("user", "unlock", CLERK).exit_code == 0
        assert hall.browser().sign_in(CLERK).status == 303
        assert run("user", "password", CLERK, typed=f"{NEW}\n{NEW}\n").exit_code == 0
        assert hall.browser().sign_in(CLERK, PASSWORD).status == 401
        told = [act.action for act in hall.trail() if act.actor == "console"][6:]
        assert told == ["disable_user", "enable_user", "unlock", "give_password"]


def test_the_console_is_not_turned_away_while_the_hub_writes(run, tmp_path):
    """It reads before it writes; what the hub commits in between does not undo it."""
    with open_pages(tmp_path) as hall:
        stop = threading.Event()

        def busy():
            while not stop.is_set():
                hall.writer.call(lambda db: db.execute("UPDATE users SET changed_at = changed_at"))

        writing = threading.Thread(target=busy)
        writing.start()
        try:
            codes = [run("user", word, CLERK).exit_code for word in ("disable", "enable") * 10]
        finally:
            stop.set()
            writing.join()
        assert codes == [0] * 20


def test_the_trail_is_listed_newest_last_and_filtered(run, tmp_path):
    """By actor, only what was denied, so many, before a position."""
    with open_pages(tmp_path) as hall:
        hall.browser().sign_in(CLERK, "wrong")
        hall.signed_in(CLERK).get("/audit")
        hall.quiet()
    lines = run("audit").output.splitlines()
    numbers = [int(line.split()[0]) for line in lines]
    assert numbers == sorted(numbers)
    assert "无权操作（被拒绝）" in lines[-1]
    denied = run("audit", "--denied").output.splitlines()
    assert len(denied) == 2
    assert "未登录者  登录（被拒绝）  账号 jia  原因 口令不对，来自 127.0.0.1" in denied[0]
    assert len(run("audit", "--actor", f"user:{CLERK}").output.splitlines()) == 2
    assert run("audit", "--limit", "1").output.splitlines() == lines[-1:]
    assert run("audit", "--before", str(numbers[1])).output.splitlines() == lines[:1]
    assert "没有符合条件" in run("audit", "--actor", "user:nobody").output


def test_a_disk_that_cannot_be_written_is_said(run, tmp_path):
    """Where the state should be there is a file."""
    (tmp_path / "hub.db").mkdir()
    done = run("user", "list")
    assert done.exit_code == 1
    assert "hub.db" in done.output
    (tmp_path / "hub.db").rmdir()
    (tmp_path / "hub.db").write_bytes(b"not a database, but long enough to look like one" * 40)
    done = run("user", "list")
    assert done.exit_code == 1
    assert "损坏" in done.output


def test_a_user_that_a_newer_version_wrote_keeps_the_roles_that_are_known(run, tmp_path):
    """An unknown role is no right."""
    run("user", "add", "admin1", "--role", "it", typed=f"{NEW}\n{NEW}\n")
    db = connect(tmp_path / "hub.db")
    with db.atomic():
        db.execute('UPDATE users SET roles = \'["it", "root"]\'')
    (user,) = users.listed(db)
    db.close()
    assert [role.value for role in user.roles] == ["it"]
