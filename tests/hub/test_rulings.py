"""Rulings (复核认定): what the office may rule, what stays, and what counts from then on."""

import hashlib
import sqlite3
import threading
from contextlib import closing

import msgspec
import pytest
from rulings_world import CLERK_IN_OFFICE, JPEG, OFFICE, PDF, PNG, REASON, RulingHall
from world_hall import NOW, OTHER_WINDOW, VAULT, rated

from hub import backup
from hub.citizens import rotation
from hub.errors import (
    AlreadyRuled,
    DocumentUnfit,
    NotCounted,
    OwnRating,
    RatingAltered,
    RatingErased,
    UnknownDocument,
    UnknownRating,
)
from hub.rules.access import KEY_SCOPES, ROLES, Role, Scope
from hub.rules.afterwards import Ruled
from hub.rules.days import DAY_MS
from hub.rules.documents import LIMIT
from hub.rulings import UNUSED
from hub.store import afterwards, documents, ledger, resealing
from hub.store import vault as vaults
from hub.store.database import connect
from hub.store.vault import Vault, VaultError


@pytest.fixture
def hall(tmp_path):
    with RulingHall(tmp_path) as hall:
        yield hall


# ---------------------------------------------------------------- what a ruling is


def test_a_ruling_stands_in_the_ledger_and_in_the_queue_and_the_rating_stays(hall):
    """One commit: entry, delivery, evidence, audit trail; the rating's bytes are untouched."""
    invitation = hall.rate(level=1, reasons=("108",))
    (before,) = hall.rows("SELECT position, body FROM ledger WHERE kind = 'rated'")
    evidence = [hall.keep(each) for each in (PDF, JPEG, PNG)]
    made = hall.rule(invitation, evidence=evidence)
    (entry,) = hall.rows("SELECT position, invitation, device, body FROM ledger WHERE kind='ruled'")
    assert entry[:3] == (made.position, invitation, "")
    ruled = Ruled(of=before[0], by="user:bangong", reason=REASON, evidence=tuple(evidence))
    marked = msgspec.json.decode(entry[3], type=Ruled)
    assert marked == afterwards.marked(VAULT, invitation, ruled) != ruled
    assert [hashlib.sha256(each).hexdigest() for each in (PDF, JPEG, PNG)] == evidence
    assert hall.rows("SELECT position, body FROM ledger WHERE kind = 'rated'") == [before]
    assert hall.deliveries("ruling") == [("SL0001", 1, made.position, "waiting")]
    assert hall.poked == 1
    (act,) = hall.acts("rule")
    assert (act.actor, act.target, act.allowed) == ("user:bangong", "SL0001/1", True)
    assert act.detail["reason"] == REASON
    assert act.detail["entry"] == made.position
    assert act.detail["address"] == "10.0.0.9"


def test_a_rating_that_is_not_adopted_is_not_valid_any_more(hall):
    """Valid = rated - ruled - repeated; what was invited still balances."""
    ruled = hall.rate("SL1", level=2, reasons=("207",))
    hall.rate("SL2")
    first = hall.invite(serial="SL3").status.id
    hall.now += 61_000  # its time is over, and its kiosk has not said a word
    second = hall.invite(OTHER_WINDOW, serial="SL3").status.id
    hall.send(rated(second, device="k2"))
    hall.send(rated(first))
    hall.rule(ruled)
    account = hall.account()
    assert (account.rated, account.ruled, account.repeated, account.valid) == (4, 1, 1, 2)
    assert account.balanced
    one, other = hall.account("k1"), hall.account("k2")
    assert (one.rated, one.ruled, one.repeated, one.valid) == (3, 1, 1, 1)
    assert (other.rated, other.ruled, other.repeated, other.valid) == (1, 0, 0, 1)


def test_a_service_whose_rating_was_not_adopted_is_not_rated_a_second_time(hall):
    """It counts as 未评: the citizen is not asked again until the score is good."""
    hall.rule(hall.rate())
    assert hall.ask(hall.desk.case("SL0001", 1)).rated


# ---------------------------------------------------------------- once, and only of what counts


