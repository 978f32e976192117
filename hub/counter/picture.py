"""A photograph that somebody sends, made into the small JPEG that a kiosk shows (照片).

What comes in is a stranger's file: only JPEG and PNG are tried, bounded in bytes, pixels and
scans before anything is decoded. What goes out is made anew from the pixels alone: upright, cut
to 3:4 about the middle, without place, camera or any other word of the file.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable

from PIL import Image, ImageOps

from hub.accounts.errors import AccountError
from protocol.messages import PICTURE_LIMIT

SIZE = (360, 480)
"""Width and height of what a kiosk gets, in pixels."""

LEAST = (180, 240)
"""What is smaller would only be a blur on the screen."""

PIXELS_LIMIT = 40_000_000
"""A camera's picture has up to 36 million; four bytes each have to be held once or twice."""

UPLOAD_LIMIT = 20 * 1024 * 1024
"""The largest file that is taken, in bytes."""

_SCANS_LIMIT = 64
"""A progressive JPEG has about ten; thousands of empty ones would keep a decoder busy for hours."""

_START_OF_SCAN = b"\xff\xda"
_QUALITIES = (88, 80, 70, 60, 50, 40, 30, 20)
_PAPER = (255, 255, 255)
_ANOTHER = "请另选一张 JPG 或 PNG 格式的照片"


class PictureUnfit(AccountError):
    """A file that is no photograph, or none that a kiosk could show."""

    code = "picture_unfit"
    status = 422


class PictureTooLarge(PictureUnfit):
    """More bytes than are read."""

    status = 413

    def __init__(self) -> None:
        size = UPLOAD_LIMIT // (1024 * 1024)
        super().__init__(f"文件超过 {size} MB：请把照片缩小后再上传，或另选一张")


def portrait(data: bytes) -> bytes:
    """Return the JPEG for a kiosk, at most `PICTURE_LIMIT` bytes; raises `PictureUnfit`."""
    if not data:
        raise PictureUnfit("没有选择照片：请先选择文件，再上传")
    if len(data) > UPLOAD_LIMIT:
        raise PictureTooLarge
    if data.startswith(b"\xff\xd8") and data.count(_START_OF_SCAN) > _SCANS_LIMIT:
        raise PictureUnfit(f"这个文件不是正常的照片：{_ANOTHER}")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as opened:
            return _saved(_cut(opened))
    except PictureUnfit:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # decoders raise whatever comes of a spoiled file
        raise PictureUnfit(f"这个文件打不开，不是照片或已经损坏：{_ANOTHER}") from error


def _too_many_pixels() -> PictureUnfit:
    most = PIXELS_LIMIT // 10_000
    return PictureUnfit(f"照片太大，最多 {most} 万像素：请缩小后再上传，或另选一张")


def _cut(opened: Image.Image) -> Image.Image:
    """Return the picture upright, opaque, 3:4 and of `SIZE`."""
    width, height = opened.size
    if width * height > PIXELS_LIMIT:
        raise _too_many_pixels()
    if opened.format == "PNG" and getattr(opened, "is_animated", False):
        raise PictureUnfit("这是动图：请上传一张静止的照片")
    # A JPEG need not be decoded larger than it takes: an eighth of it does for a camera's.
    spare = min(width, height) // (2 * max(SIZE))
    if spare > 1:
        opened.draft("RGB", (width // spare, height // spare))
    ImageOps.exif_transpose(opened, in_place=True)
    ratio = SIZE[0] / SIZE[1]
    cut_width = min(opened.width, round(opened.height * ratio))
    if cut_width < LEAST[0] or cut_width / ratio < LEAST[1]:
        raise PictureUnfit(
            f"照片太小：裁成 3∶4 后至少要 {LEAST[0]}×{LEAST[1]} 像素，请另选一张清楚的"
        )
    return _opaque(ImageOps.fit(_plain(opened), SIZE, Image.Resampling.LANCZOS))


def _plain(found: Image.Image) -> Image.Image:
    """Return a picture of red, green and blue, with its transparency if it has one."""
    if found.mode.startswith("I"):  # 16 bits of grey: the upper eight
        found = found.point(lambda value: value / 256).convert("L")
    mode = "RGBA" if found.has_transparency_data else "RGB"
    return found if found.mode == mode else found.convert(mode)


def _opaque(found: Image.Image) -> Image.Image:
    """Return the pixels alone, on paper: nothing that the file said goes with them."""
    clean = Image.new("RGB", found.size, _PAPER)
    clean.paste(found, mask=found.getchannel("A") if found.mode == "RGBA" else None)
    return clean


def _saved(found: Image.Image) -> bytes:
    for quality in _QUALITIES:
        out = io.BytesIO()
        found.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= PICTURE_LIMIT:
            return out.getvalue()
    raise PictureUnfit(f"照片里细碎的内容太多，存不进评价器：{_ANOTHER}")


class Studio:
    """Makes portraits one at a time, off the event loop: each takes memory for a while."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def portrait(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the portrait of what `read` gives; raises `PictureUnfit`.

        It is read only when its turn has come, so that few files lie in memory at once.
        """
        async with self._turn:
            return await asyncio.to_thread(portrait, await read())
