"""The key to sealed data goes away while the hub runs: said in words, and nothing half done."""

import logging
import sqlite3
from contextlib import closing

import pytest
import web_world
from feed_world import SMALL, Story
from rulings_world import PDF, REASON, enter_rating
from web_world import CASE, KIOSK_KEY, case_path, open_hall

from hub.rules.access import Scope
from hub.store import api_keys
from hub.store.vault import load_or_create


@pytest.fixture
def hall(tmp_path, monkeypatch):
    """A hall whose key lies in a file, as a real hub's does."""
    vault = load_or_create(tmp_path / "citizens.key")
    monkeypatch.setattr(web_world, "Vault", lambda _: vault)
    with open_hall(tmp_path) as hall:
        yield hall


def lose(hall):
    (hall.base / "citizens.key").rename(hall.base / "elsewhere")


def bring_back(hall):
    (hall.base / "elsewhere").rename(hall.base / "citizens.key")


def rows(hall):
    with closing(sqlite3.connect(hall.base / "hub.db")) as raw:
        tables = ("ledger", "audit", "cases", "citizens", "deliveries", "fed", "documents")
        return [raw.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]  # noqa: S608


def test_every_route_that_seals_or_opens_says_what_is_wrong(hall, caplog):
    """503 in Chinese, never the path; the log has it; once the file is back all of it goes."""
    invitation = hall.writer.call(lambda db: enter_rating(db, KIOSK_KEY))
    digest = hall.ask("POST", "/api/v1/documents", PDF).body["digest"]
    small = hall.writer.call(
        lambda db: api_keys.create(db, SMALL, frozenset({Scope.FEED}), hall.now)
    )[1]
    ruled = {"reason": REASON, "evidence": [digest]}
    asked = [
        ("PUT", case_path("甲"), CASE, {}),
        ("POST", "/api/v1/documents", PDF + b"\n%%EOF\n", {}),
        ("POST", f"/api/v1/invitations/{invitation}/ruling", ruled, {}),
        ("POST", "/api/v1/feed", Story("SL0002").service(), {"Authorization": f"Bearer {small}"}),
    ]
    lose(hall)
    before = rows(hall)
    with caplog.at_level(logging.CRITICAL):
        for method, path, body, headers in asked:
            answer = hall.ask(method, path, body, **headers)
            assert (answer.status, answer.kind) == (503, "sealed"), path
            assert "请信息化管理员处理" in answer.body["detail"]
            assert "citizens.key" not in answer.text
    assert rows(hall) == before
    assert caplog.text.count("citizens.key") == len(asked)
    bring_back(hall)
    for method, path, body, headers in asked:
        assert hall.ask(method, path, body, **headers).status == 201, path
    lose(hall)
    answer = hall.ask("GET", f"/api/v1/documents/{digest}")
    assert (answer.status, answer.kind) == (503, "sealed")


def test_a_file_that_swallows_what_is_written_is_told_without_a_word_of_english(hall, caplog):
    """500, with what the hall has to do; nothing is answered as done."""
    with closing(sqlite3.connect(hall.base / "hub.db", timeout=10)) as raw:
        raw.execute("CREATE TRIGGER zy BEFORE INSERT ON cases BEGIN SELECT RAISE(IGNORE); END")
        raw.commit()
    before = rows(hall)
    with caplog.at_level(logging.CRITICAL):
        answer = hall.ask("PUT", case_path("甲"), CASE)
    assert (answer.status, answer.kind) == (500, "internal")
    assert "本次没有保存" in answer.body["detail"]
    assert "pingyi-hub verify" in answer.body["detail"]
    assert "办件没有记下" in caplog.text
    assert rows(hall) == before


def test_a_key_that_was_dropped_is_told_as_what_it_is(hall):
    """A row that says so of the very key in use: no registering, and no talk of an accident."""
    assert hall.ask("PUT", case_path("甲"), CASE).status == 201
    with closing(sqlite3.connect(hall.base / "hub.db", timeout=10)) as raw:
        [front] = raw.execute("SELECT substr(applicant_name, 1, 3) FROM citizens").fetchone()
        raw.execute("INSERT INTO dropped_keys VALUES (?, 1)", (front,))
        raw.commit()
    before = rows(hall)
    answer = hall.ask("PUT", case_path("乙"), CASE)
    assert (answer.status, answer.kind) == (503, "sealed")
    assert rows(hall) == before
