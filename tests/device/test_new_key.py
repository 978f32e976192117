"""`pingyi-kiosk enrol --new-key`: for a kiosk whose key was revoked or copied."""

import json
import os
import shutil
import sqlite3
import stat
from contextlib import closing

import pytest
from click.testing import CliRunner

from device import identity, new_key
from device.__main__ import main
from device.assembly import only_one
from device.enrolling import NEVER, missing
from device.outbox import Outbox
from tests.device.test_enrolment_kiosk import AUTHORITY


@pytest.fixture
def state(tmp_path):
    """The state directory of an enrolled kiosk, with its configuration beside it."""
    (tmp_path / "kiosk.toml").write_text(
        'hall = "hall-1"\ndevice = "kiosk-01"\nstate = "state"\n[hub]\ntls = true\n',
        encoding="ascii",
    )
    place = tmp_path / "state"
    key = identity.load_or_create(place / "device-key.pem")
    identity.store(place, AUTHORITY.device(key), AUTHORITY.terms())
    return place


def enrol(state, *options):
    config = str(state.parent / "kiosk.toml")
    return CliRunner().invoke(main, ["enrol", "--config", config, *options])


def public(state):
    return identity.public_pem(identity.load(state / "device-key.pem")).decode()


def fill(state, count):
    box = Outbox.open(state / "outbox.db")
    for number in range(1, count + 1):
        name = f"{number:032x}"
        box.keep(name, lambda name=name: name, lambda seq, _: b"%d" % seq, draft=number == count)
    box.close()


def everything(folder):
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file() and each.name != "lock"
    }


def test_the_key_is_new_and_the_old_identity_lies_aside(state):
    """What it was is kept, readable by nobody else; the kiosk is no longer enrolled."""
    before = public(state)
    old = (state / "device-key.pem").read_bytes()
    done = enrol(state, "--new-key")
    assert done.exit_code == 0
    assert done.stdout == public(state) != before
    assert "previous-1" in done.stderr
    assert missing(state, "kiosk-01", "hall-1") == NEVER
    aside = state / "previous-1"
    assert (aside / "device-key.pem").read_bytes() == old
    terms = json.loads((aside / "identity" / "terms.json").read_bytes())
    assert terms["device"] == "kiosk-01"
    assert stat.S_IMODE(aside.stat().st_mode) == 0o700
    key = identity.load(state / "device-key.pem")
    identity.store(state, AUTHORITY.device(key), AUTHORITY.terms())
    assert (aside / "identity" / "device.pem").exists()  # enrolment clears only its own folders
    assert enrol(state, "--new-key").exit_code == 0
    assert (state / "previous-2" / "identity").is_dir()


def test_outcomes_that_wait_are_not_lost_with_the_key(state):
    """They are signed with the old one: it refuses, says why, and changes nothing."""
    fill(state, 3)
    before = everything(state)
    done = enrol(state, "--new-key")
    assert done.exit_code == 1
    assert "还有 3 条评价结果" in done.output
    assert "--discard-outbox" in done.output
    assert everything(state) == before


def test_an_empty_outbox_is_no_obstacle(state):
    """Its numbering goes on under the new key."""
    fill(state, 2)
    box = Outbox.open(state / "outbox.db")
    box.release_all()
    box.receipt((f"{1:032x}", f"{2:032x}"), 0)
    box.close()
    assert enrol(state, "--new-key").exit_code == 0
    assert not list(state.glob("outbox.db.discarded*"))


def test_discarded_outcomes_are_kept_in_a_file_of_their_own(state):
    """And the numbering goes on: the hub can see how many are missing."""
    fill(state, 3)
    done = enrol(state, "--new-key", "--discard-outbox")
    assert done.exit_code == 0
    copy = state / "outbox.db.discarded-1"
    assert str(copy) in done.stderr
    assert new_key.depth(copy) == 3
    box = Outbox.open(state / "outbox.db")
    assert box.depth() == 0
    assert box.ended(f"{2:032x}")  # an invitation that has ended is not shown again
    box.keep("f" * 32, lambda: "f" * 32, lambda seq, _: b"%d" % seq, draft=False)
    assert [kept.seq for kept in box.waiting()] == [4]
    box.close()


