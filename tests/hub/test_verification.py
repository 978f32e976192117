"""The ledger under an insider with full access to its file: what `verify` says of each deed."""

import hashlib
import shutil
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.utils import base64url_decode, base64url_encode
from world_hall import KEYS, NOW, VAULT, a_case, an_invitation, expired, rated, withdrawn

from hub.__main__ import main
from hub.kiosks.keys import pem_of
from hub.notary import load_or_create
from hub.rules import tree
from hub.rules.checkpoint import Checkpoint, Verifier, sign
from hub.store import audit, bindings, cases, deliveries, invitations, keys, ledger
from hub.store import tree as store
from hub.store.database import connect, migrate
from hub.verification import report, sources
from protocol import signing
from protocol.messages import Staff

COUNT = 300
ORIGIN = "pingyi/demo"
OPEN_GUARDS = "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'"


def enter(db, outcome, key=None):
    jws = signing.sign(outcome, key or KEYS[outcome.device])
    kind = type(outcome).__name__.lower()
    position = ledger.append(
        db,
        ledger.Entry(
            kind=kind,
            recorded_at=NOW,
            device=outcome.device,
            invitation=outcome.invitation,
            outcome=outcome.id,
            seq=outcome.seq,
            body=jws,
        ),
    )
    invitations.close(db, outcome.invitation, outcome.id, kind)
    kept = invitations.get(db, outcome.invitation)
    if kind == "rated" and kept is not None:
        cases.put(db, VAULT, a_case(kept.serial, kept.service_number), NOW)
        deliveries.queue(db, "rating", (kept.serial, kept.service_number), position, NOW)


def checkpointed(db, key):
    """Make a checkpoint of all there is, as the notary does."""
    while store.grow(db, 512):
        pass
    size = ledger.size(db)
    checkpoint = Checkpoint(ORIGIN, size, tree.root(size, store.Nodes(db)))
    store.publish(db, checkpoint, sign(checkpoint, key), NOW)
    return store.newest(db).note


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A hub's state with an honest ledger of some 600 entries and three checkpoints."""
    folder = tmp_path_factory.mktemp("honest")
    state = folder / "state"
    state.mkdir()
    (folder / "hub.toml").write_text(
        'hall = "demo"\nhall_name = "示例大厅"\nstate = "state"\n', encoding="utf-8"
    )
    key = load_or_create(state / "ledger.key", needed=False)
    (state / "citizens.key").write_bytes(b"k" * 32)
    (state / "citizens.key").chmod(0o600)
    with closing(connect(state / "hub.db")) as db:
        migrate(db)
        with db.atomic():
            keys.remember(db, "k1", pem_of(KEYS["k1"].public_key()), NOW)
            bindings.pair(db, "1号窗口", "k1", by="user:jia", now=NOW)
            bindings.sign_on(db, "1号窗口", Staff(name="示例甲"), by="user:jia", now=NOW)
            for number in range(1, COUNT + 1):
                invitation = an_invitation(f"SL{number}")
                invitations.issue(db, "k1", invitation)
                make = (rated, rated, expired, withdrawn)[number % 4]
                enter(db, make(invitation.id, seq=number))
                if number in (50, 200):
                    checkpointed(db, key)
            invitations.issue(db, "k1", an_invitation("SL-open"))
            checkpointed(db, key)
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return folder


@pytest.fixture
def insider(honest, tmp_path):
    """A copy of it with its guards down; commit is at the end of each statement."""
    shutil.copytree(honest, tmp_path / "hub")
    return tmp_path / "hub"


def deed(folder, *statements):
    with closing(connect(folder / "state" / "hub.db")) as db:
        for (drop,) in db.conn.execute(OPEN_GUARDS).fetchall():
            db.conn.execute(drop)
        for statement in statements:
            if callable(statement):
                statement(db)
            else:
                db.conn.execute(statement)
        db.conn.commit()