def test_a_rating_is_ruled_on_once(hall):
    """Also by two at the same moment: the second is told."""
    invitation = hall.rate()
    evidence = [hall.keep()]
    answers = hall.at_once(
        *(hall.rulings.rule(invitation, REASON, evidence, OFFICE) for _ in range(5))
    )
    assert [isinstance(each, AlreadyRuled) for each in answers].count(True) == 4
    with pytest.raises(AlreadyRuled, match="不能重复认定"):
        hall.rule(invitation)
    assert hall.ledger().count("ruled") == 1
    assert len(hall.deliveries("ruling")) == 1


def test_nothing_is_ruled_on_that_nobody_rated(hall):
    """An unknown invitation, an open one, one that ended without a rating."""
    open_ = hall.invite().status.id
    for invitation in ("0" * 32, open_):
        with pytest.raises(UnknownRating):
            hall.rule(invitation)
        with pytest.raises(UnknownRating):
            hall.ask(hall.rulings.look(invitation, OFFICE))
    assert "ruled" not in hall.ledger()
    assert hall.acts("look_rating") == []


def test_a_repeated_rating_needs_no_ruling(hall):
    """It does not count anyway, and a ruling would take the service's rating along."""
    first = hall.invite().status.id
    hall.now += 61_000
    second = hall.invite(OTHER_WINDOW).status.id
    hall.send(rated(second, device="k2"))
    hall.send(rated(first))
    assert hall.ask(hall.rulings.find("SL0001", 1)) == second
    with pytest.raises(NotCounted, match="本来就不计入"):
        hall.rule(first)
    assert not hall.ask(hall.rulings.look(first, OFFICE)).rating.counts
    hall.rule(second)


def test_nobody_rules_on_a_rating_of_themselves(hall):
    """A clerk who helps out in the office."""
    invitation = hall.rate(level=1, reasons=("108",))
    with pytest.raises(OwnRating, match="本人"):
        hall.rule(invitation, by=CLERK_IN_OFFICE)
    assert "ruled" not in hall.ledger()


def test_what_was_erased_or_altered_is_not_ruled_on(hall):
    """Nobody can look at what they would rule on."""
    gone, bad = hall.rate("SL1"), hall.rate("SL2")
    (place,) = [
        row[0]
        for row in hall.rows(
            "SELECT position FROM ledger WHERE invitation=? AND kind = 'rated'", gone
        )
    ]
    hall.writer.call(
        lambda db: ledger.erase(db, VAULT, [place], by="console", why="本人要求", now=NOW)
    )
    with pytest.raises(RatingErased):
        hall.rule(gone)

    def alter(db):
        for (name,) in db.conn.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger'"
        ).fetchall():
            db.conn.execute(f"DROP TRIGGER {name}")
        db.conn.execute(
            "UPDATE ledger SET body = CAST(substr(body, 1, length(body) - 4) || 'AAAA' AS BLOB)"
            " WHERE invitation = ? AND kind = 'rated'",
            (bad,),
        )

    hall.writer.call(alter)
    with pytest.raises(RatingAltered, match="verify"):
        hall.rule(bad)
    with pytest.raises(RatingAltered):
        hall.ask(hall.rulings.look(bad, OFFICE))
    assert "ruled" not in hall.ledger()


def test_the_office_alone_rules():
    """By the table of roles: no clerk, no supervisor, no IT, no auditor."""
    assert [role for role in Role if Scope.RULE in ROLES[role]] == [Role.OFFICE]
    assert Scope.RULE in KEY_SCOPES


# ---------------------------------------------------------------- looks


def test_every_look_at_a_rating_is_in_the_audit_trail(hall):
    """Level, reasons and words as they were signed; who looked, from where, at which entry."""
    invitation = hall.rate(level=1, reasons=("108", "115"), comment="等了很久")
    for _ in range(2):
        looked = hall.ask(hall.rulings.look(invitation, OFFICE))
    assert (looked.rated.level, looked.rated.reasons) == (1, ("108", "115"))
    assert looked.rated.comment == "等了很久"
    assert looked.rating.asked.staff.name == "示例甲"
    assert looked.ruling is None
    first, second = hall.acts("look_rating")
    assert (first.actor, first.target) == ("user:bangong", "SL0001/1")
    assert first.detail == second.detail == {"entry": looked.rating.position, "address": "10.0.0.9"}
    assert "等了很久" not in str(hall.acts("look_rating", "rule"))


