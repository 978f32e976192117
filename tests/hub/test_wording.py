"""What an auditor reads is Chinese: every word that the code enters into the audit trail."""

import ast
import re
from pathlib import Path

from hub.accounts import wording
from hub.accounts.wording import action, details, who
from hub.rules.access import Scope
from hub.store.audit import Act

HUB = Path(wording.__file__).parents[1]
# By which calls an action is named, and in which place of theirs.
NAMED_BY = {"note": 3, "_note": 1, "_tell": 2}


def words():
    """Every action that stands in the code as a plain word, with where it stands."""
    for file in sorted(HUB.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            place = NAMED_BY.get(name)
            given = [call.args[place]] if place is not None and len(call.args) > place else []
            given += [each.value for each in call.keywords if each.arg == "action"]
            for each in given:
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    yield each.value, file.relative_to(HUB).as_posix()


def test_every_action_has_its_word():
    """Found in the code itself, so that a new one cannot be forgotten."""
    found = dict(words())
    known = {"add_portrait", "find_citizen", "erase_citizen", "retention", "rotate_keys"}
    assert known | {"drop_keys", "set_staff", "forbidden", "sign_on"} <= set(found)
    assert {word: file for word, file in found.items() if action(word) == word} == {}


def test_what_the_terms_of_retention_took_away_has_its_word():
    """The nightly entry says of what, and how many."""
    for target in ("citizens", "comments", "refused", "evidence"):
        assert who(target) != target
    act = Act(
        position=1,
        at=0,
        actor="hub",
        action="retention",
        target="comments",
        allowed=True,
        detail={"times": 12},
    )
    assert (who(act.actor), action(act.action), who(act.target)) == (
        "服务器",
        "按保存期限清理",
        "群众留言",
    )
    assert details(act) == [("次数", "12")]


def test_every_scope_has_its_word_where_it_was_denied_or_given():
    """Those of people too, which no key ever has: what is missing is told as it is named."""

    def told(**detail):
        act = Act(
            position=1,
            at=1,
            actor="user:jia",
            action="forbidden",
            target="/x",
            allowed=False,
            detail=detail,
        )
        [(_, text)] = details(act)
        return text

    for scope in Scope:
        assert told(why=scope.value).startswith("缺少权限：")
        assert not re.search("[a-z]", told(why=scope.value)), scope
    assert told(scopes="invite windows") == "邀请评价、撤回、查询邀请；查看各窗口的情况"
