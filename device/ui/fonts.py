"""The kiosk's two typefaces: the Simplified Chinese faces of Debian's Noto Sans CJK.

Debian ships collections whose first face is Japanese: it draws 门, 直 or 骨 the Japanese way,
and Kivy can only open the first face. The Simplified Chinese one is taken out, once.
"""

import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

SOURCE = Path("/usr/share/fonts/opentype/noto")
FAMILY = "Noto Sans CJK SC"


class FontMissing(Exception):
    """The system has no typeface that shows Simplified Chinese; says what to install."""


def simplified_chinese(cache: Path, source: Path = SOURCE) -> tuple[Path, Path]:
    """Return the regular and the bold typeface as files in `cache`, made if need be.

    Making them takes about a third of a second each. Concurrent starts are safe: each
    writes its own file and renames it into place. Raises `FontMissing`.
    """
    return _face(cache, source, "Regular"), _face(cache, source, "Bold")


def _face(cache: Path, source: Path, weight: str) -> Path:
    collection = source / f"NotoSansCJK-{weight}.ttc"
    try:
        stamp = collection.stat()
    except OSError as error:
        raise FontMissing(
            f"缺少中文字体 {collection}，界面无法显示汉字。请执行：sudo apt install fonts-noto-cjk"
        ) from error
    # Size and time in the name: an upgraded font package makes a new file by itself.
    made = cache / f"NotoSansSC-{weight}-{stamp.st_size}-{int(stamp.st_mtime)}.otf"
    if not made.exists():
        # The kiosk's state: its key and what citizens have said come to lie there.
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        cache.mkdir(exist_ok=True)
        _extract(collection, made)
    return made


def _extract(collection: Path, made: Path) -> None:
    from fontTools.ttLib import TTLibError  # noqa: PLC0415 - needed once, at the first start

    handle, name = tempfile.mkstemp(dir=made.parent, prefix=".font-", suffix=".otf")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as out, collection.open("rb") as file:
            # Tables are copied as they are: reordering or recounting them would take seconds.
            _chosen(file).save(out, reorderTables=None)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(made)
    except (TTLibError, EOFError, struct.error, AssertionError, KeyError) as error:
        raise FontMissing(
            f"中文字体 {collection} 已损坏。请执行：sudo apt install --reinstall fonts-noto-cjk"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _chosen(collection: BinaryIO) -> "TTFont":
    """Return the Simplified Chinese face, found by its name: its place is only a custom."""
    from fontTools.ttLib import TTFont  # noqa: PLC0415 - as above

    number, count = 0, 1
    while number < count:
        font = TTFont(
            collection, fontNumber=number, lazy=True, recalcBBoxes=False, recalcTimestamp=False
        )
        if font["name"].getDebugName(1) == FAMILY:
            return font
        number, count = number + 1, font.reader.numFonts
    raise FontMissing(
        f"字体文件中没有简体中文（{FAMILY}）。请执行：sudo apt install --reinstall fonts-noto-cjk"
    )
