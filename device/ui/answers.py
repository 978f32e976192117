"""After the tap: thanks, and reasons to add. One picture for every level.

Whoever sees it from the side cannot tell a good level from a bad one: colours, places, buttons
and time are the same, and only the small words differ.
"""

from device.events import Draft
from device.session import UNDO_MS
from device.ui import faces, frame, own_words, reasons, theme
from device.ui.answers_plan import Plan
from device.ui.controls import CHOSEN, FLAT, OUTLINE, PRIMARY, Plate, worded
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, MARGIN
from device.view import View
from protocol.messages import Rated

_UNDO = 100.0
"""How high the undo is at most: two lines of words that an old eye reads."""


def draw(sheet: Sheet, view: View, hands: Hands) -> None:
    """Thank, offer reasons, and let go."""
    draft = view.session.draft
    if draft is None:
        return
    link = view.session.link
    offered = reasons.offered(view, draft.level, unfolded=hands.unfolded)
    facts = (offered, bool(link), view.text_input)
    plan = sheet.plan(
        "answers", facts, lambda: Plan(sheet, offered, paged=bool(link), typed=view.text_input)
    )
    frame.head(sheet, view)
    sheet.part("title", (plan.title, plan.close), lambda: _thank(sheet, plan, draft))
    sheet.part(
        "reasons",
        (draft.reasons, plan.cells, offered),
        lambda: reasons.draw(sheet, offered, plan.cells, draft.reasons, hands),
    )
    page, field = plan.page, plan.field
    if page is not None:
        sheet.part("page", (link, page), lambda: own_words.page(sheet, link, page, hands))
    if field is not None:
        own_words.field(sheet, hands, draft, field, ready=view.ready)
    _actions(sheet, view, hands, draft, plan.foot)
    _arm(sheet, draft, ready=view.ready)


def _arm(sheet: Sheet, draft: Draft, *, ready: bool) -> None:
    """Have all that can be pressed rise at once; until then it lies flat: no press is lost unseen.

    What has been chosen is seen to be so all the time, and the way to the own page can be read.
    """
    chosen = {f"reason-{code}" for code in draft.reasons}
    for key, widget in sheet.keys.items():
        if isinstance(widget, Plate) and key != "page":
            widget.stand(sheet, up=ready, flat=CHOSEN if key in chosen else FLAT)


# ---------------------------------------------------------------- thanks


def _thank(sheet: Sheet, plan: Plan, draft: Draft) -> None:
    box, words = plan.title, sheet.say("thanks")
    radius = 28 if plan.close else 48
    size = sheet.scaled(theme.HEAD) if plan.close else theme.BIG
    sizes = theme.down(size, theme.TEXT)
    aside = 2 * radius + 20 if plan.close else 0
    title = sheet.fit(words, sizes, box.w - aside, 90, bold=True)
    ask = sheet.say("why" if draft.level in Rated.bad else "add")
    below = sheet.fit(ask, theme.down(theme.WORD), box.w, 80)
    if title is None or below is None:
        return
    sign = 0 if plan.close else 2 * radius + 10
    y = box.y + (box.h - sign - title.height - below.height) / 2
    centre = box.x + box.w / 2
    left = centre - (title.width + aside) / 2
    at = Box(left + radius, y + title.height / 2, 0, 0)
    if not plan.close:
        at = Box(centre, y + radius, 0, 0)
    x_px, y_px, _, _ = sheet.pixels(at)
    sheet.drawing(lambda: faces.tick(sheet.paint, (x_px, y_px), radius * sheet.unit))
    y += sign
    sheet.write(Box(left + aside, y, title.width + 2, title.height), title, bold=True)
    line = Box(box.x, y + title.height, box.w, below.height)
    sheet.write(line, below, align=("center", "middle"))


# ---------------------------------------------------------------- actions at the foot


def _actions(sheet: Sheet, view: View, hands: Hands, draft: Draft, foot: Box) -> None:
    """Lay one way out, the same for every level, an undo for a while, and the seconds."""
    reach = foot.h if not sheet.standing else foot.h - 76
    said = bool(draft.reasons) or bool(draft.comment.strip())
    high = min(reach - 24, 118.0)
    wide = max(320.0, sheet.target)
    middle = Box((sheet.wide - wide) / 2, foot.y, wide, reach)
    y = foot.y + (reach - high) / 2
    go = hands.submit if said else hands.skip
    sizes = theme.down(sheet.scaled(theme.WORD))

    def leave() -> None:
        words = sheet.say("send" if said else "leave")
        box = Box(middle.x, y, wide, high)
        worded(sheet, "done", box, words, PRIMARY, begin=go, sizes=sizes, bold=True, reach=middle)

    sheet.part("done", (said, view.session.submitted), leave)
    side = max(sheet.target, min(250.0, (sheet.wide - wide) / 2 - MARGIN - GAP))
    allowed = view.now_ms - draft.tapped_ms <= UNDO_MS

    def undo() -> None:
        if allowed:
            low = min(high, _UNDO)
            box = Box(MARGIN, foot.y + (reach - low) / 2, side - 8, low)
            area = Box(MARGIN - 8, foot.y, side + 8, reach)
            text = theme.down(sheet.scaled(theme.TEXT), theme.SMALL)
            worded(
                sheet,
                "undo",
                box,
                sheet.say("undo"),
                OUTLINE,
                begin=hands.undo,
                sizes=text,
                reach=area,
            )

    sheet.part("undo", allowed, undo)
    place = Box(sheet.wide - MARGIN - 260, foot.y, 260, reach)
    if sheet.standing:
        place = Box(MARGIN, sheet.high - 76, sheet.wide - 2 * MARGIN, 64)
    frame.countdown(sheet, view, place, "center" if sheet.standing else "right")
