"""The command that tries a model and listens to a pad."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from keypad_world import Plug

from device.keypad import model, openframe, sheet
from device.keypad import reader as readers
from device.keypad.keypad_commands import CAUSES, keypad
from device.keypad.settings import KeypadConfig

PAGE = (Path(__file__).parents[3] / "docs" / "keypads.zh-CN.md").read_text(encoding="utf-8")
PROGRAM = "from device.keypad.keypad_commands import keypad; keypad()"


def run(*words):
    return CliRunner().invoke(keypad, words)


@pytest.mark.parametrize("name", model.shipped())
def test_a_model_is_described_key_by_key(name):
    """Each code with the level it means, and those that are no rating."""
    said = run("--model", name)
    assert said.exit_code == 0
    each = model.load(name, Path())
    for code, level in each.keys.items():
        assert re.search(f"代码 {code.hex(' ').upper()}：.*（{level}）", said.output)
    assert said.output.count("不是评价") == len(each.ignored)
    assert ("没有这些等级的键" in said.output) == (len(set(each.keys.values())) < 5)


def test_a_broken_model_is_told_with_all_its_faults(tmp_path, monkeypatch):
    """On the error channel, and the exit code says so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_text('name = ""\nlevels = 5\n', encoding="utf-8")
    said = run("--model", "x.toml")
    assert said.exit_code == 2
    assert "name：不能为空" in said.output
    assert "levels：" in said.output


def test_the_page_s_own_model_loads_and_is_as_it_says():
    """The worked example of the Chinese page is a whole model."""
    text = re.search(r"```toml\n# ours.toml\n(.*?)```", PAGE, re.DOTALL)[1]
    ours = model.parse(text, "ours.toml")
    shipped = model.load("example-a", Path())
    assert ours.keys == shipped.keys
    assert ours.pattern == shipped.pattern


def test_the_page_explains_every_key_of_a_model_file():
    """A row for each, with its default."""
    table = PAGE.split("| 键 | 默认 |")[1].split("\n\n")[0]
    rows = dict(re.findall(r"^\| `\[?([\w.]+)\]?` \| (.+?) \|", table, re.MULTILINE))
    parts = {"line": sheet.LineSheet, "frame": sheet.FrameSheet, "indicators": sheet.IndicatorSheet}
    for field in msgspec.structs.fields(sheet.Sheet):
        inner = msgspec.structs.fields(parts[field.name]) if field.name in parts else ()
        for each in inner or (field,):
            place = f"{field.name}.{each.name}" if inner else field.name
            shown = rows.pop(place)
            number = isinstance(each.default, int)
            assert shown == (f"`{each.default}`" if number else "必填" if each.required else "空")
    assert not rows


def test_every_cause_is_explained():
    """To a person who tries a pad, and in the reader's own list; the usual ones on the page."""
    assert set(re.findall(r"`(\w+)`", readers.__doc__)) == set(CAUSES)
    shown = dict(re.findall(r"`(\w+)` ([^、。`]+)", PAGE.split("`refused` 的原因：")[1]))
    assert set(shown) - set(CAUSES) == {"stale_bytes", "not_taken"}


def test_a_port_that_cannot_be_opened_is_told(tmp_path):
    """In Chinese, with what to check."""
    said = run("--port", str(tmp_path / "nothing"))
    assert said.exit_code == 1
    assert "没有这个端口" in said.output


def test_listening_shows_bytes_and_levels_and_why_not(tmp_path):
    """A press, an unknown code, noise; nothing is sent to the pad, and pulling it out ends it."""
    plug = Plug(tmp_path / "pad").plug()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--model", "open", "--port", str(tmp_path / "pad")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as command:
        try:
            assert "评议开放帧" in command.stdout.readline()
            plug.say(openframe.press(1, 5) + openframe.press(2, 9) + b"noise")
            said = []
            while not said or "不属于任何帧的字节" not in said[-1]:
                said.append(command.stdout.readline())
                assert said[-1], said
            heard = plug.heard()
        finally:
            plug.unplug()
        end = command.stdout.read()
    assert heard == b""
    assert command.returncode == 1
    assert "收到 F7 50 01 03 01 01 05" in "".join(said)
    assert "按键 非常满意（5）\n" in said
    assert "未采用 型号里没有的代码：1\n" in said
    assert said[-1] == "未采用 不属于任何帧的字节：5\n"
    assert "按键盒已拔掉" in end


def test_the_settings_of_a_kiosk_without_pads_are_the_default():
    """Nothing needs to be written where there is none."""
    assert KeypadConfig().port == ""
    assert KeypadConfig().model in model.shipped()