def verified(folder, **more):
    """Return what is found, in order, and the report."""
    found = []
    key = load_or_create(folder / "state" / "ledger.key", needed=True)
    by = Verifier(ORIGIN, key.public_key().public_bytes_raw())
    with closing(connect(folder / "state" / "hub.db")) as db:
        result = report.verify(sources.live(db, by), found.append, **more)
        report.around(db, found.append)
    return found, result


def said(found, what):
    return [finding.position for finding in found if finding.what == what]


def a_rating(db):
    """Return the position of a rating in the middle, and its body."""
    return db.conn.execute(
        "SELECT position, body FROM ledger WHERE kind = 'rated' AND position > 200 LIMIT 1"
    ).fetchone()


def test_an_honest_ledger_has_nothing_wrong(honest):
    found, result = verified(honest)
    assert found == []
    assert result.entries == 3 + 2 * COUNT + 1
    assert result.checkpoints == 3


def test_a_level_that_was_edited_is_named(insider):
    place = []

    def edit(db):
        position, body = a_rating(db)
        place.append(position)
        head, payload, signature = bytes(body).split(b".")
        altered = base64url_decode(payload).replace(b'"level":5', b'"level":4')
        body = b".".join((head, base64url_encode(altered), signature))
        db.conn.execute("UPDATE ledger SET body = ? WHERE position = ?", (body, position))

    deed(insider, edit)
    found, _ = verified(insider)
    assert said(found, "signature") == place
    assert said(found, "leaf") == place
    assert "guards" in {finding.what for finding in found}


def test_an_entry_that_was_deleted_is_named(insider):
    deed(insider, "DELETE FROM ledger WHERE position = 300")
    found, _ = verified(insider)
    assert said(found, "position") == [301]
    assert any(finding.what in ("gap", "account", "invitation") for finding in found)


def test_an_entry_that_was_deleted_and_the_rest_moved_up_is_named(insider):
    deed(
        insider,
        "DELETE FROM ledger WHERE position = 300",
        "UPDATE ledger SET position = position - 1000000 WHERE position > 300",
        "UPDATE ledger SET position = position + 999999 WHERE position < 0",
    )
    found, _ = verified(insider)
    assert said(found, "position") == []
    assert said(found, "leaf")[0] == 300
    assert "tail" in {finding.what for finding in found}


def test_two_entries_that_were_swapped_are_named(insider):
    deed(
        insider,
        "UPDATE ledger SET position = -1 WHERE position = 301",
        "UPDATE ledger SET position = 301 WHERE position = 305",
        "UPDATE ledger SET position = 305 WHERE position = -1",
    )
    found, _ = verified(insider)
    assert said(found, "leaf") == [301, 305]


def test_a_tail_that_was_dropped_is_noticed(insider):
    deed(insider, "DELETE FROM ledger WHERE position > 590")
    found, _ = verified(insider)
    [tail] = [finding for finding in found if finding.what == "tail"]
    assert "604" in tail.text
    assert "590" in tail.text


def test_yesterdays_data_is_noticed_by_a_checkpoint_kept_elsewhere(insider, honest):
    with closing(connect(honest / "state" / "hub.db")) as db:
        kept = store.newest(db).note
    deed(
        insider,
        "DELETE FROM ledger WHERE position > 400",
        "DELETE FROM checkpoints WHERE size > 402",
        "DELETE FROM tiles WHERE idx > 0",
        "DELETE FROM invitations WHERE id NOT IN (SELECT invitation FROM ledger)",
    )
    alone, result = verified(insider)
    assert {finding.what for finding in alone} <= {"guards", "tail", "account"}
    assert any("--known" in text for text in result.unchecked)
    found, _ = verified(insider, known=[kept])
    assert "known" in {finding.what for finding in found}


