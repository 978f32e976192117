"""The composition root of the kiosk: the assembly, and the stage on which it is seen.

Its own imports are light: the first picture comes before disk, keys, network and widgets.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from device import ending
from device.config import EnrolmentConfig, KioskConfig, ScreenConfig
from device.crash import Crashed
from device.splash import Splash, Words
from device.troubles import may_pass, unusable
from device.watchdog import Notifier, Watchdog

if TYPE_CHECKING:
    from device.assembly import Kiosk
    from device.enrolling import Enrolling
    from device.ui.desk import EnrolmentStage
    from device.ui.stage import Stage

log = logging.getLogger(__name__)

RETRY_S = 3.0
"""How long a kiosk whose disk takes nothing waits before it tries to start again."""


_Made = TypeVar("_Made")


def raise_curtain(config: KioskConfig, base: Path, *, headless: bool = False) -> Splash:
    """Open the window with 请稍候 on it. Everything else of the screen comes after this."""
    _prepare(config.screen, headless=headless)
    splash = Splash(base / config.state / "fonts")
    splash.show(Words.STARTING)
    return splash


def run(
    config: KioskConfig,
    base: Path,
    *,
    headless: bool = False,
    extend: Callable[["Stage"], None] = lambda _: None,
) -> None:
    """Show the kiosk until it is stopped; `extend` gets the stage before the curtain rises.

    Where it is `headless` its log has the pairing codes. A disk that is full, or fails, is
    waited for, with 暂停服务 on the screen. Raises OSError or sqlite3.Error for other faults of
    the state directory, and `Crashed` for a fault of the screen's thread while the stage is
    shown; by then nothing of a citizen is on the screen, and what was ordered is on disk.
    """
    splash = raise_curtain(config, base, headless=headless)
    from device.assembly import Kiosk  # noqa: PLC0415 - only after the first picture
    from device.ui.stage import Stage  # noqa: PLC0415

    def make() -> tuple[Kiosk, Stage]:
        kiosk = Kiosk(config, base)
        try:
            return kiosk, Stage(kiosk, base / config.state, config.screen.panel(base))
        except BaseException:
            kiosk.stop()
            raise

    kiosk, stage = _once_the_disk_takes_it(make, splash, base / config.state)
    try:
        if headless:
            from device.headless import PairingLog  # noqa: PLC0415 - as above

            stage.watch = PairingLog().see
        extend(stage)
        _show(stage.run, splash, kiosk, config)
    finally:
        kiosk.stop()


def _once_the_disk_takes_it(make: Callable[[], _Made], splash: Splash, state: Path) -> _Made:
    """Return what `make` makes; while the disk refuses, say so and try every `RETRY_S` anew."""
    notifier, refused = Notifier(), False
    while True:
        try:
            made = make()
        except (OSError, sqlite3.Error) as error:
            if not may_pass(error):
                raise
            if not refused:
                log.critical("start=waits-for-disk %s", unusable(state, error))
            refused = True
            splash.show(Words.HALTED)
            notifier.tell(WATCHDOG=1)  # it lives, and another start would meet the same disk
            time.sleep(RETRY_S)
            continue
        if refused:
            log.warning("start=disk-works-again")
            splash.show(Words.STARTING)
        return made


def _show(
    show: Callable[[], None], splash: Splash, kiosk: "Kiosk | None", config: KioskConfig
) -> None:
    """Run a stage under the eyes of the watchdog; a fault of it ends in a calm picture."""
    from kivy.clock import Clock  # noqa: PLC0415 - Kivy is prepared by now

    from device.ui.proof import Proof  # noqa: PLC0415

    watchdogs: list[Watchdog] = []

    def begin(_: float) -> None:
        splash.clear()
        proof = Proof()
        parts = {"screen": proof.loop, "frames": proof.frame}
        if kiosk is not None:
            parts["keeper"] = kiosk.ask_keeper
        touch = config.watchdog.touch
        watchdog = Watchdog(
            parts,
            seconds=config.watchdog.seconds,
            now=time.monotonic,
            panel=Path(touch) if touch else None,
        )
        watchdogs.append(watchdog)
        watchdog.start()

    Clock.schedule_once(begin)
    try:
        show()
    except Exception as error:
        log.critical("crash=screen", exc_info=True)
        try:
            splash.show(Words.RECOVERING)
        except Exception:
            log.exception("crash=no-picture")
        raise Crashed from error
    finally:
        for watchdog in watchdogs:
            watchdog.stop()


def rest(config: KioskConfig, base: Path, *, headless: bool = False) -> None:
    """Show 暂停服务 until somebody stops the process: it failed too often."""
    splash = raise_curtain(config, base, headless=headless)
    splash.show(Words.HALTED)
    from kivy.base import runTouchApp  # noqa: PLC0415 - as above
    from kivy.core.window import Window  # noqa: PLC0415

    Window.bind(on_resize=lambda *_: splash.show(Words.HALTED))
    runTouchApp()


def unenrolled(config: KioskConfig, base: Path) -> str:
    """Say why this kiosk cannot serve before it is enrolled, in Chinese; "" if it can."""
    if not config.needs_identity:
        return ""
    from device.enrolling import missing  # noqa: PLC0415 - a kiosk on trial does without

    return missing(base / config.state, config.device, config.hall)


def await_enrolment(
    config: KioskConfig,
    base: Path,
    cause: str,
    *,
    headless: bool = False,
) -> bool:
    """Show the enrolment until the kiosk has an identity, or is stopped; return which.

    Raises `InUse`, `FontMissing`, `Crashed` or OSError.
    """
    from device.assembly import only_one  # noqa: PLC0415 - as above
    from device.enrolling import NEVER, Enrolling  # noqa: PLC0415

    log.warning("identity=missing cause=%s", cause)
    state = base / config.state
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = (config.enrolment or EnrolmentConfig()).port
    with only_one(state):
        told = "" if cause == NEVER else cause
        enrolling = Enrolling(config, state, port, wait_ms=None, cause=told)
        enrol(config, base, enrolling, headless=headless)
    return enrolling.enrolled and not ending.told()


def enrol(
    config: KioskConfig,
    base: Path,
    enrolling: "Enrolling",
    *,
    headless: bool = False,
    extend: Callable[["EnrolmentStage"], None] = lambda _: None,
) -> None:
    """Show an enrolment until it is over; `extend` gets the stage before the curtain rises."""
    splash = raise_curtain(config, base, headless=headless)
    from device.ui.desk import EnrolmentStage  # noqa: PLC0415 - as above

    stage = EnrolmentStage(enrolling, base / config.state)
    extend(stage)
    try:
        _show(stage.run, splash, None, config)
    finally:
        enrolling.stop()


def _prepare(screen: ScreenConfig, *, headless: bool) -> None:
    from device.ui import backdrop, environment  # noqa: PLC0415 - a window opens with Kivy's import

    ending.listen()
    if screen.fullscreen and not headless:
        backdrop.hang()
    environment.prepare(
        screen.width, screen.height, headless=headless, fullscreen=screen.fullscreen
    )
