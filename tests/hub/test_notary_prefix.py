"""The notary signs nothing over a ledger that no longer begins as it was signed before."""

import asyncio
import itertools
import logging
import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import insider
import pytest
from brokers import eventually, free_port
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from test_notary import KEY, fill
from world_service import HubProcess

from hub import notary
from hub.__main__ import main
from hub.notary import Notary
from hub.rules import checkpoint
from hub.rules.checkpoint import Checkpoint
from hub.store import lastsigned, ledger
from hub.store import tree as store
from hub.store.database import connect, migrate
from hub.store.writer import Busy, Writer

ORIGIN = "pingyi/demo"
times = itertools.count(1)


@pytest.fixture
def db(tmp_path):
    db = connect(tmp_path / "hub.db")
    migrate(db)
    yield db
    db.close()


class Desk:
    """A notary at work on a file; each `look` is one of its looks."""

    def __init__(self, folder):
        self.folder = folder
        self.start()

    def start(self):
        """Begin as a hub does that starts."""
        self.writer = Writer(connect(self.folder / "hub.db"))
        self.writer.start()
        self.notary = Notary(self.writer, KEY, ORIGIN, each_s=60, now=lambda: next(times))

    def look(self):
        asyncio.run(self.notary.look())
        return self.notary.alarm

    def again(self):
        self.writer.stop()
        self.start()

    def kept(self):
        note = lastsigned.read(self.folder)
        return None if note is None else checkpoint.opened(note, self.notary.verifier).size


@pytest.fixture
def desk(tmp_path, db):
    """Five hundred entries and more, signed twice; a tile is full, the rest is not."""
    desk = Desk(tmp_path)
    for count in (300, 230):
        fill(db, count)
        assert desk.look() is None
    yield desk
    desk.writer.stop()


def by_insider(db, *statements):
    """By the same connection, so that the next look sees it."""
    insider.do(db.conn, *statements)
    db.conn.commit()


def sizes(db):
    return [each.size for each in store.checkpoints(db)]


def test_the_newest_checkpoint_lies_beside_the_database_too(desk, db, tmp_path):
    path = tmp_path / lastsigned.NAME
    assert path.read_text(encoding="utf-8") == store.newest(db).note
    assert path.stat().st_mode & 0o777 == 0o600
    assert desk.kept() == 530
    fill(db, 1)
    desk.look()
    assert desk.kept() == 531
    assert not list(tmp_path.glob("*.new"))


DEEDS = {
    "altered in a tile": "UPDATE ledger SET recorded_at = 1 WHERE position = 7",
    "altered behind the tiles": "UPDATE ledger SET recorded_at = 1 WHERE position = 520",
    "the tile altered": "UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND idx = 0",
    "a tile too short": "UPDATE tiles SET hashes = x'00' WHERE level = 0 AND idx = 0",
    "an entry deleted": "DELETE FROM ledger WHERE position = 520",
    "the tail dropped": "DELETE FROM ledger WHERE position > 400",
    "all checkpoints deleted": "DELETE FROM checkpoints",
    "the newest deleted": "DELETE FROM checkpoints WHERE size = 530",
    "the newest made unreadable": "UPDATE checkpoints SET note = 'x' WHERE size = 530",
    "one put in ahead of all": "INSERT INTO checkpoints VALUES (999999, 1, 'x')",
    "a good one put in ahead of all": "INSERT INTO checkpoints"
    " SELECT 999999, at, note FROM checkpoints WHERE size = 530",
}


@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("restarted", [True, False])
def test_nothing_is_signed_over_it(desk, db, caplog, name, restarted):
    """Noticed at the next look; what lies below the tiles too, once it has been read again."""
    if restarted:
        desk.writer.stop()
    by_insider(db, DEEDS[name])
    before, note = sizes(db), lastsigned.read(desk.folder)
    if restarted:
        desk.start()
    fill(db, 5)
    with caplog.at_level(logging.CRITICAL, "hub.notary"):
        for _ in range(2):
            alarm = desk.look()
    assert "不再签新的检查点" in alarm
    assert "pingyi-hub verify" in alarm
    assert sizes(db) == before
    assert lastsigned.read(desk.folder) == note
    assert [record.levelname for record in caplog.records] == ["CRITICAL"], "told once"


