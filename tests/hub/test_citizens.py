"""Citizens' data in the file: each field by itself, found by a hash, sealed anew beside the hub."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing

import pytest
from citizens_world import Town, citizen, in_first_form, plain
from msgspec import structs
from upstream_world import a_case as agents_case
from world_hall import Hall, a_case

from hub.citizens import rotation
from hub.rules.case import Applicant
from hub.store import cases, citizens, keyring, resealing, traces
from hub.store import vault as vaults
from hub.store.database import connect, migrate
from hub.store.vault import Vault, VaultError

COUNT = 350


@pytest.fixture
def town(tmp_path):
    with Town(tmp_path) as town:
        yield town


@pytest.fixture
def db(tmp_path):
    with closing(connect(tmp_path / "hub.db")) as db:
        migrate(db)
        yield db


@pytest.fixture
def box(tmp_path):
    return vaults.load_or_create(tmp_path / "citizens.key")


def keep(db, box, *numbers):
    with db.atomic():
        for number in numbers:
            case = structs.replace(a_case(f"SL{number:06d}"), **citizen(number))
            cases.put(db, box, case, 1)


# ---------------------------------------------------------------- fields


def test_a_case_comes_back_whole(db, box):
    """With an agent and without, with rare characters and the longest name."""
    for case in (
        agents_case("S1"),
        agents_case("S2", agent=None),
        agents_case("S3", applicant=Applicant(name="𠮷䶮" * 20, certificate_number="9" * 40)),
    ):
        cases.put(db, box, case, 1)
        assert cases.get(db, box, case.serial, 1) == case
        longer = structs.replace(case, applicant=Applicant(name="长" * 40, certificate_number="1"))
        cases.put(db, box, longer, 2)
        assert cases.get(db, box, case.serial, 1) == longer


def test_nothing_of_a_citizen_is_in_the_file(town):
    """Not in the database, its log or its index, in no coding of ours."""
    for number in range(1, 30):
        town.visit(number)
    raw = town.raw()
    assert not [text for number in range(1, 30) for text in plain(number) if text in raw]


def test_one_field_is_opened_without_the_others(db, box):
    """Only the name, with all else spoilt."""
    keep(db, box, 1)
    row = citizens.row(db, "SL000001", 1)
    spoilt = structs.replace(
        row, fields=dict.fromkeys(citizens.FIELDS, b"") | {"mobile": row.fields["mobile"]}
    )
    assert citizens.field(box, spoilt, "mobile") == "13000000001"
    with pytest.raises(VaultError, match="无法解密"):
        citizens.field(box, spoilt, "applicant_name")


def test_the_length_of_a_short_value_does_not_show(db, box):
    keep(db, box, 1)
    cases.put(db, box, a_case("S2"), 1)
    sizes = db.execute(
        f"SELECT {', '.join(f'length({name})' for name in citizens.FIELDS)} FROM citizens"  # noqa: S608
    ).fetchall()
    assert len(set(sizes)) == 1
    assert len(set(sizes[0])) == 1


SWAPS = {
    "between two rows": "UPDATE citizens SET applicant_name ="
    " (SELECT applicant_name FROM citizens WHERE serial = 'SL000002') WHERE serial = 'SL000001'",
    "between two columns": "UPDATE citizens SET applicant_name = agent_name",
    "the whole row": "UPDATE citizens SET serial = 'other' WHERE serial = 'SL000001';"
    "UPDATE citizens SET serial = 'SL000001' WHERE serial = 'SL000002'",
    "to another service": "UPDATE citizens SET service_number = 2;"
    "UPDATE cases SET service_number = 2",
    "half of another value": "UPDATE citizens SET mobile ="
    " CAST(substr(mobile, 1, 40) || substr(agent_name, 41) AS BLOB)",
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
def test_a_value_that_was_moved_does_not_open(db, box, swap):
    """Whoever has the file cannot give one citizen the name of another."""
    keep(db, box, 1, 2)
    db.conn.executescript(swap)
    with pytest.raises(VaultError, match="无法解密"):
        [cases.get(db, box, "SL000001", number) for number in (1, 2)]


def test_another_key_file_opens_nothing(db, box):
    keep(db, box, 1)
    with pytest.raises(VaultError, match="密钥不对"):
        cases.get(db, Vault(keyring.fresh("aes-256-gcm", 0)), "SL000001", 1)


# ---------------------------------------------------------------- search


def found(db, box, value):
    return [serial for serial, _ in citizens.find(db, box, value)]


def test_a_citizen_is_found_by_number_and_mobile(db, box):
    """As they are said at a counter: small letters, spaces, full width, +86."""
    keep(db, box, *range(1, 40))
    of = citizen(7)
    assert found(db, box, of["applicant"].certificate_number) == ["SL000007"]
    assert found(db, box, f" {of['agent'].certificate_number.upper()} ") == ["SL000007"]
    assert found(db, box, "ｄｂ0000000007Ｘ") == ["SL000007"]
    assert found(db, box, "+86 130-0000-0007") == ["SL000007"]
    for nothing in ("1300000", "示例申请人00007", "13000000777", "000000190001010007" + "0"):
        assert found(db, box, nothing) == []


def test_a_mobile_is_no_certificate(db, box):
    """The same digits in another field are another value."""
    keep(db, box, 1)
    db.execute("UPDATE citizens SET find_applicant = find_mobile, find_mobile = zeroblob(16)")
    assert found(db, box, "13000000001") == []


def test_nobody_without_mobile_is_found_by_chance(db, box):
    """Absent values have no hash, and a search for no digits finds nobody."""
    cases.put(db, box, a_case("S1"), 1)
    assert found(db, box, "++") == []
    assert db.execute("SELECT find_mobile, find_agent FROM citizens").fetchone() == (
        bytes(16),
        bytes(16),
    )


def test_a_correction_is_found_and_what_it_replaced_is_not(db, box):
    keep(db, box, 1)
    applicant = structs.replace(citizen(1)["applicant"], certificate_number="NEW1")
    cases.put(db, box, structs.replace(a_case("SL000001"), applicant=applicant), 2)
    assert found(db, box, "new1") == ["SL000001"]
    assert found(db, box, citizen(1)["applicant"].certificate_number) == []


# ---------------------------------------------------------------- rotation


def rotate(town, cipher="sm4-gcm"):
    with closing(connect(town.path)) as db:
        vault, new = rotation.renew(db, town.key, cipher, town.now)
        return new, rotation.reseal(db, vault)


def prune(town):
    with closing(connect(town.path)) as db:
        return rotation.prune(db, town.key, town.now)


def opened(town, numbers):
    """All citizens, as a hub opens them that starts now."""
    box = vaults.load_or_create(town.key, needed=True)
    with closing(connect(town.path)) as db:
        for number in numbers:
            case = cases.get(db, box, f"SL{number:06d}", 1)
            assert case.applicant == citizen(number)["applicant"]
            assert case.agent == citizen(number)["agent"]


def test_new_keys_leave_nothing_that_the_old_one_sealed(town):
    """Rotation, then prune: all opens, and the former ciphertexts are nowhere in the files."""
    for number in range(1, 40):
        town.case(number)
    before = [each for n in range(1, 40) for each in town.sealed(f"SL{n:06d}")[:5]]
    assert rotate(town) == (True, rotation.Resealed(cases=39, unopened=()))
    raw = town.raw()
    assert not [each for each in before if each[15:47] in raw]
    assert prune(town) == [0]
    assert [each.id for each in keyring.read(town.key).keys] == [1]
    opened(town, range(1, 40))
    assert prune(town) == []


def test_what_an_older_hub_sealed_in_one_piece_is_taken_over(town):
    """It opens before, it is found and sealed field by field after, and its bytes are gone."""
    town.writer.call(lambda db: keep(db, town.vault, *range(1, 250)))
    old = in_first_form(town, *range(1, 250))
    assert town.rows("SELECT count(*) FROM citizens") == [(0,)]
    opened(town, range(1, 250))
    assert all(each[20:60] in town.raw() for each in old)
    assert rotate(town)[1].cases == 249
    assert town.rows("SELECT count(*) FROM cases WHERE sealed <> x''") == [(0,)]
    raw = town.raw()
    assert not [each for each in old if each[20:60] in raw]
    assert prune(town) == [0]
    opened(town, range(1, 250))


def test_a_running_hub_is_not_disturbed(town):
    """While keys are changed three times, a hub keeps and reads cases; nothing is lost."""
    box = vaults.load_or_create(town.key, needed=True)
    town.writer.call(lambda db: keep(db, box, *range(1, COUNT + 1)))
    stop, faults, kept = threading.Event(), [], []

    def hub():
        number = 1000
        with closing(connect(town.path)) as db:
            while not stop.is_set():
                number += 1
                try:
                    town.writer.call(lambda db, n=number: keep(db, box, n))
                    assert cases.get(db, box, "SL000001", 1) is not None
                    kept.append(number)
                except (AssertionError, VaultError, sqlite3.Error) as error:
                    faults.append(error)

    at_work = threading.Thread(target=hub)
    at_work.start()
    try:
        for cipher in ("sm4-gcm", "aes-256-gcm", "sm4-gcm"):
            rotate(town, cipher)
            prune(town)
    finally:
        stop.set()
        at_work.join()
    assert faults == []
    assert len(kept) >= 5
    opened(town, [*range(1, COUNT + 1), *kept])
    with closing(connect(town.path)) as db:
        used = resealing.in_use(db)
    assert set(used) <= {each.id for each in keyring.read(town.key).keys}


def test_a_hub_that_has_missed_the_change_cannot_keep_what_nobody_could_open(town):
    """The key is dropped; a value sealed by it is refused by the database itself."""
    town.case(1)
    rotate(town)
    prune(town)
    stale = Vault(b"k" * 32)
    with pytest.raises(sqlite3.IntegrityError, match="dropped"):
        town.writer.call(lambda db: keep(db, stale, 2))
    with pytest.raises(sqlite3.IntegrityError, match="dropped"):
        town.writer.call(lambda db: keep(db, stale, 1))
    opened(town, [1])


def test_a_key_in_use_is_never_dropped(town):
    """One row that cannot be opened keeps its key, and is named."""
    for number in (1, 2, 3):
        town.case(number)
    spoil = "UPDATE citizens SET mobile = agent_name WHERE serial = 'SL000002'"
    town.writer.call(lambda db: db.execute(spoil))
    assert rotate(town)[1] == rotation.Resealed(cases=2, unopened=(("SL000002", 1),))
    assert prune(town) == []
    assert {each.id for each in keyring.read(town.key).keys} == {0, 1}
    opened(town, [1, 3])


ROTATE = """
import sys
from contextlib import closing
from pathlib import Path
from hub.citizens import rotation
from hub.store import database
state = Path(sys.argv[1])
while True:
    with closing(database.connect(state / "hub.db")) as db:
        for cipher in ("sm4-gcm", "aes-256-gcm"):
            vault, new = rotation.renew(db, state / "citizens.key", cipher, 1)
            print("new" if new else "on", flush=True)
            rotation.reseal(db, vault, lambda n: print("step", flush=True))
            rotation.prune(db, state / "citizens.key", 1)
            print("pruned", flush=True)
