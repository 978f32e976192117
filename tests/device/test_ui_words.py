"""Words and colours of the screens as data."""

import ast
import re

from device.state import Ending
from device.ui import glosses, theme, words
from protocol import catalogue
from tests.device.ui_play import ROOT


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
