"""A month of citizens in minutes: what the kiosk's memory does over thousands of sessions.

Everything is the kiosk's own (window, screens, driver, session, keeper, outbox, keys); the clock
is turned by hand and the hub answers in the same process, so that nothing has to be waited for.

`python -m bench.kiosk_soak [--sessions N]`
"""

import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bench.stand import resident_mb
from device.driver import Driver
from device.events import Event
from device.keeper import Keeper
from device.outbox import Outbox
from device.session import Screen
from device.view import View
from protocol import signing, wire
from protocol.catalogue import CURRENT
from protocol.messages import Invitation, Receipt, Settings, Slot, Staff, Window
from protocol.topics import Leaf

MONTH_MS = 30 * 86_400_000
AHEAD_MS = 1_795_000_000_000
BOOT = "b" * 32
WINDOW = Window(name="1号窗口", label="综合受理")
STAFF = Staff(name="示例甲", number="0317", post="综合受理")
STUCK_S = 30.0
"""A session that does not come on for so long is a fault of the kiosk, or of this program."""


class Hub:
    """Takes what the kiosk publishes, and answers it at once."""

    def __init__(self, now: Any, key: Any) -> None:
        self._now = now
        self._public = key.public_key()
        self.keeper: Any = None
        self.rated: Counter[str] = Counter()
        self._version = 0

    def publish(self, leaf: Leaf, payload: bytes, *, retain: bool = False) -> bool:
        del retain
        if leaf is Leaf.RATING:
            outcome = signing.verify(payload, "k1", self._public)
            self.rated[type(outcome).__name__] += 1
            self.answer(outcome.id)
        elif leaf is Leaf.STATE:
            self.answer()
        return True

    def reconnect(self) -> None:
        """Nothing to do: this line is never down."""

    def answer(self, *committed: str) -> None:
        now = self._now()
        receipt = Receipt(hub_at=now + AHEAD_MS, committed=committed, boot=BOOT, echo_ms=now)
        self.keeper.receive(Leaf.RECEIPT, wire.encode(receipt), False)

    def settings(self) -> None:
        said = Settings(
            version=1,
            hall_name="示例区政务服务中心",
            window=WINDOW,
            staff=STAFF,
            catalogue=CURRENT,
            english=True,
        )
        self.keeper.receive(Leaf.SETTINGS, wire.encode(said), False)

    def invite(self, number: int) -> None:
        matter = f"示例事项{number}" + "（新办、变更、延续、补证、注销）" * (number % 7)
        self._slot(
            Invitation(
                id=f"{number:032x}",
                serial=f"1201162026{number:010d}",
                service_number=1,
                matter=matter,
                window=WINDOW,
                staff=STAFF,
                issued_at=self._now() + AHEAD_MS,
                ttl_ms=60_000,
            )
        )

    def withdraw(self) -> None:
        self._slot(None)

    def _slot(self, invitation: Invitation | None) -> None:
        self._version += 1
        slot = Slot(version=self._version, invitation=invitation)
        self.keeper.receive(Leaf.INVITATION, wire.encode(slot), False)


