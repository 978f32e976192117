"""Our account against a city's list, and what is said about a reason."""

import pytest

from hub.upstream.comparison import Listed, ListFault, compare, read
from hub.upstream.hints import mend

LEVELS = {str(n): str(n) for n in range(1, 6)}
A, B, C = ("A", "1", "1"), ("B", "1", "1"), ("C", "2", "1")


def test_a_list_is_read_as_csv_and_as_lines_of_json():
    """With a byte order mark, quotes, Windows line ends, numbers; in UTF-8 and GB 18030."""
    text = (
        '\ufeffprojectNo,serviceNumber,assessNumber,satisfaction,说明\r\n"A",1,1,5,"示例，𠮷"\r\n'
    )
    assert read(text.encode(), {}, LEVELS) == [Listed(A, "5")]
    assert read(text[1:].encode("gb18030"), {}, LEVELS) == [Listed(A, "5")]
    lines = b'{"projectNo": "A", "serviceNumber": 1, "satisfaction": 5}\n\n'
    lines += b'{"projectNo": "A", "serviceNumber": "1", "taskName": null}\r\n'
    assert read(lines, {}, LEVELS) == [Listed(A, "5"), Listed(("A", "1", ""))]


def test_the_city_s_own_names_and_levels_are_understood():
    """As its quirks file says: renamed fields, reversed values."""
    text = b"PROJECT,serviceNumber,assessNumber,LEVEL\nA,1,1,1\n"
    names = {"projectNo": "PROJECT", "satisfaction": "LEVEL"}
    assert read(text, names, {"1": "5"}) == [Listed(A, "5")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"projectNo,serviceNumber\nA\n", "第 2 行"),
        (b"projectNo,serviceNumber\nA,1,1\n", "列数"),
        (b"name\nA\n", "缺少 projectNo"),
        (b'projectNo,serviceNumber,satisfaction\nA,1,5\nB,1,"excellent"\n', "第 3 行"),
        (b'projectNo,serviceNumber\n"A,1\n', "CSV"),
        (b'{"projectNo": "A", "serviceNumber": "1"}\n{"x\n', "第 2 行"),
        (b'{"projectNo": "\\ud800"}', "第 1 行"),
        (b"{" * 100_000, "第 1 行"),
        (b"\xff\xff\xff", "编码"),
    ],
)
def test_a_list_that_cannot_be_read_says_where(text, says):
    """Nothing is guessed: not a level, not a column."""
    with pytest.raises(ListFault, match=says):
        read(text, {}, LEVELS)


def test_an_empty_list_is_one():
    """Then the city has nothing."""
    assert read(b"", {}, LEVELS) == []


def test_each_difference_is_told_apart():
    """What they lack, what we lack, another level, twice in their list."""
    ours = [Listed(A, "5"), Listed(B, "1")]
    result = compare(ours, [Listed(B, "5"), Listed(C, "3"), Listed(C, "3")])
    assert (result.they_lack, result.we_lack, result.twice) == ([A], [C], [C])
    assert result.levels == [(B, "1", "5")]
    assert result.both == 1
    same = compare(ours, [Listed(A), Listed(B, "1")])
    assert (same.they_lack, same.we_lack, same.levels, same.twice) == ([], [], [], [])


def test_a_rating_that_counts_on_one_side_only_is_told():
    """By the city's own word for it; where its list says nothing of it, nothing is compared."""
    head = b"projectNo,serviceNumber,assessNumber,satisfaction,EffectivEvalua\n"
    theirs = read(head + b"A,1,1,2,1\nB,1,1,1,0\nC,2,1,3,\n", {}, LEVELS)
    assert [each.valid for each in theirs] == [True, False, None]
    ours = [Listed(A, "2", valid=False), Listed(B, "1", valid=True), Listed(C, "3", valid=False)]
    result = compare(ours, theirs)
    assert result.validity == [(A, False), (B, True)]
    assert (result.levels, result.they_lack, result.we_lack) == ([], [], [])
    assert read(head + b"A,1,1,2,Y\n", {}, LEVELS, {"Y": True, "N": False})[0].valid


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("差评缺少原因和文字", "不代填"),
        ("taskCode 不存在", "事项编码"),
        ("业务办理项编码（taskHandleItem）前 31 位与事项编码不一致", "33 位"),
        ("没有对应的办件服务数据，请先上报办件", "backfill"),
        ("上级平台返回 HTTP 503", "平台故障"),
        ("上级平台返回 HTTP 404", "地址"),
        ("与上级平台的连接失败（ClientConnectorCertificateError）", "upstream.ca"),
        ("与上级平台的连接失败（ClientConnectorError）", "网络"),
        ("上级平台称：签名验证失败", "sm2"),
        ("未取得上级平台的令牌：上级平台返回 HTTP 401", "access"),
        ("上级平台的应答不是约定的任何一种（HTTP 200）", "answer"),
        ("办件服务数据未能上报：taskCode 不存在", "先处理"),
    ],
)
def test_a_known_reason_has_a_mend(reason, says):
    """The first that fits; our own words before the city's."""
    assert says in mend(reason)


def test_an_unknown_reason_has_none():
    """Nothing is made up, and nothing is said of no reason."""
    assert mend("示例平台的怪话") == mend("") == ""
