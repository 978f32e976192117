"""The table of invitations under an insider: a rating for which somebody was thanked is kept.

He writes what he likes beside the ledger while the citizen looks at the question.
"""

import logging

import pytest
from world_hall import OTHER_WINDOW, WINDOW, Hall, expired, rated

from hub.errors import AlreadyRated
from hub.store import invitations, mending

DEEDS = {
    "deleted": "DELETE FROM invitations WHERE id = ?",
    "of another kiosk": "UPDATE invitations SET device = 'k2' WHERE id = ?",
    "of another case": "UPDATE invitations SET serial = 'SL0009' WHERE id = ?",
    "of another service": "UPDATE invitations SET service_number = 2 WHERE id = ?",
    "other words": "UPDATE invitations SET body = CAST(replace(CAST(body AS TEXT),"
    " '示例事项', '别的事项') AS BLOB) WHERE id = ?",
    "no words": "UPDATE invitations SET body = x'00ff' WHERE id = ?",
    "another id in it": "UPDATE invitations SET body = CAST(replace(CAST(body AS TEXT),"
    " substr(id, 1, 8), '00000000') AS BLOB) WHERE id = ?",
    "timed out": "UPDATE invitations SET outcome = 'expired', outcome_id = 'x' WHERE id = ?",
    "rated by somebody": "UPDATE invitations SET outcome = 'rated', outcome_id = 'x' WHERE id = ?",
    "no time left": "UPDATE invitations SET ttl_ms = 1, issued_at = 5 WHERE id = ?",
}


@pytest.fixture
def hall(tmp_path):
    with Hall(tmp_path) as found:
        yield found


def do(hall, statement, *values):
    hall.writer.call(lambda db: db.conn.execute(statement, values))


def ready(hall, **more):
    """Invite; return the invitation as the kiosk signs it with its answer."""
    identifier = hall.invite(**more).status.id
    return invitations.get(hall.reader, identifier).invitation


def on_their_way(hall):
    return hall.rows(
        "SELECT serial, service_number, state FROM deliveries WHERE kind = 'rating' ORDER BY id"
    )


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_a_rating_whose_row_was_bent_is_kept_and_goes_to_the_city(hall, caplog, deed):
    """By the ledger's own entry: committed, the row made anew, the log says so, loudly."""
    asked = ready(hall)
    do(hall, deed, asked.id)
    outcome = rated(asked.id, asked=asked)
    hall.send(outcome)
    assert hall.refused() == []
    assert hall.committed() == [outcome.id]
    assert hall.ledger(asked.id) == ["rated"]
    assert on_their_way(hall) == [("SL0001", 1, "waiting")]
    kept = invitations.get(hall.reader, asked.id)
    assert (kept.device, kept.invitation, kept.outcome, kept.outcome_id) == (
        "k1",
        asked,
        "rated",
        outcome.id,
    )
    assert hall.account().balanced
    told = [each for each in caplog.records if "invitation=altered" in each.message]
    assert [each.levelno for each in told] == [logging.CRITICAL]


def test_another_kiosk_gains_nothing_by_a_bent_row(hall):
    """The row is given to k2 in the table; the ledger says whom the question was for."""
    asked = ready(hall)
    do(hall, "UPDATE invitations SET device = 'k2' WHERE id = ?", asked.id)
    theirs = rated(asked.id, device="k2", asked=asked)
    hall.send(theirs)
    assert hall.refused("k2") == [(theirs.id, "foreign")]
    own = rated(asked.id, asked=asked)
    hall.send(own)
    assert hall.committed("k1") == [own.id]


def test_an_invitation_reopened_by_hand_is_not_answered_twice(hall):
    """The same bytes again are known, others are refused: the ledger says that it has ended."""
    asked = ready(hall)
    jws = hall.send(rated(asked.id, asked=asked))
    do(hall, "UPDATE invitations SET outcome = NULL, outcome_id = NULL")
    hall.hand_in(jws)
    assert len(hall.committed()) == 2
    do(hall, "UPDATE invitations SET outcome = NULL, outcome_id = NULL")
    late = expired(asked.id)
    hall.send(late)
    assert hall.refused() == [(late.id, "closed")]
    assert hall.ledger(asked.id) == ["rated"]


def test_a_row_bent_once_more_after_each_outcome_is_mended_each_time(hall):
    """Also one that ended without a rating, and with the question asked back."""
    asked = ready(hall)
    hall.ask(hall.desk.withdraw(WINDOW))
    do(hall, "UPDATE invitations SET ttl_ms = 7 WHERE id = ?", asked.id)
    hall.send(expired(asked.id))
    kept = invitations.get(hall.reader, asked.id)
    assert (kept.outcome, kept.ttl_ms) == ("expired", asked.ttl_ms)
    assert kept.withdraw_at is not None


