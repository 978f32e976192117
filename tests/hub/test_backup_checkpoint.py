"""A restore leaves the checkpoint file that fits it: an older ledger does not lock the hub."""

import asyncio
import shutil
from contextlib import closing

import pytest
from test_backup import backed_up, restored, run
from test_verification import checkpointed, honest  # noqa: F401 - a fixture
from world_hall import NOW, an_invitation

from hub import notary
from hub.notary import Notary, load_or_create
from hub.rules import checkpoint
from hub.store import invitations, lastsigned, ledger
from hub.store import tree as store
from hub.store.database import connect
from hub.store.writer import Writer

PASSED_OVER = "这份备份里没有这个检查点"


@pytest.fixture
def hub(honest, tmp_path):  # noqa: F811
    shutil.copytree(honest, tmp_path / "hub")
    state = tmp_path / "hub" / "state"
    (state / "citizens.key").write_bytes(b"k" * 32)
    (state / "citizens.key").chmod(0o600)
    with closing(connect(state / "hub.db")) as db:
        lastsigned.write(state, store.newest(db).note)
    return tmp_path / "hub"


def signed_on(hub):
    """Let the hub enter something more and sign it; return how many entries that are."""
    state = hub / "state"
    with closing(connect(state / "hub.db")) as db:
        with db.atomic():
            invitations.issue(db, "k1", an_invitation("SL-later"))
            note = checkpointed(db, load_or_create(state / "ledger.key", needed=True))
        lastsigned.write(state, note)
        return ledger.size(db)


def looked(hub):
    """Let the notary of the restored hub look once; return its alarm and what it has signed."""
    state = hub / "state"
    writer = Writer(connect(state / "hub.db"))
    writer.start()
    try:
        key = load_or_create(state / "ledger.key", needed=True)
        ours = Notary(writer, key, notary.origin("demo"), each_s=60, now=lambda: NOW)
        asyncio.run(ours.look())
        note = lastsigned.read(state)
        return ours.alarm, checkpoint.opened(note, ours.verifier).size
    finally:
        writer.stop()


def test_an_older_backup_is_restored_said_so_and_signed_on(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    later = signed_on(hub)
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert f"现有的数据签到第 {later} 条，{PASSED_OVER}" in done.output
    assert f"{lastsigned.NAME} 按备份改写，原来的随现有数据一起保留" in done.output
    path = hub / "state" / lastsigned.NAME
    assert path.read_text(encoding="utf-8").splitlines()[1] == str(later - 1)
    assert path.stat().st_mode & 0o777 == 0o600
    [aside] = hub.glob("state.before-*")
    kept = (aside / lastsigned.NAME).read_text(encoding="utf-8")
    assert kept.splitlines()[1] == str(later)
    good = run("verify", "--config", hub / "hub.toml")
    assert good.exit_code == 0, good.output
    alarm, size = looked(hub)
    assert alarm is None
    assert size == later, "one entry says that it was restored"


def test_the_newest_backup_passes_over_nothing_and_says_nothing_of_it(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert PASSED_OVER not in done.output
    assert looked(hub)[0] is None


def test_a_backup_of_another_branch_is_told_and_restored(hub, tmp_path):
    """Longer than what is there, but the hub has signed something else since."""
    backed_up(hub, tmp_path / "first")
    signed_on(hub)
    backed_up(hub, tmp_path / "second")
    assert restored(hub, tmp_path / "first").exit_code == 0
    assert looked(hub)[0] is None
    done = restored(hub, tmp_path / "second")
    assert done.exit_code == 0, done.output
    assert PASSED_OVER in done.output
    assert looked(hub)[0] is None


def test_a_disk_that_is_lost_comes_back_with_the_file(hub, tmp_path):
    backed_up(hub, tmp_path / "out", "--with-keys")
    shutil.rmtree(hub / "state")
    assert restored(hub, tmp_path / "out").exit_code == 0
    assert looked(hub)[0] is None
    assert run("verify", "--config", hub / "hub.toml").exit_code == 0


def test_a_spoiled_file_does_not_keep_anybody_from_restoring(hub, tmp_path):
    backed_up(hub, tmp_path / "out")
    (hub / "state" / lastsigned.NAME).write_bytes(b"\xff")
    done = restored(hub, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "现有数据旁留存的检查点无法读取" in done.output
    assert looked(hub)[0] is None


def test_the_same_backup_copied_over_by_hand_is_not_signed_on(hub, tmp_path):
    """Which is what an insider does, too: only the command rewrites the file."""
    backed_up(hub, tmp_path / "out")
    signed_on(hub)
    for each in (hub / "state").glob("hub.db*"):
        each.unlink()
    shutil.copy(tmp_path / "out" / "hub.db", hub / "state" / "hub.db")
    alarm, _ = looked(hub)
    assert "pingyi-hub restore" in alarm
    assert run("verify", "--config", hub / "hub.toml").exit_code == 1
