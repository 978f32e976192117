"""Runs the real window, offscreen, through one scenario, and prints what it saw as JSON.

Kivy opens one window in a process, so that the tests start this file once for each scenario:
`ui_driver.py SCENARIO WIDTH HEIGHT DIRECTORY`. A scenario is a generator; wherever it yields,
Kivy draws a frame.
"""

import json
import sys
import time
import traceback
from pathlib import Path

from msgspec.structs import replace

from device.events import Offer, Saved
from device.session import Refused, Screen, Session, step
from device.ui.environment import prepare
from tests.device.ui_views import INVITATION, VIEWS, view

SCENARIO, WIDTH, HEIGHT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DIRECTORY = Path(sys.argv[4])
prepare(WIDTH, HEIGHT, headless=True)

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.core.window import Window as KivyWindow

from device.ui import touch
from device.ui.app import KioskApp
from device.ui.fonts import simplified_chinese
from device.ui.screen import KioskScreen


class Stage:
    """The screen with a hand-turned clock, and all that it emitted."""

    def __init__(self):
        self.now = 10_000
        self.events = []
        self.session = None
        self.around = view(Screen.IDLE, text_input=True)
        fonts = simplified_chinese(DIRECTORY)
        self.app = KioskApp(
            lambda: KioskScreen(fonts, lambda: self.now, self.emit), lambda _: self.start()
        )

    def emit(self, event):
        self.events.append(event)
        if self.session is not None:
            try:
                self.session, _ = step(self.session, event)
            except Refused as refused:
                self.events.append(refused.cause)
            else:
                self.show()

    def show(self):
        self.app.screen.draw(replace(self.around, session=self.session, now_ms=self.now))

    def touch(self, key):
        touch.tap(KivyWindow, *self.app.screen.find(key).center)

    def start(self):
        self.steps = globals()[SCENARIO](self)
        Clock.schedule_once(self.turn)

    def turn(self, _):
        try:
            next(self.steps)
        except StopIteration:
            self.app.stop()
        except BaseException:
            traceback.print_exc()
            self.app.stop()
            raise
        else:
            Clock.schedule_once(self.turn)


def say(**facts):
    print(json.dumps(facts, ensure_ascii=False), flush=True)


def lines(screen):
    return ["".join(text.lines) for text in screen.texts()]


# ---------------------------------------------------------------- scenarios


def pictures(stage):
    """Render every view, and with all reasons unfolded where there are any."""
    screen = stage.app.screen
    for name, shown in VIEWS.items():
        screen.draw(shown)
        yield
        yield from picture(stage, name)
        if screen.find("more"):
            stage.touch("more")
            yield
            yield
            yield from picture(stage, name + "_unfolded")


def picture(stage, name):
    path = DIRECTORY / f"{name}-{WIDTH}.png"
    stage.app.screenshot(path)
    wide, high, rows = stage.app.pixels()
    texts = stage.app.screen.texts()
    say(
        name=name,
        png=str(path),
        size=[wide, high],
        colours=len({rows[at : at + 3] for at in range(0, len(rows), 3 * 97)}),
        spilt=[
            list(text.lines)
            for text in texts
            if text.texture_size[0] > text.width + 1 or text.texture_size[1] > text.height + 1
        ],
        outside=[list(text.lines) for text in texts if not inside(area(text), (0, 0, wide, high))],
        overlaps=overlaps(stage.app.screen),
        crossed=crossed(texts),
        texts=lines(stage.app.screen),
        cut_lines=cut_lines(stage.app.screen.find("comment")),
        keys=sorted(stage.app.screen._sheet.keys),
        key_sizes={
            key: [round(button.width), round(button.height)]
            for key, button in stage.app.screen._sheet.keys.items()
        },
    )
    yield


def cut_lines(field):
    """Heights of the lines of the citizen's own words that are not seen whole."""
    if field is None or not field.text:
        return []
    drawn = [each for each in field.canvas.children if each in field._lines_rects]
    assert drawn
    return [each.size[1] for each in drawn if each.size[1] != field.line_height]


def area(widget):
    """Left, bottom, right and top of what is seen of a widget."""
    (left, bottom), (wide, high) = (
        (widget.texture_pos, widget.texture_size)
        if hasattr(widget, "texture_pos")
        else (widget.pos, widget.size)
    )
    return left, bottom, left + wide, bottom + high


def inside(one, other):
    return one[0] >= other[0] and one[1] >= other[1] and one[2] <= other[2] and one[3] <= other[3]


def overlaps(screen):
    """Pairs of buttons, or of texts and a button they are not written on, that collide."""
    buttons = list(screen._sheet.keys.values())
    loose = [text for text in screen.texts() if text.parent not in buttons]
    return [
        [named(one), named(other)]
        for number, one in enumerate(buttons)
        for other in [*buttons[number + 1 :], *loose]
        if collide(area(one), area(other))
    ]


