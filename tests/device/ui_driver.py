"""What citizens see and touch, on the real window; `ui_turns` says how it is run."""

import logging
import threading
import time

from msgspec.structs import replace

from device.events import Offer, Saved, Tap, Tick
from device.session import Screen, Session, step
from device.ui import theme, touch
from tests.device import ui_facts
from tests.device.ui_facts import lines
from tests.device.ui_turns import (
    DIRECTORY,
    WIDTH,
    EventLoop,
    Gallery,
    KivyWindow,
    drawn,
    picture,
    run,
    say,
    stands,
)
from tests.device.ui_views import (
    EVENING_MS,
    INVITATION,
    SETTINGS,
    VIEWS,
    for_elders,
    in_english,
    of_citizens,
    view,
)


def pictures(stage):
    """Render every view, and with all reasons unfolded where there are any."""
    yield from drawn(stage, VIEWS)


def english(stage):
    """The same for a citizen who has asked for English."""
    shown = {f"{name}_en": in_english(each) for name, each in of_citizens().items()}
    yield from drawn(stage, shown)


def elders(stage):
    """The same for a citizen who has asked for 长者模式, in both languages."""
    shown = {f"{name}_elder": for_elders(each) for name, each in of_citizens().items()}
    both = {f"{name}_en": in_english(each) for name, each in shown.items()}
    yield from drawn(stage, shown | both)


def evening(stage):
    """The same in the evening."""
    late = {f"{name}_evening": replace(each, hub_ms=EVENING_MS) for name, each in VIEWS.items()}
    yield from drawn(stage, late)


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
        say(level=level, taps=[[tap.invitation, tap.level, tap.now] for tap in rated(stage)])
    stage.events.clear()
    card, other = screen.find("level-1"), screen.find("level-5")
    touch.press(KivyWindow, *card.center)
    yield
    touch.lift(KivyWindow, *other.center)
    yield
    yield
    say(slid=len(rated(stage)))
    screen.draw(VIEWS["saving"])
    stage.touch("level-5")
    yield
    yield
    say(while_saving=len(rated(stage)))
    screen.draw(VIEWS["thanks_link"])
    yield
    stage.events.clear()
    stage.touch("page")
    yield
    yield
    say(on_the_code=[type(event).__name__ for event in stage.events])
    yield from twice(stage)
    KivyWindow.dispatch("on_keyboard", 27, 41, None, [])
    KivyWindow.dispatch("on_keyboard", 282, 58, None, [])  # F1
    yield
    yield
    say(
        sources=[provider.device for provider in EventLoop.input_providers],
        still_running=EventLoop.status == "started",
        windows=len(KivyWindow.children),
    )


def rated(stage):
    return [event for event in stage.events if isinstance(event, Tap)]


def twice(stage):
    """One finger that two sources tell of, in both orders; only the session can part them."""
    screen = stage.app.screen
    down, up = touch.press, touch.lift
    for name, order in (("together", (down, down, up, up)), ("in turns", (down, up, down, up))):
        stage.session, _ = step(Session(), Offer(stage.now, INVITATION, 60_000))
        stage.show()
        yield
        stage.now += 1_000
        stage.events.clear()
        at = screen.find("level-1").center
        for move in order:
            move(KivyWindow, *at)
            yield
            yield
        draft = stage.session.draft
        stage.emit(Saved(stage.now, stage.session.revision))
        yield
        at = screen.find("reason-109").center
        chosen = []
        for move in order:
            move(KivyWindow, *at)
            yield
            yield
            chosen.append(list(stage.session.draft.reasons))
        say(order=name, level=draft.level, revision=draft.revision, chosen=chosen)


def still(stage):
    """Show a view, wait until it stands, and count frames while equal views come in."""
    screen = stage.app.screen
    for name in ("idle", "invited", "thanks_bad_words"):
        screen.draw(VIEWS[name])
        yield from stands(stage)
        before = stage.app.frames
        for moment in range(40):
            screen.draw(replace(VIEWS[name], now_ms=10_000 + moment % 2))
            yield
        say(name=name, frames=stage.app.frames - before)
    for name, change in (
        ("a second later", lambda: screen.draw(replace(VIEWS["thanks_bad_words"], now_ms=20_000))),
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
    stage.emit(Saved(stage.now, stage.session.revision))
    stage.touch("done")
    yield
    yield
    say(
        ended=str(stage.session.ending),
        buttons=sorted(screen._sheet.keys),
        texts=lines(screen),
        old=old.text,
        focused=old.focus,
    )
    stage.now += 3_000
    stage.emit(Tick(stage.now))
    yield
    say(rest=str(stage.session.screen), texts=lines(screen))
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
        kinds=sorted({type(event).__name__ for event in stage.events}),
    )


