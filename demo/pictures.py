"""The pictures that a demonstration takes: of the first citizen, and of the first bad rating."""

import contextlib
from pathlib import Path

from demo import citizen
from demo.cases import Row
from demo.parts import Away, KioskPart
from protocol.messages import Rated

PAIRING = "pairing"
NAMES = (PAIRING, *citizen.STEPS)
"""What stands in a picture's name after its number."""


class Camera:
    """Saves what a kiosk shows, in `out`."""

    def __init__(self, out: Path, rows: list[Row]) -> None:
        self._out = out
        self._first = rows[0]
        self._bad = next((row for row in rows if row.level in Rated.bad), None)

    async def pairing(self, kiosk: KioskPart, row: Row) -> None:
        """Take the picture of the first citizen's kiosk, which has no window yet."""
        if row == self._first:
            await self._take(kiosk, f"00-{PAIRING}.png")

    def of(self, kiosk: KioskPart, row: Row) -> citizen.Snap:
        """Return what takes the pictures of a row's citizen, if there are to be any.

        The numbers of the second citizen follow those of the first; a step that is taken
        again, after a power cut, takes the place of its first picture.
        """
        if row not in (self._first, self._bad):
            return _no_picture
        before = 0 if row == self._first else len(citizen.steps(self._first))
        steps = citizen.steps(row)

        async def snap(step: str) -> None:
            await self._take(kiosk, f"{before + steps.index(step) + 1:02d}-{step}.png")

        return snap

    async def _take(self, kiosk: KioskPart, name: str) -> None:
        with contextlib.suppress(Away):  # no kiosk, no picture
            await kiosk.order("shot", path=str((self._out / name).resolve()))


async def _no_picture(step: str) -> None:
    del step
