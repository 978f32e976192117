"""Leads events into the session and its effects out again; lives on the screen's thread."""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from msgspec.structs import replace

from device.events import Event, Pause, Tick
from device.keeper import Keeper
from device.keypad import presses
from device.keypad.reader import Press
from device.session import Refused, Screen, Session, step
from device.view import View
from protocol.messages import Settings

log = logging.getLogger(__name__)

CHINA = timezone(timedelta(hours=8))
"""China keeps one time all year; a zone file that may be missing is not needed."""

WEEKDAYS = "一二三四五六日"


class Driver:
    """One session and what stands around it. `now` is monotonic, in milliseconds.

    `device` is the kiosk's name, for the screens that hall IT reads.
    """

    def __init__(
        self,
        keeper: Keeper,
        *,
        now: Callable[[], int],
        draw: Callable[[View], None],
        text_input: bool,
        device: str = "",
    ) -> None:
        self._keeper = keeper
        self._now = now
        self._draw = draw
        self._text_input = text_input
        self._device = device
        self._settings: Settings | None = None
        self._reported = ""
        self._seen_ms = 0
        self.session = Session()
        self.refused: Counter[str] = Counter()

    def handle(self, event: Event) -> None:
        """Take one event; what the table refuses is counted and changes nothing."""
        try:
            self.session, effects = step(self.session, event)
        except Refused as error:
            self._refuse(error.cause)
            return
        for effect in effects:
            self._keeper.carry_out(effect)
        if not isinstance(event, Tick) or effects:
            self._keeper.screen(self.session.screen)
            self.redraw()

    def press(self, press: Press) -> None:
        """Take the press of a pad as a tap on what is on the screen now, or count why not."""
        invitation = self.session.invitation
        drawn = invitation is not None and invitation.id == self._reported
        try:
            event = presses.tap(self.session, press, self._seen_ms if drawn else None)
        except Refused as error:
            self._refuse(error.cause)
            return
        self.handle(event)

    def _refuse(self, cause: str) -> None:
        self.refused[cause] += 1
        self._keeper.refused[cause] += 1
        if self.refused[cause] == 1:
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

    def redraw(self) -> None:
        """Draw what is so now."""
        self._draw(self.view())

    def frame_drawn(self) -> None:
        """A frame reached the screen: report the invitation that it is the first to show."""
        session = self.session
        if session.screen is not Screen.INVITED or session.invitation is None:
            return
        if session.invitation.id != self._reported:
            self._reported = session.invitation.id
            self._seen_ms = self._now()
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
        )
