"""Backups of a live hub, and restoring them: verified first, nothing overwritten."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import msgspec
import pytest
from click.testing import CliRunner
from test_verification import deed, honest  # noqa: F401 - a fixture
from world_hall import an_invitation

from hub import backup
from hub.__main__ import main
from hub.configfile import load
from hub.state import opened
from hub.store import invitations, ledger, recovery
from hub.store.database import LedgerLost, connect
from hub.store.lock import alone
from hub.store.soundness import Spoiled


@pytest.fixture
def hub(honest, tmp_path):  # noqa: F811
    shutil.copytree(honest, tmp_path / "hub")
    key = tmp_path / "hub" / "state" / "citizens.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
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
    assert f"台账 {positions(hub)} 条" in said
    assert "密钥没有备份" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["hub.db", "manifest.json"]
    manifest = msgspec.json.decode((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["checkpoint"].startswith(f"pingyi/demo\n{positions(hub)}\n")


def test_keys_are_in_it_only_when_asked_for(hub, tmp_path):
    backed_up(hub, tmp_path / "out", "--with-keys")
    for name in ("citizens.key", "ledger.key"):
        kept = tmp_path / "out" / name
        assert kept.read_bytes() == (hub / "state" / name).read_bytes()
        assert kept.stat().st_mode & 0o777 == 0o600


def test_a_lost_disk_comes_back(hub, tmp_path):
    backed_up(hub, tmp_path / "out", "--with-keys")
    before = positions(hub)
    shutil.rmtree(hub / "state")
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "核验无误" in done.output
    assert positions(hub) == before + 1  # and one that says that it was restored
    assert (hub / "state" / "citizens.key").read_bytes() == b"k" * 32
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
    before = positions(hub)
    with closing(connect(hub / "state" / "hub.db")) as db, db.atomic():
        invitations.issue(db, "k1", an_invitation("SL-later"))
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert positions(hub) == before + 1
    [aside] = hub.glob("state.before-*")
    with closing(connect(aside / "hub.db")) as db:
        assert ledger.size(db) == before + 1
    assert (hub / "state" / "citizens.key").read_bytes() == b"k" * 32


def test_a_running_hub_is_not_pulled_away_from_under_itself(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    with alone(hub / "state"):
        refused = restored(hub, tmp_path / "out")
    assert refused.exit_code == 1
    assert "请先停止" in refused.output
    assert not list(hub.glob("state.*"))


def spoil(hub, harm):
    path = hub / "state" / "hub.db"
    data = path.read_bytes()
    if harm == "middle":
        third = len(data) // 3
        path.write_bytes(data[:third] + bytes(third) + data[2 * third :])
    elif harm == "cut":
        path.write_bytes(data[:-10])
    else:
        path.with_name("hub.db-wal").write_bytes(b"noise" * 1000)


@pytest.mark.parametrize("harm", ["middle", "cut", "log"])
def test_a_spoiled_file_is_not_backed_up_but_restored(hub, tmp_path, harm):
    """A backup of it would push out the good ones; they do what the refusals tell to do."""
    backed_up(hub, tmp_path / "out")
    before = positions(hub)
    spoil(hub, harm)
    refused = run("backup", "--config", hub / "hub.toml", "--out", tmp_path / "later")
    assert refused.exit_code == 1
    assert "已损坏" in refused.output
    assert "pingyi-hub restore" in refused.output
    assert not list(tmp_path.glob("later*"))
    with pytest.raises(Spoiled):
        start(hub)
    assert restored(hub, tmp_path / "out").exit_code == 0
    assert start(hub) == before + 1


@pytest.mark.parametrize("harm", ["byte", "cut", "gone", "manifest", "swapped"])
def test_a_damaged_backup_is_not_restored(hub, tmp_path, harm):
    out, before = tmp_path / "out", positions(hub)
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
    assert positions(hub) == before


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
    before = positions(hub)
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
    assert result.entries == manifest.entries >= before


# ---------------------------------------------------------------- the power is cut meanwhile

CUT = """
import os, signal, sys
from hub.__main__ import main

left = int(sys.argv.pop(1))

def hook(event, _):
    global left
    if event == "os.rename":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
