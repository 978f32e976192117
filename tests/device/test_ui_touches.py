"""The real Kivy window, offscreen: what touches become, and what is left of a citizen."""

import pytest

from tests.device import ui_play
from tests.device.ui_views import SETTINGS


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return ui_play.player("ui_driver.py", tmp_path_factory.mktemp("ui"))


def test_one_touch_is_one_tap(played):
    """A real touch on each card gives exactly one tap of its level, for its invitation."""
    facts = played("touches")
    for fact in facts[:5]:
        assert fact["taps"] == [["a" * 32, fact["level"], 10_000]]


def test_who_touches_the_code_gets_time_for_it(played):
    """It rates nothing and chooses nothing: it says that somebody is still there."""
    assert {"on_the_code": ["Stay"]} in played("touches")


def test_a_touch_that_two_sources_tell_of_rates_once(played):
    """Told together or in turns: one level, pressed once; a reason told in turns is put back."""
    together, in_turns = (fact for fact in played("touches") if "order" in fact)
    assert (together["level"], in_turns["level"]) == (1, 1)
    assert (together["revision"], in_turns["revision"]) == (1, 1)
    assert together["chosen"] == [[], [], ["109"], ["109"]]
    assert in_turns["chosen"] == [[], ["109"], ["109"], []]


def test_a_finger_may_slide_off(played):
    """A touch that ends elsewhere counts for nothing; nor does one while saving."""
    facts = played("touches")
    assert facts[5] == {"slid": 0}
    assert facts[6] == {"while_saving": 0}


def test_there_is_one_source_of_touches_and_no_way_out(played):
    """Mouse events only (Kivy's own `sdl` source is silent on Linux); no Escape, no F1."""
    fact = played("touches")[-1]
    assert [source for source in fact.pop("sources") if source != "sdl"] == ["mouse"]
    assert fact == {"still_running": True, "windows": 1}


def test_a_still_screen_draws_nothing(played):
    """Views that look the same cost no frame; one that differs, or a screenshot, does."""
    facts = {fact["name"]: fact["frames"] for fact in played("still")}
    assert facts.pop("a second later") >= 1
    assert facts.pop("after a screenshot") >= 1
    assert facts == {"idle": 0, "invited": 0, "thanks_bad_words": 0}


def test_own_words_are_kept_as_typed(played):
    """Rare signs and line feeds stay, unseen signs and what exceeds 150 do not enter."""
    written = played("wiped")[0]
    assert written["comment"] == ("示例意见𠮷\n第二行" + "字" * 200)[:150]
    assert written["field"] == written["comment"]
    assert written["reasons"] == ["214"]
    assert written["focused"]


def test_undo_goes_away(played):
    """选错了，重选 is offered only for as long as the session takes it."""
    first, later = played("wiped")[:2]
    assert first["undo"]
    assert not later["undo_later"]


def test_nothing_is_left_of_a_citizen(played):
    """After a session no text, choice or unfolded list of it is on the screen any more."""
    _, _, ended, rest, following = played("wiped")
    assert (ended["ended"], ended["buttons"], ended["old"]) == ("rated", [], "")
    assert not ended["focused"]
    assert rest["rest"] == "idle"
    for texts in (ended["texts"], rest["texts"], following["texts"]):
        assert not [text for text in texts if "示例意见" in text]
    assert following["next_field"] == ""
    assert following["folded"]
    assert following["hidden"]
    assert following["chosen"] == []
    assert "直接完成" in following["texts"]
    assert "150/150" not in following["texts"]
    assert following["kinds"] == [
        "Choose",
        "Saved",
        "Stay",
        "Submit",
        "Tap",
        "Tick",
        "Touch",
        "Write",
    ]


def test_language_and_size_change_at_one_tap_and_fall_back(played):
    """Each is one touch, there and back; the next citizen finds Chinese of the usual size."""
    said, bare = played("wishes")
    states = [said[moment][:2] for moment in ("english", "large", "chinese", "usual")]
    assert states == [[True, False], [True, True], [False, True], [False, False]]
    assert "How was the service you just had?" in said["english"][2]
    assert "请您为本次服务评价" in said["chinese"][2]
    assert said["saving"] == [True, True]
    assert "Thank you, your rating is saved" in said["thanks"]
    assert "Thank you, your rating is saved" in said["ending"]
    assert said["skipped"] == ["Saved", "Skip"]
    assert "请您为本次服务评价" in said["next"]
    assert not [text for text in said["next"] if "rating" in text]
    assert bare["keys"] == [f"level-{level}" for level in (1, 2, 3, 4, 5)]


def test_announcements_and_pictures_take_turns(played):
    """Each has its time; what is no picture is left out, told once, and drawn by nobody."""
    told, *_ = [fact for fact in played("rotation") if "seen" in fact]
    words = [SETTINGS.announcement, "办理社保业务请先取号", "本周六上午照常办公"]
    shown = [next((word for word in words if word in texts), "") for texts, _ in told["seen"]]
    assert set(shown[1:]) == set(words)
    colours = [tuple(found) for _, found in told["seen"]]
    assert {("red",), ("green",)} <= set(colours)
    assert ("red", "green") not in colours
    files = sorted(line.split("file=")[1].split(" cause")[0] for line in told["told"])
    assert files == ["3 损坏.png", "4 二十兆.jpg", "5 不是图片.jpg", "6 说谎.png", "8 控制符.txt"]
    assert told["frames"] <= 1
    (elder,) = [fact for fact in played("rotation") if fact.get("name") == "elder"]
    assert not set(words) & set(elder["texts"])
    assert played("rotation")[-1] == {"closed": []}
