"""Sees clerks come and go at windows, whoever committed it."""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

from hub.store import bindings, database


class Seats:
    """`changed(devices)` is called with the kiosks at whose windows somebody else sits now.

    The hub tells its kiosks of its own changes at once; a command beside it (`pingyi-hub user
    disable`) can tell nobody, and the clerk's card must not stay on the screen. For one thread.
    """

    def __init__(self, path: Path, changed: Callable[[Iterable[str]], None]) -> None:
        self._db = database.connect(path)
        self._changed = changed
        self._held = bindings.seats(self._db)

    def look(self) -> None:
        """Look who is signed on; what cannot be read now is read the next time."""
        try:
            held = bindings.seats(self._db)
            altered = {window for window, _ in held.items() ^ self._held.items()}
            kiosks = {bindings.device_of(self._db, window) for window in altered}
        except sqlite3.Error:
            return
        self._held = held
        if known := {device for device in kiosks if device is not None}:
            self._changed(known)

    def close(self) -> None:
        """Close the database."""
        self._db.close()
