"""Labels: sheets that a printer takes, whatever a name contains."""

import re
from xml.etree import ElementTree as ET

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from provisioning import labels
from provisioning.errors import AuthorityError
from provisioning.labels import Label

SVG = "{http://www.w3.org/2000/svg}"


def parsed(sheet):
    return ET.fromstring(sheet)  # noqa: S314 - our own output


def stickers(sheet):
    """The texts of each sticker, in order."""
    groups = parsed(sheet).findall(f"{SVG}g")
    return [[text.text for text in group.iter(f"{SVG}text")] for group in groups]


def modules(sheet):
    """The dark modules of the first code, as (row, column)."""
    path = parsed(sheet).find(f".//{SVG}path").get("d")
    return {(int(row), int(column)) for column, row in re.findall(r"M(\d+) (\d+)", path)}


def test_a_sheet_is_a4_in_millimetres():
    """One unit of the drawing is one millimetre of paper."""
    (sheet,) = labels.sheets([Label("kiosk-01", "hall-a")])
    page = parsed(sheet)
    assert (page.get("width"), page.get("height")) == ("210mm", "297mm")
    assert page.get("viewBox") == "0 0 210 297"


def test_a_sticker_says_name_hall_and_serial_number():
    """What is not known leaves a line to write on."""
    (sheet,) = labels.sheets([Label("kiosk-01", "示例大厅", "SN-1"), Label("kiosk-02", "hall-a")])
    known, unknown = stickers(sheet)
    assert known == ["评价器", "kiosk-01", "大厅 示例大厅", "序列号 SN-1"]
    assert unknown[3] == "序列号 ＿＿＿＿＿＿"


def test_the_code_holds_the_name():
    """Its dark modules are those of the QR code of the device's name, no more and no less."""
    (sheet,) = labels.sheets([Label("kiosk-01", "hall-a")])
    matrix = segno.make("kiosk-01", micro=False, error="m").matrix
    expected = {(r, c) for r, row in enumerate(matrix) for c, dark in enumerate(row) if dark}
    assert modules(sheet) == expected


def test_stickers_lie_side_by_side_on_the_paper():
    """24 to a sheet, none over the edge, none over another; the 25th begins a new sheet."""
    pages = labels.sheets([Label(f"kiosk-{n}", "hall-a") for n in range(25)])
    assert [len(stickers(page)) for page in pages] == [24, 1]
    places = [
        tuple(map(float, re.findall(r"[\d.]+", group.get("transform"))))
        for group in parsed(pages[0]).findall(f"{SVG}g")
    ]
    assert len(set(places)) == 24
    assert all(x + 70 <= 210 and y >= 0 and y + 37 <= 297 for x, y in places)


HOSTILE = [
    "名" * 200,
    "x" * 200,
    '</text><script>alert("1")</script>',
    "&amp; ]]> <!-- --> \" '",
    "\x00\x07\x1b[31m\ufffe\u202e反\u200b",
    "\ud800 alone",
    "𠮷㛃䶮",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_hall_and_serial_number_can_be_printed(text):
    """The sheet stays well-formed, with the same elements, and the text stays on the sticker."""
    (sheet,) = labels.sheets([Label("kiosk-01", text, text)])
    (plain,) = labels.sheets([Label("kiosk-01", "x", "x")])
    assert [each.tag for each in parsed(sheet).iter()] == [
        each.tag for each in parsed(plain).iter()
    ]
    for line in parsed(sheet).iter(f"{SVG}text"):
        width = labels._width(line.text) * float(line.get("font-size"))
        assert float(line.get("x")) + width <= labels.STICKER_W


def test_a_name_of_two_hundred_signs_is_cut_but_its_code_is_whole():
    """What a person cannot read on 70 mm a scanner still can."""
    name = "<名&" * 66
    (sheet,) = labels.sheets([Label(name, "hall-a")])
    shown = stickers(sheet)[0][1]
    assert shown.endswith("…")
    assert name.startswith(shown[:-1])
    matrix = segno.make(name, micro=False, error="m").matrix
    assert len(modules(sheet)) == sum(map(sum, matrix))


def test_wide_letters_are_held_to_the_width_that_was_reckoned():
    """A name of many m's is squeezed by the printer's program rather than cut at the edge."""
    (sheet,) = labels.sheets([Label("m" * 32, "hall-a")])
    small, name, *_ = parsed(sheet).iter(f"{SVG}text")
    assert float(name.get("x")) + float(name.get("textLength")) <= labels.STICKER_W - 3
    assert small.get("textLength") is None


@given(st.text(max_size=300))
def test_no_text_breaks_a_sheet(text):
    """Also none that nobody thought of."""
    (sheet,) = labels.sheets([Label("kiosk-01", text, text)])
    assert len(stickers(sheet)[0]) == 4
    sheet.encode()


def write(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "devices.csv"
    path.write_bytes(content.encode(encoding))
    return path


def test_labels_come_from_a_csv(tmp_path):
    """As a spreadsheet saves it: with a byte order mark, other columns, and cells left empty."""
    path = write(
        tmp_path,
        "hall,device,port,serial_number\r\n示例大厅,kiosk-01,x,SN-1\r\nhall-a, kiosk-02 ,,\r\n",
        "utf-8-sig",
    )
    assert labels.read_csv(path) == [
        Label("kiosk-01", "示例大厅", "SN-1"),
        Label("kiosk-02", "hall-a", ""),
    ]


def test_every_fault_of_a_csv_is_told_at_once(tmp_path):
    """Each with the number of its row."""
    path = write(tmp_path, f"device,hall\nKIOSK,a\nkiosk-02,b\nkiosk-03,{'长' * 61}\n")
    with pytest.raises(AuthorityError) as caught:
        labels.read_csv(path)
    first, second = str(caught.value).split("\n")
    assert "第 1 条" in first
    assert "小写字母" in first
    assert "第 3 条：大厅超过 60 个字符" in second


@pytest.mark.parametrize(
    ("content", "encoding", "advice"),
    [
        ("", "utf-8", "device,hall,serial_number"),
        ("device,hall\n", "utf-8", "没有数据"),
        ("name,hall\na,b\n", "utf-8", "缺少列 device"),
        ("device,hall\nkiosk-01,示例大厅\n", "gbk", "UTF-8"),
        ('device,hall\n"kiosk-01,x\n', "utf-8", "无法读取"),
    ],
)
def test_a_csv_of_another_shape_is_explained(tmp_path, content, encoding, advice):
    """The message says how the file should be."""
    with pytest.raises(AuthorityError, match=advice):
        labels.read_csv(write(tmp_path, content, encoding))
