"""After the tap: the reasons a bad rating is asked for, and the thanks."""

from functools import partial

from device.events import Draft
from device.ui import faces, frame, theme
from device.ui.controls import CHOSEN, COMMENT_LIMIT, OFF, OUTLINE, PLAIN, PRIMARY, Field, worded
from device.ui.hands import Hands
from device.ui.sheet import Box, Sheet
from device.ui.theme import GAP, MARGIN
from device.view import View
from protocol import catalogue
from protocol.catalogue import Reason
from protocol.errors import CatalogueError
from protocol.messages import Rated

_ACT = 84
_FOLD = 72
_BIG = theme.down(theme.WORD)


def reasons(sheet: Sheet, view: View, hands: Hands) -> None:
    """Ask why a bad rating was given; nothing is chosen beforehand."""
    draft = view.session.draft
    if draft is None:
        return
    frame.head(sheet, view)
    titles = Box(MARGIN, frame.HEAD + 12, sheet.wide - 2 * MARGIN, 112)
    sheet.part("title", (), lambda: _ask(sheet, titles))
    _body(sheet, view, hands, titles.y + titles.h)
    answered = bool(draft.reasons) or bool(draft.comment.strip())
    left, right = _actions(sheet, 2)

    def submit() -> None:
        look = PRIMARY if answered else OFF
        action = hands.submit if answered else None
        worded(sheet, "submit", left, "提交评价", look, action=action, sizes=_BIG, bold=True)

    sheet.part("submit", answered, submit)
    sheet.part(
        "skip",
        (),
        lambda: worded(sheet, "skip", right, "不说原因，直接提交", OUTLINE, action=hands.skip),
    )
    _foot(sheet, view, hands)


def thanks(sheet: Sheet, view: View, hands: Hands) -> None:
    """Thank in the same way for every level; a good one may be given reasons."""
    draft = view.session.draft
    if draft is None:
        return
    more = draft.level not in Rated.bad
    close = more and (hands.unfolded or (view.text_input and not sheet.standing))
    frame.head(sheet, view)
    top = frame.HEAD + (0 if close else 10)
    bottom = top + (118 if close else 244 if more else sheet.high - top - 160)
    sheet.part(
        "title", close, lambda: _thank(sheet, Box(0, top, sheet.wide, bottom - top), close, more)
    )
    if more:
        _body(sheet, view, hands, bottom)
    (box,) = _actions(sheet, 1)
    sheet.part(
        "done",
        (),
        lambda: worded(
            sheet, "done", box, "完成", PRIMARY, action=hands.submit, sizes=_BIG, bold=True
        ),
    )
    _foot(sheet, view, hands)


# ---------------------------------------------------------------- titles


def _ask(sheet: Sheet, box: Box) -> None:
    head = box._replace(h=62)
    sheet.text(
        head, "请告诉我们原因，便于整改", (theme.HEAD,), bold=True, align=("center", "middle")
    )
    sheet.text(
        box._replace(y=head.y + 62, h=40),
        "可以选几项；您的评价对窗口人员保密",
        (theme.LABEL,),
        colour=theme.QUIET,
        align=("center", "middle"),
    )


def _thank(sheet: Sheet, box: Box, close: bool, more: bool) -> None:
    words = "谢谢，您的评价已保存"
    radius = 30 if close else 52
    size = theme.HEAD if close else theme.BIG
    line = sheet.line(size)
    found = sheet.fit(words, (size,), sheet.wide, 100, bold=True)
    wide = found.width if found else 600
    block = line + (0 if close else 2 * radius + 18) + (40 if more else 0)
    y = box.y + (box.h - block) / 2
    centre = box.x + box.w / 2
    if close:
        left = centre - (wide + 2 * radius + 20) / 2
        sign = Box(left + radius, y + line / 2, 0, 0)
        title = Box(left + 2 * radius + 20, y, wide + 2, line)
    else:
        sign = Box(centre, y + radius, 0, 0)
        y += 2 * radius + 18
        title = Box(centre - wide / 2, y, wide + 2, line)
    x_px, y_px, _, _ = sheet.pixels(sign)
    sheet.drawing(lambda: faces.tick((x_px, y_px), radius * sheet.unit))
    sheet.text(title, words, (size,), bold=True)
    if more:
        sheet.text(
            box._replace(y=y + line, h=40),
            "可以再选几项理由，也可以直接离开",
            (theme.LABEL,),
            colour=theme.QUIET,
            align=("center", "middle"),
        )


# ---------------------------------------------------------------- reasons and words


