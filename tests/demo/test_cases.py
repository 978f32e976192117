"""The cases file: what is read arrives unchanged, what is wrong is told in full."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.case_rules import COLUMNS
from demo.cases import MAX_BYTES, BadCases, Row, format_problems, parse, read
from protocol import catalogue

HEADER = ",".join(COLUMNS)
GOOD = {
    "serial": "A1",
    "service_number": "1",
    "matter": "企业设立登记",
    "staff": "示例甲",
    "window": "3号窗口",
    "level": "5",
    "reasons": "510;517",
    "comment": "",
}


def a_file(*records: str) -> bytes:
    return "\n".join([HEADER, *records, ""]).encode()


def a_record(**changes: str) -> str:
    cells = GOOD | changes
    return ",".join('"' + cells[column].replace('"', '""') + '"' for column in COLUMNS)


def problems(data: bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(BadCases) as caught:
        parse(data)
    return [(bad.line, bad.column, bad.reason) for bad in caught.value.problems]


def places(data: bytes) -> list[tuple[int, str]]:
    return [(line, column) for line, column, _ in problems(data)]


def test_a_good_row_arrives_unchanged():
    """Spaces, quotes, commas, line feeds and rare characters stand as the citizen wrote them."""
    comment = ' 他说"好",\n𠮷㛃䶮 👍 '
    assert parse(a_file(a_record(comment=comment))) == [
        Row(2, "A1", 1, "企业设立登记", "示例甲", "3号窗口", 5, ("510", "517"), comment)
    ]


def test_an_empty_level_is_a_citizen_who_walks_away():
    """No level is None, never a default."""
    assert parse(a_file(a_record(level="", reasons="")))[0].level is None


def test_a_record_is_named_by_the_line_it_starts_on():
    """A comment of three lines and blank lines move the records behind them."""
    rows = parse(a_file(a_record(comment="一\n二\n三"), "", "", a_record(serial="A2")))
    assert [row.line for row in rows] == [2, 7]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_files_of_every_editor_are_read(mark, end):
    """With and without a byte order mark, with the line ends of all systems."""
    data = mark + end.join([HEADER, a_record(), a_record(serial="A2")]).encode()
    assert [(row.line, row.serial) for row in parse(data)] == [(2, "A1"), (3, "A2")]


def test_the_columns_may_stand_in_any_order():
    """The header says which is which."""
    backwards = COLUMNS[::-1]
    data = "\n".join([",".join(backwards), ",".join(GOOD[column] for column in backwards)])
    assert parse(data.encode()) == parse(a_file(a_record()))


def test_a_header_alone_is_a_file_without_cases():
    """Nothing to play is not an error of the file."""
    assert parse(a_file()) == []


@pytest.mark.parametrize(
    ("changes", "column", "told"),
    [
        ({"serial": ""}, "serial", "业务流水号不能为空"),
        ({"serial": "A 1"}, "serial", "空格（U+0020）"),
        ({"serial": "A/1"}, "serial", "“/”"),
        ({"serial": "A" * 65}, "serial", "有 65 个字符，最多 64 个"),
        ({"serial": "A\0"}, "serial", "空字符 NUL（U+0000）"),
        ({"serial": "."}, "serial", "不能只写“.”"),
        ({"serial": ".."}, "serial", "不能只写“..”"),
        ({"serial": "A\\1"}, "serial", "“\\”"),
        ({"service_number": ""}, "service_number", "不能为空"),
        ({"service_number": " 1"}, "service_number", "“ 1”不是服务次数"),
        ({"service_number": "１"}, "service_number", "半角数字"),
        ({"service_number": "+1"}, "service_number", "“+1”不是服务次数"),
        ({"service_number": "1.0"}, "service_number", "“1.0”不是服务次数"),
        ({"service_number": "0"}, "service_number", "1 到 99"),
        ({"service_number": "01"}, "service_number", "前面有多余的 0"),
        ({"service_number": "00"}, "service_number", "前面有多余的 0"),
        ({"service_number": "100"}, "service_number", "超出范围"),
        ({"service_number": "9" * 5000}, "service_number", "超出范围"),
        ({"matter": ""}, "matter", "事项名称不能为空"),
        ({"matter": "企" * 201}, "matter", "有 201 个字符，最多 200 个"),
        ({"matter": "企\u202e业"}, "matter", "<U+202E>"),
        ({"matter": "企\n业"}, "matter", "换行（U+000A）"),
        ({"staff": ""}, "staff", "工作人员姓名不能为空"),
        ({"staff": "示" * 41}, "staff", "最多 40 个"),
        ({"window": ""}, "window", "窗口名称不能为空"),
        ({"window": "3\t号"}, "window", "制表符"),
        ({"window": "1/2号"}, "window", "不能有“/”"),
        ({"window": "."}, "window", "不能只写“.”"),
        ({"window": ".."}, "window", "不能只写“..”"),
        ({"level": "6"}, "level", "“6”不是等级，请填 5、4、3、2、1 或留空"),
        ({"level": "0"}, "level", "“0”不是等级"),
        ({"level": " 5"}, "level", "“ 5”不是等级"),
        ({"level": "５"}, "level", "“５”不是等级"),
        ({"level": "非常满意"}, "level", "“非常满意”不是等级"),
        ({"reasons": "599"}, "reasons", "没有原因编码 599"),
        ({"reasons": "406"}, "reasons", "406 属于“满意”"),
        ({"reasons": "510;510"}, "reasons", "510 写了不止一次"),
        ({"reasons": "510;"}, "reasons", "多了一个分号"),
        ({"reasons": "510；511"}, "reasons", "英文分号"),
        ({"reasons": "510; 511"}, "reasons", "“ 511”不是原因编码"),
        ({"level": "2", "reasons": ""}, "reasons", "请至少写一个原因编码或评语"),
        ({"level": "1", "reasons": "", "comment": " \n "}, "reasons", "是差评"),
        ({"level": "", "reasons": "510"}, "reasons", "等级留空"),
        ({"level": "", "reasons": "", "comment": " "}, "comment", "等级留空"),
        ({"comment": "好" * 151}, "comment", "有 151 个字符，最多 150 个"),
        ({"comment": "好\r\n好"}, "comment", "回车（U+000D）"),
    ],
)
def test_each_wrong_cell_is_told_with_line_column_and_remedy(changes, column, told):
    """One wrong cell is one problem, on its line, in its column."""
    found = problems(a_file(a_record(serial="A0"), a_record(**changes)))
    assert [(line, name) for line, name, _ in found] == [(3, column)]
    assert told in found[0][2]


def test_dots_among_other_signs_are_welcome():
    """Only a name that is nothing but "." or ".." would lead elsewhere in an address."""
    [row] = parse(a_file(a_record(serial="A.1", window="...", staff=".")))
    assert (row.serial, row.window, row.staff) == ("A.1", "...", ".")


def test_more_than_ten_reasons_are_too_many():
    """The limit of a rating is the limit of a row; levels have fewer, so others are told too."""
    codes = ";".join(r.code for level in (5, 4) for r in catalogue.load().reasons(level)[:6])
    assert "有 12 个原因，最多 10 个" in problems(a_file(a_record(reasons=codes)))[0][2]


def test_every_problem_of_every_row_is_told_at_once():
    """A row with five problems and a row behind it are both told in full."""
    bad = a_record(serial="", service_number="x", matter="", level="9", reasons="7;8")
    assert places(a_file(bad, a_record(), a_record(serial="A9", staff=""))) == [
        (2, "serial"),
        (2, "service_number"),
        (2, "matter"),
        (2, "level"),
        (2, "reasons"),
        (2, "reasons"),
        (4, "staff"),
    ]


def test_a_service_that_stands_twice_names_its_first_line():
    """Also if the first one has another problem; another service of the case is welcome."""
    data = a_file(a_record(level="7"), a_record(service_number="2"), a_record())
    found = problems(data)
    assert [(line, column) for line, column, _ in found] == [(2, "level"), (4, "service_number")]
    assert "第 2 行" in found[1][2]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER.replace("level", "Level"), [(1, "", "“Level”不认识"), (1, "level", "缺少")]),
        (HEADER.replace(",comment", ""), [(1, "comment", "缺少")]),
        (HEADER.replace("staff", "window"), [(1, "window", "不止一次"), (1, "staff", "缺少")]),
        ("a,b,c", [(1, "", "不是表头")]),
        (HEADER.replace(",", "，"), [(1, "", "英文逗号")]),
        (a_record(), [(1, "", "不是表头")]),
    ],
)
def test_a_wrong_header_is_told_name_by_name(header, expected):
    """Unknown, missing and repeated columns each have their problem."""
    found = problems(header.encode())
    assert [place for *place, _ in found] == [place for *place, _ in expected]
    assert all(told in reason for (*_, reason), (*_, told) in zip(found, expected, strict=True))


def test_rows_are_checked_even_below_a_wrong_header():
    """What the known columns hold is told together with the header's problem."""
    record = ",".join([*list(GOOD.values())[:5], "8", "", "", "多余"])
    assert places(f"{HEADER},extra\n{record}\n".encode()) == [(1, ""), (2, "level")]


