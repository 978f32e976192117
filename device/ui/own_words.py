"""How a citizen says more than reasons: on their own phone, or in the field on the screen."""

from device.events import Draft
from device.ui import qr, theme
from device.ui.controls import COMMENT_LIMIT, FIELD_AIR, FLAT, Field, Look, Plate, on_button
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import Role

_CODE = Look(Role.CODE_LIGHT, Role.CODE_LIGHT, Role.CODE_DARK)
_PAD = 20
_LEAST_WORDS = 220
"""Beside a code there must be so much room for the words; else they stand below it."""


def page(sheet: Sheet, link: str, box: Box, hands: Hands) -> None:
    """Show the way to the citizen's own page: its QR, as large as the card allows, and words.

    Who touches it is still there, and gets more time to take out a phone.
    """
    card = sheet.place(Plate(sheet, "page", box, _CODE, action=hands.stay))
    first, below = sheet.say("own_page"), sheet.say("own_page_below")
    sizes = theme.down(sheet.scaled(theme.TEXT), theme.LABEL)
    side = box.h
    beside = box.w - side - _PAD >= _LEAST_WORDS
    if beside:
        room = Box(box.x + side, box.y + 12, box.w - side - _PAD, box.h - 24)
    else:
        room = Box(box.x + _PAD, 0, box.w - 2 * _PAD, 190)
        first, below = (
            words.replace("，", "，\n").replace("; ", ";\n") for words in (first, below)
        )
    lines = [
        (found, bold)
        for words, each, bold in ((first, sizes, True), (below, (theme.LABEL,), False))
        if (found := sheet.fit(words, each, room.w, room.h, bold=bold))
    ]
    if not beside:
        # With little room the second line stays away before the code gets small.
        if box.h - sum(fit.height for fit, _ in lines) < 0.8 * box.w:
            lines = lines[:1]
        high = sum(fit.height for fit, _ in lines)
        side = min(box.w, box.h - high - 10)
        room = room._replace(y=box.y + (box.h - side - high - 10) / 2 + side - 4, h=high)
    code = Box(box.x + (0 if beside else (box.w - side) / 2), box.y, side, side)
    if not beside:
        code = code._replace(y=room.y - side + 4)
    qr.draw(sheet, code, link)
    y = room.y + (room.h - sum(fit.height for fit, _ in lines)) / 2
    for fit, bold in lines:
        place = Box(room.x, y, room.w, fit.height)
        align = ("left" if beside else "center", "middle")
        text = sheet.write(place, fit, bold=bold, colour=Role.CODE_DARK, align=align)
        on_button(sheet, card, text)
        y += fit.height


def field(sheet: Sheet, hands: Hands, draft: Draft, box: Box, *, ready: bool) -> None:
    """Lay the field. It is made once for a citizen; the count below follows it.

    Until the screen is `ready` a finger does not open it.
    """
    beside = box.h < 2 * 80
    inner = box.inset(18, 8)
    place = inner._replace(w=inner.w - 90) if beside else _above(inner)
    if hands.field is None:
        hands.field = Field(sheet, _hint(sheet, place), draft.comment, hands.write)
    own: Field = hands.field
    own.ready = ready

    def lay() -> None:
        sheet.panel(box, Role.STONE)
        own.paper = sheet.panel(box.inset(2, 2), Role.CARD, radius=theme.RADIUS - 2)
        sheet.place(own)
        own.lay(sheet.pixels(place))
        own.alive = True

    def count() -> None:
        at = Box(box.x + box.w - 112, box.y + box.h - 42, 94, 36)
        sheet.text(
            at,
            f"{len(draft.comment)}/{COMMENT_LIMIT}",
            (theme.LABEL,),
            colour=Role.QUIET,
            align=("right", "middle"),
        )

    sheet.part("field", box, lay)
    if own.paper is not None:
        own.paper.dye(sheet, Role.CARD if ready else FLAT.fill)
    sheet.part("count", (len(draft.comment), box), count)


def _hint(sheet: Sheet, place: Box) -> str:
    """Return the invitation to write that a field of this size shows whole: the count says more."""
    whole = sheet.say("own_words", COMMENT_LIMIT)
    size = sheet.scaled(theme.TEXT)
    fits = sheet.fit(whole, (size,), place.w - 2 * FIELD_AIR, place.h - 2 * FIELD_AIR)
    return whole if fits else sheet.say("own_words_short")


def _above(inner: Box) -> Box:
    """Leave the line of the count free below a field that is high enough."""
    return inner._replace(h=inner.h - 34)