def test_a_ledger_rewritten_with_another_key_is_noticed_by_who_kept_the_old_one(insider, honest):
    """The insider makes new device keys, a new ledger key, and signs everything anew."""
    old = load_or_create(honest / "state" / "ledger.key", needed=True)
    trusted = Verifier(ORIGIN, old.public_key().public_bytes_raw())
    (insider / "state" / "ledger.key").unlink()
    fresh = load_or_create(insider / "state" / "ledger.key", needed=False)

    def rewrite(db):
        db.conn.execute("DELETE FROM checkpoints")
        checkpointed(db, fresh)

    deed(insider, rewrite)
    alone, result = verified(insider)
    assert {finding.what for finding in alone} == {"guards"}
    assert any("--key" in text for text in result.unchecked)
    found, _ = verified(insider, trusted=trusted)
    assert "checkpoint" in {finding.what for finding in found}


def test_a_rating_signed_with_another_key_is_named(insider):
    place = []

    def forge(db):
        position, _ = a_rating(db)
        place.append(position)
        invitation, outcome, seq = db.conn.execute(
            "SELECT invitation, outcome, seq FROM ledger WHERE position = ?", (position,)
        ).fetchone()
        forged = rated(invitation, id=outcome, seq=seq, level=1)
        jws = signing.sign(forged, signing.generate_key())
        db.conn.execute("UPDATE ledger SET body = ? WHERE position = ?", (jws, position))

    deed(insider, forge)
    found, _ = verified(insider)
    assert said(found, "signature") == place


def test_a_rating_that_was_added_is_named(insider):
    """Signed with the real key even: there is no invitation for it."""
    deed(insider, lambda db: enter(db, rated("f" * 32, seq=COUNT + 1)))
    found, _ = verified(insider)
    assert said(found, "invitation") == [605]


def test_a_rating_repeated_is_named(insider):
    deed(
        insider,
        "INSERT INTO ledger SELECT 605, kind, recorded_at, device, invitation, outcome, seq, body"
        " FROM ledger WHERE kind = 'rated' LIMIT 1",
    )
    found, _ = verified(insider)
    assert said(found, "closed_twice") == [605]
    assert said(found, "number_twice") == [605]


@pytest.mark.parametrize("what", ["kind", "invitation", "outcome", "seq", "device"])
def test_a_column_beside_the_signature_is_not_free_either(insider, what):
    value = {"kind": "'withdrawn'", "seq": "seq + 9000"}.get(what, "'x'")
    deed(
        insider,
        f"UPDATE ledger SET {what} = {value} WHERE position ="  # noqa: S608 - constants
        " (SELECT max(position) FROM ledger WHERE kind = 'rated')",
    )
    found, _ = verified(insider)
    assert [finding for finding in found if finding.grave and finding.what != "guards"]


def test_what_was_derived_and_altered_is_told_apart(insider):
    deed(insider, "UPDATE invitations SET outcome = 'rated' WHERE outcome = 'expired'")
    found, _ = verified(insider)
    assert {finding.what for finding in found} == {"guards", "account"}


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)


