"""The one question: whom and what it is about on top, five equal cards below."""

from functools import partial

from device.session import Screen
from device.ui import frame, levels, switches, theme
from device.ui.case import Card
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import MARGIN, Role
from device.view import View
from protocol.catalogue import LEVELS

_FOOT = 62


def draw(sheet: Sheet, view: View, hands: Hands) -> None:
    """Draw the question; while the answer is being saved its card stays down, all inert."""
    invitation = view.session.invitation
    if invitation is None:
        return
    saving = view.session.screen is Screen.SAVING
    pressed = view.session.draft.level if saving and view.session.draft else 0
    frame.head(sheet, view, switches.draw(sheet, view, None if saving else hands))
    room = sheet.high - frame.HEAD - _FOOT - 8
    card = sheet.plan("card", (), lambda: Card(sheet, invitation, room))
    low = frame.HEAD + card.high
    sheet.part("card", sheet.photograph, card.draw)
    sheet.part("ask", (), lambda: _ask(sheet, low, card.ask))
    top = low + card.ask
    area = Box(MARGIN, top, sheet.wide - 2 * MARGIN, sheet.high - _FOOT - 8 - top)
    levels.draw(sheet, area, pressed)
    for level in LEVELS:
        begin = None if saving else partial(hands.tap, invitation.id, level)
        sheet.keys[f"level-{level}"].begin = begin
    foot = Box(MARGIN, sheet.high - _FOOT, sheet.wide - 2 * MARGIN, _FOOT - 8)
    frame.countdown(sheet, view, foot)


def _ask(sheet: Sheet, low: float, high: float) -> None:
    wide = sheet.wide - 2 * MARGIN
    ask = Box(MARGIN, low, wide, high)
    sizes = theme.down(sheet.scaled(theme.HEAD))
    sheet.text(ask, sheet.say("ask"), sizes, bold=True, align=("center", "middle"))
    foot = Box(MARGIN, sheet.high - _FOOT, wide, _FOOT - 8)
    sheet.text(
        foot,
        sheet.say("secret"),
        (sheet.scaled(theme.LABEL), theme.LABEL),
        colour=Role.QUIET,
        align=("left" if sheet.standing else "center", "middle"),
    )
