"""The real Kivy window, offscreen: what citizens see, and what their touches become."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from device.ui import theme

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
            timeout=60,
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
    return {fact["name"]: fact for fact in played("pictures", *request.param)} | {
        "size": request.param
    }


def shots(pictures):
    return [fact for name, fact in pictures.items() if name != "size"]


def test_every_screen_is_drawn(pictures):
    """Each screen gives a PNG of the window's size that is not blank."""
    assert len(shots(pictures)) >= 19
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
    for name in ("invited", "invited_longest"):
        sizes = [pictures[name]["key_sizes"][f"level-{level}"] for level in (5, 4, 3, 2, 1)]
        for side in (0, 1):
            assert max(size[side] for size in sizes) - min(size[side] for size in sizes) <= 1
        assert min(min(size) for size in sizes) >= 60


def test_reasons_unfold(pictures):
    """Three reasons at first, all eight after 展开更多, and none is chosen beforehand."""
    for name in ("reasons", "thanks", "reasons_words", "thanks_words"):
        few = [key for key in pictures[name]["keys"] if key.startswith("reason-")]
        all_of_them = [
            key for key in pictures[name + "_unfolded"]["keys"] if key.startswith("reason-")
        ]
        assert (len(few), len(all_of_them)) == (3, 8)


def test_thanks_look_the_same_for_every_level(pictures):
    """The words of thanks tell nobody across the counter what was pressed."""
    for name in ("thanks", "thanks_bad", "thanks_words"):
        assert "谢谢，您的评价已保存" in pictures[name]["texts"]
        assert not {"非常满意", "满意", "不满意", "非常不满意"} & set(pictures[name]["texts"])


def test_no_thanks_when_nothing_was_saved(pictures):
    """Out of service says what was lost, thanks for nothing, and promises no storing."""
    texts = pictures["out_of_service"]["texts"]
    assert "评价未能保存" in texts
    assert "网络中断" in texts
    assert not [text for text in texts if "谢谢" in text or "先保存" in text]


def test_absence_of_the_network_is_shown_quietly(pictures):
    """A kiosk without its hub says so, and can be used all the same."""
    texts = pictures["invited_longest"]["texts"]
    assert "网络中断，评价会先保存在本机" in texts
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
    assert facts == {"idle": 0, "invited": 0, "reasons_words": 0}


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
    _, _, submitted, rest, following = played("wiped")
    assert submitted == {"after_submit": "thanks", "comment_on_thanks": True}
    assert rest["rest"] == "idle"
    assert rest["old"] == ""
    assert not rest["focused"]
    assert not [text for text in rest["texts"] if "示例意见" in text]
    assert following["next_field"] == ""
    assert following["folded"]
    assert following["hidden"]
    assert following["chosen"] == []
    assert not following["submits"]
    assert "150/150" not in following["texts"]
    assert following["kinds"] == ["Choose", "Saved", "Submit", "Tap", "Write"]


def test_what_must_be_read_can_be_read():
    """Every pair of text and ground has a contrast of 7:1 or more (WCAG 2 AAA)."""
    for text, ground in theme.READ:
        assert theme.contrast(text, ground) >= 7, (text, ground)