class Month:
    """The kiosk, its citizens, and the account of its memory."""

    def __init__(self, home: Path, sessions: int) -> None:
        from kivy.clock import Clock  # noqa: PLC0415 - Kivy is prepared by now

        from device.ui.app import KioskApp  # noqa: PLC0415
        from device.ui.fonts import simplified_chinese  # noqa: PLC0415
        from device.ui.screen import KioskScreen  # noqa: PLC0415

        self._clock = Clock
        self._now = 10_000
        self._sessions = sessions
        self._rng = random.Random(4)
        self._posted: deque[Any] = deque()
        key = signing.generate_key()
        self.hub = Hub(self.now, key)
        self.outbox = Outbox.open(home / "outbox.db")
        self.keeper = Keeper(
            "k1",
            BOOT,
            self.outbox,
            key,
            self.hub,
            now=self.now,
            wall=lambda: self._now + AHEAD_MS,
            rng=random.Random(5),
        )
        self.hub.keeper = self.keeper
        faces = simplified_chinese(home / "fonts")
        self.app = KioskApp(lambda: KioskScreen(faces, self.now, self._emit), self._begin)
        self.driver: Any = None
        self.failed = ""
        self.done = 0
        self.endings: Counter[str] = Counter()
        self.memory: list[tuple[int, float]] = []

    def now(self) -> int:
        return self._now

    def run(self) -> None:
        try:
            self.app.run()
        finally:
            self.keeper.stop()

    def _begin(self, screen: Any) -> None:
        self._screen = screen
        self.driver = Driver(self.keeper, now=self.now, draw=self._draw, text_input=False)
        self.keeper.start(
            post=lambda event: self._posted.append(lambda: self.driver.handle(event)),
            settings=lambda new: self._posted.append(lambda: self.driver.settings(new)),
        )
        from kivy.core.window import Window  # noqa: PLC0415

        Window.bind(on_flip=self._flipped)
        self.keeper.connected(1)
        self.hub.settings()
        self._citizens = self._month()
        self._moved = time.monotonic()
        self._turning = self._clock.schedule_interval(self._turn, 0)

    def _flipped(self, *_: Any) -> None:
        self.driver.frame_drawn()

    def _draw(self, view: View) -> None:
        self._screen.draw(view)
        self._screen.settle()

    def _emit(self, event: Event) -> None:
        self.driver.handle(event)

    def _turn(self, _: float) -> None:
        while self._posted:
            self._posted.popleft()()
        self.driver.tick()
        try:
            next(self._citizens)
        except StopIteration:
            self.app.stop()
        except Exception:  # noqa: BLE001 - told by the one who started it
            self.failed = traceback.format_exc()
            self.app.stop()

    # ---------------------------------------------------------------- the citizens

    def _month(self) -> Iterator[None]:
        yield from self._until(lambda: self._at(Screen.IDLE))
        for number in range(1, self._sessions + 1):
            before = self._now
            self.hub.answer()  # the hub is there, and its time is known
            self.hub.invite(number)
            yield from self._until(lambda: self._at(Screen.INVITED))
            yield from self._one(number)
            yield from self._until(lambda: self._at(Screen.IDLE), step=1_000)
            yield from self._until(lambda: self.outbox.depth() == 0)
            self.done = number
            self._now = max(self._now, before + MONTH_MS // self._sessions)
            if number % 10 == 0:
                self.memory.append((number, resident_mb_self()))
            yield

    def _one(self, number: int) -> Iterator[None]:
        rng = self._rng
        fate = rng.random()
        self._now += 1_000
        yield
        if fate < 0.08:
            self.endings["withdrawn"] += 1
            self.hub.withdraw()
            yield from self._until(lambda: not self._at(Screen.INVITED))
            return
        if fate < 0.16:
            self.endings["expired"] += 1
            self._now += 60_001
            return
        if fate < 0.30:
            self._touch("language")
            yield
        if 0.25 < fate < 0.40:
            self._touch("elder")
            yield
        yield from self._tap(rng.randint(1, 5))
        if rng.random() < 0.1:
            self.endings["undone"] += 1
            self._touch("undo")
            yield from self._until(lambda: self._at(Screen.INVITED))
            self._now += 1_000
            yield from self._tap(rng.randint(1, 5))
        if rng.random() < 0.4:
            keys = [key for key in self._keys() if key.startswith("reason-")]
            self._touch(rng.choice(keys))
            yield
        self.endings["rated"] += 1
        if number % 3:
            self._touch("done")
            yield from self._until(lambda: not self._at(Screen.THANKS))

    def _tap(self, level: int) -> Iterator[None]:
        yield from self._until(lambda: self._screen.find(f"level-{level}") is not None)
        self._touch(f"level-{level}")
        yield from self._until(lambda: self._at(Screen.THANKS) and self.driver.session.kept)
        yield

    def _keys(self) -> list[str]:
        return list(self._screen._sheet.keys)

    def _touch(self, key: str) -> None:
        from kivy.core.window import Window  # noqa: PLC0415

        from device.ui import touch  # noqa: PLC0415

        button = self._screen.find(key)
        if button is None:
            raise LookupError(f"{key} is not on the screen; there are {self._keys()}")
        touch.tap(Window, *button.to_window(*button.center))

    def _at(self, screen: Screen) -> bool:
        return bool(self.driver.session.screen is screen)

    def _until(self, condition: Any, step: int = 0) -> Iterator[None]:
        end = time.monotonic() + STUCK_S
        while not condition():
            if time.monotonic() > end:
                session = self.driver.session
                raise TimeoutError(f"stuck in session {self.done + 1}: {session!r}"[:600])
            self._now += step or 30
            self.keeper._inbox.put(lambda: None)  # its next turn need not be waited for
            yield


def resident_mb_self() -> float:
    """Return the resident memory of this process, in MB."""
    return resident_mb("self")


def prepare() -> None:
    """Prepare Kivy as the kiosk does, without its brake on frames."""
    from device.ui import environment  # noqa: PLC0415

    environment.prepare(1024, 600, headless=True)
    from kivy.config import Config  # noqa: PLC0415

    Config.set("graphics", "maxfps", "0")


@click.command()
@click.option("--sessions", type=click.IntRange(100), default=10_000, show_default=True)
def main(sessions: int) -> None:
    """Let a month of citizens rate, and print what the memory did, as JSON."""
    prepare()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        month = Month(Path(folder), sessions)
        month.run()
        if month.failed or month.done != sessions:
            sys.exit(month.failed or "stopped early")
        outcomes = dict(month.hub.rated)
        frames = month.app.frames
    warm = max(40, sessions // 10)
    after = [(number, mb) for number, mb in month.memory if number >= warm]
    third = max(1, len(after) // 3)
    early = sum(mb for _, mb in after[:third]) / third
    late = sum(mb for _, mb in after[-third:]) / third
    click.echo(
        json.dumps(
            {
                "sessions": sessions,
                "seconds": round(time.monotonic() - begin, 1),
                "frames": frames,
                "endings": dict(month.endings),
                "outcomes": outcomes,
                "warm_mb": round(after[0][1], 1),
                "last_mb": round(after[-1][1], 1),
                "most_mb": round(max(mb for _, mb in after), 1),
                "growth_mb": round(late - early, 2),
                "curve": [
                    round(mb, 1) for _, mb in month.memory[:: max(1, len(month.memory) // 20)]
                ],
            }
        )
    )


if __name__ == "__main__":
    main()
