"""Photographs of clerks on the real window: sound, damaged, dangerous ones, one after the other."""

import gc
import hashlib
import logging
import time
import weakref
from itertools import pairwise

from msgspec.structs import replace

from device.session import Screen
from protocol.messages import Portrait, Staff
from tests.device.ui_facts import a_lying_png, a_png
from tests.device.ui_turns import DIRECTORY, ImageLoader, picture, run, say
from tests.device.ui_views import INVITATION, SETTINGS, view

RED, GREEN = (200, 30, 30), (30, 160, 60)


def portrait(data):
    return Portrait(digest=hashlib.sha256(data).hexdigest(), picture=data)


def a_jpeg(wide, high, colour):
    """A real JPEG, made by the library that the kiosk reads with."""
    path = DIRECTORY / "portrait.jpg"
    loader = next(each for each in ImageLoader.loaders if each.can_save("jpg", is_bytesio=False))
    loader.save(str(path), wide, high, "rgb", bytes(colour) * (wide * high), False, "jpg")
    return path.read_bytes()


def a_lying_jpeg():
    """A JPEG whose frame header promises 3,600 million pixels."""
    data = bytearray(a_jpeg(40, 40, RED))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xea\x60\xea\x60"
    return bytes(data)


def shown(screen, found, **more):
    settings = replace(SETTINGS, portrait=found.digest if found else "")
    return replace(view(screen, settings=settings, **more), portrait=found)


def until(holds, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not holds():
        yield


def seen(stage, *colours):
    """Return which colours are on the screen, give or take what JPEG does to them."""
    rows = stage.app.pixels()[2]
    some = {rows[at : at + 3] for at in range(0, len(rows), 3)}
    return [
        any(max(abs(a - b) for a, b in zip(rgb, colour, strict=True)) < 6 for rgb in some)
        for colour in colours
    ]


def arrives(stage, found):
    yield from until(lambda: stage.app.screen.portraits.show(found) is not None)
    yield
    yield


def sound(stage):
    """Show a PNG and a JPEG, at rest and beside an invitation; then those that do not belong."""
    screen = stage.app.screen
    red, green = portrait(a_png(301, 403, RED)), portrait(a_jpeg(721, 1081, GREEN))
    for name, found in (("png", red), ("jpeg", green)):
        for where in (Screen.IDLE, Screen.INVITED):
            screen.draw(shown(where, found))
            yield from arrives(stage, found)
            say(what=f"{name} {where}", seen=seen(stage, RED, GREEN))
            yield from picture(stage, f"{name}_{where}")
    other = replace(INVITATION, staff=Staff(name="示例乙"))
    for name, each in (
        ("another clerk's invitation", shown(Screen.INVITED, green, invitation=other)),
        ("another digest", replace(shown(Screen.IDLE, red), portrait=green)),
        ("no digest", replace(shown(Screen.IDLE, None), portrait=green)),
        ("nobody", replace(shown(Screen.IDLE, green), settings=replace(SETTINGS, staff=None))),
        ("none any more", shown(Screen.IDLE, None)),
    ):
        screen.draw(each)
        yield
        yield
        say(what=name, seen=seen(stage, RED, GREEN))
    screen.close()


def damaged(stage):
    """Nothing of these is shown, each is told once, and the window draws on meanwhile."""
    screen = stage.app.screen
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    logging.getLogger("device.ui.portrait").addHandler(handler)
    logging.getLogger("device.ui.portrait").propagate = False
    whole = a_png(300, 400, RED)
    for name, data in (
        ("nothing known", b"<html>"),
        ("cut off", whole[:90]),
        ("20 MB", whole + bytes(20 << 20)),
        ("lying png", a_lying_png()),
        ("lying jpeg", a_lying_jpeg()),
        ("too wide", a_png(2001, 10, RED)),
        ("only a head", whole[:33]),
        ("a gif", b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00;"),
    ):
        before = len(told)
        screen.draw(shown(Screen.IDLE, portrait(data)))
        yield from until(lambda: len(told) > before)  # noqa: B023 - run at once
        yield
        say(what=name, told=told[before:], seen=seen(stage, RED))
    sound_one = portrait(whole)
    screen.draw(shown(Screen.IDLE, sound_one))
    yield from arrives(stage, sound_one)
    say(what="a sound one after them", told=[], seen=seen(stage, RED))
    screen.close()


def many(stage):
    """Change the clerk again and again; then show the largest that is allowed."""
    screen = stage.app.screen
    known = []
    for number in range(40):
        found = portrait(a_png(300 + number, 400, (number, 90, 30)))
        screen.draw(shown(Screen.INVITED if number % 2 else Screen.IDLE, found))
        if number % 4:  # of some, another comes before it is read
            yield from arrives(stage, found)
            known += map(weakref.ref, screen.portraits.show(found).textures)
    gc.collect()
    alive = sum(texture() is not None for texture in known)
    now = len(screen.portraits.show(found).textures)
    large = portrait(a_png(2000, 2000, GREEN))
    moments = [time.monotonic()]
    screen.draw(shown(Screen.IDLE, large))
    while screen.portraits.show(large) is None and moments[-1] < moments[0] + 20:
        stage.app.redraw()
        yield
        moments.append(time.monotonic())
    gaps = max(b - a for a, b in pairwise(moments))
    yield
    say(made=len(known), alive=alive, now=now, gap_ms=round(gaps * 1000), seen=seen(stage, GREEN))
    screen.draw(shown(Screen.IDLE, None))
    screen.close()
    say(closed=screen.portraits._thread is None)


run({"sound": sound, "damaged": damaged, "many": many})
