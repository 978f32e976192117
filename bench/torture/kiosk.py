"""A real kiosk without a window, and a scripted citizen in front of it.

All of `device.assembly` runs as in production: session, keeper, outbox, link. Only the picture
is missing: this loop draws nothing, and says what it would show on standard output. What the
citizen wants follows from the seed and the invitation alone, so that a seed can be repeated.
"""

import json
import logging
import random
import signal
import sqlite3
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.torture.truth import Notebook
from device import config as configuration
from device.assembly import Kiosk
from device.clocks import monotonic_ms
from device.driver import Driver
from device.events import Choose, Event, Skip, Submit, Tap, Undo, Write
from device.session import Screen
from device.troubles import unusable
from device.view import View
from protocol import catalogue
from protocol.messages import Rated

FRAME_S = 0.02
TICK_MS = 100
LOOK_MS = 60
PATIENCE_MS = 450
WORDS = ("态度好", "排队太久，建议多开窗口", "𠮷先生说：很好！", "谢谢", "“引号”与\\反斜线")


@dataclass
class Wish:
    """What one citizen wants: `first` is a slip of the finger, taken back before `level`.

    `level` None: walks away. `done`: presses 完成 on the thanks screen, else just goes.
    """

    level: int | None
    first: int | None = None
    reasons: tuple[str, ...] = ()
    comment: str = ""
    skip: bool = False
    done: bool = True

    @classmethod
    def of(cls, seed: int, serial: str, invitation: str) -> "Wish":
        """Return the wish that belongs to an invitation; who is asked again wants the same."""
        rng = random.Random(f"{seed} {serial}")
        if rng.random() < 0.06:
            return cls(None)
        level = rng.choice((5, 5, 4, 4, 3, 2, 1))
        codes = [each.code for each in catalogue.load().reasons(level)]
        fewest = 1 if level < 3 else 0
        wish = cls(
            level,
            reasons=tuple(rng.sample(codes, rng.randint(fewest, 3))),
            comment=rng.choice(WORDS) if rng.random() < 0.4 else "",
            done=rng.random() < 0.94,
        )
        if random.Random(invitation).random() < 0.08:
            wish.first = 6 - level if level != 3 else 5
        if level < 3 and rng.random() < 0.1:
            wish.reasons, wish.comment, wish.skip = (), "", True
        return wish