def crossed(texts):
    """Pairs of texts that lie on each other; the room above and below their signs may."""
    return [
        ["".join(one.lines), "".join(other.lines)]
        for number, one in enumerate(texts)
        for other in texts[number + 1 :]
        if collide(area(one), area(other), room=4)
    ]


def collide(one, other, room=0):
    beside = one[0] >= other[2] or other[0] >= one[2]
    above = one[1] + room >= other[3] - room or other[1] + room >= one[3] - room
    return not beside and not above


def named(widget):
    return getattr(widget, "key", "") or "".join(widget.lines)


def touches(stage):
    """Touch each card once; slide off one; touch one that is being saved."""
    screen = stage.app.screen
    screen.draw(VIEWS["invited"])
    yield
    for level in (5, 4, 3, 2, 1):
        stage.events.clear()
        stage.touch(f"level-{level}")
        yield
        yield
        say(level=level, taps=[[tap.invitation, tap.level, tap.now] for tap in stage.events])
    stage.events.clear()
    card, other = screen.find("level-1"), screen.find("level-5")
    touch.press(KivyWindow, *card.center)
    yield
    touch.lift(KivyWindow, *other.center)
    yield
    yield
    say(slid=len(stage.events))
    screen.draw(VIEWS["saving"])
    stage.touch("level-5")
    yield
    yield
    say(while_saving=len(stage.events))
    KivyWindow.dispatch("on_keyboard", 27, 41, None, [])
    KivyWindow.dispatch("on_keyboard", 282, 58, None, [])  # F1
    yield
    yield
    say(
        sources=[provider.device for provider in EventLoop.input_providers],
        still_running=EventLoop.status == "started",
        windows=len(KivyWindow.children),
    )


def still(stage):
    """Show a view, wait until it stands, and count frames while equal views come in."""
    screen = stage.app.screen
    for name in ("idle", "invited", "reasons_words"):
        screen.draw(VIEWS[name])
        began = time.monotonic()
        while time.monotonic() < began + 0.3:  # the change of pictures takes 120 ms
            yield
        before = stage.app.frames
        for moment in range(40):
            screen.draw(replace(VIEWS[name], now_ms=10_000 + moment % 2))
            yield
        say(name=name, frames=stage.app.frames - before)
    for name, change in (
        ("a second later", lambda: screen.draw(replace(VIEWS["reasons_words"], now_ms=20_000))),
        ("after a screenshot", stage.app.pixels),
    ):
        before = stage.app.frames
        change()
        yield
        yield
        say(name=name, frames=stage.app.frames - before)


def wiped(stage):
    """Take one citizen through a bad rating with words, then show the next one."""
    screen = stage.app.screen
    stage.session, _ = step(Session(), Offer(stage.now, INVITATION, 60_000))
    stage.show()
    yield
    stage.now += 1_000
    stage.touch("level-2")
    yield
    yield
    stage.emit(Saved(stage.now, stage.session.revision))
    yield
    stage.touch("more")
    yield
    yield
    stage.touch("reason-214")
    yield
    yield
    stage.touch("comment")
    yield
    yield
    KivyWindow.dispatch("on_textinput", "示例意见𠮷")
    KivyWindow.dispatch("on_key_down", 13, 40, "\n", [])
    KivyWindow.dispatch("on_textinput", "第二行\u202e\x07" + "字" * 200)
    yield
    kept = stage.session.draft
    say(
        comment=kept.comment,
        reasons=kept.reasons,
        field=screen.find("comment").text,
        focused=screen.find("comment").focus,
        undo=screen.find("undo") is not None,
    )
    stage.now += 9_000
    stage.show()
    yield
    say(undo_later=screen.find("undo") is not None)
    stage.app.screenshot(DIRECTORY / f"written-{WIDTH}.png")
    old = screen.find("comment")
    stage.touch("submit")
    yield
    yield
    stage.emit(Saved(stage.now, stage.session.revision))
    yield
    say(after_submit=str(stage.session.screen), comment_on_thanks=screen.find("comment") is None)
    stage.touch("done")
    yield
    yield
    say(rest=str(stage.session.screen), texts=lines(screen), old=old.text, focused=old.focus)
    stage.session, _ = step(stage.session, Offer(stage.now, replace(INVITATION, id="b" * 32)))
    stage.session = replace(stage.session, deadline_ms=stage.now + 60_000)
    stage.show()
    yield
    stage.now += 1_000
    stage.touch("level-2")
    yield
    yield
    stage.emit(Saved(stage.now, stage.session.revision))
    yield
    say(
        next_field=screen.find("comment").text,
        folded=screen.find("more") is not None,
        hidden=screen.find("reason-214") is None,
        chosen=list(stage.session.draft.reasons),
        texts=lines(screen),
        submits=screen.find("submit").action is not None,
        kinds=sorted({type(event).__name__ for event in stage.events}),
    )


Stage().app.run()