@pytest.mark.parametrize("record", ["A1,1,企业设立登记", a_record() + ",很好", "   "])
def test_a_row_with_another_number_of_columns_is_refused(record):
    """Too few, too many, or only spaces: the row says how many there should be."""
    [(line, column, reason)] = problems(a_file(a_record(serial="A0"), record))
    assert (line, column) == (3, "")
    assert "应为 8 列" in reason


def test_a_row_of_bare_commas_is_one_problem():
    """Spreadsheets leave such rows behind; five empty cells would be noise."""
    assert places(a_file(",,,,,,,")) == [(2, "")]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\n\r\n"])
def test_an_empty_file_asks_for_its_header(data):
    """Nothing at all is not a file of no cases."""
    [(line, _, reason)] = problems(data)
    assert line == 1
    assert "文件是空的" in reason
    assert HEADER in reason


def test_bytes_that_are_not_utf8_are_told_by_line_and_offset():
    """A file saved in the old Chinese encoding names the first such byte of each line."""
    start = a_file(a_record())
    data = start + b"A2,1," + "企业".encode("gbk") + b",x,y,5,,\nA3,1,x,x,y,9,,\n"
    found = problems(data)
    assert [(line, column) for line, column, _ in found] == [(3, ""), (4, "level")]
    assert f"第 {len(start) + 5} 字节" in found[0][2]
    assert f"0x{'企'.encode('gbk')[0]:02X}" in found[0][2]
    assert "UTF-8" in found[0][2]


