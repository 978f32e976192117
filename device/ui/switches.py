"""The two quiet switches of the invitation: the other language, and 长者模式.

What is seen of them is small; what a finger can hit is as large as everything else here, over
the head of the card, where nothing can be pressed.
"""

from collections.abc import Callable
from functools import partial

from device.ui import theme
from device.ui.controls import OUTLINE, worded
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import MARGIN
from device.view import View

_HIGH = 56
_WIDE = 168.0
_AIR = 10


def draw(sheet: Sheet, view: View, hands: Hands | None) -> float:
    """Draw what the hall offers; without `hands` inert. Return where they begin."""
    settings, mode = view.settings, sheet.mode
    offered: list[tuple[str, str, Callable[[], None] | None]] = []
    if settings is not None and settings.english:
        speak = partial(hands.speak, not mode.english) if hands else None
        offered.append(("language", "chinese" if mode.english else "english", speak))
    if settings is not None and not settings.elder:
        enlarge = partial(hands.enlarge, not mode.elder) if hands else None
        offered.append(("elder", "usual" if mode.elder else "elder", enlarge))
    wide = max(sheet.target, _WIDE)
    right = sheet.wide - MARGIN + _AIR

    def lay() -> None:
        for number, (key, words, action) in enumerate(offered):
            reach = Box(right - (number + 1) * wide, 0, wide, sheet.target)
            box = Box(reach.x + _AIR, 12, wide - 2 * _AIR, _HIGH)
            worded(
                sheet,
                key,
                box,
                sheet.say(words),
                OUTLINE,
                action=action,
                sizes=theme.down(theme.TEXT, theme.SMALL),
                reach=reach,
            )

    sheet.part("switches", (tuple(words for _, words, _ in offered), hands is None), lay)
    return right - len(offered) * wide - 14