def wishes(stage):
    """A citizen asks for English and large type, rates and goes; the next one finds neither."""
    screen = stage.app.screen
    stage.session, _ = step(Session(), Offer(stage.now, INVITATION, 60_000))
    stage.show()
    yield
    said = {}
    for moment, key in (
        ("english", "language"),
        ("large", "elder"),
        ("chinese", "language"),
        ("usual", "elder"),
        ("english again", "language"),
    ):
        stage.touch(key)
        yield
        yield
        said[moment] = [stage.session.english, stage.session.elder, lines(screen)]
    stage.now += 1_000
    stage.touch("level-1")
    yield
    yield
    said["saving"] = [stage.session.english, screen.find("language").action is None]
    stage.emit(Saved(stage.now, stage.session.revision))
    yield
    said["thanks"] = lines(screen)
    stage.touch("done")
    yield
    yield
    said["ending"] = lines(screen)
    skipped = [type(event).__name__ for event in stage.events][-2:]
    stage.now += 3_000
    stage.emit(Tick(stage.now))
    stage.session, _ = step(stage.session, Offer(stage.now, INVITATION, 60_000))
    stage.show()
    yield
    said["next"] = lines(screen)
    say(**said, skipped=skipped)
    bare = replace(SETTINGS, english=False, elder=True)
    screen.draw(view(Screen.INVITED, settings=bare))
    yield
    say(keys=sorted(screen._sheet.keys))


def rotation(stage):
    """Let announcements and pictures take turns, with files that are none among them."""
    folder = DIRECTORY / f"gallery-{WIDTH}"
    folder.mkdir()
    put = ui_facts.a_png
    (folder / "1 海报.png").write_bytes(put(300, 200, (200, 30, 30)))
    (folder / "2 大图.PNG").write_bytes(put(4000, 1000, (30, 160, 60)))
    (folder / "3 损坏.png").write_bytes(put(300, 200, (0, 0, 0))[:90])
    (folder / "4 二十兆.jpg").write_bytes(b"\xff\xd8" + bytes(20 << 20))
    (folder / "5 不是图片.jpg").write_bytes(b"<html>")
    (folder / "6 说谎.png").write_bytes(ui_facts.a_lying_png())
    (folder / "7 通知.txt").write_text("本周六上午照常办公\n", encoding="utf-8")
    (folder / "8 控制符.txt").write_text("\u202e反", encoding="utf-8")
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logging.getLogger("device.ui.gallery").addHandler(handler)
    logging.getLogger("device.ui.gallery").propagate = False
    screen = stage.app.screen
    screen.gallery = Gallery(folder, screen._redraw)
    shown = view(Screen.IDLE, settings=replace(SETTINGS, announcements=("办理社保业务请先取号",)))
    seen = []
    before = None
    for turn in range(6):
        at = replace(shown, now_ms=turn * theme.TURN_MS)
        screen.draw(at)
        end = time.monotonic() + 10
        while time.monotonic() < end and (
            screen.gallery._shown is before or not screen.gallery.texts
        ):
            yield
        before = screen.gallery._shown
        for _ in range(3):
            yield
        rows = stage.app.pixels()[2]
        colours = {rows[at : at + 3] for at in range(0, len(rows), 3 * 53)}
        seen.append([lines(screen), [name for name, rgb in MARKS.items() if rgb in colours]])
    yield from picture(stage, "idle_picture")
    frames = stage.app.frames
    for moment in range(60):
        screen.draw(replace(at, now_ms=at.now_ms + moment))
        yield
    frames = stage.app.frames - frames
    elder = replace(at, settings=replace(shown.settings, elder=True))
    screen.draw(elder)
    yield
    say(seen=seen, told=records, frames=frames, threads=threading.active_count())
    yield from picture(stage, "elder")
    screen.gallery.close()
    say(closed=[thread.name for thread in threading.enumerate() if thread.name == "gallery"])


MARKS = {"red": bytes((200, 30, 30)), "green": bytes((30, 160, 60))}

run(
    {
        "pictures": pictures,
        "english": english,
        "elders": elders,
        "evening": evening,
        "touches": touches,
        "still": still,
        "wiped": wiped,
        "wishes": wishes,
        "rotation": rotation,
    }
)