def test_the_offset_counts_the_byte_order_mark():
    """The offset is that of the file, as any editor shows it."""
    data = b"\xef\xbb\xbf" + a_file() + b"\xff"
    assert f"第 {len(data) - 1} 字节" in problems(data)[0][2]


def test_a_forgotten_closing_quote_does_not_hide_the_rows_behind_it():
    """It is told on its own line, and reading goes on with the next."""
    broken = a_record(serial="A2")[:-1] + "没有写完"
    data = a_file(a_record(), broken, "A3,1,x,x,y,8,,")
    found = problems(data)
    assert [(line, column) for line, column, _ in found] == [(3, ""), (4, "level")]
    assert "双引号没有配对" in found[0][2]


def test_text_behind_a_closing_quote_is_refused():
    """A half-quoted cell has no single meaning, so none is guessed."""
    [(line, _, reason)] = problems(a_file(a_record()[:-2] + '"好"不好'))
    assert line == 2
    assert "双引号结束后还有别的字" in reason


def test_an_absurdly_long_cell_is_one_clear_problem():
    """The parser's own limit is told in words."""
    [(line, _, reason)] = problems(a_file(a_record(comment="好" * (csv.field_size_limit() + 1))))
    assert line == 2
    assert f"超过 {csv.field_size_limit()} 个字符" in reason


def test_files_that_cannot_be_read_are_a_problem_of_line_0(tmp_path):
    """Missing, a folder, a name no system knows, or far too large: never a traceback."""
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    told = {
        tmp_path / "none.csv": "找不到文件“none.csv”",
        tmp_path: "是文件夹",
        tmp_path / "a\0b": "无法读取",
        tmp_path / ("x" * 300): "无法读取",
        huge: "超过 64 MB",
    }
    for path, words in told.items():
        with pytest.raises(BadCases) as caught:
            read(path)
        [problem] = caught.value.problems
        assert (problem.line, problem.column) == (0, "")
        assert words in problem.reason


def test_problems_are_listed_for_a_clerk():
    """One line each, a closing line that counts, and nothing a terminal cannot print."""
    with pytest.raises(BadCases) as caught:
        parse(a_file(a_record(level="6", staff="", window="\x1b[2J"), "只有一列"))
    assert format_problems(caught.value).splitlines() == [
        "第 2 行 staff 列：工作人员姓名不能为空，请填写",
        "第 2 行 window 列：窗口名称中不能有“<U+001B>”，请删去",
        "第 2 行 level 列：“6”不是等级，请填 5、4、3、2、1 或留空",
        "第 3 行：有 1 列，应为 8 列，请检查逗号；含逗号的内容请用双引号括起来",
        "共 4 处问题，涉及 2 行，请改正后重新运行。",
    ]
    assert str(caught.value) == format_problems(caught.value)


_CELL = st.text(st.sampled_from('0159;,"\r\n \0企𠮷'), max_size=6)
_LINE = st.one_of(st.lists(_CELL, max_size=9).map(",".join), st.just(a_record()), st.just(HEADER))


@settings(deadline=None)  # the machine may be busy
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda data: HEADER.encode() + b"\n" + data),
        st.lists(_LINE, max_size=6).map(lambda lines: a_file(*lines)),
    )
)
def test_no_bytes_whatever_crash_the_reader(data):
    """Rows or problems, and problems that can be printed, one line each, in order."""
    try:
        rows = parse(data)
    except BadCases as bad:
        lines = [problem.line for problem in bad.problems]
        assert lines
        assert lines == sorted(lines)
        text = format_problems(bad)
        assert all(line.isprintable() for line in text.split("\n"))
        assert text.count("\n") == len(lines)
        text.encode()
    else:
        assert all(isinstance(row, Row) for row in rows)