@dataclass
class Citizen:
    """Looks at each picture and presses one thing at a time, noting it first."""

    seed: int
    book: Notebook
    hand: "Driver | None" = None
    at: str | None = None
    wish: Wish = field(default_factory=lambda: Wish(None))
    pressed: list[str] = field(default_factory=list)
    thanked: bool = False
    leaving: str | None = None
    wait_ms: int = 0

    def look(self, view: View) -> None:
        """Press what comes next, if the screen offers it."""
        session, now = view.session, view.now_ms
        shown = session.invitation.id if session.invitation else None
        if self.leaving and (shown != self.leaving or session.screen is Screen.OUT_OF_SERVICE):
            if session.screen is not Screen.OUT_OF_SERVICE:
                self.book.note(self.leaving, "left")
            self.leaving = None
        if session.invitation is None:
            self.at = None
            return
        if shown != self.at:
            self.at, self.thanked, self.pressed = shown, False, []
            self.wish = Wish.of(self.seed, session.invitation.serial, session.invitation.id)
            self.wait_ms = now + PATIENCE_MS
        if session.screen is Screen.THANKS and not self.thanked:
            self.thanked = True
            self.book.note(session.invitation.id, "thanks")
        if now >= self.wait_ms and self.wish.level is not None and self.hand is not None:
            self.wait_ms = now + LOOK_MS
            self._press(view, session.invitation.id, session.invitation.serial)

    def _press(self, view: View, name: str, serial: str) -> None:
        screen, wish = view.session.screen, self.wish
        slipped = wish.first is not None and "undo" not in self.pressed
        if screen is Screen.INVITED:
            level = wish.first if slipped else wish.level
            if level is not None:
                self.pressed = ["undo"] if "undo" in self.pressed else []
                self._do(name, "tap", Tap(view.now_ms, name, level), serial=serial, level=level)
        elif screen is not Screen.THANKS or view.session.submitted:
            return
        elif self.hand is None or self.hand.ready is None:
            return  # no eye has read it yet: the kiosk would take no press
        elif slipped:
            self._take_back(name, view.now_ms)
        else:
            draft = view.session.draft
            bad = draft is not None and draft.level in Rated.bad
            self._say_why(name, view.now_ms, asked=bad)

    def _take_back(self, name: str, now: int) -> None:
        self.pressed.append("undo")
        self.thanked = False
        self.wait_ms = now + PATIENCE_MS
        if not self._do(name, "undo", Undo(now)):  # too late: it stays as it is
            self.wish = Wish(self.wish.first, skip=True)

    def _say_why(self, name: str, now: int, *, asked: bool) -> None:
        """Press the next reason, write, or be done; `asked`: on the screen of a bad level."""
        wish = self.wish
        code = next((each for each in wish.reasons if each not in self.pressed), None)
        if code is not None:
            self.pressed.append(code)
            self._do(name, "choose", Choose(now, code), code=code)
        elif wish.comment and "write" not in self.pressed:
            self.pressed.append("write")
            self._do(name, "write", Write(now, wish.comment), text=wish.comment)
        elif asked:
            skips = wish.skip
            self._do(name, "skip" if skips else "submit", Skip(now) if skips else Submit(now))
        elif wish.done:
            self.leaving = name
            self._do(name, "done", Submit(now))

    def _do(self, invitation: str, do: str, event: Event, **what: object) -> bool:
        """Note it, do it; False, and noted too, where the screen showed no effect."""
        if self.hand is None:
            return False
        self.book.note(invitation, do, **what)
        before = self.hand.session
        self.hand.handle(event)
        if self.hand.session is before:
            self.book.note(invitation, "refused")
        return self.hand.session is not before


class Screenless:
    """What stands in the place of Kivy's loop."""

    def __init__(self, kiosk: Kiosk, citizen: Citizen) -> None:
        self._kiosk = kiosk
        self._citizen = citizen
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._view: View | None = None
        self._told: dict[str, object] = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())

    def run(self) -> None:
        """Serve until told to stop."""
        driver = self._citizen.hand = self._kiosk.start(self._draw, self._wake.set)
        ticked = 0
        while not self._stop.is_set():
            self._wake.wait(FRAME_S)
            self._wake.clear()
            self._kiosk.drain()
            if monotonic_ms() - ticked >= TICK_MS:
                ticked = monotonic_ms()
                driver.tick()
            view = driver.view()
            self._tell(view)
            driver.frame_drawn()
            self._citizen.look(view)

    def _draw(self, view: View) -> None:
        self._view = view

    def _tell(self, view: View) -> None:
        pairing = view.settings.pairing if view.settings else None
        seen: dict[str, object] = {
            "screen": view.session.screen.value,
            "invitation": view.session.invitation.id if view.session.invitation else None,
            "connected": view.connected,
            "code": pairing.code if pairing else None,
            "candidate": pairing.window.name if pairing and pairing.window else None,
        }
        if seen != self._told:
            self._told = seen
            sys.stdout.write(json.dumps({"seen": seen}, ensure_ascii=False) + "\n")
            sys.stdout.flush()


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), required=True)
@click.option("--truth", type=click.Path(path_type=Path), required=True)
@click.option("--seed", type=int, required=True)
def main(file: Path, truth: Path, seed: int) -> None:
    """Run a kiosk without a window, and its citizens."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = configuration.load(file)
    try:
        kiosk = Kiosk(config, file.parent)
    except (OSError, sqlite3.Error) as error:
        sys.exit(unusable(file.parent / config.state, error))
    book = Notebook(truth)
    try:
        Screenless(kiosk, Citizen(seed, book)).run()
    finally:
        kiosk.stop()
        book.close()


if __name__ == "__main__":
    main()
