"""Plain data become structs, or every fault is told at once, in Chinese, with its place."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from protocol import strict


class Leaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=3, pattern=r"^[a-z]*$")]
    size: Annotated[int, Meta(ge=1, le=9)] = 1


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    low: int
    high: int = 0

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low 不得大于 high")


class Tagged(msgspec.Struct, tag_field="kind", tag="one", forbid_unknown_fields=True):
    value: int


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    leaf: Leaf
    spare: Leaf | None = None
    leaves: Annotated[tuple[Leaf, ...], Meta(max_length=2)] = ()
    span: Range = Range(low=0)
    spans: list[Range] = []
    kind: Literal["a", "b"] = "a"
    only: Literal[1] = 1
    level: Literal[1, 2] | None = None
    pair: tuple[int, str] = (0, "")
    ports: dict[str, Annotated[int, Meta(gt=0)]] = {}
    ratio: Annotated[float, Meta(gt=0, lt=2)] = 1.0
    either: int | str = 0
    flag: bool = False
    one: Tagged | None = None
    renamed: Annotated[int, Meta(multiple_of=5)] = msgspec.field(default=0, name="other-name")


GOOD = {"leaf": {"name": "abc"}}


def faults(data, kind=Tree, place=""):
    with pytest.raises(strict.Faults) as caught:
        strict.convert(data, kind, place)
    return {fault.place: fault.message for fault in caught.value.faults}


def test_good_data_become_the_struct():
    """Defaults stand for what is missing; nested structs are structs."""
    tree = strict.convert(
        GOOD
        | {
            "spare": None,
            "leaves": [{"name": "a", "size": 9}],
            "spans": [{"low": -1}],
            "ports": {"http": 80},
            "one": {"kind": "one", "value": 1},
            "other-name": 10,
        },
        Tree,
    )
    assert tree.leaf == Leaf(name="abc", size=1)
    assert tree.leaves == (Leaf(name="a", size=9),)
    assert tree.one == Tagged(1)
    assert tree.renamed == 10


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"leaf": None}, "leaf", "类型不对：应为一组键值，实为空"),
        ({"leaf": {}}, "leaf.name", "缺少此项"),
        ({"leaf": {"name": 5}}, "leaf.name", "类型不对：应为文字，实为整数"),
        ({"leaf": {"name": ""}}, "leaf.name", "不能为空"),
        ({"leaf": {"name": "abcd"}}, "leaf.name", "最多 3 个字符"),
        ({"leaf": {"name": "A"}}, "leaf.name", "格式不对，或含有控制字符等不允许的字符"),
        ({"leaf": {"name": "a", "size": 0}}, "leaf.size", "不能小于 1"),
        ({"leaf": {"name": "a", "size": 10**40}}, "leaf.size", "不能大于 9"),
        ({"leaf": {"name": "a", "size": "1"}}, "leaf.size", "类型不对：应为整数，实为文字"),
        ({"leaf": {"name": "a", "size": True}}, "leaf.size", "类型不对：应为整数，实为 true/false"),
        ({"spare": []}, "spare", "类型不对：应为一组键值或空，实为数组"),
        ({"spare": {"name": "", "x": 1}}, "spare.name", "不能为空"),
        ({"leaves": {}}, "leaves", "类型不对：应为数组，实为一组键值"),
        ({"leaves": [GOOD["leaf"]] * 3}, "leaves", "最多 2 项"),
        ({"leaves": [GOOD["leaf"], {}]}, "leaves[2].name", "缺少此项"),
        ({"leaves": [GOOD["leaf"], 7]}, "leaves[2]", "类型不对：应为一组键值，实为整数"),
        ({"span": {"low": 2}}, "span", "low 不得大于 high"),
        ({"spans": [{"low": 0}, {"low": 2}]}, "spans[2]", "low 不得大于 high"),
        ({"kind": "c"}, "kind", '只能是 "a"、"b" 之一'),
        ({"kind": 1}, "kind", '只能是 "a"、"b" 之一'),
        ({"only": 2}, "only", "只能是 1"),
        ({"level": 3}, "level", "只能是 1、2 之一"),
        ({"pair": [1]}, "pair", "应有 2 项，实有 1 项"),
        ({"pair": ["x", "y"]}, "pair[1]", "类型不对：应为整数，实为文字"),
        ({"pair": [1, 2]}, "pair[2]", "类型不对：应为文字，实为整数"),
        ({"ports": {"http": 0}}, "ports.http", "不能小于 1"),
        ({"ports": []}, "ports", "类型不对：应为一组键值，实为数组"),
        ({"ratio": 0}, "ratio", "必须大于 0.0"),
        ({"ratio": 2.0}, "ratio", "必须小于 2.0"),
        ({"either": None}, "either", "类型不对：应为整数或文字，实为空"),
        ({"flag": 1}, "flag", "类型不对：应为 true/false，实为整数"),
        ({"one": {"kind": "two", "value": 1}}, "one.kind", "不在允许的取值之内"),
        ({"other-name": 4}, "other-name", "必须是 5 的倍数"),
        ({"renamed": 5}, "renamed", "没有这一项，请检查拼写"),
        ({"x" * 99: 5}, "x" * 40 + "…", "没有这一项，请检查拼写"),
    ],
)
def test_each_fault_is_told_in_chinese_with_its_place(change, place, message):
    """No word of the library, no pattern, no value that was sent."""
    found = faults(GOOD | change)
    assert found[place] == message


def test_all_faults_are_told_at_once():
    """Deep and shallow, missing and unknown, in one go."""
    found = faults(
        {
            "spare": {"name": "", "size": 0},
            "leaves": [{"name": "A"}, {}],
            "span": {},
            "kind": "z",
            "extra": 1,
        }
    )
    assert set(found) == {
        "leaf",
        "spare.name",
        "spare.size",
        "leaves[1].name",
        "leaves[2].name",
        "span.low",
        "kind",
        "extra",
    }


def test_a_rule_across_fields_waits_until_each_is_right():
    """Otherwise one fault would be told twice."""
    assert faults({"low": "x", "high": 1}, Range) == {"low": "类型不对：应为整数，实为文字"}
    assert faults({"low": 2, "high": 1}, Range) == {strict.WHOLE: "low 不得大于 high"}
    assert faults({"low": 2, "high": 1}, Range, "span") == {"span": "low 不得大于 high"}


@pytest.mark.parametrize("data", [None, [], 5, "x", True, 1.5])
def test_what_is_no_object_is_one_fault(data):
    """It belongs to no field."""
    found = faults(data)
    assert list(found) == [strict.WHOLE]
    assert found[strict.WHOLE].startswith("类型不对：应为一组键值，实为")


def test_faults_read_as_one_line():
    """For logs and consoles."""
    with pytest.raises(strict.Faults, match=r"^leaf\.name：缺少此项；kind：只能是"):
        strict.convert({"leaf": {}, "kind": 0}, Tree)


def test_a_fault_inside_of_an_unusual_kind_keeps_its_place():
    """Where this module does not look inside, the library's own path is translated."""

    class Odd(msgspec.Struct):
        value: int | list[int]

    assert faults({"value": [1, "x"]}, Odd) == {"value[2]": "类型不对：应为整数，实为文字"}


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["leaf", "leaves", "name", "low", "kind", "?"]), inner)
    ),
)
trees = st.dictionaries(st.sampled_from(Tree.__struct_encode_fields__), plain)


@given(plain | trees.map(lambda change: GOOD | change))
def test_strict_refuses_just_what_the_library_refuses(data):
    """No more and no less; each fault has a place and speaks Chinese."""
    try:
        expected = msgspec.convert(data, Tree)
    except (msgspec.ValidationError, ValueError):
        for place, message in faults(data).items():
            assert place
            assert "Expected" not in message
            assert any("\u4e00" <= sign <= "\u9fff" for sign in message)
    else:
        assert strict.convert(data, Tree) == expected
