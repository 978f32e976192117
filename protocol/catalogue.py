"""The levels and reasons of the national rating standard, as versioned data with a checksum.

Nobody may add, drop or reword an entry locally (`domain` table 2), so the list ships as a
file, is checked when it is loaded, and every rating records the version it was made with.
"""

import hashlib
from functools import cache
from importlib import resources

import msgspec

from protocol.errors import CatalogueError

CURRENT = "2021.1"
LEVELS = {5: "非常满意", 4: "满意", 3: "基本满意", 2: "不满意", 1: "非常不满意"}


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reason: its code's first digit is its level; `first` = shown without 展开."""

    code: str
    text: str
    first: bool = False


class LevelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One level with its reasons, in the order in which they are shown."""

    level: int
    name: str
    reasons: tuple[Reason, ...]


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole list; `sha256` is taken over the canonical JSON of `levels`."""

    version: str
    sha256: str
    levels: tuple[LevelEntry, ...]

    def reasons(self, level: int) -> tuple[Reason, ...]:
        """Return the reasons of a level (5..1), or raise `CatalogueError`."""
        for entry in self.levels:
            if entry.level == level:
                return entry.reasons
        raise CatalogueError(f"评价目录 {self.version} 中没有等级 {level}")

    def has(self, level: int, codes: tuple[str, ...]) -> bool:
        """Whether every code is a reason of that level."""
        return set(codes) <= {reason.code for reason in self.reasons(level)}


def checksum(levels: tuple[LevelEntry, ...]) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of `levels`."""
    return hashlib.sha256(msgspec.json.encode(levels, order="deterministic")).hexdigest()


def parse(data: bytes) -> Catalogue:
    """Read a catalogue file; raises `CatalogueError` if it is damaged or was altered."""
    try:
        found = msgspec.json.decode(data, type=Catalogue)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CatalogueError(f"评价目录无法读取：{error}") from error
    if checksum(found.levels) != found.sha256:
        raise CatalogueError(f"评价目录 {found.version} 校验和不符，内容被改动，请重新安装")
    return found


@cache
def load(version: str = CURRENT) -> Catalogue:
    """Return a catalogue that ships with the product; raises `CatalogueError` if unknown."""
    name = f"catalogue-{version}.json"
    file = resources.files("protocol").joinpath("data", name)
    if "/" in version or not file.is_file():
        raise CatalogueError(f"没有版本为 {version} 的评价目录，请升级软件")
    found = parse(file.read_bytes())
    if found.version != version:
        raise CatalogueError(f"评价目录文件 {name} 自称版本 {found.version}")
    return found
