"""What is wrong with the configuration's TOML is told in Chinese, with line and column.

And everything at once: nobody mends a file to be told of the next fault in it.
"""

import re

import pytest
from click.testing import CliRunner
from test_config import GOOD

from hub.__main__ import main
from hub.config import ConfigError
from hub.configfile import load


@pytest.fixture
def write(tmp_path):
    (tmp_path / "keys").mkdir()
    for name in ("api.pem", "api.key", "k1.pem"):
        (tmp_path / "keys" / name).write_text("", encoding="utf-8")

    def write(text, encoding="utf-8"):
        path = tmp_path / "hub.toml"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return path

    return write


def said(path):
    with pytest.raises(ConfigError) as error:
        load(path)
    text = str(error.value)
    assert text.startswith(f"{path}：")
    words = text.replace(str(path), "").removeprefix("：")
    # Not one English sentence: names of keys and of encodings are all that is not Chinese.
    assert not re.search(r"[A-Za-z]{3,} [a-z]{2,}", words), words
    return words


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("hall = demo", (1, 8), "半角双引号"),
        ('hall "x"', (1, 6), "半角等号"),
        ('a = "1"\nhall = "x" "y"', (2, 12), "多余"),
        ('hall = "x"\nhall = "y"', (2, 11), "写了两次"),
        ("[api]\n[api]", (2, 5), "同一节写了两次"),
        ("[api\nport = 1", (1, 5), "右方括号"),
        ("[[windows]\n", (1, 10), "右方括号"),
        ("= 1", (1, 1), "看不懂这一行"),
        ('hall = "x', (1, 10), "结尾"),
        ('hall = "x\nstate = "s"', (1, 10), "半角双引号"),
        ('a = ["1",\n', (1, 10), "括号"),
        ('a = ["1"', (1, 9), "右方括号"),
        ("a = '1", (1, 7), "引号"),
        ('a = {b = "1"\n', (1, 13), "右花括号"),
        ('path = "C:\\hub"', (1, 13), "反斜杠"),
        ("a = 2026-02-30", (1, 5), "日期"),
        ('a = "\x01"', (1, 6), "不能用的字符"),
        ("a = {b = 1, b = 2}", (1, 18), "写了两次"),
        ("hall = ", (1, 8), "写法不对"),
    ],
)
def test_a_fault_of_the_form_has_its_line_its_column_and_what_to_do(write, text, place, why):
    """As an editor counts them, from one; what is missing at the end is told where it ended."""
    line, column = place
    words = said(write(text))
    assert words.startswith(f"第 {line} 行第 {column} 列："), words
    assert why in words


@pytest.mark.parametrize(
    ("text", "place", "sign"),
    [
        ("hall = “示例”", (1, 8), "“"),
        ('hall＝"x"', (1, 5), "＝"),
        ("hall = 1\n［api］", (2, 1), "［"),
        ("【api】", (1, 1), "【"),
        ('hall = "示例”\nstate = "s"', (1, 12), "”"),
        ('hall = "示例”', (1, 12), "”"),
        ('hall = "x"；', (1, 11), "；"),
        ('a = ["x"，"y"]', (1, 9), "，"),
        ('hall\u3000= "x"', (1, 5), "这里的空格"),
    ],
)
def test_a_sign_in_full_width_is_named(write, text, place, sign):
    """The commonest slip where people type Chinese."""
    words = said(write(text))
    assert words.startswith(f"第 {place[0]} 行第 {place[1]} 列：")
    assert f"{sign}是全角的" in words.replace(" ", "")
    assert words.endswith("请切换到英文输入法，改用半角")


def test_a_file_of_an_editor_on_windows_loads(write):
    """With its mark at the beginning, and with its line ends."""
    assert load(write(GOOD.replace("\n", "\r\n"), "utf-8-sig")).hall == "demo-hall"
    assert "另存为 UTF-8" in said(write(GOOD, "gbk"))
    assert "另存为 UTF-8" in said(write(GOOD, "utf-16"))


def test_what_cannot_be_opened_is_told_with_what_to_check(tmp_path):
    assert "请检查路径" in said(tmp_path)
    with pytest.raises(ConfigError, match="找不到配置文件"):
        load(tmp_path / "none.toml")


def load_or_none(path):
    try:
        return load(path)
    except ConfigError:
        return None


def test_every_start_of_a_file_is_told_in_chinese(write):
    """Cut off anywhere it loads, or says why it does not."""
    for end in range(0, len(GOOD), 3):
        path = write(GOOD[:end])
        if load_or_none(path) is None:
            assert said(path)


def test_faults_of_the_second_look_are_told_with_those_of_the_first(write):
    """A wrong port beside a missing file, a host without TLS, two windows of one name."""
    text = (
        GOOD.replace('hall = "demo-hall"', 'hall = "demo/hall"')
        .replace("idle_minutes = 5", 'idle_minutes = "5"')
        .replace('name = "2号窗口"', 'name = "1号窗口"')
        .replace("keys/k1.pem", "keys/none.pem")
        + '\n[broker]\nembedded = false\nhost = "10.0.0.1"\n[public]\nurl = "http://pj.example"\n'
    )
    told = said(write(text))
    for place in ("api.idle_minutes", "hall", "windows", "devices[1].public_key", "broker.tls"):
        assert f"{place}：" in told, told
    assert "public.url：" in told


def test_what_is_missing_altogether_hides_nothing_and_is_told_once(write):
    """No hall, no name, no state: the rest is looked at all the same."""
    told = said(write('[broker]\nembedded = false\nhost = "10.0.0.1"\n'))
    for place in ("hall：", "hall_name：", "state：", "broker.tls："):
        assert told.count(place) == 1, told


def test_a_section_with_a_fault_is_told_of_that_one_alone(write):
    """What follows from half a section would only mislead."""
    told = said(write(GOOD + '\n[broker]\nhost = "10.0.0.1"\nport = "x"\n'))
    assert "broker.port：" in told
    assert "broker.tls" not in told


def test_the_command_says_it_too(write):
    """One line for the clerk, no stack of calls."""
    path = write("hall = demo")
    found = CliRunner().invoke(main, ["status", "--config", str(path)])
    assert found.exit_code != 0
    assert "第 1 行第 8 列" in found.output
    assert "Traceback" not in found.output
