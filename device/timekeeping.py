"""What time it is on the hub, reckoned on a kiosk that has no clock battery (promise 8)."""

from msgspec import Struct

from protocol.messages import Stamp

STALE_MS = 10 * 60_000
"""A better reading is kept this long, then a newer one wins."""

DRIFT_PPM = 100
"""How much a kiosk's quartz may be off, heat and age included: 9 s a day."""


class HubTime(Struct, frozen=True):
    """The offset from this kiosk's monotonic clock to the hub's time, and how sure it is.

    `uncertainty_ms` is that of the moment `learnt_ms`; it grows with the distance to it.
    """

    offset_ms: int | None = None
    uncertainty_ms: int | None = None
    learnt_ms: int = 0

    def learn(self, echo_ms: int, hub_at: int, now_ms: int) -> "HubTime":
        """Take an answer: sent at `echo_ms`, answered at `hub_at`, here at `now_ms`.

        The hub's clock was read somewhere between sending and arrival; the middle is off by
        half the round trip at most. An answer that contradicts what was known means that the
        hub's clock was set, or that this machine slept: the newer one is right at once.
        """
        trip = now_ms - echo_ms
        if trip < 0:
            return self
        uncertainty = (trip + 1) // 2
        new = HubTime(hub_at - echo_ms - trip // 2, uncertainty, now_ms)
        if (
            self.uncertainty_ms is not None
            and uncertainty > self.uncertainty_ms
            and now_ms - self.learnt_ms < STALE_MS
            and not self.contradicts(new)
        ):
            return self
        return new

    def contradicts(self, new: "HubTime") -> bool:
        """Whether both cannot be true of one clock that runs on."""
        if self.offset_ms is None or new.offset_ms is None or new.uncertainty_ms is None:
            return False
        known = self.sure_ms(new.learnt_ms) or 0
        return abs(new.offset_ms - self.offset_ms) > known + new.uncertainty_ms + 1

    def at(self, mono_ms: int) -> int | None:
        """Return the hub's time at a moment of the monotonic clock, None while unknown."""
        return None if self.offset_ms is None else mono_ms + self.offset_ms

    def sure_ms(self, mono_ms: int) -> int | None:
        """Return how far off `at` may be at that moment, the drift since the reading included."""
        if self.uncertainty_ms is None:
            return None
        away = abs(mono_ms - self.learnt_ms)
        return self.uncertainty_ms + away * DRIFT_PPM // 1_000_000

    def stamp(self, boot: str, mono_ms: int) -> Stamp:
        """Return the moment as it goes into a signed outcome."""
        return Stamp(
            boot=boot,
            mono_ms=mono_ms,
            offset_ms=self.offset_ms,
            uncertainty_ms=self.sure_ms(mono_ms),
        )
