"""Each half of the conversation with its connection: bytes and time in, bytes and wishes out.

Still free of I/O: a runner reads the port into `feed`, calls `tick` some fifty times a second,
writes what `take` returns and fulfils the effects it is given, answering with `answer`.
"""

from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from protocol.enrolment import desk as desks
from protocol.enrolment import kiosk as kiosks
from protocol.enrolment import messages as say
from protocol.enrolment.desk import Desk, Send
from protocol.enrolment.kiosk import Kiosk
from protocol.enrolment.link import Link, Role
from protocol.enrolment.messages import EnrolmentRefused
from protocol.enrolment.texts import (
    BABBLE,
    DEAD,
    ECHO,
    INTERRUPTED,
    KIOSK_BABBLE,
    KIOSK_DEAD,
    KIOSK_INTERRUPTED,
    another_version,
    explain,
)
from protocol.errors import WireError

QUIET_MS = 8_000
"""An answer that does not even begin for so long: the connection is given up and made anew."""

SLOW_MS = {desks.Stage.STORED: 20_000, desks.Stage.TESTED: 40_000}
"""Writing to a worn card, and trying a connection, take the kiosk longer."""

KIOSK_QUIET_MS = 30_000
"""The kiosk forgets a desk that was silent for so long, and waits for the next call."""

CLOSING_MS = 20_000
"""So long a kiosk that is enrolled waits for a desk that may not have heard of it."""

FAREWELL_MS = 2_000
"""So long the last word is repeated; whoever has left the room cannot hear it."""

TOTAL_MS = 300_000
"""All of an enrolment, the operator's time not counted."""

COMPARING_MS = 900_000
"""So long the kiosk leaves its number on the screen."""


class DeskConversation:
    """The desk's end. `wait_ms`: so long it waits for a kiosk to answer, or to come back."""

    def __init__(
        self, terms: say.Terms, random_bytes: Callable[[int], bytes], *, wait_ms: int = 20_000
    ) -> None:
        self.desk = Desk(terms)
        self.trouble = ""
        self._random = random_bytes
        self._wait_ms = wait_ms
        self._link = Link(Role.DESK, random_bytes)
        self._connections = 0
        self._deadline_ms: int | None = None
        self._since_ms = 0  # when it was last heard from, or began to be called
        self._heard_mark = self._echo_mark = 0

    @property
    def over(self) -> bool:
        """Whether the desk has nothing left to say; then `failure` tells how it went."""
        return bool(self.trouble) or (self.desk.over and (self._link.idle or self._link.lost))

    @property
    def failure(self) -> str:
        """What went wrong and what to do, in Chinese; empty when nothing did."""
        if self.desk.reason:
            return explain(self.desk.reason, self.desk.text)
        return self.trouble

    def start(self, now: int) -> None:
        """The port is open (again): call the kiosk."""
        if self._deadline_ms is None:
            self._deadline_ms = now + TOTAL_MS
            self._answered(now)
        self._link.open(now)

    def cut(self, now: int) -> None:
        """The port is gone; the conversation goes on with the next `start`."""
        if not self._link.lost:
            self._since_ms = now
        self._link.lost = True
        self._lose(now)

    def feed(self, data: bytes, now: int) -> list[desks.Wish]:
        """Take what the line brought; return what is to be done, in order."""
        messages = self._link.feed(data, now)
        effects: list[desks.Wish] = []
        if self._link.opened != self._connections:
            self._connections = self._link.opened
            self._answered(now)
            self._lose(now)
            fresh = desks.Opened(self._random(16).hex(), self._random(say.NONCE_BYTES).hex())
            effects += self._step(fresh, now)
        for each in messages:
            self._answered(now)
            try:
                effects += self._step(say.decode(each), now)
            except WireError as error:
                self._stop(str(error), now)
        return effects

    def tick(self, now: int) -> None:
        """Let time pass: send again, begin anew, or give up."""
        self._link.tick(now)
        if self.over or self.desk.stage in desks.DECIDING:  # then the kiosk waits for us
            return
        quiet = now - self._link.progress_ms
        if self.desk.over:
            self._link.lost |= quiet > FAREWELL_MS
        elif self._expired(now):
            self.trouble = self._diagnosis()
        elif self._link.lost or (
            self._link.connected and quiet > SLOW_MS.get(self.desk.stage, QUIET_MS)
        ):
            self._lose(now)
            self._since_ms = now
            self._link.open(now)

    def check(self, now: int) -> None:
        """Give up when it is time, while there is no port."""
        if not self.over and self._expired(now):
            self.trouble = self._diagnosis()

    def answer(self, event: desks.Event, now: int, *, took_ms: int = 0) -> list[desks.Wish]:
        """Take what came of an effect, after `took_ms` in which nothing was listened to."""
        if self._deadline_ms is not None:
            self._deadline_ms += took_ms
        self._since_ms = self._link.progress_ms = now
        return self._step(event, now)

    def take(self) -> bytes:
        """Return, once, the bytes to be written now."""
        return self._link.take()

    def _answered(self, now: int) -> None:
        self._since_ms = now
        self._heard_mark, self._echo_mark = self._link.heard, self._link.echoes

    def _expired(self, now: int) -> bool:
        waited = now - self._since_ms > self._wait_ms and not self._link.connected
        return waited or (self._deadline_ms is not None and now > self._deadline_ms)

    def _lose(self, now: int) -> None:
        if (self.desk.stage, desks.Lost) in desks.TABLE:
            self._step(desks.Lost(), now)

    def _step(self, event: desks.Event, now: int) -> list[desks.Wish]:
        try:
            self.desk, effects = desks.step(self.desk, event)
        except EnrolmentRefused:
            self._stop(f"{type(event).__name__}/{self.desk.stage}", now)
            return []
        wishes = []
        for effect in effects:
            if isinstance(effect, Send):
                _send(effect, self._link, now)
            else:
                wishes.append(effect)
        return wishes

    def _stop(self, text: str, now: int) -> None:
        if self.desk.over:
            return
        if self.desk.hello:
            session = self.desk.hello.session
            _send(Send(say.Stop(session=session, reason="not_understood")), self._link, now)
        failed = desks.Stage.FAILED
        self.desk = replace(self.desk, stage=failed, reason="not_understood", text=text[:200])

    def _diagnosis(self) -> str:
        link = self._link
        if link.strange_versions and not self._connections:
            return another_version(link.strange_versions)
        if link.echoes > self._echo_mark and link.foreign == 0:
            return ECHO
        if link.heard > self._heard_mark and not link.connected:
            return BABBLE if not self._connections else f"{INTERRUPTED}{BABBLE}"
        return DEAD if not self._connections else f"{INTERRUPTED}{DEAD}"


