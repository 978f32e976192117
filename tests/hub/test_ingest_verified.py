"""An auditor sees by the signed words whether citizens were asked what the ledger says."""

import json
from contextlib import closing

import pytest
from msgspec.structs import replace
from world_hall import KEYS, NOW, Hall, an_invitation, rated

from hub.kiosks.keys import pem_of
from hub.store import keys, ledger
from hub.store.database import connect
from hub.verification import report, sources
from protocol import signing

OPEN_GUARDS = "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'"


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        pem = pem_of(KEYS["k1"].public_key())
        hall.writer.call(lambda db: keys.remember(db, "k1", pem, NOW))
        yield hall


def findings(hall):
    """Position, kind and words of what is gravely wrong."""
    found = []
    with closing(connect(hall.path)) as db:
        report.verify(sources.live(db, None), found.append)
    return [(each.position, each.what, each.text) for each in found if each.grave]


def position(hall, kind):
    return hall.rows("SELECT position FROM ledger WHERE kind = ?", kind)[0][0]


def test_an_honest_rating_and_an_honest_refusal_pass(hall):
    for change in ({}, {"matter": "另一个事项"}):
        asked = an_invitation(f"SL{len(change)}")
        hall.issue(asked)
        hall.send(rated(asked.id, asked=replace(asked, **change)))
    assert sorted(hall.ledger()) == ["rated", "withdrawn"]
    assert findings(hall) == []


def test_an_invitation_that_was_altered_after_the_rating_is_named(hall):
    """An insider lets a bad rating count for another clerk's matter: the signature tells."""
    asked = an_invitation()
    hall.issue(asked)
    hall.send(rated(asked.id, level=1, asked=asked))
    with closing(connect(hall.path)) as db:
        for (drop,) in db.conn.execute(OPEN_GUARDS).fetchall():
            db.conn.execute(drop)
        body = json.dumps({**json.loads(body_of(hall, asked.id)), "matter": "另一个事项"})
        db.conn.execute("UPDATE ledger SET body = ? WHERE kind = 'invited'", (body.encode(),))
        db.conn.commit()
    where = position(hall, "rated")
    assert findings(hall) == [(where, "invitation", "评价器签名的邀请内容与登记的邀请不一致")]


def body_of(hall, invitation):
    return hall.rows("SELECT body FROM invitations WHERE id = ?", invitation)[0][0]


def test_a_rating_that_is_refused_on_a_pretext_is_named(hall):
    """A hub says that something else was shown, where the signed words are the very same."""
    asked = an_invitation()
    hall.issue(asked)
    outcome = rated(asked.id, level=1, asked=asked)
    jws = signing.sign(outcome, KEYS["k1"]).decode()
    entry = ledger.Entry(
        kind="withdrawn",
        recorded_at=NOW,
        device="k1",
        invitation=asked.id,
        outcome=outcome.id,
        seq=outcome.seq,
        body=json.dumps({"refused": "shown_otherwise", "jws": jws}).encode(),
    )
    hall.writer.call(lambda db: ledger.append(db, entry))
    found = findings(hall)
    assert (position(hall, "withdrawn"), "invitation") in [each[:2] for each in found]
    assert "内容其实一致" in found[0][2]
