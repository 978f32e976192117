"""One TOML file; whatever is wrong with it is told at once, with file and key."""

import pytest

from hub.config import BrokerConfig, ConfigError, ScreensConfig, UpstreamConfig
from hub.configfile import load
from protocol.messages import Window

GOOD = """
hall = "demo-hall"
hall_name = "示例政务服务大厅"
state = "state"

[api]
port = 0
certificate = "keys/api.pem"
key = "keys/api.key"
address = "https://hub.example"
idle_minutes = 5

[screens]
english = false
announcements = ["示例公告一", "示例公告二"]
thanks_s = 15

[upstream]
url = "http://127.0.0.1:9/evaluate"
timeout_s = 5

[[devices]]
name = "k1"
public_key = "keys/k1.pem"

[[windows]]
name = "1号窗口"
label = "综合受理"
ttl_s = 90
elder = true

[[windows]]
name = "2号窗口"
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "keys").mkdir()
    for name in ("api.pem", "api.key", "k1.pem"):
        (tmp_path / "keys" / name).write_text("", encoding="utf-8")

    def write(text):
        path = tmp_path / "hub.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def complaints(path):
    """Return what is said of each key, after checking that every line names the file."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    lines = [line.split("：", 2) for line in str(caught.value).splitlines()]
    assert all(line[0] == str(path) for line in lines)
    return {place: message for _, place, message in lines}


def test_a_good_file_loads(write):
    """What it says is taken, what it leaves out has its default."""
    config = load(write(GOOD))

    assert config.hall == "demo-hall"
    assert config.api.host == "127.0.0.1"
    assert (config.api.certificate, config.api.key) == ("keys/api.pem", "keys/api.key")
    assert (config.api.idle_minutes, config.api.session_hours) == (5, 12)
    assert config.broker == BrokerConfig(embedded=True, host="127.0.0.1", port=1883)
    assert config.upstream == UpstreamConfig(url="http://127.0.0.1:9/evaluate", timeout_s=5.0)
    assert config.screens == ScreensConfig(
        elder=False,
        english=False,
        announcements=("示例公告一", "示例公告二"),
        thanks_s=15,
        reasons_s=60,
    )
    first, second = config.windows
    assert (first.elder, second.elder) == (True, None)
    assert (first.ttl_s, second.ttl_s) == (90, 60)
    assert first.shown() == Window(name="1号窗口", label="综合受理")
    assert second.shown() == Window(name="2号窗口")


def test_little_is_needed(write):
    """Without devices, windows and upstream there is nothing to serve, but no fault either."""
    config = load(write('hall = "h"\nhall_name = "示例大厅"\nstate = "s"\n'))
    assert config.upstream is None
    assert config.windows == ()


