"""A pad's frame as its model file draws it: `AA 55 [ 03 key any ] sum 0D`.

Two hexadecimal digits are that byte; `key` is the key's code (several in a row: a code of
several bytes), `any` a byte that means nothing here. `sum`, or `sum-low` and `sum-high`, is the
checksum of what stands between the brackets.
"""

import re

from msgspec import Struct

from device.keypad import checksums

LONGEST = 64
"""Bytes of a frame; pads send four to sixteen."""

_WORD = re.compile(r"[0-9A-Fa-f]{2}|key|any|sum(?:-low|-high)?|[\[\]]")


class PatternError(ValueError):
    """The drawing makes no sense; the text says why, in Chinese."""


class Pattern(Struct, frozen=True):
    """A frame of fixed length. Places count from 0; `fixed` holds what must stand where."""

    length: int
    start: bytes
    fixed: tuple[tuple[int, int], ...]
    key: slice
    checksum: str = "none"
    covered: slice = slice(0, 0)
    places: tuple[int, ...] = ()  # of the checksum's bytes, the lowest byte first

    def size(self, data: bytes | bytearray, at: int) -> int | None:
        """Return how long the frame that begins at `at` is: always the same."""
        del data, at
        return self.length

    def fault(self, frame: bytes) -> str:
        """Say why these bytes are no sound frame, in one stable word; empty if they are."""
        if any(frame[place] != byte for place, byte in self.fixed):
            return "bad_form"
        if self.checksum == "none":
            return ""
        said = sum(frame[place] << 8 * rank for rank, place in enumerate(self.places))
        return "" if said == checksums.SUMS[self.checksum](frame[self.covered]) else "bad_checksum"

    @property
    def proof(self) -> int:
        """Return how many bytes tell a frame from noise: fixed ones and the checksum's."""
        return len(self.fixed) + len(self.places)

    def frame(self, code: bytes, filler: int = 0) -> bytes:
        """Return the frame that a pad sends for a key; `filler` stands for each `any`."""
        frame = bytearray([filler] * self.length)
        for place, byte in self.fixed:
            frame[place] = byte
        frame[self.key] = code
        if self.checksum != "none":
            value = checksums.SUMS[self.checksum](bytes(frame[self.covered]))
            for rank, place in enumerate(self.places):
                frame[place] = value >> 8 * rank & 0xFF
        return bytes(frame)


def parse(text: str, checksum: str) -> Pattern:
    """Read a drawing; raises `PatternError` with the first thing that is wrong in it."""
    words = text.split()
    for word in words:
        if not _WORD.fullmatch(word):
            raise PatternError(
                f"看不懂“{word[:20]}”；"
                "只能写两位十六进制数、key、any、sum、sum-low、sum-high、[ 和 ]"
            )
    cells = [word for word in words if word not in "[]"]
    if not 1 <= len(cells) <= LONGEST:
        raise PatternError(f"应有 1 至 {LONGEST} 个字节，实有 {len(cells)} 个")
    keys = [place for place, word in enumerate(cells) if word == "key"]
    if not keys:
        raise PatternError("没有 key：不知道哪个字节是按键代码")
    key = slice(keys[0], keys[-1] + 1)
    if key.stop - key.start != len(keys):
        raise PatternError("key 必须连在一起")
    places = _places(cells, checksum)
    covered = _covered(words, key, places, checksum)
    fixed = tuple((place, int(word, 16)) for place, word in enumerate(cells) if len(word) == 2)
    start = bytes(byte for rank, (place, byte) in enumerate(fixed) if rank == place)
    return Pattern(len(cells), start, fixed, key, checksum, covered, places)


def _places(cells: list[str], checksum: str) -> tuple[int, ...]:
    width = checksums.width(checksum)
    wanted = ((), ("sum",), ("sum-low", "sum-high"))[width]
    found = [word for word in cells if word.startswith("sum")]
    if sorted(found) != sorted(wanted):
        asked = "、".join(wanted) or "任何 sum"
        raise PatternError(
            f'checksum = "{checksum}" 时{"应各写一个" if wanted else "不能写"}{asked}'
        )
    return tuple(cells.index(word) for word in wanted)


def _covered(words: list[str], key: slice, places: tuple[int, ...], checksum: str) -> slice:
    if not places:
        if "[" in words or "]" in words:
            raise PatternError("没有校验时不能写 [ 和 ]")
        return slice(0, 0)
    if words.count("[") != 1 or words.count("]") != 1 or words.index("[") > words.index("]"):
        raise PatternError(f"请用一对 [ ] 括出 {checksum} 所校验的字节")
    covered = slice(words.index("["), words.index("]") - 1)
    if not covered.start <= key.start < key.stop <= covered.stop:
        raise PatternError("key 必须在 [ ] 之内，否则校验保护不了按键代码")
    if any(covered.start <= place < covered.stop for place in places):
        raise PatternError("校验字节本身不能在 [ ] 之内")
    return covered
