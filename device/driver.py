"""Leads events into the session and its effects out again; lives on the screen's thread."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from msgspec.structs import replace

from device import arming
from device.events import Event, Pause, Stay, Tap, Tick, Touch
from device.keeper import Keeper
from device.keypad import presses
from device.keypad.reader import Press
from device.session import ARM_MS, Refused, Screen, Session, step
from device.view import View
from protocol.messages import Portrait, Settings

log = logging.getLogger(__name__)

CHINA = timezone(timedelta(hours=8))
"""China keeps one time all year; a zone file that may be missing is not needed."""

WEEKDAYS = "一二三四五六日"


class Driver:
    """One session and what stands around it. `now` is monotonic, in milliseconds.

    `device` is the kiosk's name, for the screens that hall IT reads. `at` is asked to have
    `redraw` called at a moment of that clock, on this thread: the last one asked for counts.
    """

    def __init__(
        self,
        keeper: Keeper,
        *,
        now: Callable[[], int],
        draw: Callable[[View], None],
        text_input: bool,
        device: str = "",
        at: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._keeper = keeper
        self._now = now
        self._draw = draw
        self._text_input = text_input
        self._device = device
        self._at = at
        self._settings: Settings | None = None
        self._portrait: Portrait | None = None
        self._reported = ""
        self._drawn: tuple[bool, str, int] | None = None
        self._seen_ms = 0
        self._logged: set[str] = set()
        self.session = Session()

    def handle(self, event: Event) -> None:
        """Take one event; what the table refuses is counted and changes nothing."""
        try:
            if isinstance(event, Tap):
                self._seen_before(event)
            arming.check(self.session, event, self.seen)
            self.session, effects = step(self.session, event)
        except Refused as error:
            self._refuse(error.cause)
            return
        if isinstance(event, Stay) and event.moved and self.seen is not None:
            self._see(event.now)  # other reasons may stand under the finger from here on
        for effect in effects:
            self._keeper.carry_out(effect)
        self._keeper.screen(self.session.screen)
        if effects or not isinstance(event, Tick | Touch):
            self.redraw()

    def _seen_before(self, tap: Tap) -> None:
        """Refuse a tap on what no frame has shown for `ARM_MS`: it meant another picture."""
        session, seen = self.session, self.seen
        if session.screen is not Screen.INVITED or tap.invitation != self._showing[1]:
            return
        if seen is None or tap.now - seen < ARM_MS:
            raise Refused("early_tap")

    @property
    def seen(self) -> int | None:
        """Since when frames show the question, or the thanks, of now; None while none does."""
        return self._seen_ms if self._drawn == self._showing else None

    def _see(self, now: int) -> None:
        """Note since when the picture is seen; the one after the tap changes when it is ready."""
        self._seen_ms = now
        ready = arming.read(self.session, now)
        if ready is not None:
            self._at(ready)

    @property
    def ready(self) -> int | None:
        """Since when the screen after the tap takes a press, None while it takes none."""
        since = arming.read(self.session, self.seen)
        return since if since is not None and self._now() >= since else None

    @property
    def _showing(self) -> tuple[bool, str, int]:
        """What tells one showing from another: after an undo all is asked, and seen, anew."""
        session = self.session
        thanks = session.screen is Screen.THANKS
        invitation = session.invitation
        return (thanks, invitation.id if invitation else "", session.shown_ms)

    def press(self, press: Press) -> None:
        """Take the press of a pad as a tap on what is on the screen now, or count why not."""
        try:
            event = presses.tap(self.session, press, self.seen)
        except Refused as error:
            self._refuse(error.cause)
            self.touch()
            return
        self.handle(event)

    def touch(self, count: int = 1) -> None:
        """Count what was pressed on a pad and rates nothing, if a question is on the screen."""
        if self.session.screen is Screen.INVITED:
            self.handle(Touch(self._now(), count))

    def _refuse(self, cause: str) -> None:
        self._keeper.refuse(cause)
        if cause not in self._logged:
            self._logged.add(cause)
            log.info("event=refused cause=%s", cause)

    def tick(self) -> None:
        """Let time pass: deadlines, countdown, clock, the sign of the line."""
        self.handle(Tick(self._now()))
        self.redraw()

    def settings(self, settings: Settings) -> None:
        """Take new settings; a change of pause is an event of the session."""
        self._settings = settings
        self.session = replace(
            self.session, reasons_ms=settings.reasons_ms, thanks_ms=settings.thanks_ms
        )
        if settings.paused != self.session.pause:
            self.handle(Pause(self._now(), settings.paused))
        self.redraw()

    def portrait(self, portrait: Portrait | None) -> None:
        """Take the photograph of the clerk, the last one that came; None: there is none."""
        self._portrait = portrait
        self.redraw()

    @property
    def clerk(self) -> Portrait | None:
        """The photograph that belongs to the clerk whom the settings name, None without one."""
        if self._settings is None or self._portrait is None:
            return None
        return self._portrait if self._portrait.digest == self._settings.portrait else None

    def redraw(self) -> None:
        """Draw what is so now."""
        self._draw(self.view())

    def frame_drawn(self) -> None:
        """A frame reached the screen: report the invitation that it is the first to show."""
        session = self.session
        if session.screen not in (Screen.INVITED, Screen.THANKS) or session.invitation is None:
            return
        if self._drawn == self._showing:
            return
        self._drawn = self._showing
        self._see(self._now())
        if session.screen is Screen.INVITED and session.invitation.id != self._reported:
            self._reported = session.invitation.id
            self._keeper.shown(session.invitation.id, self._seen_ms)

    def view(self) -> View:
        """Return the picture that is to be drawn now."""
        now = self._now()
        at = self._keeper.hub_time.at(now)
        clock = date = ""
        if at is not None:
            local = datetime.fromtimestamp(at / 1000, UTC).astimezone(CHINA)
            clock = f"{local:%H:%M}"
            date = f"{local.month}月{local.day}日 星期{WEEKDAYS[local.weekday()]}"
        return View(
            session=self.session,
            settings=self._settings,
            connected=self._keeper.hub_is_there,
            clock=clock,
            date=date,
            now_ms=now,
            text_input=self._text_input,
            hub_ms=at,
            device=self._device,
            portrait=self.clerk,
            ready=self.session.screen is not Screen.THANKS or self.ready is not None,
        )
