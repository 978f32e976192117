"""Backups of a live hub, and restoring them: verified first, nothing overwritten."""

import shutil
import sqlite3
import threading
from contextlib import closing

import msgspec
import pytest
from click.testing import CliRunner
from test_verification import deed, honest  # noqa: F401 - a fixture
from world_hall import an_invitation

from hub import backup
from hub.__main__ import main
from hub.store import invitations, ledger, recovery
from hub.store.database import connect
from hub.store.lock import alone


@pytest.fixture
def hub(honest, tmp_path):  # noqa: F811
    shutil.copytree(honest, tmp_path / "hub")
    (tmp_path / "hub" / "state" / "citizens.key").write_bytes(b"c" * 32)
    return tmp_path / "hub"


def run(*arguments):
    found = CliRunner().invoke(main, [str(each) for each in arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.output
    return found


def backed_up(hub, out, *more):
    made = run("backup", "--config", hub / "hub.toml", "--out", out, *more)
    assert made.exit_code == 0, made.output
    return made


def restored(hub, out):
    return run("restore", "--config", hub / "hub.toml", "--from", out, "--yes")


def positions(hub):
    with closing(connect(hub / "state" / "hub.db")) as db:
        return ledger.size(db)


def test_a_backup_is_one_file_with_what_it_takes_to_check_it(hub, tmp_path):
    said = backed_up(hub, tmp_path / "out").output
    assert "台账 603 条" in said
    assert "密钥没有备份" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["hub.db", "manifest.json"]
    manifest = msgspec.json.decode((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["checkpoint"].startswith("pingyi/demo\n603\n")


def test_keys_are_in_it_only_when_asked_for(hub, tmp_path):
    backed_up(hub, tmp_path / "out", "--with-keys")
    for name in ("citizens.key", "ledger.key"):
        kept = tmp_path / "out" / name
        assert kept.read_bytes() == (hub / "state" / name).read_bytes()
        assert kept.stat().st_mode & 0o777 == 0o600


def test_a_lost_disk_comes_back(hub, tmp_path):
    backed_up(hub, tmp_path / "out", "--with-keys")
    shutil.rmtree(hub / "state")
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "核验无误" in done.output
    assert positions(hub) == 604  # and one that says that it was restored
    assert (hub / "state" / "citizens.key").read_bytes() == b"c" * 32
    assert run("verify", "--config", hub / "hub.toml").exit_code == 0


def test_a_backup_that_was_looked_at_or_restored_is_still_the_same_backup(hub, tmp_path):
    """Whoever tries a restore, and says no, or whose medium takes no writing, loses nothing."""
    out = tmp_path / "out"
    backed_up(hub, out)
    before = {each.name: each.read_bytes() for each in out.iterdir()}
    for each in (*out.iterdir(), out):
        each.chmod(each.stat().st_mode & 0o555)
    no = CliRunner().invoke(
        main, ["restore", "--config", str(hub / "hub.toml"), "--from", str(out)], input="n\n"
    )
    assert no.exit_code == 1
    for _ in range(2):
        again = restored(hub, out)
        assert again.exit_code == 0, again.output
        assert {each.name: each.read_bytes() for each in out.iterdir()} == before
    with closing(connect(hub / "state" / "hub.db")) as db, db.atomic():
        invitations.issue(db, "k1", an_invitation("SL-later"))


def test_what_is_there_is_set_aside_and_its_keys_are_kept(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    with closing(connect(hub / "state" / "hub.db")) as db, db.atomic():
        invitations.issue(db, "k1", an_invitation("SL-later"))
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert positions(hub) == 604
    [aside] = hub.glob("state.before-*")
    with closing(connect(aside / "hub.db")) as db:
        assert ledger.size(db) == 604
    assert (hub / "state" / "citizens.key").read_bytes() == b"c" * 32


def test_a_running_hub_is_not_pulled_away_from_under_itself(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    with alone(hub / "state"):
        refused = restored(hub, tmp_path / "out")
    assert refused.exit_code == 1
    assert "请先停止" in refused.output
    assert not list(hub.glob("state.*"))


@pytest.mark.parametrize("harm", ["byte", "cut", "gone", "manifest", "swapped"])
def test_a_damaged_backup_is_not_restored(hub, tmp_path, harm):
    out = tmp_path / "out"
    backed_up(hub, out)
    data = (out / "hub.db").read_bytes()
    if harm == "byte":
        middle = len(data) // 2
        flipped = bytes([data[middle] ^ 1])
        (out / "hub.db").write_bytes(data[:middle] + flipped + data[middle + 1 :])
    elif harm == "cut":
        (out / "hub.db").write_bytes(data[: len(data) // 2])
    elif harm == "gone":
        (out / "hub.db").unlink()
    elif harm == "manifest":
        (out / "manifest.json").write_bytes(b"{}")
    else:
        (out / "hub.db").write_bytes((hub / "hub.toml").read_bytes())
    refused = restored(hub, out)
    assert refused.exit_code == 1, refused.output
    assert positions(hub) == 603


def test_a_backup_whose_ledger_was_bent_is_not_restored(hub, tmp_path):
    out = tmp_path / "out"
    deed(hub, "DELETE FROM ledger WHERE position = 300")
    backed_up(hub, out)
    refused = restored(hub, out)
    assert refused.exit_code == 1
    assert "第 301 条" in refused.output
    assert "没有恢复" in refused.output


def test_a_backup_of_another_hall_is_not_restored(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    text = (hub / "hub.toml").read_text(encoding="utf-8")
    (hub / "hub.toml").write_text(text.replace('"demo"', '"other"'), encoding="utf-8")
    refused = restored(hub, tmp_path / "out")
    assert refused.exit_code == 1
    assert "demo" in refused.output


def test_a_backup_is_never_overwritten(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    again = run("backup", "--config", hub / "hub.toml", "--out", tmp_path / "out")
    assert again.exit_code == 1
    assert "不会覆盖" in again.output


def test_a_hub_that_never_ran_has_nothing_to_back_up(tmp_path):
    (tmp_path / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例"\nstate = "state"\n', encoding="utf-8"
    )
    refused = run("backup", "--config", tmp_path / "hub.toml", "--out", tmp_path / "out")
    assert refused.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_a_backup_made_while_the_hub_writes_is_one_moment_of_it(hub, tmp_path, monkeypatch):
    """Entries that come while the file is copied neither tear it nor begin it anew."""
    monkeypatch.setattr(backup, "PAGES", 2)
    stop, problems = threading.Event(), []

    def write():
        try:
            with closing(connect(hub / "state" / "hub.db")) as db:
                while not stop.is_set():
                    with db.atomic():
                        for _ in range(20):
                            invitations.issue(db, "k1", an_invitation("SL-live"))
        except sqlite3.Error as error:
            problems.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backed_up(hub, tmp_path / "out")
    finally:
        stop.set()
        writer.join()
    assert not problems
    found = []
    manifest = backup.read(tmp_path / "out", "demo")
    result = backup.verify(tmp_path / "out", hub / "state", manifest, found.append)
    assert found == []
    assert result.entries == manifest.entries >= 603


# ---------------------------------------------------------------- what came after the backup


def asked_again(hub):
    with closing(connect(hub / "state" / "hub.db")) as db:
        return recovery.waited_for(db)


def test_a_restored_hub_asks_its_kiosks_and_says_so_in_its_ledger(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    assert asked_again(hub) is None
    done = restored(hub, tmp_path / "out")
    assert "评价器自动补报" in done.output
    assert asked_again(hub) == ["k1"]
    with closing(connect(hub / "state" / "hub.db")) as db:
        [*_, last] = ledger.entries(db)
    said = msgspec.json.decode(last.body)
    assert (last.kind, said["recovery"], said["entries"]) == ("settings", "begun", 603)
    assert said["checkpoint"].startswith("pingyi/demo\n603\n")


def test_a_hub_without_the_key_is_told_what_it_lacks(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    shutil.rmtree(hub / "state")
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "还缺密钥" in done.output


def test_hall_it_ends_a_recovery(hub, tmp_path):
    """Who has not answered is named, and a yes is wanted; a second time there is none."""
    backed_up(hub, tmp_path / "out")
    restored(hub, tmp_path / "out")
    words = ("restore", "--config", hub / "hub.toml", "--finish")
    unsure = CliRunner().invoke(main, [str(each) for each in words], input="n\n")
    assert unsure.exit_code == 1
    assert "k1" in unsure.output
    assert asked_again(hub) == ["k1"]
    done = run(*words, "--yes")
    assert (done.exit_code, asked_again(hub)) == (0, None)
    assert "恢复已结束" in done.output
    assert "没有进行中的恢复" in run(*words).output
    assert run("verify", "--config", hub / "hub.toml").exit_code == 0


@pytest.mark.parametrize("words", [(), ("--finish", "--from", "out")])
def test_restoring_wants_one_of_two_words(hub, words):
    refused = run("restore", "--config", hub / "hub.toml", *words)
    assert refused.exit_code == 1
    assert "二者选一" in refused.output
