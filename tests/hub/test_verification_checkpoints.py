"""Checkpoints that are missing, do not fit, or are none: what `verify` says of each."""

import json
import shutil
from contextlib import closing

import pytest
from test_verification import (
    COUNT,
    ORIGIN,
    checkpointed,
    deed,
    honest,  # noqa: F401 - a fixture
    run,
    said,
    verified,
)
from world_hall import NOW, an_invitation

from hub.clock import epoch_ms
from hub.notary import load_or_create
from hub.rules import tree
from hub.rules.checkpoint import Checkpoint, Verifier, sign
from hub.rules.tree import Frontier, leaf_hash
from hub.store import erasure, invitations, lastsigned, ledger, settings
from hub.store import tree as store
from hub.store.database import connect, migrate
from hub.store.settings import Settings
from hub.verification import report, sources

MINUTE = 60_000
HOUR = 60 * MINUTE
ALL = 3 + 2 * COUNT + 1


@pytest.fixture
def hub(honest, tmp_path):  # noqa: F811
    """A hub's data with the newest checkpoint beside them, as its notary leaves it."""
    shutil.copytree(honest, tmp_path / "hub")
    with closing(connect(tmp_path / "hub" / "state" / "hub.db")) as db:
        lastsigned.write(tmp_path / "hub" / "state", store.newest(db).note)
    return tmp_path / "hub"


def verify(hub, *more):
    return run("verify", "--config", hub / "hub.toml", *more)


def test_the_hubs_own_data_have_nothing_wrong(hub):
    good = verify(hub)
    assert good.exit_code == 0, good.output
    assert "还没有检查点" not in good.output
    assert lastsigned.NAME not in good.output
    (hub / "state" / lastsigned.NAME).unlink()
    older = verify(hub)
    assert older.exit_code == 0, older.output
    assert f"未核对：没有 {hub / 'state' / lastsigned.NAME}" in older.output


def test_entries_under_no_checkpoint_yet_are_counted_and_no_fault(hub):
    with closing(connect(hub / "state" / "hub.db")) as db, db.atomic():
        for number in range(3):
            invitations.issue(db, "k1", an_invitation(f"SL-new{number}"))
    good = verify(hub)
    assert good.exit_code == 0, good.output
    assert f"共 {ALL + 3} 条，3 个检查点相符，最后 3 条还没有检查点" in good.output


@pytest.mark.parametrize(
    "deeds",
    [
        ("DELETE FROM checkpoints",),
        ("DELETE FROM checkpoints WHERE size > 400",),
        ("DELETE FROM checkpoints WHERE size > 400", "DELETE FROM ledger WHERE position > 590"),
        ("UPDATE checkpoints SET note = 'x' WHERE size > 400",),
    ],
)
def test_checkpoints_that_are_taken_away_are_known_from_the_file_beside_them(hub, deeds):
    deed(hub, *deeds)
    bad = verify(hub)
    assert bad.exit_code == 1
    assert f"数据文件旁留存的检查点（{ALL} 条）不在台账的检查点里" in bad.output
    dropped = "末尾被删去" in bad.output
    assert dropped == (len(deeds) == 2 and "ledger" in deeds[1])


def test_yesterdays_database_put_back_is_known_from_the_file(hub, tmp_path):
    shutil.copy(hub / "state" / "hub.db", tmp_path / "yesterday.db")
    with closing(connect(hub / "state" / "hub.db")) as db:
        with db.atomic():
            invitations.issue(db, "k1", an_invitation("SL-today"))
            note = checkpointed(db, load_or_create(hub / "state" / "ledger.key", needed=True))
        lastsigned.write(hub / "state", note)
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert verify(hub).exit_code == 0
    shutil.copy(tmp_path / "yesterday.db", hub / "state" / "hub.db")
    bad = verify(hub)
    assert bad.exit_code == 1
    assert f"数据文件旁留存的检查点有 {ALL + 1} 条，台账只有 {ALL} 条" in bad.output


