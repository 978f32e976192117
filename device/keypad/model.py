"""A model of pad: read strictly from its file, every fault told at once and in Chinese."""

import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from msgspec import Struct

from device.keypad import checksums, openframe, pattern
from device.keypad.lamp import Lamp
from device.keypad.pattern import Pattern, PatternError
from device.keypad.sheet import LineSheet, Sheet
from protocol import strict
from protocol.catalogue import LEVELS
from protocol.strict import Fault

ENOUGH_PROOF = 3
"""Fixed and checksum bytes that let a frame be looked for amid noise; with fewer, silence must."""

COMMAND_LIMIT = 64
_SAYS_NOTHING = (0x00, 0xFF)


class ModelError(Exception):
    """The model cannot be used; the text lists every fault with file and key, in Chinese."""


class Model(Struct, frozen=True):
    """What a file says, ready for use. `pattern` is None where the pad speaks our open frame.

    `keys` leads from code to level, `ignored` holds what is known to be no rating; times are in
    milliseconds, as in `Sheet`.
    """

    name: str
    line: LineSheet
    keys: dict[bytes, int]
    ignored: frozenset[bytes]
    pattern: Pattern | None
    gap_ms: int
    quiet_ms: int
    repeat_ms: int
    alive_ms: int
    commands: dict[Lamp, bytes]


