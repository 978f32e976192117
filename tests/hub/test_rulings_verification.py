"""Rulings under an insider with full access to the file: what `verify` says of each deed."""

import hashlib
import json
import shutil
from contextlib import closing

import msgspec
import pytest
from click.testing import CliRunner
from rulings_world import OFFICE, PDF, PNG, REASON, RulingHall
from world_hall import KEYS, NOW, VAULT

from hub.__main__ import main
from hub.accounts import changes
from hub.accounts.changes import Job
from hub.kiosks.keys import pem_of
from hub.notary import load_or_create
from hub.rules import tree
from hub.rules.access import CONSOLE, Role
from hub.rules.afterwards import Ruled
from hub.rules.checkpoint import Checkpoint, Verifier, sign
from hub.store import afterwards, audit, deliveries, invitations, keys, ledger, users
from hub.store import tree as store
from hub.store.database import connect
from hub.verification import report, sources

ORIGIN = "pingyi/demo"


def checkpointed(db, key):
    while store.grow(db, 512):
        pass
    size = ledger.size(db)
    checkpoint = Checkpoint(ORIGIN, size, tree.root(size, store.Nodes(db)))
    store.publish(db, checkpoint, sign(checkpoint, key), NOW)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A hub's state with a few ratings, two rulings among them, and a checkpoint over all."""
    folder = tmp_path_factory.mktemp("honest")
    (folder / "state").mkdir()
    (folder / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8"
    )
    key = load_or_create(folder / "state" / "ledger.key", needed=False)
    (folder / "state" / "citizens.key").write_bytes(b"k" * 32)
    (folder / "state" / "citizens.key").chmod(0o600)
    with RulingHall(folder / "state") as hall:
        pem = pem_of(KEYS["k1"].public_key())
        hall.writer.call(lambda db: keys.remember(db, "k1", pem, NOW))
        hall.writer.call(employ)
        ratings = [hall.rate(f"SL{n}", level=1, reasons=("108",), seq=n) for n in range(1, 5)]
        evidence = [hall.keep(PDF), hall.keep(PNG)]
        hall.rule(ratings[0], evidence=evidence)
        hall.rule(ratings[1], evidence=evidence[:1])
        hall.writer.call(lambda db: checkpointed(db, key))
    return folder


def employ(db):
    """The office has an account: a ruling by somebody of whom the trail knows nothing is named."""
    if users.get(db, "bangong") is None:
        job = Job(db=db, now=NOW, by=CONSOLE, changed=set())
        changes.add_user(job, "bangong", [Role.OFFICE], None, "x")


@pytest.fixture
def insider(honest, tmp_path):
    shutil.copytree(honest, tmp_path / "hub")
    return tmp_path / "hub"


def deed(folder, work):
    """Do something with all guards down."""
    with closing(connect(folder / "state" / "hub.db")) as db:
        db.conn.execute("PRAGMA foreign_keys = OFF")
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in db.conn.execute(triggers).fetchall():
            db.conn.execute(f"DROP TRIGGER {name}")
        result = db.conn.execute(work) if isinstance(work, str) else work(db)
        db.conn.commit()
        return result


def verified(folder):
    found = []
    key = load_or_create(folder / "state" / "ledger.key", needed=True)
    by = Verifier(ORIGIN, key.public_key().public_bytes_raw())
    with closing(connect(folder / "state" / "hub.db")) as db:
        vault = sources.vault_at(folder / "state" / "citizens.key")
        result = report.verify(sources.live(db, by, vault), found.append)
        report.around(db, found.append)
    return [each for each in found if each.what not in ("guards", "counts")], result


def said(found, what):
    return [each.position for each in found if each.what == what and each.grave]


def ruled(folder):
    """Position, invitation and body of the rulings, in order."""
    with closing(connect(folder / "state" / "hub.db")) as db:
        rows = db.conn.execute(
            "SELECT position, invitation, body FROM ledger WHERE kind = 'ruled' ORDER BY position"
        ).fetchall()
    return [(p, name, msgspec.json.decode(body, type=Ruled)) for p, name, body in rows]


