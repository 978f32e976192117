"""The photograph of the clerk: seen where it belongs, and never able to stop the kiosk."""

import pytest
from msgspec.structs import replace

from device.view import photograph
from protocol.messages import Portrait, Staff
from tests.device import ui_facts, ui_play
from tests.device.ui_views import SETTINGS, STAFF, VIEWS


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return ui_play.player("ui_portrait.py", tmp_path_factory.mktemp("portrait"))


@pytest.mark.parametrize("size", ui_play.SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_it_is_shown_at_rest_and_beside_the_invitation(played, size):
    """A PNG of an odd width and a tall JPEG; another one takes the place of the first."""
    facts = played("sound", *size)
    seen = {fact["what"]: fact["seen"] for fact in facts if "what" in fact}
    assert seen["png idle"] == seen["png invited"] == [True, False]
    assert seen["jpeg idle"] == seen["jpeg invited"] == [False, True]
    for fact in facts:
        if "png" in fact:
            assert ui_facts.faults(fact) == {}


def test_no_clerk_is_shown_with_another_ones_face(played):
    """Neither beside another clerk, nor after the settings name another photograph, or none."""
    seen = {fact["what"]: fact["seen"] for fact in played("sound") if "what" in fact}
    for what in (
        "another clerk's invitation",
        "another digest",
        "no digest",
        "nobody",
        "none any more",
    ):
        assert seen[what] == [False, False], what


def test_which_photograph_belongs_is_decided_by_digest_and_clerk():
    """Without a window as well."""
    found = Portrait(digest="a" * 64, picture=b"x")
    named = replace(VIEWS["idle"], settings=replace(SETTINGS, portrait="a" * 64), portrait=found)
    assert photograph(named, STAFF) is found
    assert photograph(named, replace(STAFF, number="0318")) is None
    assert photograph(named, Staff(name=STAFF.name)) is None
    assert photograph(named, None) is None
    assert photograph(replace(named, settings=SETTINGS), STAFF) is None
    assert photograph(replace(named, settings=None), STAFF) is None
    assert photograph(replace(named, portrait=None), STAFF) is None


def test_what_is_no_portrait_is_told_once_and_left_out(played):
    """Neither 20 MB nor a promise of 3,600 million pixels is decoded; the next one is shown."""
    *bad, last = played("damaged")
    causes = {fact["what"]: fact["told"] for fact in bad}
    assert all(len(told) == 1 for told in causes.values()), causes
    assert not any(fact["seen"][0] for fact in bad)
    assert "30000 x 30000 pixels" in causes["lying png"][0]
    assert "60000 x 60000 pixels" in causes["lying jpeg"][0]
    assert "at most 45000" in causes["20 MB"][0]
    assert "at most 2000 each way" in causes["too wide"][0]
    assert (last["what"], last["seen"]) == ("a sound one after them", [True])


def test_a_change_of_clerks_leaves_no_texture_behind_and_stops_no_frame(played):
    """After forty only those of the last are there; the largest that is allowed is no pause."""
    found, closed = played("many")
    assert found["made"] >= 60
    assert found["alive"] == found["now"]
    assert found["seen"] == [True]
    assert found["gap_ms"] < 1_000  # about 90 here, most of it other things
    assert closed == {"closed": True}
