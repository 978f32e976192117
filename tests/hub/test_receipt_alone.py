"""Words that no rating takes along to the city: the citizen is told that they stay in the hall."""

import pytest
from receipts_world import WORDS, open_receiving
from world_hall import OTHER_WINDOW, expired, withdrawn

STAYS = "在大厅留存，不报送主管部门"


@pytest.fixture
def hall(tmp_path):
    with open_receiving(tmp_path) as hall:
        yield hall


@pytest.mark.parametrize("end", [expired, withdrawn])
def test_words_on_an_invitation_that_is_then_taken_back_are_told_to_stay(hall, end):
    """Before, under a condition; after, plainly. Nothing of them is on its way."""
    invitation = hall.asked()
    token = hall.token(invitation)
    assert "这次没有评价成的，只在大厅留存" in hall.get(token).words
    assert hall.add(token).status == 303
    page = hall.get(token)
    assert "您补充的话已收到" in page.words
    assert "评价送到后一起报送主管部门；这次没有评价成的，只在大厅留存" in page.words
    hall.send(end(invitation))
    page = hall.get(token)
    assert "这次没有评价，您的话" + STAYS in page.words
    assert ("已经撤回" in page.words) is (end is withdrawn)
    assert ("时限内" in page.words) is (end is expired)
    assert "一起报送" not in page.words
    assert WORDS not in page.words
    assert hall.rows("SELECT kind FROM deliveries WHERE kind = 'addition'") == []


def test_words_that_go_along_with_their_rating_are_not_told_to_stay(hall):
    """Written before it or after it."""
    before, after = hall.asked("SL00000001"), hall.asked("SL00000002")
    hall.add(hall.token(before))
    hall.rate(before, seq=1)
    hall.rate(after, seq=2)
    assert "会同评价一起报送主管部门" in hall.get(hall.token(after)).words
    hall.add(hall.token(after))
    for invitation in (before, after):
        page = hall.get(hall.token(invitation))
        assert "您补充的话已收到" in page.words
        assert "留存" not in page.words
    assert len(hall.rows("SELECT id FROM deliveries WHERE kind = 'addition'")) == 2


def test_words_on_a_second_rating_of_a_service_are_told_to_stay(hall):
    """Its kiosk was cut off, and the citizen was asked again: the city hears of one of them.

    The page says so before anything is written, and after it.
    """
    second = hall.asked()
    hall.now += 61_000
    first = hall.invite(OTHER_WINDOW, serial="SL00012345").status.id
    hall.rate(first, device="k2")
    hall.rate(second)
    page = hall.get(hall.token(second))
    assert "您的评价已收到" in page.words
    assert "报送主管部门的是先到的那一次" in page.words
    assert STAYS in page.words
    assert hall.add(hall.token(second)).status == 303
    page = hall.get(hall.token(second))
    assert "这个办件先有过一次评价，您的话" + STAYS in page.words
    assert "留存" not in hall.get(hall.token(first)).words
    assert hall.rows("SELECT kind FROM deliveries WHERE kind = 'addition'") == []