def test_outcomes_in_the_write_ahead_log_count_and_are_copied(state):
    """As a kiosk leaves them that lost its power."""
    fill(state, 1)
    box = Outbox.open(state / "outbox.db")
    box.keep("e" * 32, lambda: "e" * 32, lambda *_: b"x", draft=False)
    cut = state.parent / "cut"
    shutil.copytree(state, cut, symlinks=True)
    box.close()
    assert (cut / "outbox.db-wal").stat().st_size > 0
    assert new_key.spare_outcomes(cut, discard=True) == cut / "outbox.db.discarded-1"
    assert new_key.depth(cut / "outbox.db.discarded-1") == 2
    assert new_key.depth(cut / "outbox.db") == 0


def test_a_damaged_outbox_may_hold_outcomes(state):
    """It is refused as well, and put aside as it is."""
    (state / "outbox.db").write_bytes(b"no database at all, but long enough " * 40)
    assert "已损坏" in enrol(state, "--new-key").output
    done = enrol(state, "--new-key", "--discard-outbox")
    assert done.exit_code == 0
    assert (state / "outbox.db.discarded-1").read_bytes().startswith(b"no database")
    assert not (state / "outbox.db").exists()


def test_a_running_kiosk_keeps_its_key(state):
    """It would go on signing with the old one."""
    before = everything(state)
    with only_one(state):
        done = enrol(state, "--new-key")
    assert done.exit_code == 1
    assert "请先停止它" in done.output
    assert everything(state) == before


def test_a_key_that_is_damaged_can_be_replaced(state):
    """The very thing one needs it for."""
    (state / "device-key.pem").write_text("damaged", encoding="ascii")
    assert enrol(state, "--new-key").exit_code == 0
    assert public(state)


def test_a_kiosk_without_a_key_just_gets_one(tmp_path):
    """Nothing is put aside where nothing was."""
    (tmp_path / "kiosk.toml").write_text(
        'hall = "hall-1"\ndevice = "kiosk-01"\nstate = "state"\n', encoding="ascii"
    )
    assert enrol(tmp_path / "state", "--new-key").exit_code == 0
    assert not list((tmp_path / "state").glob("previous-*"))


TOUCHING = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "open")


def test_a_power_cut_leaves_no_new_key_with_an_old_certificate(state, tmp_path):
    """Cut before each touch of the disk in turn, then once more from the beginning."""
    old = public(state)
    for last in range(1, 60):
        place = tmp_path / f"cut-{last}"
        shutil.copytree(state, place, symlinks=True)
        cut = os.fork()
        if cut == 0:
            _renew_until(place, last)
        _, status = os.waitpid(cut, 0)
        whole = missing(place, "kiosk-01", "hall-1") == ""
        assert not whole or public(place) == old
        new_key.renew(place)
        assert missing(place, "kiosk-01", "hall-1") == NEVER
        assert public(place) != old
        kept = [public(each) for each in place.glob("previous-*") if any(each.glob("*.pem"))]
        assert old in kept
        assert len(list(place.glob("previous-*/identity"))) == 1
        if os.waitstatus_to_exitcode(status) == 0:
            break
    assert last > 8


def _renew_until(place, last):
    """Die at the given touch of the state directory; in a process of its own."""
    import sys  # noqa: PLC0415 - only the fork audits

    count = [0]

    def audit(event, arguments):
        if event in TOUCHING and str(place) in str(arguments[:2]):
            count[0] += 1
            if count[0] == last:
                os._exit(9)

    sys.addaudithook(audit)
    new_key.renew(place)
    os._exit(0)


def test_a_full_disk_leaves_the_outbox_as_it_was(state, monkeypatch):
    """The copy cannot be finished: nothing is taken out."""
    fill(state, 2)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = enrol(state, "--new-key", "--discard-outbox")
    monkeypatch.undo()
    assert done.exit_code == 1
    assert "磁盘已满" in done.output
    with closing(sqlite3.connect(state / "outbox.db")) as db:
        assert db.execute("SELECT count(*) FROM outcomes").fetchone() == (2,)
    assert missing(state, "kiosk-01", "hall-1") == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--screen"], "--screen 须与 --port 同用"), (["--discard-outbox"], "只能与 --new-key 同用")],
)
def test_options_that_mean_nothing_alone_are_refused(state, options, words):
    """Before anything is touched."""
    before = everything(state)
    done = enrol(state, *options)
    assert done.exit_code == 1
    assert words in done.output
    assert everything(state) == before