def test_a_look_that_cannot_be_written_down_shows_nothing(hall):
    """No rating without its line in the trail, whatever the reason is."""
    invitation = hall.rate()
    hall.writer.call(
        lambda db: db.conn.execute(
            "CREATE TEMP TRIGGER full BEFORE INSERT ON main.audit"
            " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    )
    with pytest.raises(sqlite3.Error):
        hall.ask(hall.rulings.look(invitation, OFFICE))


def test_rulings_are_listed_the_newest_first_and_by_pages(hall):
    """With how it stands with the city, and never with a level."""
    evidence = [hall.keep()]
    positions = [
        hall.rule(hall.rate(f"SL{number}"), evidence=evidence).position for number in range(5)
    ]
    found = hall.ask(hall.rulings.made())
    assert [each.position for each in found] == positions[::-1]
    assert {each.told for each in found} == {"waiting"}
    older = hall.ask(hall.rulings.made(positions[2]))
    assert [each.serial for each in older] == ["SL1", "SL0"]
    assert hall.ask(hall.rulings.of(found[0].invitation)) == found[0]


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"MZ\x90\x00", b"<html>", b" %PDF-1.7", b"PK\x03\x04", b"GIF89a", b"\x89PNG\n"],
)
def test_only_what_is_pdf_jpeg_or_png_is_taken(hall, data):
    """By its first bytes: whatever it is called."""
    with pytest.raises(DocumentUnfit, match="PDF、JPEG、PNG"):
        hall.keep(data)
    assert hall.rows("SELECT count(*) FROM documents") == [(0,)]


def test_a_document_of_ten_megabytes_is_taken_and_one_byte_more_is_not(hall):
    """It comes back as it was, and takes no more than a second commit would."""
    data = PDF + bytes(LIMIT - len(PDF))
    with pytest.raises(DocumentUnfit, match="10 MB"):
        hall.keep(data + b"\0")
    digest = hall.keep(data)
    hall.rule(hall.rate(), evidence=[digest])
    document, found = hall.ask(hall.rulings.document(digest, OFFICE))
    assert (document.kind, document.size, found == data) == ("pdf", LIMIT, True)
    (act,) = hall.acts("look_document")
    assert act.target == digest[:16]


def test_documents_are_sealed(hall, tmp_path):
    """They may show who rated: nothing of them is readable in the file."""
    secret = PDF + b"ID-JIA-0001"
    hall.rule(hall.rate(), evidence=[hall.keep(secret)])
    hall.quiet()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name != "hub.db-shm")
    assert b"ID-JIA-0001" not in raw
    assert b"%PDF" not in raw


def test_a_document_is_kept_once_and_one_that_nobody_used_goes_after_a_day(hall):
    """That on which a ruling rests stays."""
    used, left = hall.keep(PDF), hall.keep(JPEG)
    assert hall.keep(PDF) == used
    assert hall.rows("SELECT count(*) FROM documents") == [(2,)]
    hall.rule(hall.rate(), evidence=[used])
    with pytest.raises(UnknownDocument):
        hall.ask(hall.rulings.document(left, OFFICE))  # nobody has put it forward
    hall.now += DAY_MS + 1
    hall.keep(PNG)
    assert hall.ask(hall.rulings.document(used, OFFICE))[1] == PDF
    with pytest.raises(UnknownDocument, match="重新上传"):
        hall.rule(hall.rate("SL2"), evidence=[left])
    assert hall.ledger().count("ruled") == 1


def test_a_disk_is_not_filled_by_documents_that_nobody_uses(hall):
    """A hundred at once; what has been used does not count, and the refused one is not kept."""
    hall.rule(hall.rate(), evidence=[hall.keep()])
    files = [PNG + bytes([number]) for number in range(UNUSED)]
    kept = hall.at_once(*(hall.rulings.keep(each, OFFICE) for each in files))
    assert len({each.digest for each in kept}) == UNUSED
    with pytest.raises(DocumentUnfit, match="没有使用"):
        hall.keep(JPEG)
    assert hall.rows("SELECT count(*) FROM documents") == [(UNUSED + 1,)]
    hall.keep(files[0])
    hall.now += DAY_MS + 1
    hall.keep(JPEG)
    assert hall.rows("SELECT count(*) FROM documents") == [(2,)]