def test_an_export_is_verified_alone(honest, insider, tmp_path):
    out = tmp_path / "out"
    made = run("export", "--config", honest / "hub.toml", "--out", out)
    assert made.exit_code == 0, made.output
    key = made.output.splitlines()[-1]
    good = run("verify", "--export", out, "--key", key)
    assert good.exit_code == 0, good.output
    assert "没有发现改动" in good.output
    assert "共 604 条，3 个检查点相符" in good.output
    lines = (out / "entries.jsonl").read_bytes().splitlines(keepends=True)
    lines[210] = lines[210].replace(b'"k1"', b'"k2"', 1)
    (out / "entries.jsonl").write_bytes(b"".join(lines))
    bad = run("verify", "--export", out, "--key", key)
    assert bad.exit_code == 1
    assert "第 211 条：与入账时的指纹不符" in bad.output
    other = Verifier(ORIGIN, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert run("verify", "--export", out, "--key", other).exit_code == 1


def test_an_export_holds_nothing_of_citizens_and_is_never_overwritten(honest, tmp_path):
    out = tmp_path / "out"
    assert run("export", "--config", honest / "hub.toml", "--out", out).exit_code == 0
    text = b"".join(path.read_bytes() for path in out.iterdir())
    assert b"ID-JIA" not in text
    again = run("export", "--config", honest / "hub.toml", "--out", out)
    assert again.exit_code == 1
    assert "不会覆盖" in again.output


def test_the_command_verifies_a_live_hub(honest, insider):
    good = run("verify", "--config", honest / "hub.toml")
    assert good.exit_code == 0, good.output
    deed(insider, "DELETE FROM ledger WHERE position = 300")
    bad = run("verify", "--config", insider / "hub.toml")
    assert bad.exit_code == 1
    assert "台账被改动或已损坏" in bad.output


@pytest.mark.parametrize("damage", ["missing", "garbage", "half"])
def test_a_damaged_export_is_told_in_words(honest, tmp_path, damage):
    out = tmp_path / "out"
    run("export", "--config", honest / "hub.toml", "--out", out)
    if damage == "missing":
        (out / "ledger.vkey").unlink()
    elif damage == "garbage":
        (out / "device-keys.json").write_bytes(b"\xff")
    else:
        data = (out / "entries.jsonl").read_bytes()
        (out / "entries.jsonl").write_bytes(data[: len(data) // 2])
    result = run("verify", "--export", out)
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output


@pytest.fixture
def erased(insider):
    """The ledger after one rating was erased as the law may ask: with its guards up."""
    with closing(connect(insider / "state" / "hub.db")) as db, db.atomic():
        place, _ = a_rating(db)
        entry = ledger.erase(db, VAULT, [place], by="user:jia", why="本人要求", now=NOW)
        audit.note(db, NOW, "user:jia", "erase_citizen", detail={"entry": entry})
        key = load_or_create(insider / "state" / "ledger.key", needed=True)
        checkpointed(db, key)
    return insider, place, entry


def test_what_a_citizen_wrote_can_be_erased_and_the_ledger_is_still_whole(erased, tmp_path):
    folder, place, entry = erased
    found, result = verified(folder)
    assert [str(finding) for finding in found] == []
    assert result.checkpoints == 4
    assert any("1 条的内容已按规定删除" in text for text in result.unchecked)
    with closing(connect(folder / "state" / "hub.db")) as db:
        row = db.execute("SELECT body FROM ledger WHERE position = ?", (place,)).fetchone()
        assert bytes(row[0]) == b""
        assert next(ledger.entries(db, entry - 1)).kind == "erased"
    out = tmp_path / "out"
    assert run("export", "--config", folder / "hub.toml", "--out", out).exit_code == 0
    alone = run("verify", "--export", out)
    assert alone.exit_code == 0, alone.output


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET body = x'' WHERE position = 7",
        "UPDATE ledger SET body = 'x' WHERE position = {place}",
        "UPDATE ledger SET body = x'', device = 'k9' WHERE position = {place}",
        "INSERT INTO erasures VALUES (7, x'00', 8)",
        "INSERT INTO erasures VALUES ({place}, x'00', {entry})",
        "UPDATE erasures SET digest = x'00'",
        "DELETE FROM erasures",
    ],
)
def test_nothing_is_erased_that_the_ledger_does_not_say(erased, statement):
    folder, place, entry = erased
    with closing(connect(folder / "state" / "hub.db")) as db, pytest.raises(sqlite3.IntegrityError):
        db.conn.execute(statement.format(place=place, entry=entry))


def test_an_erasure_without_its_entry_is_named(insider):
    place = []

    def wipe(db):
        position, body = a_rating(db)
        place.append(position)
        digest = hashlib.sha256(body).digest()
        db.conn.execute("INSERT INTO erasures VALUES (?, ?, ?)", (position, digest, 1))
        db.conn.execute("UPDATE ledger SET body = x'' WHERE position = ?", (position,))

    deed(insider, wipe)
    found, _ = verified(insider)
    assert said(found, "body") == place
