"""Whether a document can be read at all by whoever looks at a ruling's evidence one day.

It is known by its content, never by its name. A picture is opened and decoded whole, a PDF has
to begin and to end as one: what was cut off on its way would be evidence of nothing.
"""

import asyncio
import io

from PIL import Image

from hub.errors import DocumentUnfit
from hub.rules.documents import LIMIT, DocumentKind, kind_of

PIXELS_LIMIT = 40_000_000
"""An A4 page at 600 dpi has 35 million; up to four bytes each are held while it is looked at."""

END_REGION = 1024
"""In so many last bytes a PDF says that it ends (ISO 32000-1, 7.5.5; as readers look for it)."""

_PADDING = b"\0\t\n\r "  # with which scanners and mail programs fill up
_SCANS_LIMIT = 64
_START_OF_SCAN = b"\xff\xda"
_AGAIN = "请打开原文件看看是否完好，重新扫描或导出后再上传"


class Examiner:
    """Looks at documents one at a time, off the event loop: a picture takes memory for a while."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def kind(self, data: bytes) -> DocumentKind:
        """Return what a document is; raises `DocumentUnfit`."""
        async with self._turn:
            return await asyncio.to_thread(examined, data)


def examined(data: bytes) -> DocumentKind:
    """Return what a document is once it was found whole; raises `DocumentUnfit`."""
    if len(data) > LIMIT:
        raise DocumentUnfit(f"文件超过 {LIMIT >> 20} MB：请压缩或拆分后再上传")
    kind = kind_of(data)
    if kind is None:
        raise DocumentUnfit("只收 PDF、JPEG、PNG 文件：请把材料转成其中一种再上传")
    if kind == "pdf":
        if b"%%EOF" not in data.rstrip(_PADDING)[-END_REGION:]:
            raise DocumentUnfit(f"这个 PDF 文件不完整，没有结尾：{_AGAIN}")
        return kind
    if kind == "jpeg" and data.count(_START_OF_SCAN) > _SCANS_LIMIT:
        raise DocumentUnfit(f"这个文件不是正常的图片：{_AGAIN}")
    _decoded(data)
    return kind


def _decoded(data: bytes) -> None:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as opened:
            _check_size(opened)
            # Of a JPEG an eighth of each side: all of the file is read, little is held.
            opened.draft("L", (opened.width // 8, opened.height // 8))
            opened.load()
    except DocumentUnfit:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # decoders raise whatever comes of a spoiled file
        raise DocumentUnfit(f"这个图片打不开，不完整或已经损坏：{_AGAIN}") from error


def _check_size(opened: Image.Image) -> None:
    if opened.width * opened.height > PIXELS_LIMIT:
        raise _too_many_pixels()


def _too_many_pixels() -> DocumentUnfit:
    most = PIXELS_LIMIT // 10_000
    return DocumentUnfit(f"图片太大，最多 {most} 万像素：请缩小，或按 600 dpi 以下重新扫描")
