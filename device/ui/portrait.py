"""The photograph of the clerk, 3:4: decoded off Kivy's thread, one at a time, or none.

What the hub sends is a file that somebody has put there: nothing of it is decoded before its
head has said how large it is, and whatever goes wrong leaves the drawn head and shoulders.
"""

import logging
import queue
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

from kivy.clock import Clock
from kivy.core.image import ImageLoader
from kivy.graphics import RoundedRectangle, SmoothLine
from kivy.graphics.texture import Texture

from device.ui import faces
from device.ui.pictures import NotShown, Pixels, crop, halve, promised
from device.ui.sheet import Box, Sheet
from device.ui.theme import Role
from protocol.messages import PICTURE_LIMIT, Portrait

log = logging.getLogger(__name__)

SHAPE = 3 / 4
"""Width to height of a portrait."""

MOST_SIDE = 2_000
"""Pixels: a file that promises more in either direction is not decoded."""

_LARGEST, _SMALLEST = 400, 100
"""Pixels: so high, or up to twice, are the largest and the smallest copy that is kept."""

_RADIUS = 16


class Photograph(NamedTuple):
    """A portrait on the graphics card, in several sizes; `serial` tells it from the others.

    Nothing is drawn smaller than by half, which would leave steps in it.
    """

    serial: int
    textures: tuple[Any, ...]

    def __eq__(self, other: object) -> bool:
        """Two are the same if they were decoded as one."""
        return isinstance(other, Photograph) and self.serial == other.serial

    def __hash__(self) -> int:
        """Follow `__eq__`."""
        return self.serial

    def best(self, high: int) -> Any:
        """Return the smallest texture that has as many rows as it is drawn high, in pixels."""
        return (
            next((each for each in reversed(self.textures) if each.height >= high), None)
            or (self.textures[0])
        )


class Portraits:
    """`changed` is called on Kivy's thread when another photograph, or none, can be shown."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._wanted = ""
        self._digest = ""
        self._shown: Photograph | None = None
        self._serial = 0
        self._orders: queue.SimpleQueue[Portrait | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[tuple[str, list[Pixels]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._wake = Clock.create_trigger(self._take)

    def show(self, portrait: Portrait | None) -> Photograph | None:
        """Return the photograph on the graphics card; None: none, not yet, or a damaged one.

        Another one than before is read in the background; the old one goes at once.
        """
        digest = portrait.digest if portrait else ""
        if digest != self._wanted:
            self._wanted = digest
            self._shown, self._digest = None, ""
            if portrait is not None:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._read, name="portrait", daemon=True)
                    self._thread.start()
                self._orders.put(portrait)
        return self._shown if self._digest == digest else None

    def close(self) -> None:
        """End the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._orders.put(None)
            thread.join(timeout=5)

    def _read(self) -> None:
        while (portrait := self._orders.get()) is not None:
            if portrait.digest != self._wanted:
                continue  # another clerk is here by now
            copies: list[Pixels] = []
            try:
                copies = decode(portrait.picture)
            except Exception as error:  # noqa: BLE001 - a decoder fed with anything raises anything
                log.warning(
                    "portrait=not-shown digest=%s cause=%s: %s",
                    portrait.digest[:12],
                    type(error).__name__,
                    error,
                )
            self._ready.put((portrait.digest, copies))
            self._wake()

    def _take(self, _: float) -> None:
        """Put what was read on the graphics card."""
        while not self._ready.empty():
            digest, copies = self._ready.get()
            if digest == self._wanted and copies:
                self._serial += 1
                textures = tuple(_texture(each) for each in copies)
                self._digest, self._shown = digest, Photograph(self._serial, textures)
        self._changed()


def _texture(pixels: Pixels) -> Texture:
    texture = Texture.create(size=(pixels.width, pixels.height), colorfmt=pixels.form)
    texture.blit_buffer(pixels.data, colorfmt=pixels.form, bufferfmt="ubyte")
    texture.flip_vertical()
    return texture


def decode(picture: bytes) -> list[Pixels]:
    """Return a PNG or JPEG as a portrait of 3:4, each copy half as high as the one before.

    Raises `NotShown` for what is none, too large or lying; the decoder raises what it likes.
    """
    if len(picture) > PICTURE_LIMIT:
        raise NotShown(f"{len(picture)} bytes, at most {PICTURE_LIMIT}")
    size = promised(BytesIO(picture))
    if max(size) > MOST_SIDE:
        raise NotShown(f"{size.width} x {size.height} pixels, at most {MOST_SIDE} each way")
    form = "png" if picture.startswith(b"\x89PNG") else "jpg"
    loader = next(
        each for each in ImageLoader.loaders if each.can_load_memory() and form in each.extensions()
    )
    found = loader(
        "", ext=form, rawdata=BytesIO(picture), inline=True, nocache=True, mipmap=False
    )._data[0]
    if (found.width, found.height) != tuple(size) or found.fmt not in ("rgb", "rgba"):
        raise NotShown("another picture than promised")
    row = len(found.fmt) * found.width
    step = found.rowlength or row
    data = bytes(found.data)
    if step < row or len(data) < step * (found.height - 1) + row:
        raise NotShown("rows of another length")
    whole = Pixels(found.width, found.height, found.fmt, data)
    copies = [crop(whole, step, SHAPE)]
    while copies[-1].height >= 2 * _SMALLEST and copies[-1].width > 1:
        copies.append(halve(copies[-1]))
    return [each for each in copies if each.height < 2 * _LARGEST]


def draw(sheet: Sheet, box: Box) -> None:
    """Draw the photograph that belongs on this sheet, or the head and shoulders of nobody."""
    sheet.panel(box, Role.MIST, radius=_RADIUS)
    left, bottom, wide, high = sheet.pixels(box)
    shown: Photograph | None = sheet.photograph
    radius = _RADIUS * sheet.unit

    def photograph(texture: Texture) -> None:
        sheet.paint(Role.PICTURE)
        RoundedRectangle(
            texture=texture, pos=(left, bottom), size=(wide, high), radius=[radius] * 4
        )
        sheet.paint(Role.EDGE)  # a hairline: a pale photograph has an edge, and no steps
        SmoothLine(rounded_rectangle=(left, bottom, wide, high, radius), width=1)

    if shown is None:
        sheet.drawing(lambda: faces.bust(sheet.paint, left, bottom, wide, high))
    else:
        sheet.drawing(lambda: photograph(shown.best(high)))
