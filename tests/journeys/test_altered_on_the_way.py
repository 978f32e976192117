"""Somebody between hub and kiosk alters what the citizen is asked: it does not count."""

import json

import pytest
from brokers import eventually
from plain_hall import CASE, Evaluator, Liar, PlainHall


@pytest.fixture
def hall(tmp_path, mosquitto):
    hall = PlainHall(tmp_path, mosquitto.port)
    hall.start_hub()
    yield hall
    hall.close()


def test_a_rating_of_something_else_is_refused_and_kept_as_evidence(hall):
    """The citizen rates another matter than the clerk's; the hub sees it by the signed words."""
    liar = Liar(hall.broker_port, CASE["matter"], "企业注销登记")
    try:
        with Evaluator(hall, "k1", liar.port) as kiosk:
            invitation = hall.invite("k1", "SL-altered")
            assert kiosk.sees(invitation).matter == "企业注销登记"
            kiosk.rate(invitation, 5)
            kiosk.until(lambda: not kiosk.waits(), "the hub has answered")
            assert kiosk.kiosk.keeper.refused["hub_shown_otherwise"] == 1
    finally:
        liar.close()
    assert hall.ask("GET", f"/invitations/{invitation}")["state"] == "withdrawn"
    [(body,)] = hall.rows("SELECT body FROM ledger WHERE kind = 'withdrawn'")
    assert json.loads(body)["refused"] == "shown_otherwise"
    assert hall.rows("SELECT cause FROM evidence") == [("shown_otherwise",)]
    assert hall.rows("SELECT count(*) FROM deliveries WHERE kind = 'rating'") == [(0,)]
    code, words = hall.command("verify")
    assert code == 0, words


def test_on_an_honest_wire_the_same_rating_counts(hall):
    """What the citizen saw is signed along with the answer and stands in the ledger."""
    with Evaluator(hall, "k1") as kiosk:
        invitation = hall.invite("k1", "SL-honest")
        kiosk.rate(invitation, 5)
        kiosk.until(lambda: not kiosk.waits(), "the hub has answered")
    states = "SELECT outcome FROM invitations WHERE id = ?"
    eventually(lambda: hall.rows(states, invitation) == [("rated",)], "it counts")