def add(db, body, invitation, **more):
    """Enter a ruling as only somebody with the file in hand can; the mark is as he gives it."""
    fields = {"kind": "ruled", "recorded_at": NOW, "device": "", "invitation": invitation}
    text = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return ledger.append(db, ledger.Entry(**(fields | more), body=text))


def test_an_honest_ledger_with_rulings_has_nothing_wrong(honest, tmp_path):
    """Live and as an export; both tell how many ratings are not adopted."""
    found, result = verified(honest)
    assert found == []
    assert (result.rated, result.ruled) == (4, 2)
    runner = CliRunner()
    live = runner.invoke(main, ["verify", "--config", str(honest / "hub.toml")])
    assert live.exit_code == 0, live.output
    assert "评价 4 条，其中复核认定不予采纳、按未评计 2 条" in live.output
    out = tmp_path / "out"
    made = runner.invoke(main, ["export", "--config", str(honest / "hub.toml"), "--out", str(out)])
    assert made.exit_code == 0
    alone = runner.invoke(main, ["verify", "--export", str(out)])
    assert alone.exit_code == 0, alone.output
    assert "按未评计 2 条" in alone.output
    assert "不在导出的目录里。请向大厅索取" in alone.output
    assert "不在导出的目录里" not in live.output


def test_who_verifies_an_export_is_told_which_documents_to_ask_for(honest, tmp_path):
    """Each ruling with the SHA-256 of what it rests on; the documents stay with the hall."""
    out = tmp_path / "out"
    config = ["--config", str(honest / "hub.toml")]
    said = CliRunner().invoke(main, ["export", *config, "--out", str(out)]).output
    assert "凭指纹索取" in said
    alone = CliRunner().invoke(main, ["verify", "--export", str(out)]).output
    wanted = [hashlib.sha256(each).hexdigest() for each in (PDF, PNG)]
    (first, *_), (second, *_) = ruled(honest)
    for position, digest in ((first, wanted[0]), (first, wanted[1]), (second, wanted[0])):
        assert f"  第 {position} 条  {digest}\n" in alone
    assert alone.count("  第 ") == 3
    exported = b"".join(path.read_bytes() for path in out.iterdir())
    assert PNG not in exported
    assert b"%PDF" not in exported


def test_the_status_command_shows_what_counts(honest):
    """Valid = rated - not adopted - repeated."""
    told = CliRunner().invoke(main, ["status", "--config", str(honest / "hub.toml")])
    assert "有效评价 2 = 已评 4 - 复核不采纳 2 - 重复评价 0" in told.output


def test_a_ruling_that_was_deleted_is_named(insider):
    """By the gap, and by what is left of it beside the ledger."""
    (first, *_), _ = ruled(insider)
    deed(
        insider,
        lambda db: db.conn.execute("DELETE FROM ledger WHERE position = ?", (first,)),
    )
    found, _ = verified(insider)
    assert said(found, "position") == [first + 1]
    assert any("不是复核认定" in each.text for each in found)


def test_a_reason_that_was_edited_is_named(insider):
    """It no longer fits what was signed: the checkpoint over it says so."""
    (first, *_), _ = ruled(insider)
    deed(
        insider,
        lambda db: db.conn.execute(
            "UPDATE ledger SET body = CAST(replace(CAST(body AS TEXT), '误按', '撤回') AS BLOB)"
            " WHERE position = ?",
            (first,),
        ),
    )
    found, _ = verified(insider)
    (root,) = [each for each in found if each.what == "root"]
    assert root.grave


def test_a_ruling_on_its_way_without_an_entry_is_named(insider):
    """And it does not count: what is valid is read from the ledger."""
    deed(insider, lambda db: deliveries.queue(db, "ruling", ("SL3", 1), 1, NOW))
    found, _ = verified(insider)
    assert [each.text for each in found] == [
        "有一条复核认定等待或已经报送，而台账第 1 条不是复核认定"
    ]
    with closing(connect(insider / "state" / "hub.db")) as db:
        assert invitations.account(db).ruled == 2
        assert not afterwards.void(db, VAULT, "SL3", 1)