main()
"""


def cut_off(hub, out, renames):
    """Restore in a process that dies for good before it renames once more."""
    words = ("restore", "--config", hub / "hub.toml", "--from", out, "--yes")
    done = subprocess.run(
        [sys.executable, "-c", CUT, str(renames), *map(str, words)], check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL


def start(hub):
    """Open the state as a hub does that starts; return how many entries its ledger has."""
    config, base = load(hub / "hub.toml", files=False), hub
    with opened(config, base) as state:
        return ledger.size(state.db)


@pytest.mark.parametrize("renames", [0, 1])
def test_a_restore_that_is_cut_off_early_leaves_what_was_there(hub, tmp_path, renames):
    """Until the old data are set aside the hub goes on with them; a second restore works."""
    backed_up(hub, tmp_path / "out")
    before = positions(hub)
    cut_off(hub, tmp_path / "out", renames)
    assert start(hub) == before
    assert restored(hub, tmp_path / "out").exit_code == 0
    assert positions(hub) == before + 1
    assert not list(hub.glob("state.part-*"))


def test_a_restore_that_is_cut_off_late_begins_no_second_ledger(hub, tmp_path):
    """No hub, command or second restore makes an empty ledger where there is none just then."""
    backed_up(hub, tmp_path / "out")
    before = positions(hub)
    key = (hub / "state" / "ledger.key").read_bytes()
    cut_off(hub, tmp_path / "out", 2)
    assert not (hub / "state").exists()
    [ready] = hub.glob("state.restored-*")
    for _ in range(2):  # the first try makes the folder
        with pytest.raises(LedgerLost, match=f"{ready} 改名为 {hub / 'state'}"):
            start(hub)
    for refused in (
        run("audit", "--config", hub / "hub.toml"),
        run("verify", "--config", hub / "hub.toml"),
        restored(hub, tmp_path / "out"),
    ):
        assert refused.exit_code == 1
        assert "恢复没有做完" in refused.output
    assert not (hub / "state" / "hub.db").exists()
    shutil.rmtree(hub / "state")
    ready.rename(hub / "state")
    assert start(hub) == before + 1
    assert (hub / "state" / "ledger.key").read_bytes() == key


def test_a_hub_on_a_new_disk_waits_for_the_restore_that_was_cut_off(hub, tmp_path):
    backed_up(hub, tmp_path / "out", "--with-keys")
    shutil.rmtree(hub / "state")
    (hub / "state.part-1").mkdir()
    with pytest.raises(LedgerLost, match="重新运行 pingyi-hub restore"):
        start(hub)
    assert restored(hub, tmp_path / "out").exit_code == 0
    start(hub)


FULL = """
import resource, signal
from hub.__main__ import main

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
main()
"""


def test_a_disk_without_room_for_the_backup_leaves_what_was_there(hub, tmp_path):
    """It is told in Chinese, and no half copy takes up the last of the room."""
    backed_up(hub, tmp_path / "out")
    before = positions(hub)
    words = ("restore", "--config", hub / "hub.toml", "--from", tmp_path / "out", "--yes")
    done = subprocess.run(
        [sys.executable, "-c", FULL, *map(str, words)],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "请检查" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(each.name for each in hub.glob("state*")) == ["state"]
    assert start(hub) == before


def test_an_export_that_found_no_room_leaves_nothing_in_the_way(hub, tmp_path):
    """The next try, with room, is not told that its folder is there already."""
    out = tmp_path / "export"
    words = ("export", "--config", hub / "hub.toml", "--out", out)
    done = subprocess.run(
        [sys.executable, "-c", FULL.replace("100_000", "40_000"), *map(str, words)],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "无法写入" in done.stderr
    assert not out.exists()
    assert run(*words).exit_code == 0
    again = run(*words)
    assert again.exit_code == 1
    assert "已经存在" in again.output
    assert sorted(out.iterdir())


def test_only_what_the_manifest_names_is_put_back(hub, tmp_path):
    """A log that lies beside the copy, from wherever, is not merged into it."""
    backed_up(hub, tmp_path / "out")
    (tmp_path / "out" / "hub.db-wal").write_bytes(b"\x37\x7f\x06\x82" + b"x" * 5000)
    assert restored(hub, tmp_path / "out").exit_code == 0
    assert run("verify", "--config", hub / "hub.toml").exit_code == 0


# ---------------------------------------------------------------- what came after the backup


def asked_again(hub):
    with closing(connect(hub / "state" / "hub.db")) as db:
        return recovery.waited_for(db)


def test_a_restored_hub_asks_its_kiosks_and_says_so_in_its_ledger(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    before = positions(hub)
    assert asked_again(hub) is None
    done = restored(hub, tmp_path / "out")
    assert "评价器自动补报" in done.output
    assert asked_again(hub) == ["k1"]
    with closing(connect(hub / "state" / "hub.db")) as db:
        [*_, last] = ledger.entries(db)
    said = msgspec.json.decode(last.body)
    assert (last.kind, said["recovery"], said["entries"]) == ("settings", "begun", before)
    assert said["checkpoint"].startswith(f"pingyi/demo\n{before}\n")


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


def test_on_a_new_disk_both_keys_are_asked_for(hub, tmp_path):
    """Each by its name: without either the hub does not start."""
    backed_up(hub, tmp_path / "out")
    shutil.rmtree(hub / "state")
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    asked = [line for line in done.output.splitlines() if line.startswith("还缺密钥")]
    assert [line.split("：")[0] for line in asked] == [
        f"还缺密钥 {hub / 'state' / name}" for name in ("citizens.key", "ledger.key")
    ]