def test_an_altered_entry_is_not_put_into_a_tile(desk, db):
    """What is evidence stays as it was found: no hash is made of it for good."""
    by_insider(db, DEEDS["altered behind the tiles"])
    fill(db, 700)
    assert "有记录被改动" in desk.look()
    assert store.tiled(db) == 512


def test_a_large_ledger_is_read_again_in_parts_and_a_later_deed_is_found(tmp_path, db, monkeypatch):
    monkeypatch.setattr(notary, "PER_JOB", 256)
    fill(db, 2000)
    desk = Desk(tmp_path)
    try:
        for _ in range(3):  # the third begins to read
            assert desk.look() is None
            fill(db, 1)
        by_insider(db, "UPDATE ledger SET recorded_at = 1 WHERE position = 1900")
        looks = 0
        while desk.look() is None:
            looks += 1
            assert looks < 20
        assert "有记录被改动" in desk.notary.alarm
    finally:
        desk.writer.stop()


def test_a_large_ledger_is_read_whole_before_its_hub_signs_the_first_time(
    tmp_path, db, monkeypatch
):
    fill(db, 2000)
    desk = Desk(tmp_path)
    assert desk.look() is None
    desk.writer.stop()
    by_insider(db, "UPDATE ledger SET recorded_at = 1 WHERE position = 1900")
    fill(db, 1)
    monkeypatch.setattr(notary, "PER_JOB", 256)
    desk.start()
    try:
        assert "有记录被改动" in desk.look()
        assert sizes(db) == [2000]
    finally:
        desk.writer.stop()


def test_after_a_kill_between_commit_and_file_the_hub_goes_on(desk, db):
    """The file is older than the table, and that is no doubt; a look mends it."""
    older = lastsigned.read(desk.folder)
    fill(db, 4)
    desk.look()
    lastsigned.write(desk.folder, older)
    desk.again()
    assert desk.look() is None
    assert desk.kept() == 534


def test_the_file_is_never_newer_than_what_was_committed(desk, db, monkeypatch):
    """It is written once the checkpoint can be read by others."""
    seen = []
    write = lastsigned.write

    def watched(folder, note):
        with closing(connect(folder / "hub.db")) as other:
            seen.append(store.newest(other).note == note)
        write(folder, note)

    monkeypatch.setattr(lastsigned, "write", watched)
    fill(db, 1)
    desk.look()
    assert seen == [True]


def test_a_commit_that_fails_leaves_the_file_as_it_was(desk, db):
    before = desk.kept()
    db.conn.execute(
        "CREATE TRIGGER no_more BEFORE INSERT ON checkpoints BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    fill(db, 1)
    with pytest.raises(sqlite3.IntegrityError):
        desk.look()
    assert desk.kept() == before


def test_a_hub_of_before_without_the_file_gets_one(desk, db):
    (desk.folder / lastsigned.NAME).unlink()
    desk.again()
    assert desk.look() is None
    assert desk.kept() == 530


def test_a_disk_that_takes_no_file_is_told_and_the_next_look_mends_it(desk, db, monkeypatch):
    """Signing goes on: the ledger itself was committed."""

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        fill(db, 1)
        assert "No space left" in desk.look()
        fill(db, 1)
        assert "No space left" in desk.look()
    assert sizes(db)[-2:] == [531, 532]
    assert desk.kept() == 530
    assert not list(desk.folder.glob("*.new"))
    assert desk.look() is None
    assert desk.kept() == 532


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"nonsense", b"x" * 40_000])
def test_a_spoiled_file_stops_signing_and_says_what_to_do(desk, db, content):
    path = desk.folder / lastsigned.NAME
    path.write_bytes(content)
    fill(db, 1)
    alarm = desk.look()
    assert f"{path} 里不是本台账签过的检查点" in alarm
    assert f"把 {path} 移走再重新启动服务器" in alarm
    path.unlink()
    assert desk.look() is None
    assert desk.kept() == 531


def test_a_checkpoint_of_another_key_is_not_believed(desk, db):
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    lastsigned.write(desk.folder, checkpoint.sign(Checkpoint(ORIGIN, 530, bytes(32)), other))
    assert "不是本台账签过的检查点" in desk.look()