def test_a_ruling_that_was_entered_by_sql_is_named(insider):
    """The ledger takes an entry more; the audit trail knows nothing of it."""

    def rule(db):
        position, name = db.conn.execute(
            "SELECT position, invitation FROM ledger WHERE kind = 'rated' AND seq = 4"
        ).fetchone()
        return add(db, Ruled(of=position, by="user:bangong", reason=REASON), name)

    position = deed(insider, rule)
    found, _ = verified(insider)
    assert {each.position for each in found} == {position}
    assert [each.what for each in found] == ["mark", "ruling", "ruling", "delivery"]
    assert "没有列出证据文件" in found[1].text
    assert "没有操作记录" in found[2].text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"evidence": []}, "没有列出证据文件"),
        ({"of": 1}, "不是在它之前的有效评价"),
        ({"of": 99}, "不是在它之前的有效评价"),
        ({"of": 0}, "不是在它之前的有效评价"),
        ({"by": " "}, "没有写明由谁"),
        ({"reason": ""}, "无法读取"),
        ({"reason": " \n"}, "没有理由"),
        ({"evidence": [""]}, "没有指纹"),
        ({"evidence": ["x"]}, "无法读取"),
        ({"of": "x"}, "无法读取"),
        ({}, "重复"),
    ],
)
def test_a_ruling_that_is_none_is_named(insider, change, says):
    """On no rating before it, by nobody, without a reason, a second time."""
    first = ruled(insider)[0]
    body = json.dumps(msgspec.to_builtins(first[2]) | change).encode()
    position = deed(insider, lambda db: add(db, body, first[1]))
    found, _ = verified(insider)
    assert position in said(found, "ruling")
    assert any(says in each.text for each in found), [each.text for each in found]


def test_a_ruling_of_another_invitation_or_by_a_kiosk_is_named(insider):
    """What stands beside the body has to fit it."""
    (_, name, body), (_, other, _) = ruled(insider)
    position = deed(insider, lambda db: add(db, body, other, device="k1", seq=77))
    assert name != other
    found, _ = verified(insider)
    texts = [each.text for each in found if each.position == position]
    assert any("登记成了评价器送来的" in text for text in texts)
    assert any("的不同" in text for text in texts)


def test_evidence_that_is_gone_is_named(insider):
    """Each ruling that rests on it."""
    places = [place for place, *_ in ruled(insider)]
    deed(insider, "DELETE FROM documents WHERE kind = 'pdf'")
    found, _ = verified(insider)
    assert said(found, "evidence") == places


def test_a_word_of_the_city_on_a_ruling_that_is_none_is_named(insider):
    """`delivered` names the ruling that the city has."""
    rated = ruled(insider)[0][2].of
    said_of = deliveries.Delivered(
        serial="SL1", service_number=1, kind="ruling", of=rated, answer="accepted"
    )
    entry = ledger.Entry(
        kind="delivered",
        recorded_at=NOW,
        device="",
        invitation="",
        body=msgspec.json.encode(said_of),
    )
    position = deed(insider, lambda db: ledger.append(db, entry))
    found, _ = verified(insider)
    assert said(found, "delivery") == [position]


def forge(folder, evidence, **more):
    """An insider's ruling on the fourth rating, by INSERT alone: the guards stand, and all fits.

    Entry, evidence, delivery, and the act that the audit trail should know. Returns its position.
    """
    with closing(connect(folder / "state" / "hub.db")) as db, db.atomic():
        of, name = db.conn.execute(
            "SELECT position, invitation FROM ledger WHERE kind = 'rated' AND seq = 4"
        ).fetchone()
        kept = [row[0] for row in db.conn.execute("SELECT digest FROM documents")]
        said = {
            "of": of,
            "by": "user:bangong",
            "reason": REASON,
            "evidence": kept if evidence else [],
        }
        position = db.conn.execute(
            "INSERT INTO ledger (kind, recorded_at, device, invitation, body)"
            " VALUES ('ruled', ?, '', ?, ?)",
            (NOW, name, json.dumps(said | more, ensure_ascii=False).encode()),
        ).lastrowid
        db.conn.executemany(
            "INSERT INTO ruling_documents VALUES (?, ?)",
            [(position, digest) for digest in said["evidence"]],
        )
        db.conn.execute(
            "INSERT INTO deliveries (serial, service_number, kind, position, next_at, queued_at)"
            " VALUES ('SL4', 1, 'ruling', ?, ?, ?)",
            (position, NOW, NOW),
        )
        audit.note(db, NOW, OFFICE, "rule", "SL4/1", detail={"entry": position, "reason": REASON})
    return position


