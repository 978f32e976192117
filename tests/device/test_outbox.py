"""What a citizen pressed outlives power cuts, full disks and damaged files."""

import logging
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from device.outbox import REMEMBERED, Ended, Outbox

ROOM = Path(__file__).parents[2]
AT = 1_790_000_000_000


def name(number):
    return f"{number:032x}"


def jws(seq, identifier):
    return f"{seq}:{identifier}".encode()


def keep(outbox, number, *, draft=False, sign=jws):
    outbox.keep(name(number), lambda: f"o{number}", sign, draft=draft)


def waiting(outbox):
    return [(kept.seq, kept.id) for kept in outbox.waiting()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path):
    outbox = Outbox.open(path)
    yield outbox
    outbox.close()


# ---------------------------------------------------------------- one life of an outcome


def test_an_outcome_waits_until_its_receipt(outbox):
    """It is numbered, kept and sent as the bytes that were signed, and forgotten once told."""
    keep(outbox, 1)
    (kept,) = outbox.waiting()
    assert (kept.seq, kept.id, kept.jws) == (1, "o1", b"1:o1")
    assert outbox.depth() == 1
    assert outbox.receipt(("o1", "unknown"), AT) == 1
    assert outbox.waiting() == []
    assert outbox.depth() == 0
    assert outbox.receipt(("o1",), AT) == 0


def test_a_draft_is_amended_and_not_sent(outbox):
    """The newer version has the same number and id; only `release` makes it final."""
    keep(outbox, 1, draft=True)
    outbox.keep(name(1), lambda: "other", lambda seq, key: b"better" + jws(seq, key), draft=True)
    assert outbox.waiting() == []
    outbox.release(name(1))
    (kept,) = outbox.waiting()
    assert kept.jws == b"better1:o1"


def test_a_draft_is_never_forgotten_by_a_receipt(outbox):
    """The hub cannot have what was not sent, whatever it says."""
    keep(outbox, 1, draft=True)
    assert outbox.receipt(("o1",), AT) == 0
    assert outbox.depth() == 1


@pytest.mark.parametrize("draft", [True, False])
def test_an_ended_invitation_takes_no_other_outcome(outbox, draft):
    """Neither while the outcome waits nor after its receipt."""
    keep(outbox, 1)
    for _ in range(2):
        assert outbox.ended(name(1))
        with pytest.raises(Ended):
            keep(outbox, 1, draft=draft)
        outbox.receipt(("o1",), AT)
    keep(outbox, 2)
    assert waiting(outbox) == [(2, "o2")]


def test_a_final_outcome_cannot_be_taken_back(outbox):
    """Discarding is for drafts."""
    keep(outbox, 1)
    outbox.discard(name(1))
    assert waiting(outbox) == [(1, "o1")]


def test_numbers_have_no_gaps(outbox):
    """A discarded draft leaves its number to the next outcome, lowest first."""
    for number in (1, 2, 3):
        keep(outbox, number, draft=True)
    outbox.discard(name(2))
    outbox.discard(name(1))
    assert not outbox.ended(name(1))
    for number in (4, 5, 6):
        keep(outbox, number)
    outbox.release(name(3))
    assert waiting(outbox) == [(1, "o4"), (2, "o5"), (3, "o3"), (4, "o6")]


def test_a_number_is_not_used_when_signing_fails(outbox):
    """A failure between numbering and keeping leaves everything as it was."""

    def fails(seq, key):
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        keep(outbox, 1, sign=fails)
    keep(outbox, 2)
    assert waiting(outbox) == [(1, "o2")]


def test_waiting_is_told_in_portions(outbox):
    """In the order of the numbers, after a number, at most so many."""
    for number in range(1, 8):
        keep(outbox, number)
    assert [kept.seq for kept in outbox.waiting(limit=3)] == [1, 2, 3]
    assert [kept.seq for kept in outbox.waiting(3, 3)] == [4, 5, 6]


def test_ended_invitations_are_remembered_within_a_limit(outbox):
    """The newest `REMEMBERED` are; older ones the hub does not show any more."""
    with outbox._db.atomic():  # one commit instead of thousands
        for number in range(1, REMEMBERED + 11):
            keep(outbox, number)
    outbox.receipt(tuple(f"o{number}" for number in range(1, REMEMBERED + 11)), AT)
    assert not outbox.ended(name(10))
    assert outbox.ended(name(11))
    assert outbox.ended(name(REMEMBERED + 10))


