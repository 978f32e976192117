"""The real Kivy window, offscreen: what citizens see, and what their touches become."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from device.state import Ending
from device.ui import glosses, theme, words
from protocol import catalogue
from tests.device.ui_views import SETTINGS

DRIVER = Path(__file__).with_name("ui_driver.py")
ROOT = Path(__file__).parents[2]
SIZES = [(1280, 800), (1024, 600), (800, 1280)]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Play a scenario in a process of its own, once, and return the facts it printed."""
    directory = tmp_path_factory.mktemp("ui")

    @cache
    def play(scenario, width=1280, height=800):
        done = subprocess.run(
            [sys.executable, DRIVER, scenario, str(width), str(height), directory],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(directory)},
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert not done.stderr, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return play


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
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


def test_no_text_is_clipped(pictures):
    """The longest names, a matter of 200 signs and a serial of 64 stay inside their boxes."""
    for fact in shots(pictures):
        assert fact["spilt"] == [], fact["name"]
        assert fact["outside"] == [], fact["name"]


def test_own_words_are_seen_in_whole_lines(pictures):
    """However long the citizen's own words are, no line of them is cut through."""
    for fact in shots(pictures):
        assert fact["cut_lines"] == [], fact["name"]


def test_nothing_lies_on_anything(pictures):
    """No button covers another one, no stray text a button, and no text another text."""
    for fact in shots(pictures):
        assert fact["overlaps"] == [], fact["name"]
        assert fact["crossed"] == [], fact["name"]


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
        for good, bad in (("thanks", "thanks_bad"), ("thanks", "thanks_2")):
            for more in ("", "_unfolded"):
                one, other = pictures[good + way + more], pictures[bad + way + more]
                assert one["boxes"] == other["boxes"]
                assert one["keys"] != other["keys"]
                assert abs(one["luminance"] / other["luminance"] - 1) < 0.02, (way, more)
                compared += 1
    assert compared == 4 * len(ways)


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
    texts = pictures["invited_en"]["texts"]
    assert {*glosses.LEVELS.values(), *catalogue.LEVELS.values()} <= set(texts)
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


def test_one_touch_is_one_tap(played):
    """A real touch on each card gives exactly one tap of its level, for its invitation."""
    facts = played("touches")
    for fact in facts[:5]:
        assert fact["taps"] == [["a" * 32, fact["level"], 10_000]]


def test_a_finger_may_slide_off(played):
    """A touch that ends elsewhere counts for nothing; nor does one while saving."""
    facts = played("touches")
    assert facts[5] == {"slid": 0}
    assert facts[6] == {"while_saving": 0}


def test_there_is_one_source_of_touches_and_no_way_out(played):
    """Mouse events only (Kivy's own `sdl` source is silent on Linux); no Escape, no F1."""
    fact = played("touches")[7]
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
    assert following["kinds"] == ["Choose", "Saved", "Stay", "Submit", "Tap", "Tick", "Write"]


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


# ---------------------------------------------------------------- words and colours as data


def test_every_word_is_in_the_table():
    """No Chinese text stands in the code of the screens but in the table of words."""
    folder = ROOT / "device" / "ui"
    allowed = {"words.py", "typeset.py", "fonts.py", "app.py"}  # word breaking; told on a console
    for file in sorted(folder.glob("*.py")):
        if file.name in allowed:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documents
            and re.search(r"[\u4e00-\u9fff]", node.value)
        ]
        assert found in ([], ["国"]), file.name  # a sign that is measured, not shown


def test_every_word_is_there_in_both_languages():
    """Whatever key the screens ask for exists, with as many places to fill in each language."""
    used = set()
    for file in (ROOT / "device" / "ui").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "say":
                used |= {
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    pieces = {"_below", "enrol_", "stage_"}
    assert used - pieces <= set(words.WORDS)
    for ending in Ending:
        assert {str(ending), f"{ending}_below"} <= set(words.WORDS)
    for key, said in words.WORDS.items():
        assert said.zh.strip(), key
        assert said.en.strip(), key
        assert said.zh.count("{}") == said.en.count("{}"), key


def test_every_reason_has_its_gloss_and_nothing_else_has():
    """The glosses are of the catalogue in force; of another one there are none."""
    known = {
        reason.code
        for level in catalogue.LEVELS
        for reason in catalogue.load(glosses.VERSION).reasons(level)
    }
    assert glosses.VERSION == catalogue.CURRENT
    assert set(glosses.REASONS) == known
    assert set(glosses.LEVELS) == set(catalogue.LEVELS)
    assert glosses.reason("2099.1", "510") == ""


def test_both_palettes_have_every_colour():
    """And the evening is darker than the day where a citizen looks."""
    assert set(theme.DAY) == set(theme.EVENING) == set(theme.Role)
    for role in (theme.Role.PAPER, theme.Role.CARD):
        assert theme.luminance(theme.EVENING[role]) < 0.65 * theme.luminance(theme.DAY[role])