def test_another_ledger_of_the_same_length_is_known_from_the_file(hub):
    """Altered, its tiles made anew, and signed again with the stolen key: the file still knows."""
    key = load_or_create(hub / "state" / "ledger.key", needed=True)

    def rewrite(db):
        db.conn.execute("UPDATE ledger SET recorded_at = 1 WHERE position = 300")
        db.conn.execute("DELETE FROM checkpoints")
        db.conn.execute("DELETE FROM tiles")
        checkpointed(db, key)

    deed(hub, rewrite)
    bad = verify(hub)
    assert bad.exit_code == 1
    assert f"与数据文件旁留存的检查点（{ALL} 条）不符" in bad.output


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"nonsense", b"a\nb\nc\n\n\xe2\x80\x94 x y\n"]
)
def test_a_spoiled_file_is_a_finding_and_no_crash(hub, content):
    (hub / "state" / lastsigned.NAME).write_bytes(content)
    bad = verify(hub)
    assert bad.exit_code == 1
    assert "数据文件旁留存的检查点第 1 个不可信" in bad.output


# What an export alone can tell, by the ledger's own times.


def working(db, start, minutes, key, each=None):
    """Let a hub enter something every minute, and sign every `each` minutes."""
    for minute in range(minutes):
        at = start + minute * MINUTE
        invitations.issue(db, "k1", an_invitation(f"SL-w{minute}", issued_at=at))
        if each is not None and minute % each == 0:
            checkpointed(db, key)


@pytest.fixture
def hall(tmp_path):
    """An open ledger without entries, and its key."""
    state = tmp_path / "own" / "state"
    state.mkdir(parents=True)
    (tmp_path / "own" / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8"
    )
    key = load_or_create(state / "ledger.key", needed=False)
    with closing(connect(state / "hub.db")) as db:
        migrate(db)
        yield tmp_path / "own", db, key


def of_export(hall, tmp_path, now=None):
    """Return what is found in an export, in words."""
    _, db, key = hall
    by = Verifier(ORIGIN, key.public_key().public_bytes_raw())
    out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
    sources.export(db, out, by)
    found = []
    report.verify(sources.exported(out), found.append, now=now)
    return [each.what for each in found]


@pytest.mark.parametrize("runs", [True, False])
def test_a_ledger_without_any_checkpoint_is_a_finding_soon_after_its_hub_ran(hall, tmp_path, runs):
    """Emptied after a few minutes of work, in the hub's own file or in an export alone."""
    folder, db, key = hall
    with db.atomic():
        if runs:
            entered = Settings(hall="demo", hall_name="示例大厅", windows=(), upstream="")
            settings.note(db, entered, NOW)
        working(db, NOW, 5, key, each=1)
    assert of_export(hall, tmp_path, now=NOW + 61 * MINUTE) == []
    deed(folder, "DELETE FROM checkpoints")
    assert of_export(hall, tmp_path, now=NOW + 59 * MINUTE) == []
    assert of_export(hall, tmp_path, now=NOW + 61 * MINUTE) == (["unsigned"] if runs else [])
    assert ("一个可信的检查点也没有" in verify(folder).output) == (runs and epoch_ms() > NOW + HOUR)


def test_an_export_with_its_checkpoints_emptied_is_a_finding(hall, tmp_path):
    folder, db, key = hall
    with db.atomic():
        working(db, NOW, 70, key, each=1)
    out = tmp_path / "out"
    assert run("export", "--config", folder / "hub.toml", "--out", out).exit_code == 0
    assert run("verify", "--export", out).exit_code == 0
    (out / "checkpoints.jsonl").write_bytes(b"")
    emptied = run("verify", "--export", out)
    assert emptied.exit_code == 1
    assert "一个可信的检查点也没有，按时间早该有了：检查点被删去" in emptied.output
    assert "最后 70 条还没有检查点" in emptied.output


def test_a_ledger_that_lived_for_hours_has_a_checkpoint(hall, tmp_path):
    """By its own times, whenever it is looked at; live too."""
    _, db, key = hall
    with db.atomic():
        working(db, NOW, 62, key)
    assert of_export(hall, tmp_path) == ["unsigned"]
    assert verify(hall[0]).exit_code == 1