# ---------------------------------------------------------------- power cuts


def test_drafts_are_released_after_a_power_cut(path):
    """What was there is final: nothing more will be pressed."""
    outbox = Outbox.open(path)
    keep(outbox, 1, draft=True)
    keep(outbox, 2)
    outbox.close()
    again = Outbox.open(path)
    assert again.release_all() == 1
    assert waiting(again) == [(1, "o1"), (2, "o2")]
    assert again.release_all() == 0
    again.close()


def test_every_commit_is_synced(outbox):
    """Write-ahead log with `synchronous = FULL` (2): the last commit survives a power cut."""
    assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("least", [1, 30, 77])
def test_what_was_kept_survives_kill_nine(path, least):
    """Killed at any moment and again, each step that returned is on the disk, without gaps."""
    number = 0
    for _ in range(2):
        said = killed_after(path, number, least)
        outbox = Outbox.open(path)
        found = dict(
            outbox._db.execute("SELECT invitation, draft FROM outcomes ORDER BY seq").fetchall()
        )
        for word, known in said.items():
            if word % 5 == 0 and known == "discarded":
                assert name(word) not in found
            elif word % 5 != 0:
                assert found[name(word)] == (0 if known == "released" else found[name(word)])
        outbox.release_all()
        kept = outbox.waiting(limit=10_000)
        spare = outbox._db.execute("SELECT count(*) FROM spare").fetchone()[0]
        assert {each.seq for each in kept} <= set(range(1, len(kept) + spare + 1))
        assert all(each.jws == jws(each.seq, each.id) for each in kept)
        outbox.close()
        number = max(said) + 10


def killed_after(path, start, least):
    """Let a child keep outcomes and kill it after `least` lines; return its last words."""
    command = [sys.executable, str(Path(__file__).with_name("outbox_child.py")), str(path)]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOM,
        env={"PYTHONPATH": str(ROOM)},
    )
    child.stdin.write(f"{start}\n")
    child.stdin.flush()
    lines = [child.stdout.readline() for _ in range(least)]
    child.kill()
    rest, _ = child.communicate(timeout=30)
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return {int(number): word for word, number in (line.split() for line in lines)}


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("damage", ["noise", "cut", "page"])
def test_a_damaged_file_is_put_aside_and_kept(path, caplog, damage):
    """The kiosk goes on with a new file; the old bytes stay for whoever can save them."""
    outbox = Outbox.open(path)
    for number in range(1, 60):
        keep(outbox, number)
    outbox.close()
    data = bytearray(path.read_bytes())
    if damage == "noise":
        data[:100] = b"\xa5" * 100
    elif damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[4096 * 2 : 4096 * 3] = b"\xa5" * 4096
    path.write_bytes(data)
    with caplog.at_level(logging.CRITICAL):
        again = Outbox.open(path)
    assert "damaged" in caplog.text
    assert path.with_name("outbox.db.damaged-1").read_bytes() == bytes(data)
    keep(again, 1)
    assert waiting(again) == [(1, "o1")]
    again.close()


def test_a_second_damaged_file_does_not_overwrite_the_first(path):
    """Each one gets a name of its own."""
    for content in (b"first" * 1000, b"second" * 1000):
        path.write_bytes(content)
        Outbox.open(path).close()
    kept = sorted(path.parent.glob("outbox.db.damaged-*[0-9]"))
    assert [file.read_bytes()[:5] for file in kept] == [b"first", b"secon"]


def test_the_log_of_a_damaged_file_is_not_played_into_the_new_one(path):
    """A write-ahead log belongs to its own file, whole or damaged."""
    outbox = Outbox.open(path)
    keep(outbox, 1)
    outbox.close()
    outbox = Outbox.open(path)
    keep(outbox, 2)
    log = path.with_name("copy")
    shutil.copy(path.with_name("outbox.db-wal"), log)
    outbox.close()
    path.write_bytes(b"\xa5" * 4096 * 12)
    log.rename(path.with_name("outbox.db-wal"))
    again = Outbox.open(path)
    assert waiting(again) == []
    assert path.with_name("outbox.db.damaged-1").stat().st_size >= 4096 * 12
    again.close()


def test_a_place_that_cannot_be_opened_is_no_damage(tmp_path):
    """Nothing is put aside where the file may be well and only out of reach."""
    (tmp_path / "outbox.db").mkdir()
    with pytest.raises(sqlite3.OperationalError):
        Outbox.open(tmp_path / "outbox.db")
    assert [file.name for file in tmp_path.iterdir()] == ["outbox.db"]


