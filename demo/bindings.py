"""Brings kiosks and clerks to the windows where the cases want them: pairing, moving, sign-on."""

import asyncio
from collections import defaultdict
from typing import Any

from demo.cases import Row
from demo.hall import Hall, device_name
from demo.parts import Away, KioskPart, PartError
from demo.pictures import Camera
from demo.timeline import Timeline
from demo.window_system import RETRY_S, Rejected, WindowSystem, staff_number

LOOK_S = 5.0
AGAIN = frozenset({"wrong_code", "nothing_to_confirm", "too_many_tries"})
"""What the hub says where a code has changed since it was read."""

PAIR_S = 240.0

MISSING = frozenset({"not_paired", "nobody_signed_on", "another_clerk"})
"""Why the hub invites nobody where kiosk or clerk are not, or no longer, what was thought."""


class Bindings:
    """What the clerks of a hall do before they invite.

    `back`: a kiosk that has ended will be started again, so it is waited for; else `Away` is
    raised.
    """

    def __init__(
        self, hall: Hall, desk: WindowSystem, line: Timeline, camera: Camera, *, back: bool
    ) -> None:
        self._hall = hall
        self._desk = desk
        self._line = line
        self._camera = camera
        self._back = back
        self._clerks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def clerk(self, name: str) -> asyncio.Lock:
        """Return what is to be held while a clerk serves: one citizen, at one window."""
        return self._clerks[staff_number(name)]  # by which the hub tells clerks apart

    async def pair(self, number: int, row: Row) -> None:
        """Pair kiosk `number`, which has no window, with the row's, by the code on its screen.

        The code may change meanwhile, kiosk and hub may go away and come back. Raises
        `PartError` if it takes too long or is refused, `Away`.
        """
        kiosk = self._hall.kiosks[number]
        typed: set[str] = set()
        paired = False
        try:
            async with asyncio.timeout(PAIR_S):
                while not paired:
                    paired = await self._tried(kiosk, device_name(number), row, typed)
                    await asyncio.sleep(0 if paired else RETRY_S)
        except TimeoutError:
            raise PartError(
                f"{kiosk.name}在 {PAIR_S:.0f} 秒内没能与“{row.window}”配对，屏幕停在 {kiosk.seen}"
            ) from None
        except Rejected as error:
            raise PartError(f"{kiosk.name}不能与“{row.window}”配对：{error}") from error
        self._line.say("窗口系统", f"{kiosk.name}显示配对码，工作人员在“{row.window}”输入并确认")

    async def prepare(self, number: int, row: Row) -> None:
        """Have kiosk `number` and the row's clerk at the row's window; changes what differs.

        Raises `Rejected`, `PartError`, `Away`.
        """
        kiosk, device = self._hall.kiosks[number], device_name(number)
        windows = await self._desk.windows()
        at = next((name for name, each in windows.items() if each["device"] == device), None)
        held = windows[row.window]["staff"]
        if at is None:
            await self.pair(number, row)
        elif at != row.window:
            await self._desk.move(at, row.window, device)
            self._line.say("窗口系统", f"{kiosk.name}从“{at}”移到“{row.window}”")
        if held is None or held["name"] != row.staff:
            await self._desk.sign_on(row.window, row.staff)
            self._line.say("窗口系统", f"{row.staff}在“{row.window}”签到")
        there = (row.window, row.staff)
        try:
            await kiosk.until(lambda seen: (seen.get("window"), seen.get("clerk")) == there, LOOK_S)
        except Away:
            if not self._back:
                raise

    async def _tried(self, kiosk: KioskPart, device: str, row: Row, typed: set[str]) -> bool:
        """Try once to pair; False if a code has changed, or kiosk or hub was away, over it."""
        try:
            await self._type(kiosk, device, row, typed)
        except Away:
            if not self._back:
                raise
        except Rejected as error:
            if error.code not in AGAIN:
                raise
        return bool((await self._desk.window(row.window))["device"] == device)

    async def _type(self, kiosk: KioskPart, device: str, row: Row, typed: set[str]) -> None:
        """Type the code that is on the screen, each only once; confirm the name that it shows."""

        def asks(seen: dict[str, Any]) -> bool:
            return bool(seen.get("candidate") == row.window)

        def shows_new(seen: dict[str, Any]) -> bool:
            code = seen.get("code")
            return code is not None and code not in typed and seen.get("candidate") is None

        await kiosk.until(lambda seen: asks(seen) or shows_new(seen), LOOK_S)
        if shows_new(kiosk.seen):
            await self._camera.pairing(kiosk, row)
        if shows_new(kiosk.seen):
            code = str(kiosk.seen["code"])
            typed.add(code)
            found = await self._desk.claim(row.window, code)
            if found["device"] != device:
                await self._desk.cancel(row.window, found["device"])
                return
            await kiosk.until(asks, LOOK_S)
        if asks(kiosk.seen):
            await self._desk.confirm(row.window, device)