def _body(sheet: Sheet, view: View, hands: Hands, top: float) -> None:
    """Lay reasons, 展开更多 and the field between `top` and the actions."""
    draft = view.session.draft
    if draft is None:
        return
    known = _known(view, draft.level)
    shown = known if hands.unfolded else tuple(one for one in known if one.first)
    across = _across(sheet, hands)
    down = -(-len(shown) // across)
    folded = len(shown) < len(known)
    room = _floor(sheet) - 18 - top
    words = (124 if hands.unfolded else 176) if view.text_input else 0
    spare = room - words - folded * (_FOLD + GAP) - down * GAP
    cell = min(116.0, spare / max(1, down))
    block = down * (cell + GAP) + folded * (_FOLD + GAP) + words - (0 if words else GAP)
    y = top + max(0.0, 0.36 * (room - block))
    facts = (draft.reasons, shown)
    grid = Box(MARGIN, y, sheet.wide - 2 * MARGIN, cell)
    sheet.part("reasons", facts, lambda: _grid(sheet, grid, shown, draft, hands))
    y += down * (cell + GAP)
    fold = Box(sheet.wide / 2 - 130, y, 260, _FOLD)

    def unfold() -> None:
        if folded:
            worded(sheet, "more", fold, "展开更多", OUTLINE, action=hands.unfold)

    sheet.part("more", folded, unfold)
    y += folded * (_FOLD + GAP)
    if view.text_input:
        _words(sheet, hands, draft, Box(MARGIN, y, sheet.wide - 2 * MARGIN, words))


def _across(sheet: Sheet, hands: Hands) -> int:
    return (2 if hands.unfolded else 1) if sheet.standing else 3


def _known(view: View, level: int) -> tuple[Reason, ...]:
    """Return the reasons of the catalogue in force; of an unknown one none are invented."""
    version = view.settings.catalogue if view.settings else catalogue.CURRENT
    try:
        return catalogue.load(version).reasons(level)
    except CatalogueError:
        return ()


def _grid(sheet: Sheet, first: Box, shown: tuple[Reason, ...], draft: Draft, hands: Hands) -> None:
    """Lay equal cells, the last line of them in the middle."""
    across = _across(sheet, hands)
    wide = (first.w - (across - 1) * GAP) / across
    room = (wide - 32, first.h - 8)
    sizes = tuple(
        size for size in _BIG if all(sheet.fit(one.text, (size,), *room) for one in shown)
    )
    for number, reason in enumerate(shown):
        row, column = divmod(number, across)
        missing = across - min(across, len(shown) - row * across)
        x = first.x + (column + missing / 2) * (wide + GAP)
        box = Box(x, first.y + row * (first.h + GAP), wide, first.h)
        look = CHOSEN if reason.code in draft.reasons else PLAIN
        action = partial(hands.choose, reason.code)
        worded(
            sheet,
            f"reason-{reason.code}",
            box,
            reason.text,
            look,
            action=action,
            sizes=sizes or _BIG,
        )


def _words(sheet: Sheet, hands: Hands, draft: Draft, box: Box) -> None:
    """Lay the field. It is made once for a citizen; the count below follows it."""
    if hands.field is None:
        hint = f"也可以用自己的话写在这里（最多 {COMMENT_LIMIT} 字）"
        hands.field = Field(sheet, hint, draft.comment, hands.write)
    field = hands.field

    def lay() -> None:
        sheet.panel(box, theme.STONE)
        sheet.panel(box.inset(2, 2), theme.WHITE, radius=theme.RADIUS - 2)
        sheet.place(field)
        field.lay(sheet.pixels(box.inset(18, 8)._replace(w=box.w - 36 - 90)))
        field.alive = True

    def count() -> None:
        at = Box(box.x + box.w - 112, box.y + box.h - 42, 94, 36)
        sheet.text(
            at,
            f"{len(draft.comment)}/{COMMENT_LIMIT}",
            (theme.LABEL,),
            colour=theme.QUIET,
            align=("right", "middle"),
        )

    sheet.part("field", box, lay)
    sheet.part("count", (len(draft.comment), box), count)


# ---------------------------------------------------------------- actions at the foot


def _floor(sheet: Sheet) -> float:
    """Return where the actions begin."""
    return sheet.high - (frame.FOOT + _ACT + 20 if sheet.standing else _ACT + 36)


def _actions(sheet: Sheet, count: int) -> tuple[Box, ...]:
    """Return equal places for actions, in the middle of the foot."""
    wide = 320.0
    x = (sheet.wide - count * wide - (count - 1) * GAP) / 2
    y = _floor(sheet)
    return tuple(Box(x + at * (wide + GAP), y, wide, _ACT) for at in range(count))


def _foot(sheet: Sheet, view: View, hands: Hands) -> None:
    y = sheet.high - frame.FOOT + 4 if sheet.standing else _floor(sheet) + (_ACT - 68) / 2
    frame.undo(sheet, view, hands, Box(MARGIN, y, 216, 68))
    frame.countdown(sheet, view, Box(sheet.wide - MARGIN - 200, y, 200, 68))