# ---------------------------------------------------------------- a disk that takes nothing


def fill(outbox, first):
    """Keep large outcomes until the disk is full; return how many were kept."""
    for number in range(first, first + 10_000):
        try:
            keep(outbox, number, sign=lambda seq, key: jws(seq, key) + b" " * 2_000)
        except sqlite3.Error:
            return number - first
    raise AssertionError("the disk never was full")


def test_a_full_disk_is_an_error_and_no_loss(outbox):
    """What was kept stays, the refused outcome leaves no number behind, then all goes on."""
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages + 10}").fetchall()
    count = fill(outbox, 1)
    assert count > 0
    assert [kept.seq for kept in outbox.waiting()] == list(range(1, count + 1))
    assert not outbox.ended(name(count + 1))
    outbox._db.execute("PRAGMA max_page_count = 100000").fetchall()
    outbox.probe()
    keep(outbox, count + 1)
    assert outbox.waiting()[-1].seq == count + 1


def limited(path, report):
    """In a child of its own: the system refuses to let any file grow beyond a limit."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    outbox = Outbox.open(Path(path))
    keep(outbox, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    count = fill(outbox, 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    outbox.probe()
    keep(outbox, 20_000)
    seqs = [kept.seq for kept in outbox.waiting(limit=10_000)]
    gapless = seqs == list(range(1, count + 3))
    Path(report).write_text(f"{count > 0} {gapless}", encoding="ascii")


def test_the_systems_own_refusal_is_survived(path, tmp_path):
    """A write that the system refuses half-way is undone; with space again all goes on."""
    report = tmp_path / "report"
    code = f"import test_outbox; test_outbox.limited({str(path)!r}, {str(report)!r})"
    places = f"{ROOM}:{ROOM / 'tests'}:{ROOM / 'tests' / 'device'}"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": places}, check=True, timeout=60)
    assert report.read_text(encoding="ascii") == "True True"


def test_a_read_only_disk_is_an_error(outbox):
    """Every method that writes raises `sqlite3.Error`; reading goes on."""
    keep(outbox, 1)
    keep(outbox, 2, draft=True)
    outbox._db.execute("PRAGMA query_only = 1").fetchall()
    for write in (
        lambda: keep(outbox, 3),
        lambda: outbox.release(name(2)),
        outbox.release_all,
        lambda: outbox.discard(name(2)),
        lambda: outbox.receipt(("o1",), AT),
        outbox.probe,
    ):
        with pytest.raises(sqlite3.Error):
            write()
    assert waiting(outbox) == [(1, "o1")]
    outbox._db.execute("PRAGMA query_only = 0").fetchall()
    outbox.probe()
    assert outbox.release_all() == 1


# ---------------------------------------------------------------- a file that is empty


def test_an_empty_file_is_put_aside_with_an_alarm(path, caplog):
    """A power cut can leave it so; SQLite would begin anew in silence, and drop the WAL."""
    outbox = Outbox.open(path)
    keep(outbox, 1)
    wal = path.with_name(path.name + "-wal")
    saved = wal.read_bytes()
    outbox.close()
    path.write_bytes(b"")
    wal.write_bytes(saved)
    with caplog.at_level(logging.CRITICAL):
        outbox = Outbox.open(path)
    try:
        assert outbox.depth() == 0
        assert "outbox=damaged" in caplog.text
        assert path.with_name("outbox.db.damaged-1").read_bytes() == b""
        assert path.with_name("outbox.db.damaged-1-wal").read_bytes() == saved
    finally:
        outbox.close()


# ---------------------------------------------------------------- which service is rated


def test_the_outbox_knows_which_services_are_rated_in_it(outbox):
    """From the draft to the receipt, and again when a hub asks for it anew."""
    outbox.keep(name(1), lambda: "o1", jws, draft=True, rated="示例0001/1")
    keep(outbox, 2)
    assert outbox.rated("示例0001/1")
    assert not outbox.rated("示例0001/2")
    outbox.discard(name(1))
    assert not outbox.rated("示例0001/1")
    outbox.keep(name(1), lambda: "o1", jws, draft=False, rated="示例0001/1")
    outbox.receipt(("o1",), AT)
    assert not outbox.rated("示例0001/1")
    outbox.resend(AT + 1, 0)
    assert outbox.rated("示例0001/1")
