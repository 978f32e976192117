"""Chinese lines: where they break, and which size they take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.ui.typeset import Type, fit, group, wrap
from protocol import catalogue

SQUARE = Type(wide=lambda text, size: len(text) * size, line=lambda size: 1.5 * size)
TEXTS = st.text(alphabet="示例甲乙（）《》，。、；：“”…… aZ09-𠮷\n", min_size=1, max_size=200)


def by_tens(text):
    return 10.0 * len(text)


@given(TEXTS, st.integers(1, 30))
def test_no_sign_is_lost(text, signs):
    """All that is not a space stands in the lines, in its order, and no line is too wide."""
    lines = wrap(text, 10.0 * signs, by_tens)
    kept = [sign for line in lines for sign in line if not sign.isspace()]
    assert kept == [sign for sign in text if not sign.isspace()]
    assert all(by_tens(line) <= 10.0 * signs for line in lines)


def test_a_mark_does_not_begin_a_line():
    """A comma or a closing bracket takes the sign before it along; an opening one goes along."""
    assert wrap("示例甲乙，丙", 40, by_tens) == ("示例甲", "乙，丙")
    assert wrap("示例甲（乙）", 40, by_tens) == ("示例甲", "（乙）")


def test_a_number_is_not_torn_apart():
    """Latin letters and figures stay together while they fit on a line."""
    assert wrap("示例2026年", 50, by_tens) == ("示例", "2026年")
    assert wrap("202611230001", 50, by_tens) == ("20261", "12300", "01")


@pytest.mark.parametrize(
    ("name", "width", "lines"),
    [
        ("综合受理03窗口", 60, ("综合受理", "03窗口")),
        ("不动产登记综合服务3号窗口", 60, ("不动产登记", "综合服务", "3号窗口")),
        ("第12窗口（工程建设）", 70, ("第12窗口", "（工程建设）")),
        ("示例区A12号窗口", 80, ("示例区", "A12号窗口")),
    ],
)
def test_a_windows_name_is_not_broken_inside_a_word(name, width, lines):
    """A number stays with its 号 and 窗口, and the words of halls are kept whole."""
    assert fit(name, (10,), width, 90, SQUARE).lines == lines


def test_lines_are_evened_out():
    """No single sign is left on the last line."""
    found = fit("示例甲乙丙丁戊己庚", (10,), 80, 30, SQUARE)
    assert found is not None
    assert [len(line) for line in found.lines] == [5, 4]


def test_the_largest_size_that_fits_is_taken():
    """Sizes step down until the text fits; none does: None."""
    assert fit("示例甲乙", (40, 20, 10), 100, 70, SQUARE).size == 20
    assert fit("示例甲乙", (40, 20), 30, 20, SQUARE) is None


@pytest.mark.parametrize(
    ("serial", "shown"),
    [
        ("12011620261123000123", "1201 1620 2611 2300 0123"),
        ("A1234567890", "A123 4567 890"),
        ("BJ-2026-000123", "BJ-2026-000123"),
        ("317", "317"),
    ],
)
def test_serials_are_grouped(serial, shown):
    """Long numbers are shown in fours; those with signs of their own as they are written."""
    assert group(serial) == shown


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("您选的理由一并保存，对窗口人员保密", 140, ("您选的理由一并保存，", "对窗口人员保密")),
        ("示例甲乙丙。丁戊己，庚辛壬", 100, ("示例甲乙丙。", "丁戊己，庚辛壬")),
        ("示例甲乙丙，丁戊己。庚辛壬", 100, ("示例甲乙丙，", "丁戊己。庚辛壬")),
        ("示例（甲乙。）丙丁戊己庚", 100, ("示例（甲乙。）", "丙丁戊己庚")),
        ("open 9:00, then rest", 110, ("open 9:00,", "then rest")),
        ("好，示例甲乙丙丁戊己庚辛", 100, ("好，示例甲乙", "丙丁戊己庚辛")),  # too short a line
        ("示例甲乙丙丁戊，己庚辛壬癸子丑寅", 90, ("示例甲乙丙丁戊，", "己庚辛壬癸子丑寅")),
    ],
)
def test_a_line_ends_with_a_clause_where_that_costs_none(text, width, lines):
    """Not in the middle of what is said; the narrowest of such ways, none with a lost scrap."""
    assert fit(text, (10,), width, 30, SQUARE).lines == lines


@given(TEXTS, st.integers(8, 30))
def test_fitted_lines_are_as_few_as_can_be_and_lose_nothing(text, signs):
    """However they are evened out, and wherever their clauses end."""
    found = fit(text, (10,), 10.0 * signs, 1e9, SQUARE)
    assert len(found.lines) == len(wrap(text, 10.0 * signs, by_tens))
    kept = [sign for line in found.lines for sign in line if not sign.isspace()]
    assert kept == [sign for sign in text if not sign.isspace()]
    assert all(by_tens(line) <= 10.0 * signs for line in found.lines)


@pytest.mark.parametrize("level", [5, 4, 3, 2, 1])
@pytest.mark.parametrize("signs", [6, 7, 8])
def test_no_reason_is_broken_inside_a_word(level, signs):
    """In the narrow cells in which they stand after the tap."""
    words = "材料 提交 提供 承诺 法定 办理 时间 理由 指南 样本 申报 窗口 服务 态度 审批 条件 在线"
    for reason in catalogue.load().reasons(level):
        lines = fit(reason.text, (10,), 10 * signs, 60, SQUARE).lines
        for word in words.split():
            assert "".join(lines).count(word) == sum(line.count(word) for line in lines), lines
