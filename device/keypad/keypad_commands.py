"""The command `keypad` of `pingyi-kiosk`: try a model file, and listen to a pad with it."""

import sys
from collections import Counter
from pathlib import Path

import click

from device.clocks import monotonic_ms
from device.keypad import model as models
from device.keypad.model import Model, ModelError
from device.keypad.port import PortError, SerialPort
from device.keypad.reader import Reader
from protocol.catalogue import LEVELS

CAUSES = {
    "noise_bytes": "不属于任何帧的字节",
    "half_frame": "半截的帧",
    "bad_form": "开头对、其余固定字节不对",
    "bad_checksum": "校验不对",
    "not_alone": "前后不够安静，或几个键混在一起",
    "unknown_code": "型号里没有的代码",
    "ignored_code": "已知的非评价代码",
    "repeated_key": "同一个键的连发，算一次按键",
    "repeated_sequence": "同一序号的重发，算一次按键",
    "reused_sequence": "同一序号却是另一个等级，不采用",
    "too_old": "按键时间太久，不采用",
    "unknown_version": "不认识的版本",
    "unknown_type": "不认识的帧类型",
}
"""What each cause of `reader` means, for a person who tries a pad."""

_PORTS = {
    "no-such-port": "没有这个端口，请检查线缆是否插好、端口名称是否写对",
    "no-permission": "没有权限，请用管理员身份执行，或把当前用户加入 dialout 组",
    "in-use": "端口正被别的程序使用；评价器在运行时请先停止它",
    "unplugged": "按键盒已拔掉",
}
_PARITY = {"none": "无校验", "even": "偶校验", "odd": "奇校验"}


@click.command()
@click.option(
    "--model", "name", default="open", show_default=True, help="型号名称，或以 .toml 结尾的文件。"
)
@click.option("--port", help="按键盒的端口，如 /dev/ttyUSB0；不写则只检查型号文件。")
@click.option(
    "--seconds",
    type=click.IntRange(1, 3600),
    default=60,
    show_default=True,
    help="监听多少秒；按 Ctrl-C 提前结束。",
)
def keypad(name: str, port: str | None, seconds: int) -> None:
    """检查按键盒型号文件；写 --port 时监听端口，显示收到的字节和读懂的按键。

    只显示，不产生评价。评价器运行时端口被占用，请先停止评价器。
    """
    try:
        model = models.load(name, Path.cwd())
    except ModelError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if port is None:
        click.echo("\n".join(_described(model)))
        return
    try:
        _listen(model, port, seconds)
    except PortError as error:
        word = str(error)
        click.echo(f"{port}：{_PORTS.get(word, word)}", err=True)
        sys.exit(1)


def _described(model: Model) -> list[str]:
    line = model.line
    lines = [
        f"型号：{model.name}",
        f"串口：{line.baud} 波特，{line.bits} 数据位，{_PARITY[line.parity]}，{line.stop} 停止位",
    ]
    for code, level in model.keys.items():
        frame = model.pattern.frame(code) if model.pattern else b""
        example = f"，收到 {_hex(frame)} 时" if frame else ""
        lines.append(f"代码 {_hex(code)}：{LEVELS[level]}（{level}）{example}")
    lines += [f"代码 {_hex(code)}：不是评价" for code in sorted(model.ignored)]
    missing = [LEVELS[level] for level in LEVELS if level not in model.keys.values()]
    lines += [f"没有这些等级的键：{'、'.join(missing)}"] if missing else []
    return lines


def _listen(model: Model, name: str, seconds: int) -> None:
    port = SerialPort.open(name, model.line)
    click.echo(f"型号：{model.name}。请逐个按键，核对显示的等级……")
    try:
        began = last = monotonic_ms()
        reader = Reader(model, name, began)
        while monotonic_ms() - began < seconds * 1000:
            called = monotonic_ms()
            data = port.read()
            if data:
                click.echo(f"收到 {_hex(data)}")
            found = reader.feed(data, last, monotonic_ms()) if data else reader.silence(called)
            last = called
            for press in found:
                click.echo(f"按键 {LEVELS[press.level]}（{press.level}）")
            for said in _refused(reader.take_counts()):
                click.echo(said)
            reader.take_answers()  # trying is not answering: nothing is promised to the pad
    except KeyboardInterrupt:
        click.echo("已结束")
    finally:
        port.close()


def _refused(counts: Counter[str]) -> list[str]:
    return [f"未采用 {CAUSES[cause]}：{count}" for cause, count in counts.items()]


def _hex(data: bytes) -> str:
    return data.hex(" ").upper()