"""


@pytest.mark.parametrize("lines", [1, 2, 5, 9, 10, 12])
def test_a_rotation_that_is_killed_loses_nothing(town, lines):
    """kill -9 after so many of its steps, twice over; then it goes on to the end."""
    box = vaults.load_or_create(town.key, needed=True)
    town.writer.call(lambda db: keep(db, box, *range(1, COUNT + 1)))
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", ROTATE, town.state], stdout=subprocess.PIPE, text=True
        )
        for _ in range(lines):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        opened(town, range(1, COUNT + 1))
    cipher = keyring.read(town.key).now().cipher
    _, done = rotate(town, cipher)
    assert done.unopened == ()
    prune(town)
    assert len(keyring.read(town.key).keys) == 1
    opened(town, range(1, COUNT + 1))


def test_a_change_of_keys_that_was_interrupted_goes_on(town):
    """Not yet another key, unless another cipher is wanted."""
    for number in range(1, 4):
        town.case(number)
    with closing(connect(town.path)) as db:
        assert rotation.renew(db, town.key, "sm4-gcm", 1)[1]
        assert not rotation.renew(db, town.key, "sm4-gcm", 1)[1]
        assert rotation.renew(db, town.key, "aes-256-gcm", 1)[1]
    assert rotate(town, "aes-256-gcm") == (False, rotation.Resealed(cases=3, unopened=()))
    assert rotate(town, "aes-256-gcm")[0]


def test_a_full_disk_in_a_rotation_loses_nothing(tmp_path):
    """The database cannot grow any more: the step is undone, all opens, later it goes on."""
    with Town(tmp_path) as town:
        box = vaults.load_or_create(town.key, needed=True)
        town.writer.call(lambda db: keep(db, box, *range(1, 60)))
        in_first_form(town, *range(1, 60))
        with closing(connect(town.path)) as db:
            vault, _ = rotation.renew(db, town.key, "sm4-gcm", 1)
            db.conn.execute("VACUUM")
            pages = db.conn.execute("PRAGMA page_count").fetchone()[0]
            db.conn.execute(f"PRAGMA max_page_count = {pages}").fetchall()
            with pytest.raises(sqlite3.OperationalError, match="full"):
                rotation.reseal(db, vault)
        opened(town, range(1, 60))
        assert rotate(town)[1].cases == 59
        opened(town, range(1, 60))


# ---------------------------------------------------------------- what stays in free space


def test_rows_are_never_copied_about_in_the_file(town):
    """What the erasure relies on: each value lies in the file once, however many there are."""
    box = vaults.load_or_create(town.key, needed=True)
    for start in range(1, 1500, 100):
        town.writer.call(lambda db, n=start: keep(db, box, *range(n, n + 100)))
    town.writer.call(lambda db: keep(db, box, *range(3, 900, 7)))
    with closing(connect(town.path)) as db:
        assert traces.flush(db)
    raw = town.raw()
    values = [bytes(v) for (v,) in town.rows("SELECT applicant_number FROM citizens")]
    assert Counter(raw.count(each[15:47]) for each in values) == {1: len(values)}


def test_an_empty_hall_has_no_keys_to_lose(tmp_path):
    with Hall(tmp_path) as hall:
        assert not cases.any_kept(hall.reader)
