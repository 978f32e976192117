"""Rulings over the interface: documents go up, a ruling is made once, nobody reads a level."""

import hashlib

import pytest
from rulings_world import JPEG, PDF, PNG, REASON, enter_rating
from web_world import KIOSK_KEY, open_hall

from hub.rules.access import KEY_SCOPES, Scope
from hub.rules.documents import LIMIT
from hub.store import api_keys


@pytest.fixture
def hall(tmp_path):
    with open_hall(tmp_path) as hall:
        yield hall


@pytest.fixture
def invitation(hall):
    change = {"level": 1, "reasons": ("108",), "comment": "示例的话"}
    return hall.writer.call(lambda db: enter_rating(db, KIOSK_KEY, **change))


def put(hall, data=PDF, **headers):
    return hall.ask("POST", "/api/v1/documents", data, Content_Type="application/pdf", **headers)


def rule(hall, invitation, reason=REASON, evidence=None):
    evidence = [put(hall).body["digest"]] if evidence is None else evidence
    path = f"/api/v1/invitations/{invitation}/ruling"
    return hall.ask("POST", path, {"reason": reason, "evidence": evidence})


def test_documents_go_up_and_a_ruling_is_made(hall, invitation):
    """201 each; the ruling is told by its own address and in the list, without the level."""
    digests = []
    for data, kind in ((PDF, "pdf"), (JPEG, "jpeg"), (PNG, "png")):
        answer = put(hall, data)
        assert answer.status == 201
        digest = hashlib.sha256(data).hexdigest()
        assert answer.body == {"digest": digest, "format": kind, "size": len(data)}
        digests.append(digest)
    made = rule(hall, invitation, evidence=digests)
    assert made.status == 201
    assert sorted(each["digest"] for each in made.body["evidence"]) == sorted(digests)
    assert (made.body["serial"], made.body["told"]) == ("SL0001", "waiting")
    path = f"/api/v1/invitations/{invitation}/ruling"
    assert hall.ask("GET", path).body == made.body
    assert hall.ask("GET", "/api/v1/rulings").body == [made.body]
    assert hall.ask("GET", f"/api/v1/rulings/{made.body['position']}").body == []
    for told in (made.text, hall.ask("GET", "/api/v1/rulings").text):
        assert "示例的话" not in told
        assert "level" not in told
        assert "108" not in told
    found = hall.ask("GET", f"/api/v1/documents/{digests[0]}")
    assert (found.status, found.text) == (200, PDF.decode())
    assert found.headers["Content-Disposition"].startswith("attachment;")
    assert found.headers["X-Content-Type-Options"] == "nosniff"


def test_a_second_ruling_is_refused(hall, invitation):
    """409, and the first one stands."""
    assert rule(hall, invitation).status == 201
    again = rule(hall, invitation)
    assert (again.status, again.kind) == (409, "already_ruled")


def test_what_is_wrong_with_a_ruling_is_told_field_by_field(hall, invitation):
    """No reason, blanks, too long, no evidence, too much of it, no digests; all at once."""
    good = put(hall).body["digest"]
    for reason, evidence, fields in (
        ("", [good], {"reason"}),
        (" \n ", [good], {"reason"}),
        ("理" * 301, [good], {"reason"}),
        ("坏\x00", [good], {"reason"}),
        (REASON, [], {"evidence"}),
        (REASON, [good] * 11, {"evidence"}),
        ("", ["x"], {"reason", "evidence[0]"}),
    ):
        answer = rule(hall, invitation, reason, evidence)
        assert (answer.status, answer.kind) == (422, "invalid_fields"), (reason, evidence)
        assert {field.rstrip("]").partition("[")[0] for field in answer.faults} == {
            field.partition("[")[0] for field in fields
        }
    missing = rule(hall, invitation, evidence=["0" * 64])
    assert (missing.status, missing.kind) == (404, "unknown_document")
    assert rule(hall, "0" * 32, evidence=[good]).kind == "unknown_rating"
    assert rule(hall, "x", evidence=[good]).status == 422
    assert hall.ask("GET", "/api/v1/rulings").body == []


def test_a_document_that_is_none_is_refused_with_what_to_do(hall):
    """Another kind, empty, larger than 10 MB with and without its length told."""
    for data in (b"", b"MZ", b"<svg/>"):
        answer = put(hall, data)
        assert (answer.status, answer.kind) == (422, "document_unfit")
    big = put(hall, PDF + bytes(LIMIT))
    assert (big.status, big.kind) == (422, "document_unfit")
    assert "10 MB" in big.body["detail"]
    assert put(hall, PDF + bytes(LIMIT - len(PDF))).status == 201


def test_only_a_key_with_the_scope_rules_or_reads_of_it(hall, invitation):
    """403 for all that a window system may have otherwise."""
    assert rule(hall, invitation).status == 201
    scopes = KEY_SCOPES - {Scope.RULE}
    _, key = hall.writer.call(lambda db: api_keys.create(db, "示例系统二", scopes, hall.now))
    for method, path in (
        ("POST", "/api/v1/documents"),
        ("POST", f"/api/v1/invitations/{invitation}/ruling"),
        ("GET", f"/api/v1/invitations/{invitation}/ruling"),
        ("GET", "/api/v1/rulings"),
        ("GET", "/api/v1/rulings/9"),
        ("GET", "/api/v1/documents/" + "0" * 64),
    ):
        body = PDF if method == "POST" else None
        answer = hall.ask(method, path, body, Authorization=f"Bearer {key}")
        assert (answer.status, answer.kind) == (403, "forbidden"), path


def test_odd_addresses_are_refused(hall):
    """4xx in words, never a fault of the hub."""
    for path in (
        "/api/v1/rulings/x",
        "/api/v1/rulings/-1",
        "/api/v1/rulings/" + "9" * 40,
        "/api/v1/documents/x",
        "/api/v1/documents/" + "g" * 64,
        "/api/v1/invitations/x/ruling",
    ):
        assert hall.ask("GET", path).status == 422, path
    assert hall.ask("GET", "/api/v1/documents/" + "0" * 64).kind == "unknown_document"
    assert hall.ask("GET", f"/api/v1/invitations/{'0' * 32}/ruling").kind == "unknown_rating"


def test_the_interface_page_describes_files_and_rulings(hall):
    """So that a district's system can be written against it."""
    page = hall.ask("GET", "/api/v1/openapi.json").body
    put_in = page["paths"]["/api/v1/documents"]["post"]
    assert set(put_in["requestBody"]["content"]) == {"application/pdf", "image/jpeg", "image/png"}
    assert page["components"]["schemas"]["RulingStatus"]["properties"]["told"]["description"]
    assert page["components"]["schemas"]["RulingRequest"]["properties"]["evidence"]["minItems"] == 1
