"""What was asked on the screen must be what the hub had issued; else somebody was in between."""

import json

import pytest
from msgspec.structs import replace
from world_hall import Hall, an_invitation, expired, rated, withdrawn

from hub.store import invitations
from protocol.messages import Staff, Window


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as hall:
        yield hall


@pytest.fixture
def asked(hall):
    """The invitation as the hub has issued it."""
    return invitations.get(hall.reader, hall.invite().status.id).invitation


ALTERED = {
    "matter": {"matter": "另一个事项"},
    "serial": {"serial": "SL0002"},
    "service": {"service_number": 2},
    "clerk": {"staff": Staff(name="示例丙")},
    "window": {"window": Window(name="9号窗口")},
    "time": {"ttl_ms": 600_000},
    "issued": {"issued_at": 1},
    "seal": {"seal": "0" * 32},
}


@pytest.mark.parametrize("build", [rated, expired, withdrawn])
def test_an_answer_to_what_was_issued_counts(hall, asked, build):
    outcome = build(asked.id, asked=asked)
    hall.send(outcome)
    assert hall.committed() == [outcome.id]
    assert hall.ledger(asked.id) == [build.__name__]


@pytest.mark.parametrize("build", [rated, expired, withdrawn])
@pytest.mark.parametrize("change", ALTERED.values(), ids=ALTERED)
def test_an_answer_to_anything_else_is_refused_and_kept(hall, asked, build, change):
    """Whatever was altered: it never counts, is kept as evidence, and closes the invitation."""
    outcome = build(asked.id, asked=replace(asked, **change))
    jws = hall.send(outcome)
    assert hall.refused() == [(outcome.id, "shown_otherwise")]
    assert hall.ledger(asked.id) == ["withdrawn"]
    body = hall.rows("SELECT body FROM ledger WHERE outcome = ?", outcome.id)[0][0]
    assert json.loads(body) == {"refused": "shown_otherwise", "jws": jws.decode()}
    assert hall.evidence() == [("k1", "shown_otherwise", jws)]
    assert hall.rows("SELECT count(*) FROM deliveries WHERE kind = 'rating'") == [(0,)]
    assert hall.account("k1").balanced


def test_an_older_kiosk_that_does_not_say_is_believed_as_before(hall, asked):
    outcome = rated(asked.id)
    assert outcome.asked is None
    hall.send(outcome)
    assert hall.committed() == [outcome.id]


def test_an_unknown_invitation_is_foreign_however_complete(hall):
    """A hub that never lost its disk knows what it has issued."""
    asked = an_invitation()
    outcome = rated(asked.id, asked=asked)
    hall.send(outcome)
    assert hall.refused() == [(outcome.id, "foreign")]