def test_the_database_itself_keeps_what_a_ruling_rests_on(hall):
    """Neither dropped nor exchanged, nor taken off the ruling."""
    hall.rule(hall.rate(), evidence=[hall.keep()])
    for statement in (
        "DELETE FROM documents",
        "UPDATE documents SET kind = 'png'",
        "UPDATE documents SET digest = 'x'",
        "DELETE FROM ruling_documents",
        "UPDATE ruling_documents SET position = 1",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            hall.writer.call(lambda db, sql=statement: db.conn.execute(sql))


def test_a_document_that_was_altered_is_not_handed_out(hall):
    """It is sealed to its digest: another one's content does not pass for it either."""
    one, other = hall.keep(PDF), hall.keep(PNG)
    hall.rule(hall.rate(), evidence=[one, other])
    hall.writer.call(
        lambda db: db.conn.execute(
            "UPDATE documents SET sealed = (SELECT sealed FROM documents WHERE digest = ?)"
            " WHERE digest = ?",
            (other, one),
        )
    )
    with pytest.raises(VaultError):
        hall.ask(hall.rulings.document(one, OFFICE))


def test_many_documents_and_ratings_at_once_do_not_disturb_each_other(hall):
    """While files of some size are kept, kiosks get their receipts and nothing is mixed up."""
    invitations = [hall.invite(serial=f"SL{n}").status.id for n in range(20)]
    thread = threading.Thread(
        target=lambda: [hall.send(rated(invitation)) for invitation in invitations]
    )
    thread.start()
    files = [PDF + bytes([n]) * 300_000 + PDF for n in range(10)]
    kept = hall.at_once(*(hall.rulings.keep(each, OFFICE) for each in files))
    thread.join(30)
    assert [each.digest for each in kept] == [hashlib.sha256(each).hexdigest() for each in files]
    assert len(hall.committed()) == 20


# ---------------------------------------------------------------- keys and copies


def test_documents_are_sealed_anew_with_all_the_rest(tmp_path):
    """After a change of keys the old one is not needed by them, and is dropped; not before."""
    path = tmp_path / "citizens.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o600)
    vault = vaults.load_or_create(path, needed=True)
    with RulingHall(tmp_path, vault=vault) as hall, closing(connect(hall.path)) as db:
        digest = hall.keep(PDF)
        hall.rule(hall.rate(), evidence=[digest])
        renewed, new = rotation.renew(db, path, "aes-256-gcm", NOW)
        assert new
        assert (documents.left(db, renewed), resealing.left(db, renewed)) == (1, 2)
        assert rotation.prune(db, path, NOW) == []
        done = rotation.reseal(db, renewed)
        assert done.unopened == ()
        assert set(resealing.in_use(db)) == {renewed.ring.current}
        assert rotation.prune(db, path, NOW) == [0]
        assert hall.ask(hall.rulings.document(digest, OFFICE))[1] == PDF
        with pytest.raises(sqlite3.IntegrityError, match="dropped"):
            documents.keep(db, Vault(b"k" * 32), PNG, "png", by="x", now=NOW)


def test_a_backup_holds_the_evidence(tmp_path):
    """One file: what was ruled on, why, and with what."""
    state = tmp_path / "state"
    state.mkdir()
    with RulingHall(state) as hall:
        digest = hall.keep(PNG)
        hall.rule(hall.rate(), evidence=[digest])
        backup.make(state, tmp_path / "copy", "demo", NOW, keys=False)
    db = connect(tmp_path / "copy" / "hub.db")
    found = documents.opened(db, VAULT, digest)
    assert found is not None
    assert found[1] == PNG
    with pytest.raises(VaultError):
        documents.opened(db, Vault(b"x" * 32), digest)
    db.close()
