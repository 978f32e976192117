"""One connection over the cable: whole messages, in order, once, over a line that spoils them.

Stop and wait: one fragment is under way; it is sent again until it is acknowledged. The
sequence number is the place of its first byte in the stream, so that a fragment may be cut
anew: on a bad line fragments get shorter, then several copies go out at once, and when the
line gets better both go back. Nothing here reads a clock or a port: time is handed in, bytes
to send are taken with `take`.

The desk opens with a tag of its own; the kiosk answers with a second tag, which every later
frame carries. A second kiosk on the line, or what is left of an older connection, has
another tag and is not heard.
"""

from collections.abc import Callable
from enum import StrEnum

from protocol.enrolment.frames import PAYLOAD_LIMIT, Decoder, Frame, Kind, encode

MESSAGE_LIMIT = 8 * 1024
"""The longest message, in bytes."""

LOST_MS = 4_000
"""A fragment that nobody acknowledges for so long: the connection is lost."""

_FIRST_MS, _LEAST_MS, _MOST_MS = 100.0, 20.0, 1_000.0
_SHORTEST, _COPIES, _CLEAN_RUN = 16, 16, 8
_ACK_COPIES = 3
_PREFIX = 2


class Role(StrEnum):
    """Which end this is; the desk leads."""

    DESK = "desk"
    KIOSK = "kiosk"


