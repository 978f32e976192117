"""What a hall needs to be let in by its city: a name in clear, secrets as files."""

import stat
from pathlib import Path
from typing import Literal

from msgspec import Struct

from hub.upstream.sm import CityKey, HallKey, SmError
from protocol.messages import Part
from protocol.strict import Fault, Faults

Need = Literal["app_mark", "app_word", "city_key", "hall_key", "body_key", "feed_key"]
_LONGEST = 64 * 1024


class Access(Part, frozen=True, kw_only=True):
    """`[upstream.access]` of hub.toml; all but `app_mark` are names of files.

    `app_mark` (appMark, app key) is the name the city gave the hall, `app_word` (appWord) its
    password, `city_key` the city's SM2 public key, `hall_key` the hall's own SM2 private key,
    `body_key` the SM4 key: 32 hexadecimal digits or 16 characters, `feed_key` the interface key
    that a larger hall has given to this one.
    """

    app_mark: str = ""
    app_word: str = ""
    city_key: str = ""
    hall_key: str = ""
    body_key: str = ""
    feed_key: str = ""


class Keys(Struct, frozen=True, kw_only=True):
    """What stood in the files; empty or None where it was not needed."""

    app_mark: str = ""
    app_word: str = ""
    city_key: CityKey | None = None
    hall_key: HallKey | None = None
    body_key: bytes = b""
    feed_key: str = ""


def read(access: Access, base: Path, needs: frozenset[Need]) -> Keys:
    """Read what a dialect needs, paths relative to `base`; raises `Faults` with all of them."""
    faults: list[Fault] = []
    found: dict[str, object] = {}
    for need in sorted(needs):
        value = getattr(access, need)
        if not value:
            faults.append(Fault(f"upstream.access.{need}", "缺少此项：所选的报文格式要用它"))
            continue
        try:
            found[need] = value if need == "app_mark" else _load(need, base / value)
        except SmError as error:
            faults.append(Fault(f"upstream.access.{need}", str(error)))
    if faults:
        raise Faults(faults)
    return Keys(**found)  # type: ignore[arg-type]


def _load(need: Need, path: Path) -> object:
    content = _content(path, secret=need != "city_key")
    if need == "city_key":
        return CityKey(content)
    if need == "hall_key":
        return HallKey(content)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SmError(f"{path}：不是 UTF-8 文本") from None
    if need == "app_word":
        return text
    if need == "feed_key":
        if not text.isascii() or not text.isprintable() or " " in text:
            raise SmError(f"{path}：不是接口密钥：应只有一行，由上级大厅用 key add 发放")
        return text
    try:
        key = bytes.fromhex(text) if len(text) == 32 else text.encode("ascii")
    except ValueError:
        key = b""
    if len(key) != 16:
        raise SmError(f"{path}：SM4 密钥应为 32 位十六进制，或 16 个字符")
    return key


def _content(path: Path, *, secret: bool) -> bytes:
    """Read a file that nobody else may change, nor read where it is secret."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise SmError(f"{path}：不是普通文件")
        if secret and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SmError(f"{path}：密钥文件可被他人读取，请执行 chmod 600 {path}")
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise SmError(f"{path}：公钥文件可被他人改写，请执行 chmod 644 {path}")
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1).strip()
    except OSError as error:
        raise SmError(f"{path}：无法读取：{error.strerror}") from None
    if not content:
        raise SmError(f"{path}：文件是空的")
    if len(content) > _LONGEST:
        raise SmError(f"{path}：文件过大，不像是密钥")
    return content