def test_all_faults_are_told_at_once(write):
    """Missing, misspelt, of a wrong kind, out of bounds: one run shows them all."""
    path = write(
        """
        hall = 5
        hall_nmae = "示例大厅"

        [api]
        port = 70000
        key_files = ["keys/api"]
        certificate = ["keys/api"]
        address = "hub.example"
        idle_minutes = 0
        session_hours = 25

        [broker]
        embedded = "yes"

        [screens]
        elder = 1
        english = "no"
        announcements = ["", "示\\n例", "甲", "甲", "甲", "甲", "甲", "甲"]
        thanks_s = 4
        reasons_s = 601
        thanks_ms = 20000

        [upstream]
        timeout_s = -1
        parallel = 65

        [[devices]]
        name = "k1"

        [[windows]]
        name = ""
        device = "k1"
        ttl_s = 601
        elder = "yes"
        staff = { name = "示\\n例" }
        """
    )
    assert complaints(path) == {
        "hall": "类型不对：应为文字，实为整数",
        "hall_name": "缺少此项",
        "hall_nmae": "没有这一项，请检查拼写",
        "state": "缺少此项",
        "api.port": "不能大于 65535",
        "api.key_files": "没有这一项，请检查拼写",
        "api.certificate": "类型不对：应为文字，实为数组",
        "api.address": "格式不对，或含有控制字符等不允许的字符",
        "api.idle_minutes": "不能小于 1",
        "api.session_hours": "不能大于 24",
        "broker.embedded": "类型不对：应为 true/false，实为文字",
        "screens.elder": "类型不对：应为 true/false，实为整数",
        "screens.english": "类型不对：应为 true/false，实为文字",
        "screens.announcements[1]": "不能为空",
        "screens.announcements[2]": "格式不对，或含有控制字符等不允许的字符",
        "screens.thanks_s": "不能小于 5",
        "screens.reasons_s": "不能大于 600",
        "screens.thanks_ms": "没有这一项，请检查拼写",
        "upstream.url": "缺少此项",
        "upstream.timeout_s": "必须大于 0.0",
        "upstream.parallel": "不能大于 64",
        "devices[1].public_key": "缺少此项",
        "windows[1].name": "不能为空",
        "windows[1].ttl_s": "不能大于 600",
        "windows[1].elder": "类型不对：应为 true/false 或空，实为文字",
        "windows[1].device": "没有这一项，请检查拼写",
        "windows[1].staff": "没有这一项，请检查拼写",
    }


def test_names_that_do_not_fit_together_are_told(write):
    """Twice the same name, a name no topic can hold, half of what encrypts the interface."""
    path = write(
        """
        hall = "Halle 1"
        hall_name = "示例大厅"
        state = "state"
        devices = [
            { name = "k1", public_key = "keys/k1.pem" },
            { name = "k1", public_key = "keys/k1.pem" },
            { name = "k/2", public_key = "keys/k1.pem" },
        ]
        windows = [{ name = "1号窗口" }, { name = "1号窗口" }]
        api = { certificate = "keys/api.pem" }
        """
    )
    told = complaints(path)
    assert set(told) == {"hall", "devices[3].name", "devices", "windows", "api.certificate"}


def test_announcements_that_no_screen_could_show_are_told(write):
    """More than eight, longer than a line holds, nothing but blanks: each with its place."""
    base = 'hall = "h"\nhall_name = "示例大厅"\nstate = "s"\n[screens]\nannouncements = '
    assert complaints(write(base + str(["示例"] * 9))) == {"screens.announcements": "最多 8 项"}
    assert complaints(write(base + str(["甲", "示" * 121]))) == {
        "screens.announcements[2]": "最多 120 个字符"
    }
    assert complaints(write(base + str(["甲", "  ", "乙"]))) == {
        "screens.announcements[2]": "不能只有空格：请写上内容，或删去这一条"
    }
    assert len(load(write(base + str(["示" * 120] * 8))).screens.announcements) == 8


def test_files_that_are_not_there_are_told(write, tmp_path):
    """Secrets stand in files of their own; each that is missing is named."""
    for name in ("api.pem", "api.key", "k1.pem"):
        (tmp_path / "keys" / name).unlink()
    assert complaints(write(GOOD)) == {
        "devices[1].public_key": "找不到文件 keys/k1.pem",
        "api.certificate": "找不到文件 keys/api.pem",
        "api.key": "找不到文件 keys/api.key",
    }


def test_paths_are_relative_to_the_file(write, monkeypatch):
    """Wherever the hub is started from."""
    path = write(GOOD)
    monkeypatch.chdir("/")
    assert load(path).hall == "demo-hall"


def test_what_cannot_be_read_is_told(write, tmp_path):
    """No file, a folder, no TOML, no UTF-8: always the path and never a stack trace."""
    broken = tmp_path / "gbk.toml"
    broken.write_bytes('hall_name = "大厅"'.encode("gbk"))
    for path in (tmp_path / "none.toml", tmp_path, broken, write("hall = ")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(path) in str(caught.value)