@pytest.mark.parametrize(("left", "what"), [(400, []), (30, ["unsigned"])])
def test_checkpoints_missing_from_some_size_on_are_a_finding(hall, tmp_path, left, what):
    """The hub signed every minute, and then for hours no more though it worked."""
    folder, db, key = hall
    with db.atomic():
        working(db, NOW, 400, key, each=1)
    deed(
        folder,
        lambda db: db.conn.execute("DELETE FROM checkpoints WHERE size > ?", (left,)),
    )
    assert of_export(hall, tmp_path) == what
    live = verify(folder)
    assert ("按入账时间其间早该有了" in live.output) == bool(what)


def test_where_too_few_are_left_to_know_the_rhythm_the_hub_does_and_an_export_bears_with_a_day(
    hall, tmp_path
):
    folder, db, key = hall
    with db.atomic():
        working(db, NOW, 100, key, each=1)
    deed(folder, "DELETE FROM checkpoints WHERE size > 2")
    assert of_export(hall, tmp_path) == []
    live = verify(folder)
    assert live.exit_code == 1
    assert "最后 98 条（第 3 条起）没有检查点，按入账时间其间早该有了" in live.output
    with db.atomic():
        working(db, NOW + 101 * MINUTE, 24 * 60, key)
    assert of_export(hall, tmp_path) == ["unsigned"]


def test_a_hub_that_was_off_or_restored_is_not_accused(hall, tmp_path):
    """It entered something, was killed, and came back days later: that is no work unsigned."""
    _, db, key = hall
    with db.atomic():
        working(db, NOW, 5, key, each=1)
        for day in range(1, 10):
            at = NOW + day * 86_400_000
            invitations.issue(db, "k1", an_invitation(f"SL-d{day}", issued_at=at))
    assert of_export(hall, tmp_path) == []


def test_invitations_that_come_back_from_kiosks_with_old_times_are_no_work(hall, tmp_path):
    """As a recovery enters them: old and new times by turns."""
    _, db, key = hall
    with db.atomic():
        working(db, NOW, 5, key, each=1)
        for number in range(200):
            at = NOW + 86_400_000 * (1 + number % 2)
            invitations.issue(db, "k1", an_invitation(f"SL-r{number}", issued_at=at))
    assert of_export(hall, tmp_path) == []


def test_a_hall_that_signs_seldom_is_judged_by_its_own_rhythm(hall, tmp_path):
    """Six hours of work behind the last checkpoint, where one comes every four."""
    folder, db, key = hall
    with db.atomic():
        working(db, NOW, 1560, key, each=240)
    assert of_export(hall, tmp_path) == []
    text = (folder / "hub.toml").read_text(encoding="utf-8")
    (folder / "hub.toml").write_text(text + "[ledger]\ncheckpoint_s = 14400\n", encoding="utf-8")
    assert verify(folder).exit_code == 0
    deed(folder, "DELETE FROM checkpoints WHERE size > 800")
    assert of_export(hall, tmp_path) == ["unsigned"]
    assert verify(folder).exit_code == 1


# More than one checkpoint that does not fit.


def altered(*positions):
    """Change entries so that no tile betrays them: only the roots do."""

    def job(db):
        for position in positions:
            db.conn.execute(
                "UPDATE ledger SET recorded_at = recorded_at + 1 WHERE position = ?", (position,)
            )
        db.conn.execute("DELETE FROM tiles")
        while store.grow(db, 512):
            pass

    return job


def test_all_checkpoints_that_do_not_fit_are_told(insider):
    """And that a root cannot say whether anything else was altered behind the first."""
    deed(insider, altered(60, 500))
    found, _ = verified(insider)
    first, rest = [each.text for each in found if each.what == "root"]
    sizes = [each.size for each in of(insider, store.checkpoints)]
    assert f"（{sizes[0]} 条）不符：第 1 至 {sizes[0]} 条中有改动" in first
    assert f"还有 2 个不符，直到 {ALL} 条" in rest
    assert "其间另有改动也看不出来" in rest


