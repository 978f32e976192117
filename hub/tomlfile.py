"""A TOML file, or in words of the hall what its first fault is and in which line and column.

The parser of the standard library tells its faults in English, and has no other form for them.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from hub.config import ConfigError

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

_MEANINGS = (
    ("Invalid value", "值的写法不对：文字要放在半角双引号里，是否只能写 true 或 false"),
    ("Invalid statement", "看不懂这一行：应为“名称 = 值”，或方括号里的节名"),
    ("Invalid initial character for a key", "名称里有不能用的字符：只用字母、数字、下划线、短横"),
    ("Expected '='", "名称后面要有半角等号"),
    ("Expected newline or end of document", "一行只能写一项，值的后面有多余的内容"),
    ("Expected ']", "节名少了右方括号 ]"),
    ("Expected ", "文字少了结尾的引号"),
    ("Cannot overwrite a value", "同一项写了两次：请删去一个"),
    ("Cannot declare", "同一节写了两次：请合并成一节"),
    ("Cannot mutate", "这一节前面已经写成花括号的形式，不能再添加"),
    ("Duplicate inline table key", "同一项写了两次：请删去一个"),
    ("Unclosed array", "列表少了右方括号 ]"),
    ("Unclosed inline table", "少了右花括号 }"),
    ("Unterminated string", "文字少了结尾的半角双引号"),
    ("Illegal character", "文字里有不能用的字符，或少了结尾的半角双引号"),
    ("Found invalid character", "文字里有不能用的字符"),
    ("Unescaped '\\'", "文字里的反斜杠 \\ 要写成 \\\\"),
    ("Invalid hex value", "文字里的反斜杠 \\ 要写成 \\\\"),
    ("Invalid date", "日期或时间不对"),
    ("Escaped character", "文字里的反斜杠 \\ 要写成 \\\\"),
)
_SHORT = "没有写完，或写法不对：看看是否少了值、引号或括号"
_QUOTES = "“”‘’＂"
_WIDE = f"{_QUOTES}＝［］【】｛｝，．。　＃：；"


def read(path: Path) -> dict[str, Any]:
    """Return what a file says; raises `ConfigError`."""
    try:
        # With or without the mark that editors on Windows put first.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"找不到配置文件 {path}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}：不是 UTF-8 编码：请在编辑器里另存为 UTF-8，再试一次") from None
    except OSError as error:
        raise ConfigError(
            f"{path}：无法读取（{error.strerror}）：请检查路径、所有者和权限"
        ) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}：{_told(str(error), text)}") from error


def _told(fault: str, text: str) -> str:
    lines = text.splitlines() or [""]
    found = _PLACE.search(fault)
    if found is None or found[1] is None:
        # The end is where it was noticed; what is missing is missing from the last line written.
        line = max((number for number, each in enumerate(lines, 1) if each.strip()), default=1)
        column = len(lines[line - 1]) + 1
    else:
        line, column = int(found[1]), int(found[2])
    if found is not None and found[1] is None and fault.startswith("Invalid"):
        fault = ""
    meaning = next((said for start, said in _MEANINGS if fault.startswith(start)), _SHORT)
    written = lines[line - 1] if line <= len(lines) else ""
    sign = written[column - 1 :].lstrip(" \t")[:1]
    if not sign:  # a text that did not end where it was to, perhaps
        sign = next((each for each in reversed(written) if each in _QUOTES), "")
    if sign and sign in _WIDE:
        name = "这里的空格" if sign.isspace() else f" {sign} "
        meaning = f"{name}是全角的：请切换到英文输入法，改用半角"
    return f"第 {line} 行第 {column} 列：{meaning}"
