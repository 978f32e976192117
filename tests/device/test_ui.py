"""The real Kivy window, offscreen: what citizens see."""

import re
from pathlib import Path

import pytest
import zxingcpp

from device.state import Ending
from device.ui import glosses, theme
from protocol import catalogue
from tests.device import ui_facts, ui_play
from tests.device.ui_facts import grey
from tests.device.ui_views import LINK, LONGEST_LINK, SETTINGS


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return ui_play.player("ui_driver.py", tmp_path_factory.mktemp("ui"))


@pytest.fixture(scope="module", params=ui_play.SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def pictures(request, played):
    """Every view at one size: in Chinese and English, for elders; in the evening at one size."""
    scenarios = ["pictures", "english", "elders"]
    if request.param == (1024, 600):
        scenarios.append("evening")
    facts = [fact for scenario in scenarios for fact in played(scenario, *request.param)]
    return {fact["name"]: fact for fact in facts} | {"size": request.param}


def shots(pictures):
    return [fact for name, fact in pictures.items() if name != "size"]


def test_every_screen_is_drawn(pictures):
    """Each screen gives a PNG of the window's size that is not blank."""
    assert len(shots(pictures)) >= 110
    for fact in shots(pictures):
        assert fact["size"] == list(pictures["size"])
        assert Path(fact["png"]).read_bytes().startswith(b"\x89PNG")
        assert fact["colours"] > 4, fact["name"]


def test_nothing_is_clipped_covered_or_cut(pictures):
    """The longest names, a matter of 200 signs, a serial of 64, a citizen's 150 signs of words.

    No text leaves its box, the card it stands on or the screen, none lies on another one or on
    a strange button, no two buttons cover each other, and no line of own words is cut through.
    """
    for fact in shots(pictures):
        assert ui_facts.faults(fact) == {}, fact["name"]


def test_matter_and_serial_are_shown_whole(pictures):
    """Not one sign of the matter, the serial and the name is left out."""
    shown = "".join(pictures["invited_longest"]["texts"]).replace(" ", "")
    matter = ("示例长名𠮷㛃䶮（综合受理一窗通办）、登记" * 10)[:200]
    assert matter in shown
    assert "W1X2" * 16 in shown
    assert "W" * 40 in shown
    assert "…" not in shown
    assert "W" * 200 in "".join(pictures["invited_unbroken"]["texts"])


def test_five_cards_are_equal(pictures):
    """The five levels have the same size, within a pixel, and are easy to hit."""
    names = [name for name in pictures if name.startswith(("invited", "saving"))]
    assert len(names) >= 20
    for name in names:
        sizes = [pictures[name]["key_sizes"][f"level-{level}"] for level in (5, 4, 3, 2, 1)]
        for side in (0, 1):
            assert max(size[side] for size in sizes) - min(size[side] for size in sizes) <= 1


def test_what_is_pressed_is_as_large_as_a_thumb(pictures):
    """20 mm and more each way, by the density of a 7 inch panel and of 10.1 inch ones."""
    for fact in shots(pictures):
        least = 20 * fact["millimetre"]
        for key, (_, _, wide, high) in fact["reaches"].items():
            assert min(wide, high) >= least - 0.5, (fact["name"], key)
    assert {round(fact["millimetre"] * 25.4) for fact in shots(pictures)} <= {169, 170, 149}


def test_no_finger_means_two_buttons(pictures):
    """Where a finger counts for one button, it counts for no other, and none is off the screen."""
    for fact in shots(pictures):
        wide, high = fact["size"]
        places = list(fact["reaches"].values())
        for number, (x, y, w, h) in enumerate(places):
            assert x >= 0 <= y
            assert x + w <= wide
            assert y + h <= high
            for x2, y2, w2, h2 in places[number + 1 :]:
                apart = x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
                assert apart, fact["name"]


def test_what_must_be_read_can_be_read(pictures):
    """Every text that is drawn has 7:1 to what is under it (WCAG 2 AAA), by day and at dusk."""
    for fact in shots(pictures):
        palette = theme.EVENING if "evening" in fact["name"] else theme.DAY
        assert fact["pairs"]
        for text, ground in fact["pairs"]:
            assert theme.contrast(palette[text], palette[ground]) >= 7, (fact["name"], text, ground)


def test_nobody_sees_from_afar_what_was_pressed(pictures):
    """The same cards and buttons in the same colours, and the same brightness within 2 %."""
    ways = [
        way for way in ("", "_elder", "_en", "_elder_en", "_evening") if "thanks" + way in pictures
    ]
    assert len(ways) >= 4
    compared = 0
    for way in ways:
        others = [("thanks", f"thanks_{level}") for level in ("bad", "2", "3", "4")]
        flat = ("thanks_flat", "thanks_bad_flat")
        for good, bad in (*others, ("thanks_link", "thanks_bad_link"), flat):
            for more in ("", "_unfolded") if good != "thanks_flat" else ("",):
                one, other = pictures[good + way + more], pictures[bad + way + more]
                assert one["boxes"] == other["boxes"]
                assert one["keys"] != other["keys"]
                assert abs(one["luminance"] / other["luminance"] - 1) < 0.02, (way, more)
                compared += 1
        lying, standing = (pictures[good + way] for good in ("thanks_flat", "thanks"))
        assert places(lying) == places(standing)
        assert fills(lying) == {"sunk"}
        assert fills(standing) == {"card", "paper", "action"}
        chosen = [fill for fill, *_ in pictures["thanks_flat_words" + way]["boxes"]]
        assert chosen.count("action") == 1  # it is seen all the time
    assert compared == 11 * len(ways)


def places(picture):
    return [place for _, *place in sorted(picture["boxes"], key=lambda box: box[1:])]


def fills(picture):
    """The colours of all that is pressed, seen from far away."""
    return {fill for fill, *_ in picture["boxes"]}


def test_the_way_to_the_own_page_is_on_the_screen_and_can_be_read(pictures):
    """With a link a QR of it, for every level, folded or not; without one there is none."""
    ways = ("", "_unfolded", "_en_unfolded", "_elder", "_elder_en_unfolded")
    for name, link in (
        ("thanks_link", LINK),
        ("thanks_bad_link", LINK),
        ("thanks_link_words", LINK),
        ("thanks_chosen_link", LONGEST_LINK),
        ("thanks_bad_link_words", LONGEST_LINK),
    ):
        for way in ways:
            fact = pictures[name + way]
            (code,) = zxingcpp.read_barcodes(grey(Path(fact["png"])))
            assert (str(code.format), code.text) == ("QR Code", link), fact["name"]
            said = "".join(fact["texts"]).replace(" ", "")
            assert ("Scantoaddwords" if "_en" in way else "写几句话、查回执") in said
            assert ("comment" in fact["keys"]) == ("words" in name)
    if "thanks_link_evening" in pictures:  # on the dimmed card as well
        (code,) = zxingcpp.read_barcodes(grey(Path(pictures["thanks_link_evening"]["png"])))
        assert code.text == LINK
    for name in ("thanks", "thanks_words", "ending_rated"):
        assert not zxingcpp.read_barcodes(grey(Path(pictures[name]["png"])))


def test_the_field_stays_when_the_reasons_are_unfolded(pictures):
    """At every size and in every mode."""
    for way in ("", "_en", "_elder", "_elder_en"):
        for name in ("thanks_words", "thanks_full", "thanks_link_words"):
            folded, all_of_them = pictures[name + way], pictures[name + way + "_unfolded"]
            assert "comment" in folded["keys"]
            assert "comment" in all_of_them["keys"]


def test_endings_have_one_layout(pictures):
    """Whichever it was: nothing to press, the same brightness, two lines, the seconds."""
    for way in ("", "_en", "_elder", "_elder_en"):
        ends = [pictures[f"ending_{ending}{way}"] for ending in Ending]
        assert len({"".join(fact["texts"]) for fact in ends}) == len(ends)
        for fact in ends:
            assert fact["keys"] == []
            assert fact["boxes"] == ends[0]["boxes"]
            assert abs(fact["luminance"] / ends[0]["luminance"] - 1) < 0.02
        assert ends[0]["texts"][-3] == ends[1]["texts"][-3]


def test_every_answer_says_how_long_it_stays(pictures):
    """Nobody is surprised by a screen that goes away."""
    for fact in shots(pictures):
        if fact["name"].startswith(("invited", "saving", "thanks", "ending")):
            words = " ".join(fact["texts"])
            assert re.search(r"\d+ 秒后返回|Closes in \d+ s", words), fact["name"]


def test_english_keeps_the_official_words(pictures):
    """Levels and reasons have an English gloss; where there is room the Chinese stands by it."""
    texts = {text.replace(" ", "") for text in pictures["invited_en"]["texts"]}  # of broken lines
    levels = {*glosses.LEVELS.values(), *catalogue.LEVELS.values()}
    assert {words.replace(" ", "") for words in levels} <= texts
    texts = pictures["thanks_en"]["texts"]
    assert "一窗受理一次办结" in texts
    assert [text for text in texts if text.replace(" ", "") == "Onecounter,onevisit,done"]
    assert "直接完成" not in texts


def test_elders_get_larger_words_and_fewer_things(pictures):
    """The words of the levels are larger; clock, hall, portrait and announcements stay away."""
    for name in ("invited", "invited_en"):
        usual, large = pictures[name], pictures[name.replace("invited", "invited_elder")]
        assert "09:42" in usual["texts"]
        assert "09:42" not in large["texts"]
        assert SETTINGS.hall_name not in large["texts"]
        assert len(large["boxes"]) < len(usual["boxes"])
    assert not [text for text in pictures["idle_elder"]["texts"] if "公告" in text]


def test_reasons_unfold(pictures):
    """Three reasons at first, all eight after 展开更多, and none is chosen beforehand."""
    for name in ("thanks", "thanks_bad", "thanks_words", "thanks_bad_words", "thanks_elder"):
        few, all_of_them = (
            [key for key in pictures[each]["keys"] if key.startswith("reason-")]
            for each in (name, name + "_unfolded")
        )
        assert (len(few), len(all_of_them)) == (3, 8)
        assert "less" in pictures[name + "_unfolded"]["keys"]


def test_everybody_is_thanked_at_once(pictures):
    """Whatever was pressed: thanks first, and no word of the level."""
    for name in ("thanks", "thanks_bad", "thanks_words", "ending_rated", "ending_skipped"):
        assert "谢谢，您的评价已保存" in pictures[name]["texts"]
        assert not set(catalogue.LEVELS.values()) & set(pictures[name]["texts"])
    assert "请选一项或几项原因，帮我们去改进" in pictures["thanks_bad"]["texts"]


def test_no_thanks_when_nothing_was_saved(pictures):
    """Out of service says what was lost, thanks for nothing, and promises no storing."""
    texts = pictures["out_of_service"]["texts"]
    assert "评价未能保存" in texts
    assert "网络中断" in texts
    assert not [text for text in texts if "谢谢" in text or "先保存" in text]


def test_absence_of_the_network_is_shown_quietly(pictures):
    """A kiosk without its hub says so, and can be used all the same."""
    texts = pictures["invited_longest"]["texts"]
    assert any(text.startswith("网络中断") for text in texts)
    assert "网络中断，评价会先保存在本机" in pictures["idle_longest"]["texts"]
    assert "level-5" in pictures["invited_longest"]["keys"]
    assert not [text for text in pictures["invited"]["texts"] if "网络" in text]