def test_what_was_signed_over_an_alteration_is_told_and_the_next_one_again(insider):
    """An older hub signed on over what was altered; a second alteration is not swallowed."""
    key = load_or_create(insider / "state" / "ledger.key", needed=True)

    def twice(db):
        db.conn.execute("DELETE FROM checkpoints WHERE size > 300")
        altered(60)(db)
        size = 500
        signed = Checkpoint(ORIGIN, size, root_of(db, size))
        store.publish(db, signed, sign(signed, key), NOW)
        altered(550)(db)
        old = Checkpoint(ORIGIN, ALL, bytes(32))
        store.publish(db, old, sign(old, key), NOW)

    sizes = [each.size for each in of(insider, store.checkpoints)]
    deed(insider, twice)
    found, _ = verified(insider)
    roots = [each.text for each in found if each.what == "root"]
    assert f"（{sizes[0]} 条）不符：第 1 至 {sizes[0]} 条中有改动" in roots[0]
    assert "500 条的又相符：是在改动之后签的" in roots[1]
    assert f"（{ALL} 条）不符：第 501 至 {ALL} 条中有改动" in roots[2]
    assert len(roots) == 3


def root_of(db, size):
    frontier = Frontier()
    for entry in ledger.entries(db, 0, size):
        frontier.add(leaf_hash(ledger.line(entry)))
    assert tree.root(size, store.Nodes(db)) == frontier.root()
    return frontier.root()


def of(folder, question):
    with closing(connect(folder / "state" / "hub.db")) as db:
        return question(db)


@pytest.fixture
def insider(honest, tmp_path):  # noqa: F811
    shutil.copytree(honest, tmp_path / "hub")
    return tmp_path / "hub"


# Files that are none.


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'[kiosk]\nname = "k1"\n\n[hub]\nhost = "x"\n', "没有签名"),
        (b"", "没有签名"),
        (b"\x89PNG\r\n\xff", "不是文本文件"),
        (b"x" * 20_000, "过长"),
        ("a\nb\n\n— x y\n".encode(), "开头应是台账名称和条数"),
        (json.dumps({"checkpoint": "x"}).encode(), "没有签名"),
    ],
)
def test_a_wrong_file_is_no_alteration_of_the_ledger(hub, tmp_path, content, why):
    path = tmp_path / "kiosk.toml"
    path.write_bytes(content)
    answer = verify(hub, "--known", path)
    assert answer.exit_code == 2
    assert "这不是检查点文件" in answer.output
    assert why in answer.output
    assert "改动" not in answer.output


def test_a_checkpoint_that_was_cut_off_is_no_checkpoint_and_a_spoiled_one_a_finding(hub, tmp_path):
    note = of(hub, store.newest).note
    path = tmp_path / "kept"
    path.write_text(note, encoding="utf-8")
    assert verify(hub, "--known", path).exit_code == 0
    path.write_text(note[:-3], encoding="utf-8")
    assert verify(hub, "--known", path).exit_code == 2
    path.write_text(note.replace(f"\n{ALL}\n", f"\n{ALL - 1}\n"), encoding="utf-8")
    spoiled = verify(hub, "--known", path)
    assert spoiled.exit_code == 1
    assert "外部留存的检查点第 1 个不可信" in spoiled.output


# Beside the ledger.


def test_an_erasure_noted_for_an_entry_that_holds_its_body_is_named(hub):
    deed(
        hub,
        "INSERT INTO erasures VALUES (7, zeroblob(32), 8)",
        "INSERT INTO erasures VALUES (99999, zeroblob(32), 8)",
    )
    found, _ = verified(hub)
    assert said(found, "body") == [7, 99999]
    assert verify(hub).exit_code == 1


def test_an_erasing_that_is_said_to_have_run_in_the_future_wants_an_explanation(hub):
    with closing(connect(hub / "state" / "hub.db")) as db, db.atomic():
        erasure.set_mark(db, "ran_at", epoch_ms())
    assert "上次清理" not in verify(hub).output
    with closing(connect(hub / "state" / "hub.db")) as db, db.atomic():
        erasure.set_mark(db, "ran_at", 9_000_000_000_000_000_000)
    told = verify(hub)
    assert "△ 上次清理到期数据的时间在将来" in told.output
    assert told.exit_code == 0