@pytest.mark.parametrize("evidence", [True, False])
@pytest.mark.parametrize("copied", [True, False])
def test_a_ruling_forged_with_an_act_of_its_own_is_named(insider, evidence, copied):
    """The database can be written, the key outside of it cannot be known: no mark fits.

    Not one copied from an honest ruling either; without evidence that is named, too.
    """
    more = {"mark": ruled(insider)[0][2].mark} if copied else {}
    position = forge(insider, evidence, **more)
    found, _ = verified(insider)
    assert [(each.position, each.what, each.grave) for each in found] == [
        (position, "mark", True),
        *([] if evidence else [(position, "ruling", True)]),
    ]
    told = CliRunner().invoke(main, ["verify", "--config", str(insider / "hub.toml")])
    assert told.exit_code == 1
    assert f"✗ 第 {position} 条：标记不对：不是本服务器登记的" in told.output


def test_where_the_key_is_not_marks_are_said_to_be_unchecked(insider, tmp_path):
    """In an export, without the key, with one that others may read: never silently."""
    forge(insider, evidence=True)
    says = "是否由服务器登记：没有可用的 citizens.key"
    run = CliRunner().invoke
    config = ["--config", str(insider / "hub.toml")]
    assert says not in run(main, ["verify", *config]).output
    assert run(main, ["export", *config, "--out", str(tmp_path / "out")]).exit_code == 0
    alone = run(main, ["verify", "--export", str(tmp_path / "out")])
    assert (alone.exit_code, says in alone.output) == (0, True)
    key = insider / "state" / "citizens.key"
    key.chmod(0o644)
    assert says in run(main, ["verify", *config]).output
    key.unlink()
    assert says in run(main, ["verify", *config]).output


def test_marks_stay_right_when_keys_are_changed_and_after_a_restore(insider, tmp_path):
    """The index key stays; it comes back with a backup that has the keys."""
    run = CliRunner().invoke
    config = ["--config", str(insider / "hub.toml")]
    before = (insider / "state" / "citizens.key").read_bytes()
    changed = run(main, ["citizens", "rotate", *config])
    assert changed.exit_code == 0, changed.output
    assert (insider / "state" / "citizens.key").read_bytes() != before
    assert verified(insider)[0] == []
    for name, more in (("with", ["--with-keys"]), ("without", [])):
        made = run(main, ["backup", *config, "--out", str(tmp_path / name), *more])
        assert made.exit_code == 0, made.output
    shutil.rmtree(insider / "state")
    back = run(main, ["restore", *config, "--from", str(tmp_path / "with"), "--yes"])
    assert back.exit_code == 0, back.output
    found, result = verified(insider)
    assert (found, result.ruled) == ([], 2)
    shutil.rmtree(insider / "state")
    back = run(main, ["restore", *config, "--from", str(tmp_path / "without"), "--yes"])
    assert back.exit_code == 0, back.output
    told = run(main, ["verify", *config])
    assert "标记不对" not in told.output
    assert "是否由服务器登记：没有可用的 citizens.key" in told.output


def test_a_forged_ruling_in_a_backup_with_its_keys_is_not_restored(insider, tmp_path):
    """Restoring looks at the marks as well."""
    position = forge(insider, evidence=True)
    run = CliRunner().invoke
    config = ["--config", str(insider / "hub.toml")]
    out = str(tmp_path / "out")
    assert run(main, ["backup", *config, "--out", out, "--with-keys"]).exit_code == 0
    back = run(main, ["restore", *config, "--from", out, "--yes"])
    assert back.exit_code != 0
    assert f"第 {position} 条：标记不对" in back.output
