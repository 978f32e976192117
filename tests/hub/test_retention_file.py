"""Of what is erased nothing stays in the file, whatever interrupts it, and beside a hub at work."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from citizens_world import WORDS, Town, erasures, in_first_form, secrets, the_case

from hub.citizens.nightly import Nightly
from hub.rules.retention import Retention
from hub.store import cases, erasure, traces
from hub.store.database import connect
from hub.store.vault import VaultError

TERMS = Retention(citizens_days=180, comments_days=365, evidence_days=90)


@pytest.fixture
def town(tmp_path):
    with Town(tmp_path) as town:
        yield town


RUN = """
import sys
from pathlib import Path
from hub.citizens import retention
from hub.rules.retention import Retention
from hub.store import vault
state = Path(sys.argv[1])
box = vault.load_or_create(state / "citizens.key", needed=True)
retention.PER_STEP = 5
print("ready", flush=True)
terms = Retention(citizens_days=10, comments_days=10, evidence_days=10)
while True:
    retention.run(state, box, terms, int(sys.argv[2]), sure=True)
    print("done", flush=True)
"""


def killed(town, condition):
    """Run as a process of its own and kill it as soon as the condition holds."""
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, town.state, str(town.now)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "ready\n"
        while not condition():
            assert child.poll() is None
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()


@pytest.mark.parametrize("after", [1, 20, 60, 100])
def test_a_run_that_is_killed_leaves_ledger_and_data_whole(town, after):
    """And what it erased is searched for, and gone, after the next run."""
    numbers = range(1, 61)
    for number in numbers:
        town.visit(number, comment=f"{WORDS}{number}")
    gone = [each for n in numbers for each in secrets(town, n)]
    town.city_takes_all()
    town.after(20)

    def erased():
        held = "SELECT count(*) FROM citizens WHERE substr(applicant_name, 1, 1) = x'00'"
        return town.rows(held)[0][0] + len(erasures(town))

    killed(town, lambda: erased() >= after)
    assert erased() >= after
    assert town.verified() == []
    for number in numbers:  # a case is known whole or not at all
        case = cases.get(town.reader, town.vault, f"SL{number:06d}", 1)
        assert case is None or case.applicant.name == f"示例申请人{number:05d}"
    while erased() < 120:
        assert town.run(Retention(citizens_days=10, comments_days=10)).traces == 0
    assert town.run(Retention(citizens_days=10, comments_days=10)).traces == 0
    raw = town.raw()
    assert [each for each in gone if each in raw] == []
    assert town.verified() == []


def test_a_reader_who_holds_the_log_is_told_of(town):
    """While somebody reads an old picture of the file it cannot be emptied: the next run does."""
    town.visit(1, comment=WORDS)
    town.city_takes_all()
    with closing(connect(town.path)) as reader:
        reader.conn.execute("BEGIN")
        reader.conn.execute("SELECT * FROM ledger").fetchone()
        assert town.erase("SL000001").traces > 0
    town.after(1)
    assert town.run(TERMS).traces == 0
    assert WORDS.encode() not in town.raw()
    assert town.rows("SELECT value FROM retention WHERE name = 'unsearched'") == [(0,)]


def test_a_copy_in_free_space_is_found_and_removed(tmp_path):
    """Without secure_delete SQLite leaves what it deletes: found, named, and gone afterwards."""
    with closing(connect(tmp_path / "a.db")) as db:
        db.conn.execute("PRAGMA secure_delete = OFF").fetchall()
        db.conn.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)")
        values = [os.urandom(200) for _ in range(500)]
        with db.atomic():
            db.conn.executemany("INSERT INTO t (v) VALUES (?)", [(each,) for each in values])
        with db.atomic():
            db.conn.execute("DELETE FROM t WHERE k > 7 AND k % 9 <> 0")
        gone = [v for k, v in enumerate(values, 1) if k > 7 and k % 9]
        left = [v for k, v in enumerate(values, 1) if not (k > 7 and k % 9)]
        pieces = traces.needles(gone)
        assert traces.flush(db)
        assert traces.found(db, tmp_path / "a.db", pieces) > 1000
        assert traces.wipe(db, tmp_path / "a.db", gone, rebuild=False) > 1000
        assert traces.wipe(db, tmp_path / "a.db", gone, rebuild=True) == 0
        raw = (tmp_path / "a.db").read_bytes()
        assert [v for v in gone if v[40:60] in raw] == []
        assert all(v in raw for v in left)


def test_a_lost_key_erases_nothing_and_is_told(town):
    """Old cases have to be taken over first; the job says what is wrong, and tries again."""
    town.visit(1)
    town.city_takes_all()
    town.after(20)
    shutil.move(town.key, town.state / "elsewhere")
    job = Nightly(town.state, town.vault, Retention(citizens_days=10), now=town.clock)
    town.writer.call(lambda db: db.execute("UPDATE cases SET sealed = x'00'"))
    assert job.look() is None
    assert "从备份恢复" in job.alarm
    with pytest.raises(VaultError):
        town.vault.seal(b"x", "here")


def test_evidence_is_erased_once(town):
    town.hand_in(b"garbage")
    town.after(100)
    with closing(connect(town.path)) as db:
        digests = erasure.evidence_due(db, town.now, 10)
    assert len(digests) == 1
    assert town.run(Retention(evidence_days=90), sure=True).evidence == 1
    assert town.run(Retention(evidence_days=90), sure=True).evidence == 0
    assert b"garbage" not in town.raw()


def test_no_room_to_write_the_file_anew_is_told_and_tried_again(town):
    """The rebuild fails: what is left is said, and the next night clears it."""
    town.visit(1, comment=WORDS)
    town.city_takes_all()
    with closing(connect(town.path)) as db, closing(sqlite3.connect(town.path)) as other:
        erasure.set_mark(db, "unsearched", 1)
        db.conn.commit()
        db.conn.execute("PRAGMA busy_timeout = 50").fetchall()
        other.execute("BEGIN IMMEDIATE")
        assert traces.wipe(db, town.path, [], rebuild=True, unknown=True) == 1
        assert db.conn.execute("PRAGMA busy_timeout").fetchone() == (50,)
    assert town.run(TERMS).traces == 0
    assert town.rows("SELECT value FROM retention WHERE name = 'unsearched'") == [(0,)]


def test_a_hub_at_work_feels_nothing_of_a_run(town):
    """Citizens rate while hundreds are erased: every rating is taken, and the ledger fits."""
    for number in range(1, 121):
        town.visit(number, comment=f"{WORDS}{number}")
    town.city_takes_all()
    town.after(20)
    terms = Retention(citizens_days=10, comments_days=10)
    results = []
    at_work = threading.Thread(target=lambda: results.append(town.run(terms)))
    at_work.start()
    served = 0
    while at_work.is_alive() or served < 5:
        served += 1
        town.visit(1_000 + served)
    at_work.join()
    assert [(each.citizens, each.words) for each in results] == [(120, 120)]
    assert town.rows("SELECT count(*) FROM ledger WHERE kind = 'rated'") == [(120 + served,)]
    for number in range(1_001, 1_001 + served):
        assert cases.get(town.reader, town.vault, f"SL{number:06d}", 1) == the_case(number)
    assert town.verified() == []
    assert town.run(terms).traces == 0


def test_what_an_older_hub_kept_in_one_piece_is_erased_too(town):
    """It is taken over first, and the piece is gone like all else."""
    town.visit(1)
    town.city_takes_all()
    (sealed,) = in_first_form(town, 1)
    assert sealed in town.raw()
    town.after(20)
    assert town.run(Retention(citizens_days=10)).citizens == 1
    assert not [at for at in range(0, len(sealed) - 16, 16) if sealed[at : at + 16] in town.raw()]
