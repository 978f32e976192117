"""The hall's own pictures and texts for the screen at rest, read off Kivy's thread.

A folder holds PNG and JPEG pictures and UTF-8 texts; in the order of their names they take
turns. What cannot be shown is left out and told in the log once. Only one picture is kept.
"""

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from kivy.clock import Clock
from kivy.core.image import ImageLoader
from kivy.graphics.texture import Texture

from device.ui.pictures import NotShown, Picture, Pixels, measure, shrink

log = logging.getLogger(__name__)

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
MOST_FILES = 200
MOST_TEXT = 120
MOST_TEXTS = 8


class Shown(NamedTuple):
    """A picture on the graphics card; sizes in pixels. `serial` tells it from the others."""

    serial: int
    width: int
    height: int
    texture: Any

    def __eq__(self, other: object) -> bool:
        """Two are the same if they were loaded as one."""
        return isinstance(other, Shown) and self.serial == other.serial

    def __hash__(self) -> int:
        """Follow `__eq__`."""
        return self.serial


class Gallery:
    """`changed` is called on Kivy's thread when there is something else to show.

    Without a folder it is empty and has no thread.
    """

    def __init__(self, folder: Path | None, changed: Callable[[], None]) -> None:
        self.texts: tuple[str, ...] = ()
        self._folder = folder
        self._changed = changed
        self._turn: int | None = None
        self._shown: Shown | None = None
        self._serial = 0
        self._orders: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[tuple[tuple[str, ...], Pixels | None]] = queue.SimpleQueue()
        self._reader = _Reader(folder) if folder else None
        self._thread: threading.Thread | None = None
        self._wake = Clock.create_trigger(self._take)

    def show(self, turn: int) -> Shown | None:
        """Return what is to be seen now, and have what this turn brings read."""
        if self._reader is None:
            return None
        if turn != self._turn:
            self._turn = turn
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="gallery", daemon=True)
                self._thread.start()
            self._orders.put(turn)
        return self._shown

    def close(self) -> None:
        """End the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._orders.put(None)
            thread.join(timeout=5)

    def _read(self) -> None:
        while (turn := self._orders.get()) is not None:
            if self._reader is not None and (news := self._reader.news(turn)) is not None:
                self._ready.put(news)
                self._wake()

    def _take(self, _: float) -> None:
        """Put what was read on the graphics card; the picture before it goes."""
        while not self._ready.empty():
            self.texts, pixels = self._ready.get()
            self._shown = None
            if pixels is not None:
                self._serial += 1
                size = (pixels.width, pixels.height)
                texture = Texture.create(size=size, colorfmt=pixels.form)
                texture.blit_buffer(pixels.data, colorfmt=pixels.form, bufferfmt="ubyte")
                texture.flip_vertical()
                self._shown = Shown(self._serial, *size, texture)
        self._changed()


class _Reader:
    """Reads the folder; used in one thread only. `told` are files that were complained about."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: set[tuple[str, int, int]] = set()
        self._last: object = None

    def news(self, turn: int) -> tuple[tuple[str, ...], Pixels | None] | None:
        """Return texts and picture of a turn, or None if they are what they were."""
        try:
            files = sorted(path for path in self._folder.iterdir() if path.is_file())
        except OSError as error:
            files = []
            self._tell(self._folder, (0, 0), f"{type(error).__name__}")
        files = files[:MOST_FILES]
        texts = tuple(
            text for path in files if path.suffix.lower() == ".txt" and (text := self._text(path))
        )[:MOST_TEXTS]
        stamps = [
            (path, stamp)
            for path in files
            if path.suffix.lower() in PICTURES
            and (stamp := _stamp(path)) is not None
            and (path.name, *stamp) not in self._told
        ]
        pixels = None
        chosen: object = None
        for number in range(len(stamps)):
            path, stamp = stamps[(turn + number) % len(stamps)]
            chosen = (path, stamp)
            if self._last == (texts, chosen):
                return None
            pixels = self._pixels(path, stamp)
            if pixels is not None:
                break
            chosen = None
        if self._last == (texts, chosen):
            return None
        self._last = (texts, chosen)
        return texts, pixels

    def _text(self, path: Path) -> str:
        """Return the text of a file, or "" if it is none."""
        stamp = _stamp(path)
        if stamp is None or (path.name, *stamp) in self._told:
            return ""
        if stamp[0] > 4 * MOST_TEXT + 8:
            self._tell(path, stamp, "too long")
            return ""
        try:
            words = path.read_bytes().decode("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            self._tell(path, stamp, type(error).__name__)
            return ""
        if not words or len(words) > MOST_TEXT or not words.isprintable():
            self._tell(path, stamp, "not a line of at most 120 signs")
            return ""
        return words

    def _pixels(self, path: Path, stamp: tuple[int, int]) -> Pixels | None:
        try:
            picture: Picture = measure(path)
            return shrink(_decode(path), picture)
        except Exception as error:  # noqa: BLE001 - a decoder fed with anything raises anything
            self._tell(path, stamp, f"{type(error).__name__}: {error}")
            return None

    def _tell(self, path: Path, stamp: tuple[int, int], cause: str) -> None:
        name = (path.name, *stamp)
        if name not in self._told:
            self._told.add(name)
            log.warning("picture=not-shown file=%s cause=%s", path.name, cause)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _decode(path: Path) -> Pixels:
    """Decode with Kivy's provider; a picture has one frame here."""
    found = ImageLoader.load(str(path), nocache=True, mipmap=False, keep_data=True)
    data = found._data[0]
    form = data.fmt
    if form not in ("rgb", "rgba"):
        raise NotShown(f"unknown form {form}")
    return Pixels(data.width, data.height, form, bytes(data.data))