def test_yesterdays_database_is_not_signed_on(desk, db, tmp_path):
    """Put back by hand: the file remembers what was signed since."""
    desk.writer.stop()
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    shutil.copy(tmp_path / "hub.db", tmp_path / "old.db")
    desk.start()
    fill(db, 3)
    desk.look()
    desk.writer.stop()
    db.close()
    for name in ("hub.db-wal", "hub.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "old.db", tmp_path / "hub.db")
    desk.start()
    alarm = desk.look()
    assert "数据文件被换成了旧的" in alarm
    assert "pingyi-hub restore" in alarm


def test_a_first_reading_that_live_traffic_breaks_off_goes_on(desk, db, monkeypatch):
    """Nothing is signed before all was read, however often the writer is full."""
    desk.again()
    monkeypatch.setattr(notary, "PER_JOB", 256)
    busy = iter([False, True, False, True])
    run = desk.writer.run

    async def sometimes(job):
        if next(busy, False):
            raise Busy
        return await run(job)

    monkeypatch.setattr(desk.writer, "run", sometimes)
    fill(db, 1)
    for _ in range(2):
        with pytest.raises(Busy):
            desk.look()
        assert sizes(db)[-1] == 530
    assert desk.look() is None
    assert sizes(db)[-1] == 531


def test_a_new_ledger_is_signed_within_a_minute_whatever_the_rhythm(tmp_path, db, monkeypatch):
    """Else one without any checkpoint would not be known for what it is."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 1:
            fill(db, 1)
        if len(slept) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(notary.asyncio, "sleep", sleep)
    writer = Writer(connect(tmp_path / "hub.db"))
    writer.start()
    try:
        seldom = Notary(writer, KEY, ORIGIN, each_s=86_400, now=lambda: 1)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(seldom.run())
    finally:
        writer.stop()
    assert slept == [notary.FIRST_S, 86_400]


# The hub itself, as a process.


@pytest.fixture
def hub(tmp_path):
    hub = HubProcess(tmp_path, embedded=True, broker_port=free_port())
    text = hub.config.read_text(encoding="utf-8")
    hub.config.write_text(
        text.replace("[[windows]]", "[ledger]\ncheckpoint_s = 1\n[[windows]]"), encoding="utf-8"
    )
    hub.start()
    eventually(lambda: lastsigned.read(hub.db.parent) is not None, "the first checkpoint")
    yield hub
    hub.close()


def entries(hub):
    with closing(connect(hub.db)) as db:
        return ledger.size(db), (sizes(db) or [0])[-1]


def verify(hub):
    return CliRunner().invoke(main, ["verify", "--config", str(hub.config)])


@pytest.mark.parametrize("running", [True, False])
def test_a_hub_whose_checkpoints_are_deleted_signs_no_others(hub, running):
    eventually(lambda: len(set(entries(hub))) == 1, "all is signed")
    if not running:
        assert hub.end() == 0
    with closing(connect(hub.db)) as db:
        by_insider(db, "DELETE FROM checkpoints")
    if not running:
        hub.start()
    hub.invite("SL0001")
    eventually(lambda: "checkpoint=gone" in hub.says(), "the log says so")
    assert any("不再签新的检查点" in each for each in hub.ask("GET", "/readyz")[1]["reasons"])
    assert entries(hub)[1] == 0
    said = verify(hub)
    assert said.exit_code == 1
    assert "不在台账的检查点里" in said.output


def test_a_hub_with_an_entry_altered_below_its_checkpoints_does_not_sign_on(hub):
    eventually(lambda: len(set(entries(hub))) == 1, "all is signed")
    hub.end(signal.SIGKILL)
    signed = entries(hub)[1]
    with closing(connect(hub.db)) as db:
        by_insider(db, "UPDATE ledger SET recorded_at = recorded_at - 86400000 WHERE position = 1")
    hub.start()
    eventually(lambda: "checkpoint=altered" in hub.says(), "the log says so")
    hub.invite("SL0001")
    assert entries(hub)[1] == signed
    assert verify(hub).exit_code == 1


def test_verifying_beside_a_hub_that_signs_all_the_time_finds_nothing(hub):
    """The file is never newer than the moment of the database that is looked at."""
    end = time.monotonic() + 3
    number = 0
    while time.monotonic() < end:
        number += 1
        hub.invite(f"SL{number}")
        said = verify(hub)
        assert said.exit_code == 0, said.output
    assert entries(hub)[1] > number // 2
