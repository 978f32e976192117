"""A scripted citizen: looks at the screen, presses what a row of the cases file says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from demo.cases import Row
from demo.parts import KioskPart, PartError

STEP_S = 20.0
TAP_AGAIN_S = 0.25

Snap = Callable[[str], Awaitable[None]]


STEPS = ("idle", "invitation", "thanks", "thanks-reasons", "end")
"""The pictures that can be taken of one citizen, in the order of time."""


class Pressed(msgspec.Struct, kw_only=True):
    """What a citizen did.

    `promised`: the kiosk showed 谢谢, so that the level has to be in the ledger. `thanked`: 完成
    was pressed and had its effect, so that every word of it has to arrive.
    """

    invitation: str
    level: int | None = None
    promised: bool = False
    thanked: bool = False


Seen = dict[str, Any]


def _showing(*screens: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.get("screen") in screens


def _chosen(code: str) -> Callable[[Seen], bool]:
    return lambda seen: code in seen.get("reasons", [])


def _readable(since: int | None = None) -> Callable[[Seen], bool]:
    """Whether the reasons take a finger by now, and are others than those that did at `since`."""
    return lambda seen: seen.get("ready") not in (None, since)


def steps(row: Row) -> tuple[str, ...]:
    """Return the pictures that are taken of the citizen of a row, in order."""
    if row.level is None:
        between: set[str] = set()
    else:
        between = {"thanks", "thanks-reasons"} if row.reasons or row.comment else {"thanks"}
    return tuple(step for step in STEPS if step in between | {"idle", "invitation", "end"})


async def rate(kiosk: KioskPart, row: Row, pressed: Pressed, snap: Snap) -> None:
    """Answer the invitation that is shown, as the row says. Raises `Away` if the kiosk dies."""
    if row.level is None:
        raise ValueError("this citizen walks away")
    pressed.level = row.level
    await _press(kiosk, f"level-{row.level}", _showing("thanks"))
    pressed.promised = True
    await snap("thanks")
    await _say_why(kiosk, row)
    if row.reasons or row.comment:
        await snap("thanks-reasons")
    await _press(kiosk, "done", lambda seen: seen.get("invitation") != pressed.invitation)
    pressed.thanked = True


async def _say_why(kiosk: KioskPart, row: Row) -> None:
    if row.reasons or row.comment:
        await _see(kiosk, _readable())
    if row.comment:
        await _press_once_there(kiosk, "comment")
        await asyncio.sleep(0.05)
        await kiosk.order("type", text=row.comment)
        await _see(kiosk, lambda seen: seen.get("comment") == row.comment)
    for code in row.reasons:
        if not await kiosk.order("tap", key=f"reason-{code}"):
            folded = kiosk.seen.get("ready")
            await kiosk.order("tap", key="more")
            await _see(kiosk, _readable(since=folded))
            await _press_once_there(kiosk, f"reason-{code}")
        await _see(kiosk, _chosen(code))


async def _press(kiosk: KioskPart, key: str, then: Callable[[dict[str, Any]], bool]) -> None:
    """Press a button until it has its effect: a tap that comes too early is not taken."""
    for _ in range(int(STEP_S / TAP_AGAIN_S)):
        if then(kiosk.seen):
            return
        await kiosk.order("tap", key=key)
        if await kiosk.until(then, TAP_AGAIN_S):
            return
    raise PartError(f"{kiosk.name}：按了 {key} 没有反应，屏幕停在 {kiosk.seen}")


async def _press_once_there(kiosk: KioskPart, key: str) -> None:
    for _ in range(int(STEP_S / 0.05)):
        if await kiosk.order("tap", key=key):
            return
        await asyncio.sleep(0.05)
    raise PartError(f"{kiosk.name}：屏幕上没有 {key}")


async def _see(kiosk: KioskPart, wanted: Callable[[dict[str, Any]], bool]) -> None:
    if not await kiosk.until(wanted, STEP_S):
        raise PartError(f"{kiosk.name}：等不到结果，屏幕停在 {kiosk.seen}")
