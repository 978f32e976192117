"""Everything of the kiosk but its picture, wired: key, outbox, link, keeper and session."""

import fcntl
import logging
import random
import secrets
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from device import identity, tls
from device.clocks import monotonic_ms, wall_ms
from device.config import HubConfig, KioskConfig
from device.driver import Driver
from device.events import Event
from device.identity import Enrolled, IdentityError
from device.keeper import Keeper
from device.keypad import model as pad_models
from device.keypad.lamp import Lamps
from device.keypad.model import Model
from device.keypad.pads import Pads
from device.keypad.reader import Press
from device.keypad.settings import KeypadConfig
from device.link import DeviceLink
from device.outbox import Outbox
from device.renewal import Renewing
from device.view import View
from device.voice.sounds import Sounds
from device.voice.speaker import Voice
from protocol.messages import Portrait, Settings

log = logging.getLogger(__name__)

VERSION = "0.1.0"

PRESSED = frozenset({"unknown_code", "ignored_code"})
"""What of a pad's counts is a key that somebody pressed now; the others are noise and echoes."""


class InUse(Exception):
    """Another kiosk runs on the same state; two would sign under the same numbers."""


def only_one(state: Path) -> TextIO:
    """Hold the state directory for this process; the lock goes with the process."""
    lock = (state / "lock").open("w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InUse(f"另一个评价器程序正在使用 {state}，请先停止它") from None
    return lock


def way_to_the_hub(configured: HubConfig | None, enrolled: Enrolled | None) -> HubConfig:
    """Return where the hub is: as the configuration says, else as enrolment did, with TLS.

    A kiosk that has neither is on trial, beside a hub on the same machine.
    """
    if configured is not None:
        return configured
    if enrolled is None:
        return HubConfig()
    return HubConfig(host=enrolled.terms.host, port=enrolled.terms.port, tls=True)


def _enrolled(config: KioskConfig, state: Path) -> Enrolled | None:
    """Return what enrolment gave this very kiosk, if anything; raises `IdentityError`."""
    enrolled = identity.enrolled(state)
    if enrolled is None:
        return None
    terms = enrolled.terms
    if (terms.hall, terms.device) != (config.hall, config.device):
        raise IdentityError(
            f"本机入网时是大厅 {terms.hall} 的 {terms.device}，"
            f"配置写的是大厅 {config.hall} 的 {config.device}："
            "请改正配置的 hall、device，或按配置的名称重新入网"
        )
    if terms.settings:
        log.warning("settings=not-used names=%s", ",".join(sorted(terms.settings)))
    return enrolled


def _model(keypad: KeypadConfig, base: Path) -> Model:
    """Return the model of the pads; one that nobody uses is not looked at."""
    return pad_models.load(keypad.model if keypad.port else KeypadConfig().model, base)


class Kiosk:
    """Everything but the picture. `draw` gets a view whenever there is something new.

    The owner of the screen's thread calls `start`, then `tick` some times a second and
    `frame_drawn` after each frame; `wake` is called from other threads when `drain` has
    something to do on the screen's thread.
    """

    def __init__(self, config: KioskConfig, base: Path) -> None:
        state = base / config.state
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._lock = undo.enter_context(only_one(state))
            key = identity.load(state / "device-key.pem")
            enrolled = _enrolled(config, state)
            hub = way_to_the_hub(config.hub, enrolled)
            boot = secrets.token_hex(16)
            rng = random.Random()  # noqa: S311 - jitter and names; the key is not made here
            self._link = DeviceLink(
                config.hall,
                config.device,
                hub.host,
                hub.port,
                boot=boot,
                rng=rng,
                tls=tls.of_state(state) if hub.tls else None,
            )
            undo.callback(self._link.stop)
            outbox = Outbox.open(state / "outbox.db")
            undo.callback(outbox.close)
            self.keeper = Keeper(
                config.device,
                boot,
                outbox,
                key,
                self._link,
                now=monotonic_ms,
                wall=wall_ms,
                rng=random.SystemRandom(),
                software=VERSION,
                renewing=None
                if enrolled is None
                else Renewing(state, key, enrolled, self._link, now=monotonic_ms, rng=rng),
            )
            self.pads = Pads(
                config.keypad,
                _model(config.keypad, base),
                press=self._press,
                now=monotonic_ms,
                rng=rng,
            )
            undo.pop_all()
        folder = base / config.voice.folder if config.voice.folder else None
        self._voice = Voice(config.voice, Sounds(folder, state / "voice"))
        self._inbox: deque[Callable[[], None]] = deque()
        self._text_input = config.screen.text_input
        self._device = config.device
        self._driver: Driver | None = None
        self._wake: Callable[[], None] = lambda: None

    def start(
        self,
        draw: Callable[[View], None],
        wake: Callable[[], None],
        at: Callable[[int], None] = lambda _: None,
    ) -> Driver:
        """Start keeper and link; return the driver, which belongs to the screen's thread.

        `at` is the driver's.
        """
        self._wake = wake
        lamps = Lamps()

        def draw_and_light(view: View) -> None:
            draw(view)
            self._voice.look(view)
            self.pads.indicate(lamps.look(view.session, view.now_ms))
            self._count(self.pads.take_counts())

        driver = self._driver = Driver(
            self.keeper,
            now=monotonic_ms,
            draw=draw_and_light,
            text_input=self._text_input,
            device=self._device,
            at=at,
        )

        def post(event: Event) -> None:
            self._inbox.append(lambda: driver.handle(event))
            wake()

        def settings(new: Settings) -> None:
            self._inbox.append(lambda: driver.settings(new))
            wake()

        def portrait(new: Portrait | None) -> None:
            self._inbox.append(lambda: driver.portrait(new))
            wake()

        self.keeper.start(post=post, settings=settings, portrait=portrait)
        self._link.start(
            connected=self.keeper.connected,
            lost=self.keeper.lost,
            receive=self.keeper.receive,
        )
        self.pads.start()
        self._voice.start()
        driver.redraw()
        return driver

    def _press(self, press: Press) -> None:
        """Hand the press of a pad, from its thread, to the screen's."""

        def take() -> None:
            if self._driver is not None:
                self._driver.press(press)

        self._inbox.append(take)
        self._wake()

    def _count(self, counts: Counter[str]) -> None:
        """Tell the hub what the pads did not take, and the session which keys rate nothing."""
        for cause, count in counts.items():
            self.keeper.refuse(f"pad_{cause}", count)
        pressed = sum(counts[cause] for cause in PRESSED)
        if pressed and self._driver is not None:
            self._driver.touch(pressed)

    def drain(self) -> None:
        """Do, on the screen's thread and in order, what other threads have handed in."""
        while self._inbox:
            self._inbox.popleft()()

    def ask_keeper(self, alive: Callable[[], None]) -> None:
        """Have the keeper's thread call `alive` when it has done what was handed in before."""
        self.keeper.answer(alive)

    def stop(self) -> None:
        """Disconnect, finish what was handed in, close the outbox."""
        self._voice.stop()
        self.pads.stop()
        self._link.stop()
        self.keeper.stop()
        self._lock.close()