class KioskConversation:
    """The kiosk's end. It waits for the desk, and for a desk that was lost to come back."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        device: str,
        hall: str,
        random_bytes: Callable[[int], bytes],
        *,
        hardware: str = "",
    ) -> None:
        self.kiosk = Kiosk(key, device, hall, hardware)
        self._random = random_bytes
        self._link = Link(Role.KIOSK, random_bytes)

    @property
    def over(self) -> bool:
        """Whether the kiosk has nothing left to say; then `failure` tells how it went."""
        return self.kiosk.over and (self._link.idle or self._link.lost)

    @property
    def failure(self) -> str:
        """What went wrong and what to do, in Chinese; empty when nothing did."""
        return explain(self.kiosk.reason, self.kiosk.text) if self.kiosk.reason else ""

    @property
    def talking(self) -> bool:
        """Whether a desk is there, and the conversation has begun."""
        return self._link.connected and self.kiosk.stage is not kiosks.Stage.HELLO

    def give_up(self) -> str:
        """Stop waiting for a desk; return why nobody was heard, in Chinese.

        Nothing is returned by a kiosk that is enrolled, and only missed the desk's last word.
        """
        if self.kiosk.stage is kiosks.Stage.CLOSING:
            self.kiosk, _ = kiosks.step(self.kiosk, kiosks.Silent())
            return ""
        return self._trouble()

    def cut(self, now: int) -> None:
        """The port is gone, and with it the connection."""
        self._link.lost = True
        self._silent(now)

    def feed(self, data: bytes, now: int) -> list[kiosks.Wish]:
        """Take what the line brought; return what is to be done, in order."""
        effects: list[kiosks.Wish] = []
        for each in self._link.feed(data, now):
            try:
                message = say.decode(each)
            except WireError:
                self._stop(now)
                continue
            if isinstance(message, say.Hello):
                heard = kiosks.Heard(message, self._random(say.NONCE_BYTES).hex())
                effects += self._step(heard, now)
            else:
                effects += self._step(message, now)
        return effects

    def tick(self, now: int) -> None:
        """Let time pass: send again, or go back to waiting for the desk."""
        self._link.tick(now)
        patience = COMPARING_MS if self.kiosk.stage is kiosks.Stage.VOUCHER else KIOSK_QUIET_MS
        if self.kiosk.over:
            patience = FAREWELL_MS
        if self._link.lost or now - self._link.progress_ms > patience:
            self._link.lost |= self.kiosk.over
            self._silent(now)

    def answer(self, event: kiosks.Event, now: int) -> list[kiosks.Wish]:
        """Take what came of an effect."""
        self._link.progress_ms = now
        return self._step(event, now)

    def take(self) -> bytes:
        """Return, once, the bytes to be written now."""
        return self._link.take()

    def _trouble(self) -> str:
        link = self._link
        if self.failure:  # a desk called that meant another kiosk
            return self.failure
        if link.strange_versions:
            return another_version(link.strange_versions)
        if link.opened:
            return KIOSK_INTERRUPTED
        return KIOSK_BABBLE if link.heard else KIOSK_DEAD

    def _silent(self, now: int) -> None:
        waited = now - self._link.progress_ms > CLOSING_MS
        if self.kiosk.stage is kiosks.Stage.CLOSING and not (self._link.idle or waited):
            return  # the result may not have got through: then the desk calls again
        if (self.kiosk.stage, kiosks.Silent) in kiosks.TABLE:
            self._step(kiosks.Silent(), now)

    def _step(self, event: kiosks.Event, now: int) -> list[kiosks.Wish]:
        try:
            self.kiosk, effects = kiosks.step(self.kiosk, event)
        except EnrolmentRefused:
            self._stop(now)
            return []
        wishes = []
        for effect in effects:
            if isinstance(effect, Send):
                _send(effect, self._link, now)
            else:
                wishes.append(effect)
        return wishes

    def _stop(self, now: int) -> None:
        """Say so, and wait for a desk that speaks more clearly."""
        if self.kiosk.hello and not self.kiosk.over:
            session = self.kiosk.hello.session
            _send(Send(say.Stop(session=session, reason="not_understood")), self._link, now)
            self.kiosk = replace(self.kiosk, stage=kiosks.Stage.HELLO)


def _send(effect: Send, link: Link, now: int) -> None:
    """Hand a message to the link, unless that is lost."""
    if not link.lost:
        link.send(msgspec.json.encode(effect.message), now)