class Link:
    """One end. `feed` and `tick` return the messages that arrived; `take` what is to be sent.

    `opened` counts the connections so far; `lost` says that the present one is of no more use.
    `progress_ms` is when the other end was last heard saying something new.
    """

    def __init__(self, role: Role, random_bytes: Callable[[int], bytes]) -> None:
        self._desk = role is Role.DESK
        self._random = random_bytes
        self._data = Kind.DATA_DOWN if self._desk else Kind.DATA_UP
        self._ack = Kind.ACK_DOWN if self._desk else Kind.ACK_UP
        self._decoder = Decoder()
        self._out = bytearray()
        self._opening: int | None = None
        self.opened = 0
        self.echoes = 0
        self.foreign = 0
        self.progress_ms = 0
        # What was learnt of the line outlives a connection.
        self._size = PAYLOAD_LIMIT
        self._copies = 1
        self._usual = _FIRST_MS  # an answer is expected within so long
        self._reset(None)

    def _reset(self, tag: int | None) -> None:
        self._tag = tag
        self._sending = bytearray()  # from `_base` on: not yet acknowledged
        self._base = 0
        self._reached = 0  # how much of `_sending` has ever been sent
        self._expected = 0
        self._receiving = bytearray()
        self._clean = 0
        self._tries = 0
        self._patience = self._usual
        self._sent_ms = self._stuck_ms = 0
        self.lost = False

    @property
    def heard(self) -> int:
        """How many bytes have come in so far, of whatever kind."""
        return self._decoder.heard

    @property
    def strange_versions(self) -> tuple[int, ...]:
        """The frame versions heard that this program does not speak."""
        return tuple(sorted(self._decoder.versions))

    @property
    def connected(self) -> bool:
        """Whether both ends have agreed on a tag."""
        return self._tag is not None and not self.lost

    @property
    def idle(self) -> bool:
        """Whether everything that was sent is acknowledged."""
        return not self._sending

    def open(self, now: int) -> None:
        """Ask the kiosk for a new connection; what was under way on an older one is void."""
        self._reset(None)
        self._opening = int.from_bytes(self._random(4))
        self._knock(now)

    def send(self, message: bytes, now: int) -> None:
        """Hand over one message, of at most `MESSAGE_LIMIT` bytes."""
        if len(message) > MESSAGE_LIMIT:
            raise ValueError(f"a message of {len(message)} bytes; at most {MESSAGE_LIMIT}")
        started = self.idle
        self._sending += len(message).to_bytes(_PREFIX) + message
        if started:
            self._stuck_ms = now
            self._transmit(now)

    def take(self) -> bytes:
        """Return, once, the bytes that are to be written now."""
        data, self._out = bytes(self._out), bytearray()
        return data

    def feed(self, data: bytes, now: int) -> list[bytes]:
        """Take what the line brought; return the messages that are whole now."""
        before = self.opened
        messages: list[bytes] = []
        for frame in self._decoder.feed(data):
            messages += self._frame(frame, now)
            if self.opened != before:  # what came before belongs to a connection that is over
                before, messages = self.opened, []
        return messages

    def tick(self, now: int) -> None:
        """Send again what is due; give the connection up after `LOST_MS` without an answer."""
        if self.lost or now - self._sent_ms < self._patience:
            return
        if self._tag is None:
            if self._opening is not None:
                self._knock(now)
        elif self._sending:
            if now - self._stuck_ms >= LOST_MS:
                self.lost = True
                return
            self._worse()
            self._transmit(now)

    # ------------------------------------------------------------ frames in

    def _frame(self, frame: Frame, now: int) -> list[bytes]:
        from_kiosk = bool(frame.kind & 0x80)
        if from_kiosk is not self._desk:
            self.echoes += 1
        elif frame.kind is Kind.OPEN:
            self._asked(frame, now)
        elif frame.kind is Kind.ACCEPT:
            self._accepted(frame, now)
        elif self._tag is None or frame.tag != self._tag:
            self.foreign += 1
        elif frame.kind in (Kind.ACK_UP, Kind.ACK_DOWN):
            self._acknowledged(frame.sequence, now)
        else:
            return self._arrived(frame, now)
        return []

    def _asked(self, frame: Frame, now: int) -> None:
        if self._opening != frame.tag or self._tag is None:
            self._opening = frame.tag
            self._reset(int.from_bytes(self._random(4)))
            self.opened += 1
            self.progress_ms = now
        tag = (self._tag or 0).to_bytes(4)
        self._out += encode(Frame(Kind.ACCEPT, frame.tag, payload=tag))

    def _accepted(self, frame: Frame, now: int) -> None:
        if frame.tag != self._opening or len(frame.payload) != 4:
            self.foreign += 1
        elif self._tag is None:
            self._reset(int.from_bytes(frame.payload))
            self.opened += 1
            self.progress_ms = now
        elif int.from_bytes(frame.payload) != self._tag:
            self.foreign += 1  # a second kiosk answers: the first one that did is kept

    def _acknowledged(self, sequence: int, now: int) -> None:
        reached = (sequence - self._base) & 0xFFFF
        if not 0 < reached <= self._reached:
            return
        del self._sending[:reached]
        self._base = (self._base + reached) & 0xFFFF
        self._reached -= reached
        self.progress_ms = self._stuck_ms = now
        if self._tries == 1:  # only then is it known which sending was answered
            self._better(now - self._sent_ms)
        else:
            self._patience = max(self._patience / 2, self._usual)
        self._tries = 0
        if self._sending:
            self._transmit(now)

    def _arrived(self, frame: Frame, now: int) -> list[bytes]:
        ahead = (frame.sequence - self._expected) & 0xFFFF
        known = -ahead & 0xFFFF  # bytes of it that are here already
        if known < len(frame.payload):
            fresh = frame.payload[known:]
            self._receiving += fresh
            self._expected = (self._expected + len(fresh)) & 0xFFFF
            self.progress_ms = now
        # Fragments as short as this are sent on a bad line, which spoils the answer as well.
        copies = _ACK_COPIES if len(frame.payload) <= _SHORTEST else 1
        self._out += encode(Frame(self._ack, frame.tag, self._expected)) * copies
        return self._whole()

    def _whole(self) -> list[bytes]:
        messages = []
        while len(self._receiving) >= _PREFIX:
            length = int.from_bytes(self._receiving[:_PREFIX])
            if length > MESSAGE_LIMIT:
                self.lost = True
                break
            if len(self._receiving) < _PREFIX + length:
                break
            messages.append(bytes(self._receiving[_PREFIX : _PREFIX + length]))
            del self._receiving[: _PREFIX + length]
        return messages

    # ------------------------------------------------------------ frames out

    def _knock(self, now: int) -> None:
        self._out += encode(Frame(Kind.OPEN, self._opening or 0))
        self._sent_ms = now

    def _transmit(self, now: int) -> None:
        if self._tag is None:
            return
        fragment = bytes(self._sending[: self._size])
        self._reached = max(self._reached, len(fragment))
        self._out += encode(Frame(self._data, self._tag, self._base, fragment)) * self._copies
        self._tries += 1
        self._sent_ms = now

    def _worse(self) -> None:
        self._clean = 0
        self._patience = min(self._patience * 1.25, _MOST_MS)
        if self._size > _SHORTEST:
            self._size = max(self._size // 2, _SHORTEST)
        else:
            self._copies = min(self._copies * 2, _COPIES)

    def _better(self, took_ms: int) -> None:
        self._usual = self._patience = min(max(took_ms * 3 + 15.0, _LEAST_MS), _MOST_MS)
        self._clean += 1
        if self._clean >= _CLEAN_RUN:
            self._clean = 0
            if self._copies > 1:
                self._copies //= 2
            else:
                self._size = min(self._size * 2, PAYLOAD_LIMIT)
