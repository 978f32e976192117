"""The kiosk while it is enrolled: what to check, the number to compare, and how it ended."""

from collections.abc import Callable
from pathlib import Path

from device.panel import Panel
from device.ui import faces, idle, theme
from device.ui.board import Board
from device.ui.notices import Line, Sign, notice
from device.ui.pairing import grouped
from device.ui.sheet import Box, Mode, Sheet
from device.ui.theme import Role
from device.view import EnrolmentView, Step

_MARGIN = 56
_TOP = 112
_STAGES = (Step.JOINING, Step.COMPARING, Step.ISSUING, Step.STORING, Step.TESTING)
_ORDER = tuple(Step)


class EnrolmentScreen(Board):
    """Shows an `EnrolmentView`; nobody touches anything on it."""

    def __init__(self, fonts: tuple[Path, Path]) -> None:
        super().__init__(fonts, Panel())
        self._view: EnrolmentView | None = None

    def draw(self, view: EnrolmentView) -> None:
        """Show `view`; of the one before nothing is left."""
        if view == self._view:
            return
        self._view = view
        self._redraw()

    def _redraw(self) -> None:
        view = self._view
        if view is None:
            return
        sheet = self._turn(view.step, Role.TEAL, Mode())
        sheet.part("ground", (), lambda: idle.ground(sheet))
        sheet.part("top", (), lambda: _top(sheet))
        sheet.part("body", view, lambda: _BODY.get(view.step, _under_way)(sheet, view))
        sheet.part("foot", view, lambda: _foot(sheet, view))


def _top(sheet: Sheet) -> None:
    box = Box(_MARGIN, 10, sheet.wide - 2 * _MARGIN, 102)
    sheet.text(box, sheet.say("enrol"), (theme.TEXT,), colour=Role.MIST_TEAL)


def _foot(sheet: Sheet, view: EnrolmentView) -> None:
    """Name kiosk, hall and port at the foot: what the person at the desk has to type."""
    wide = sheet.wide - 2 * _MARGIN
    names = sheet.say("enrol_names", view.device, view.hall)
    port = sheet.say("enrol_port", view.port)
    words = f"{names}　　{port}"
    if sheet.standing or sheet.fit(words, (theme.LABEL,), wide, 40) is None:
        words = f"{names}\n{port}"
    found = sheet.fit(words, (theme.LABEL,), wide, 96)
    if found is None:  # a port of hundreds of signs is not worth the room of the names
        found = sheet.fit(names.replace("　　", "\n"), (theme.LABEL,), wide, 96)
    if found is not None:
        box = Box(_MARGIN, sheet.high - 36 - found.height, wide + 2, found.height)
        sheet.write(box, found, colour=Role.MIST_TEAL)


def _waiting(sheet: Sheet, view: EnrolmentView) -> None:
    """Say what to do, and what is wrong with the port if anything is."""
    wide = min(960.0, sheet.wide - 2 * _MARGIN)
    left = (sheet.wide - wide) / 2
    checks = (sheet.say("enrol_cable"), sheet.say("enrol_run", view.device, view.hall))
    floor = sheet.high - 140
    shortened = (view.text[:cut] for cut in (300, 150, 60))  # a port's name can be very long
    tries = (sheet.fit(text, (theme.LABEL,), wide - 96, 160) for text in shortened if text)
    trouble = next((found for found in tries if found), None)
    high = 92 + len(checks) * 92 + (trouble.height + 60 if trouble else 0)
    y = _TOP + (floor - _TOP - high) / 2
    title = Box(left, y, wide, sheet.line(theme.BIG))
    sheet.text(title, sheet.say("enrol_waiting"), (theme.BIG,), bold=True, colour=Role.LIGHT)
    y += 92
    for number, words in enumerate(checks, 1):
        _numbered(sheet, Box(left, y, wide, 92), number, words)
        y += 92
    if trouble is not None:
        box = Box(left, y + 24, wide, trouble.height + 36)
        sheet.panel(box, Role.TEAL_DEEP)
        x, bottom, _, _ = sheet.pixels(Box(box.x + 36, box.y + box.h / 2, 0, 0))
        sheet.drawing(lambda: faces.dot(sheet.paint, (x, bottom), 7 * sheet.unit, dark=True))
        text = Box(box.x + 72, box.y + 18, wide - 96 + 2, trouble.height)
        sheet.write(text, trouble, colour=Role.LIGHT)


def _numbered(sheet: Sheet, box: Box, number: int, words: str) -> None:
    disc = Box(box.x, box.y + (box.h - 48) / 2, 48, 48)
    sheet.panel(disc, Role.MIST, radius=24)
    sheet.text(
        disc, str(number), (theme.TEXT,), bold=True, colour=Role.TICK, align=("center", "middle")
    )
    text = box._replace(x=box.x + 72, w=box.w - 72)
    sheet.text(text, words, theme.down(theme.WORD), colour=Role.LIGHT)


