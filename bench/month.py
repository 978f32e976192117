"""A month of citizens at one kiosk, with the clock turned by hand.

Everything is the kiosk's own: window, screens, driver, session, keeper, outbox, keys. The hub
answers in the same process, or does not; nothing is waited for but the keeper's disk.
"""

import random
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
"""What the hub's clock shows when the kiosk's shows 0."""
BOOT = "b" * 32
WINDOW = Window(name="1号窗口", label="综合受理")
CLERKS = tuple(
    Staff(name=f"示例{sign}", number=f"{317 + at:04d}", post="综合受理")
    for at, sign in enumerate("甲乙丙丁戊")
)
MATTERS = (
    "营业执照变更",
    "不动产登记",
    "居民身份证补领",
    "食品经营许可",
    "社保关系转移",
    "车辆注销",
)
AWAY_EVERY, AWAY, BACK = 100, 10, 20
"""In each hundred sessions the hub is away from the 10th to the 20th; the first loses the line."""
REST = 3
"""Turns of Kivy's loop after a session, until all that was put off to the next turn is done."""
FIRST = 40
"""Among the first citizens all kinds come in turns, so that each picture was seen early."""
PATIENCE = 2_000
"""Turns of Kivy's loop; a session that stands still for so long is a fault."""


class Hub:
    """Takes what the kiosk publishes, checks each signature, and answers while it is there."""

    def __init__(self, now: Callable[[], int], key: Any) -> None:
        self._now = now
        self._public = key.public_key()
        self._version = 0
        self.keeper: Any = None
        self.line = True
        self.there = True
        self.taken: dict[str, str] = {}

    def publish(self, leaf: Leaf, payload: bytes, *, retain: bool = False) -> bool:
        del retain
        if not self.line:
            return False
        if self.there and leaf is Leaf.RATING:
            outcome = signing.verify(payload, "k1", self._public)
            self.taken[outcome.id] = type(outcome).__name__
            self.answer(outcome.id)
        elif self.there and leaf is Leaf.STATE:
            self.answer()
        return True

    def reconnect(self) -> None:
        """Nothing to do: no certificate is renewed here."""

    def answer(self, *committed: str) -> None:
        now = self._now()
        receipt = Receipt(hub_at=now + AHEAD_MS, committed=committed, boot=BOOT, echo_ms=now)
        self.keeper.receive(Leaf.RECEIPT, wire.encode(receipt), False)

    def settings(self, version: int, staff: Staff) -> None:
        said = Settings(
            version=version,
            hall_name="示例区政务服务中心",
            window=WINDOW,
            staff=staff,
            catalogue=CURRENT,
            english=True,
            announcement="本大厅周六上午照常办理业务。",
        )
        self.keeper.receive(Leaf.SETTINGS, wire.encode(said), False)

    def invite(self, number: int, staff: Staff) -> None:
        matter = f"{MATTERS[number % len(MATTERS)]}（第{number}件）"
        self._slot(
            Invitation(
                id=f"{number:032x}",
                serial=f"1201162026{number:010d}",
                service_number=1 + number % 2,
                matter=matter,
                window=WINDOW,
                staff=staff,
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
    """The kiosk and its citizens. `rested(number)` is called at rest after each session.

    Kivy must have been prepared. `text_input`: there is a field for the citizen's own words.
    """

    def __init__(
        self,
        home: Path,
        sessions: int,
        rested: Callable[[int], None],
        *,
        text_input: bool = False,
    ) -> None:
        from kivy.clock import Clock  # noqa: PLC0415
        from kivy.core.window import Window as KivyWindow  # noqa: PLC0415

        from device.ui.app import KioskApp  # noqa: PLC0415
        from device.ui.fonts import simplified_chinese  # noqa: PLC0415
        from device.ui.screen import KioskScreen  # noqa: PLC0415

        self._clock, self._window = Clock, KivyWindow
        self._now = 10_000
        self._sessions = sessions
        self._rested = rested
        self._rng = random.Random(4)
        self._posted: deque[Callable[[], None]] = deque()
        key = signing.generate_key()
        self.hub = Hub(self.now, key)
        self.outbox = Outbox.open(home / "outbox.db")
        self.keeper = self.hub.keeper = Keeper(
            "k1",
            BOOT,
            self.outbox,
            key,
            self.hub,
            now=self.now,
            wall=lambda: self._now + AHEAD_MS,
            rng=random.Random(5),
        )
        faces = simplified_chinese(home / "fonts")
        self.app = KioskApp(lambda: KioskScreen(faces, self.now, self._emit), self._begin)
        self.driver = Driver(self.keeper, now=self.now, draw=self._draw, text_input=text_input)
        self.screen: Any = None
        self.failed = ""
        self.done = 0
        self.deepest = self.left = 0
        self.endings: Counter[str] = Counter()

    def now(self) -> int:
        return self._now

    def run(self) -> None:
        """Let the month pass; raises RuntimeError with what went wrong in it."""
        try:
            self.app.run()
        finally:
            self.keeper.stop()
        if self.failed or self.done != self._sessions:
            raise RuntimeError(self.failed or f"stopped after session {self.done}")

    def _begin(self, screen: Any) -> None:
        self.screen = screen
        self.keeper.start(
            post=lambda event: self._posted.append(lambda: self.driver.handle(event)),
            settings=lambda new: self._posted.append(lambda: self.driver.settings(new)),
        )
        self._window.bind(on_flip=self._flipped)
        self._citizens = self._month()
        self._turning = self._clock.schedule_interval(self._turn, 0)

    def _flipped(self, *_: Any) -> None:
        self.driver.frame_drawn()

    def _draw(self, view: View) -> None:
        self.screen.draw(view)
        self.screen.settle()  # a change of pictures is not waited for

    def _emit(self, event: Event) -> None:
        self.driver.handle(event)

    def _turn(self, _: float) -> None:
        try:
            self._settle()
            self.driver.tick()
            next(self._citizens)
        except StopIteration:
            self.app.stop()
        except Exception:  # noqa: BLE001 - `run` tells it
            self.failed = traceback.format_exc()
            self.app.stop()

    def _settle(self) -> None:
        """Have the keeper do what it was handed, and the screen take what came of it."""
        while True:
            done = threading.Event()
            self.keeper._inbox.put(lambda: None)  # behind it the keeper takes its own turn
            self.keeper._inbox.put(done.set)
            if not done.wait(30):
                raise TimeoutError("the keeper stands still")
            if not self._posted:
                return
            while self._posted:
                self._posted.popleft()()

    # ---------------------------------------------------------------- the citizens

    def _month(self) -> Iterator[None]:
        self.keeper.connected(1)
        self.hub.settings(1, CLERKS[0])
        yield from self._until(lambda: self._at(Screen.IDLE) and self.keeper.hub_is_there)
        for number in range(1, self._sessions + 1):
            before = self._now
            self._come_and_go(number)
            staff = CLERKS[number // 500 % len(CLERKS)]
            if number % 500 == 0:
                self.hub.settings(1 + number // 500, staff)
            self.hub.invite(number, staff)
            yield from self._until(lambda: self._at(Screen.INVITED))
            yield from self._one(number)
            if not self._at(Screen.THANKS):
                self._now = max(self._now, before + MONTH_MS // self._sessions)
            yield from self._until(lambda: self._at(Screen.IDLE), step=20_000)
            depth = self.outbox.depth()
            self.deepest = max(self.deepest, depth)
            if self.hub.there:
                yield from self._until(lambda: self.outbox.depth() == 0, step=5_000)
            self._now = max(self._now, before + MONTH_MS // self._sessions)
            for _ in range(REST):
                yield
            self.done, self.left = number, self.outbox.depth()
            self._rested(number)

    def _come_and_go(self, number: int) -> None:
        """Let the hub be away now and then; at first the line is down as well."""
        at = number % AWAY_EVERY
        hub = self.hub
        if at == AWAY:
            hub.there = False
        elif at == BACK:
            hub.there = True
            self.keeper.connected(number)
        if hub.there:
            hub.answer()

    def _one(self, number: int) -> Iterator[None]:
        fate = number / FIRST if number < FIRST else self._rng.random()
        yield  # time passes for a citizen once a frame shows the question
        self._now += 2_000
        if fate < 0.08:
            self.endings["withdrawn"] += 1
            self.hub.withdraw()
            yield from self._until(lambda: not self._at(Screen.INVITED))
        elif fate < 0.16:
            self.endings["expired"] += 1
            self._now += 60_001
        else:
            if fate < 0.30:
                self._touch("language")
                yield
            if 0.25 < fate < 0.40:
                self._touch("elder")
                yield
            yield from self._rate(number)

    def _rate(self, number: int) -> Iterator[None]:
        rng = self._rng
        lost = number % AWAY_EVERY == AWAY
        if lost:
            self.hub.line = False
            self.keeper.lost()
        yield from self._tap(rng.randint(1, 5))
        if rng.random() < 0.1:
            self.endings["undone"] += 1
            self._touch("undo")
            yield from self._until(lambda: self._at(Screen.INVITED))
            yield
            self._now += 1_000
            yield from self._tap(rng.randint(1, 5))
        if rng.random() < 0.4:
            keys = [key for key in self.screen._sheet.keys if key.startswith("reason-")]
            self._touch(rng.choice(keys))
            yield
        field = self.screen.find("comment")
        if field is not None and rng.random() < 0.3:
            field.insert_text(f"第{number}次来，窗口很耐心。")
            yield
        self.endings["rated"] += 1
        if number % 3:
            self._touch("done")
            yield from self._until(lambda: not self._at(Screen.THANKS))
        if lost:
            self.hub.line = True
            self.keeper.connected(number)

    def _tap(self, level: int) -> Iterator[None]:
        self._touch(f"level-{level}")
        yield from self._until(lambda: self._at(Screen.THANKS) and self.driver.session.kept)
        # somebody looks at it first: before that the kiosk takes no press
        yield from self._until(lambda: self.driver.ready is not None, step=100)

    def _touch(self, key: str) -> None:
        from device.ui import touch  # noqa: PLC0415

        button = self.screen.find(key)
        if button is None:
            raise LookupError(f"{key} is not on the screen: {list(self.screen._sheet.keys)}")
        touch.tap(self._window, *button.to_window(*button.center))

    def _at(self, screen: Screen) -> bool:
        return self.driver.session.screen is screen

    def _until(self, condition: Callable[[], bool], step: int = 0) -> Iterator[None]:
        """Turn Kivy's loop until it is so, `step` ms of the kiosk's clock each time."""
        for _ in range(PATIENCE):
            if condition():
                return
            self._now += step
            yield
        raise TimeoutError(f"stuck in session {self.done + 1}: {self.driver.session!r}"[:600])