def test_a_rating_that_only_a_table_knows_of_keeps_nobody_from_rating(hall):
    """Another invitation of the service is marked as rated by hand: neither asked nor counted."""
    first = ready(hall)
    hall.send(expired(first.id))
    do(hall, "UPDATE invitations SET outcome = 'rated' WHERE id = ?", first.id)
    asked = ready(hall)
    do(hall, "UPDATE invitations SET outcome = 'rated' WHERE id = ?", first.id)
    outcome = rated(asked.id, asked=asked)
    hall.send(outcome)
    assert hall.committed()[-1] == outcome.id
    assert on_their_way(hall) == [("SL0001", 1, "waiting")]
    with pytest.raises(AlreadyRated):
        hall.invite()


def test_a_place_in_the_queue_that_nobody_earned_is_given_to_the_rating(hall):
    """A made-up delivery holds the service's one place: the kiosk would say it again for ever."""
    asked = ready(hall)
    do(
        hall,
        "INSERT INTO deliveries (serial, service_number, kind, position, state, next_at, queued_at)"
        " VALUES ('SL0001', 1, 'rating', 1, 'accepted', 0, 0)",
    )
    outcome = rated(asked.id, asked=asked)
    hall.send(outcome)
    assert hall.committed() == [outcome.id]
    assert on_their_way(hall) == [("SL0001", 1, "waiting")]
    counted = dict(hall.rows("SELECT state, n FROM delivery_counts WHERE kind = 'rating'"))
    assert counted == {"waiting": 1, "accepted": 0, "set_aside": 0}


def test_a_second_rating_whose_first_was_taken_from_the_table_is_still_the_second(hall):
    """The first keeps its place on the way to the city; the second stands in the ledger."""
    first = ready(hall)
    hall.now += first.ttl_ms + 1
    second = ready(hall, window=OTHER_WINDOW)
    hall.send(rated(first.id, asked=first))
    do(hall, "DELETE FROM invitations WHERE id = ?", first.id)
    hall.send(rated(second.id, device="k2", asked=second))
    assert len(hall.committed("k2")) == 1
    [(position,)] = hall.rows("SELECT position FROM deliveries WHERE kind = 'rating'")
    assert hall.rows("SELECT invitation FROM ledger WHERE position = ?", position) == [(first.id,)]


def test_one_that_the_ledger_does_not_know_is_left_as_it_is(hall):
    """There is nothing to mend it by; the table alone proves nothing, and `verify` names it."""
    assert mending.get(hall.reader, "0" * 32) is None
    asked = ready(hall)
    name = "f" * 32
    do(
        hall,
        "INSERT INTO invitations SELECT ?, device, serial, service_number, body, issued_at, ttl_ms,"
        " shown_at, withdraw_at, outcome_id, outcome FROM invitations WHERE id = ?",
        name,
        asked.id,
    )
    assert mending.issued(hall.reader, name) is None
    assert mending.get(hall.reader, name).id == name


def test_the_ledger_is_asked_by_an_index(hall):
    """Each rating asks it: no look at all of it, however long it is."""
    plan = hall.rows(
        "EXPLAIN QUERY PLAN SELECT kind FROM ledger WHERE invitation = 'x'"
        " AND kind IN ('invited', 'rated', 'expired', 'withdrawn') ORDER BY position"
    )
    assert any("ledger_invitation" in str(row) for row in plan), plan
    assert not any("SCAN" in str(row) or "TEMP" in str(row) for row in plan), plan


@pytest.mark.parametrize("body", [b"{}", b"junk", b'{"refused":"late","jws":"junk"}'])
def test_an_end_forged_in_the_ledger_itself_does_not_throw_a_rating_away(hall, caplog, body):
    """No device signed it: the rating is kept and sent, and known when it comes again."""
    asked = ready(hall)
    do(
        hall,
        "INSERT INTO ledger (kind, recorded_at, device, invitation, outcome, seq, body)"
        " VALUES ('expired', 1, 'k1', ?, 'x', 77, ?)",
        asked.id,
        body,
    )
    outcome = rated(asked.id, asked=asked)
    jws = hall.send(outcome)
    hall.hand_in(jws)
    assert hall.committed() == [outcome.id, outcome.id]
    assert hall.ledger(asked.id) == ["expired", "rated"]
    assert on_their_way(hall) == [("SL0001", 1, "waiting")]
    assert [each for each in caplog.records if "note=end-not-signed" in each.message]


def test_what_a_device_has_ended_itself_stays_ended(hall):
    """Also over a refused rating, which the hub closed; another word for it is refused."""
    asked = ready(hall)
    hall.send(rated(asked.id, asked=asked, elapsed_ms=asked.ttl_ms + 60_000))
    other = rated(asked.id, asked=asked)
    hall.send(other)
    assert hall.refused()[-1] == (other.id, "closed")
    assert hall.ledger(asked.id) == ["expired"]