def _comparing(sheet: Sheet, view: EnrolmentView) -> None:
    """Show the number so that it is read from the desk."""
    wide = sheet.wide - 2 * _MARGIN
    floor = _stages(sheet, view.step)
    number = sheet.line(theme.CODE)
    words = sheet.say("enrol_compare_how")
    if sheet.standing:
        words = words.replace("，", "，\n")
    how = sheet.fit(words, theme.down(theme.HEAD), wide, 140)
    title = sheet.line(theme.HEAD)
    if how is None:
        return
    y = _TOP + (floor - _TOP - title - number - how.height) / 2
    middle = ("center", "middle")
    box = Box(_MARGIN, y, wide, title)
    sheet.text(
        box,
        sheet.say("enrol_compare"),
        (theme.HEAD,),
        bold=True,
        colour=Role.MIST_TEAL,
        align=middle,
    )
    box = Box(_MARGIN, y + title, wide, number)
    words = grouped(view.number)
    sheet.text(box, words, (theme.CODE, 150), bold=True, colour=Role.LIGHT, align=middle)
    box = Box(_MARGIN, y + title + number, wide + 2, how.height)
    sheet.write(box, how, colour=Role.LIGHT, align=middle)


def _under_way(sheet: Sheet, view: EnrolmentView) -> None:
    floor = _stages(sheet, view.step)
    lines: list[Line] = [
        (sheet.say(f"enrol_{view.step}"), theme.BIG, True, Role.LIGHT),
        (sheet.say("enrol_hold"), theme.WORD, False, Role.MIST_TEAL),
    ]
    _middle(sheet, floor, _dots, lines)


def _done(sheet: Sheet, view: EnrolmentView) -> None:
    """Say that the identity is here, and whether the hub can be reached with it."""
    key = "enrol_passed" if view.passed else "enrol_not_passed"
    result = sheet.say(key, view.text) if view.text else ""
    advice = sheet.say("enrol_check") if result and not view.passed else ""
    lines: list[Line] = [
        (sheet.say("enrol_done"), theme.BIG, True, Role.LIGHT),
        (result, theme.WORD, False, Role.LIGHT),
        (advice, theme.WORD, False, Role.LIGHT),
        (
            sheet.say("enrol_starts" if view.again else "enrol_unplug"),
            theme.TEXT,
            False,
            Role.MIST_TEAL,
        ),
    ]
    sign: Sign = faces.tick if view.passed or not result else faces.warning
    reached = Step.TESTING if advice else Step.DONE
    _middle(sheet, _stages(sheet, reached), sign, lines)


def _failed(sheet: Sheet, view: EnrolmentView) -> None:
    """Say why, and what to do."""
    then = sheet.say("enrol_again" if view.again else "enrol_rerun")
    lines: list[Line] = [
        (sheet.say("enrol_failed"), theme.BIG, True, Role.LIGHT),
        (view.text, theme.WORD, False, Role.LIGHT),
        (then, theme.TEXT, False, Role.MIST_TEAL),
    ]
    _middle(sheet, sheet.high - 120, faces.warning, lines)


_BODY: dict[Step, Callable[[Sheet, EnrolmentView], None]] = {
    Step.WAITING: _waiting,
    Step.COMPARING: _comparing,
    Step.DONE: _done,
    Step.FAILED: _failed,
}


def _dots(paint: faces.Paint, centre: faces.Point, radius: float) -> None:
    faces.dots(paint, centre, radius * 0.13)


def _middle(sheet: Sheet, floor: float, sign: Sign, lines: list[Line]) -> None:
    notice(sheet, sign, lines, top=_TOP, floor=floor)


def _stages(sheet: Sheet, step: Step) -> float:
    """Draw the row of stages above the foot: done, under way, to come; return where it begins."""
    y = sheet.high - 246
    wide = (sheet.wide - 2 * _MARGIN) / len(_STAGES)
    now = _ORDER.index(step)
    for number, stage in enumerate(_STAGES):
        at = _ORDER.index(stage)
        centre = Box(_MARGIN + (number + 0.5) * wide, y + 28, 0, 0)
        if number:
            line = Box(centre.x - wide + 34, centre.y - 2, wide - 68, 4)
            sheet.panel(line, Role.MIST if at <= now else Role.TEAL_DEEP, radius=2)
        _mark(sheet, centre, number + 1, done=at < now, current=at == now)
        sheet.text(
            Box(centre.x - wide / 2 + 4, y + 62, wide - 8, 40),
            sheet.say(f"stage_{stage}"),
            (theme.LABEL,),
            bold=at == now,
            colour=Role.LIGHT if at <= now else Role.MIST_TEAL,
            align=("center", "middle"),
        )
    return y - 12


def _mark(sheet: Sheet, centre: Box, number: int, *, done: bool, current: bool) -> None:
    radius = 22.0
    x, y, _, _ = sheet.pixels(centre)
    if done:
        sheet.drawing(lambda: faces.tick(sheet.paint, (x, y), radius * sheet.unit))
        return
    box = Box(centre.x - radius, centre.y - radius, 2 * radius, 2 * radius)
    sheet.panel(box, Role.LIGHT if current else Role.TEAL_DEEP, radius=radius)
    sheet.text(
        box,
        str(number),
        (theme.LABEL,),
        bold=True,
        colour=Role.TEAL if current else Role.MIST_TEAL,
        align=("center", "middle"),
    )