def shipped() -> list[str]:
    """Return the names of the models that come with the product."""
    files = resources.files("device.keypad").joinpath("data").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str, base: Path) -> Model:
    """Return a model by its shipped name, or from a file whose name ends in `.toml`.

    A file is looked for from `base`. Raises `ModelError`.
    """
    if name.endswith(".toml"):
        where = str(base / name)
        try:
            text = (base / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ModelError(f"找不到按键盒型号文件 {where}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{where}：无法读取：{error}") from error
    elif name in shipped():
        where = f"{name}.toml"
        data = resources.files("device.keypad").joinpath("data", where)
        text = data.read_text(encoding="utf-8")
    else:
        raise ModelError(
            f"没有按键盒型号“{name}”；随机自带的有：{'、'.join(shipped())}；"
            "自己的型号文件请写文件名，以 .toml 结尾"
        )
    return parse(text, where)


def parse(text: str, where: str) -> Model:
    """Read a model's file; `where` names it in the faults. Raises `ModelError`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{where}：不是 TOML 格式：{error}") from error
    faults = list(_words(data))
    sheet = None
    try:
        sheet = strict.convert(data, Sheet)
    except strict.Faults as error:
        faults = [*error.faults, *faults]
    if sheet is not None and not faults:
        faults = list(_sense(sheet))
    if faults or sheet is None:
        raise ModelError("\n".join(f"{where}：{each.place}：{each.message}" for each in faults))
    return _model(sheet)


def _hex(text: object) -> bytes | None:
    """Return the bytes of `AA 55`, or None; single digits and other signs are not guessed at."""
    if not isinstance(text, str) or any(len(pair) != 2 for pair in text.split()):
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def _words(data: dict[str, Any]) -> Iterator[Fault]:
    """What is wrong with single words that the form cannot check: hexadecimal, the drawing."""
    for section in ("keys", "ignored"):
        part = data.get(section)
        for code in part if isinstance(part, dict) else ():
            if not _hex(code):
                yield Fault(
                    f"{section}.{code[:20]}",
                    '代码要写成两位十六进制数，如 "05"；多个字节用空格隔开',
                )
    lamps = data.get("indicators")
    for key, value in lamps.items() if isinstance(lamps, dict) else ():
        command = _hex(value)
        if isinstance(value, str) and (command is None or len(command) > COMMAND_LIMIT):
            yield Fault(
                f"indicators.{key[:20]}",
                f'命令要写成两位十六进制数，如 "AA 55 01"，最多 {COMMAND_LIMIT} 个字节',
            )
    frame = data.get("frame")
    if isinstance(frame, dict):
        drawing, kind = frame.get("pattern"), frame.get("checksum")
        if isinstance(drawing, str) and kind in ("none", *checksums.SUMS):
            try:
                pattern.parse(drawing, str(kind))
            except PatternError as error:
                yield Fault("frame.pattern", str(error))


def _sense(sheet: Sheet) -> Iterator[Fault]:
    """What is wrong between parts that are right by themselves."""
    yield from _levels(sheet)
    seen: dict[bytes, str] = {}
    for section, codes in (("keys", sheet.keys), ("ignored", sheet.ignored)):
        for text in codes:
            code = bytes.fromhex(text)
            if code in seen:
                yield Fault(
                    f"{section}.{text}", f"代码与 {seen[code]} 相同，一个代码只能有一个含义"
                )
            seen.setdefault(code, f"{section}.{text}")
    if sheet.protocol == "open":
        yield from _open(sheet)
    else:
        yield from _frame(sheet)


def _levels(sheet: Sheet) -> Iterator[Fault]:
    stated, keyed = set(sheet.levels), set(sheet.keys.values())
    if len(stated) != len(sheet.levels):
        yield Fault("levels", "同一个等级写了两次")
    for level in sorted(stated - keyed, reverse=True):
        yield Fault("levels", f"写了等级 {level}（{LEVELS[level]}），keys 里却没有这个等级的键")
    for level in sorted(keyed - stated, reverse=True):
        yield Fault("keys", f"有等级 {level}（{LEVELS[level]}）的键，levels 里却没有写这个等级")
    if not stated & {5, 4, 3} or not stated & {2, 1}:
        yield Fault("levels", "好评（5、4、3）和差评（2、1）都要有键，否则群众没有选择")


def _open(sheet: Sheet) -> Iterator[Fault]:
    if sheet.frame is not None:
        yield Fault("frame", 'protocol = "open" 时帧格式是固定的，不能写 [frame]')
    if any((sheet.indicators.idle, sheet.indicators.invited, sheet.indicators.accepted)):
        yield Fault("indicators", 'protocol = "open" 时指示命令是固定的，不能写 [indicators]')
    if sheet.ignored:
        yield Fault("ignored", 'protocol = "open" 时没有这样的代码，不能写 [ignored]')
    for text, level in sheet.keys.items():
        if bytes.fromhex(text) != bytes((level,)):
            yield Fault(f"keys.{text}", f'protocol = "open" 时代码就是等级，应写 "{level:02X}"')
    if not sheet.alive_ms:
        yield Fault("alive_ms", 'protocol = "open" 的按键盒每 5 秒报一次平安，应写 15000 左右')


def _frame(sheet: Sheet) -> Iterator[Fault]:
    if sheet.frame is None:
        yield Fault("frame", 'protocol = "pattern" 时必须有 [frame]')
        return
    drawn = pattern.parse(sheet.frame.pattern, sheet.frame.checksum)
    width = drawn.key.stop - drawn.key.start
    for section, codes in (("keys", sheet.keys), ("ignored", sheet.ignored)):
        for text in codes:
            if len(bytes.fromhex(text)) != width:
                yield Fault(
                    f"{section}.{text}", f"frame.pattern 里 key 有 {width} 个字节，这里不是"
                )
    if not sheet.frame.quiet_ms and (not drawn.start or drawn.proof < ENOUGH_PROOF):
        yield Fault(
            "frame.quiet_ms",
            f"帧里固定字节加校验字节共 {drawn.proof} 个"
            f"{'，也没有固定的开头' if not drawn.start else ''}，单凭内容分不清按键和干扰，"
            f"必须写 quiet_ms（如 60）：前后都安静才算一次按键；"
            f"有固定开头且不少于 {ENOUGH_PROOF} 个时才可以不写",
        )
    if not drawn.proof:
        for text in sheet.keys:
            if set(bytes.fromhex(text)) <= set(_SAYS_NOTHING):
                yield Fault(
                    f"keys.{text}", "00 和 FF 是线路干扰最常见的字节，这样的帧里不能当作按键"
                )


def _model(sheet: Sheet) -> Model:
    frame = sheet.frame
    if frame is None:
        commands = dict.fromkeys(Lamp, b"")
    else:
        commands = {lamp: bytes.fromhex(getattr(sheet.indicators, lamp)) for lamp in Lamp}
    return Model(
        name=sheet.name,
        line=sheet.line,
        keys={bytes.fromhex(code): level for code, level in sheet.keys.items()},
        ignored=frozenset(bytes.fromhex(code) for code in sheet.ignored),
        pattern=pattern.parse(frame.pattern, frame.checksum) if frame else None,
        gap_ms=frame.gap_ms if frame else openframe.GAP_MS,
        quiet_ms=frame.quiet_ms if frame else 0,
        repeat_ms=sheet.repeat_ms,
        alive_ms=sheet.alive_ms,
        commands=commands,
    )
