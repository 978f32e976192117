"""The list of rulings for who audits: read only, by pages, without a level; nobody else's."""

import hashlib

import pytest
from pages_world import AUDITOR, CLERK, IT, KIOSK_KEY, OFFICE, SUPERVISOR, open_pages
from rulings_world import PDF, PNG, enter_rating

from hub.rules.afterwards import Ruled
from hub.store import documents, rulings
from hub.store.vault import Vault
from hub.web.pages import records

VAULT = Vault(b"k" * 32)
LONG = "SL" + "0123456789" * 6


@pytest.fixture
def hall(tmp_path):
    with open_pages(tmp_path) as hall:
        yield hall


def rule(hall, serial, reason="经核实，办事人误按", evidence=(PDF,), **change):
    """Rule on a rating of its own, as the office does; return where it stands."""

    def job(db):
        invitation = enter_rating(db, KIOSK_KEY, serial, **change)
        kept = [
            documents.keep(db, VAULT, each, kind, by="user:bangong", now=hall.now)
            for each, kind in evidence_of(evidence)
        ]
        found = rulings.rating(db, invitation)
        ruled = Ruled(
            of=found.position,
            by="user:bangong",
            reason=reason,
            evidence=tuple(each.digest for each in kept),
        )
        return rulings.enter(db, VAULT, found, ruled, hall.now)

    return hall.writer.call(job)


def evidence_of(evidence):
    return [(each, "pdf" if each.startswith(b"%PDF") else "png") for each in evidence]


def test_an_auditor_reads_who_ruled_why_and_on_what(hall):
    """Reason, name, fingerprints, whether the city knows; the page is in the menu."""
    made = rule(
        hall, LONG, "经核实，<b>办事人</b>误按", (PDF, PNG), level=1, comment="群众的话一句"
    )
    auditor = hall.signed_in(AUDITOR)
    assert "认定记录" in auditor.get("/audit").words
    page = auditor.get("/ruling-records")
    assert page.status == 200
    for text in (LONG, "经核实，<b>办事人</b>误按", "bangong", "等待报送", str(made.position)):
        assert text in page.words
    assert "<b>办事人" not in page.text
    assert f"评价在第 {made.of} 条" in page.words
    for data in (PDF, PNG):
        assert hashlib.sha256(data).hexdigest()[:16] in page.words


def test_no_level_and_no_words_of_the_citizen_stand_there(hall):
    """Nor a way to the rating, nor a form that could change anything."""
    rule(hall, "SL0001", level=1, reasons=("108",), comment="群众的话一句")
    page = hall.signed_in(AUDITOR).get("/ruling-records")
    for secret in ("群众的话一句", "不满意", "差评", "/rulings/rating/", "/rulings/document/"):
        assert secret not in page.text.replace("好差评", "")
    assert page.text.count("<form") == 1  # signing out


def test_an_auditor_still_sees_no_rating_and_no_document(hall):
    """The list opens nothing else."""
    made = rule(hall, "SL0001")
    auditor = hall.signed_in(AUDITOR)
    for path in ("/rulings", f"/rulings/rating/{made.invitation}"):
        assert auditor.get(path).status == 403
    digest = made.evidence[0].digest
    assert auditor.get(f"/rulings/document/{digest}").status == 403


@pytest.mark.parametrize("name", [CLERK, SUPERVISOR, OFFICE, IT])
def test_nobody_else_reads_it(hall, name):
    """403, in the audit trail."""
    assert hall.signed_in(name).get("/ruling-records").status == 403
    assert hall.trail("forbidden")[-1].target.endswith("/ruling-records")


def test_without_rulings_the_page_says_so(hall):
    page = hall.signed_in(AUDITOR).get("/ruling-records")
    assert (page.status, "还没有认定。" in page.words) == (200, True)
    page = hall.signed_in(AUDITOR).get("/ruling-records?before=1")
    assert "没有更早的认定了。" in page.words
    assert 'href="/ruling-records">最新' in page.text


def test_pages_follow_one_another_without_a_gap(hall, monkeypatch):
    """Every ruling once, the newest first; the last page says that it is the last."""
    monkeypatch.setattr(records, "PAGE", 3)
    made = [rule(hall, f"SL{n:04}").serial for n in range(6)]
    auditor = hall.signed_in(AUDITOR)
    seen, address = [], "/ruling-records"
    while address:
        page = auditor.get(address)
        seen += [serial for serial in reversed(made) if serial in page.words]
        links = [part.split('"')[0] for part in page.text.split('href="')[1:]]
        address = next((each for each in links if "before=" in each), "")
    assert seen == list(reversed(made))
    assert "没有更早的认定了。" in page.words


@pytest.mark.parametrize("before", ["x", "-1", "%D9%A3", "9" * 40, "", "1.5", "%00"])
def test_an_odd_address_shows_the_newest(hall, before):
    rule(hall, "SL0001")
    page = hall.signed_in(AUDITOR).get(f"/ruling-records?before={before}")
    assert (page.status, "SL0001" in page.words) == (200, True)


def test_evidence_that_is_gone_is_told(hall):
    """Somebody with the file in hand has deleted it: the row does not look whole."""
    made = rule(hall, "SL0001")

    def job(db):
        db.execute("PRAGMA foreign_keys = OFF")
        for name in ("documents_stay", "ruling_documents_stay"):
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM ruling_documents")
        db.execute("DELETE FROM documents")

    hall.writer.call(job)
    page = hall.signed_in(AUDITOR).get("/ruling-records")
    assert "证据文件不见了" in page.words
    assert str(made.position) in page.words
