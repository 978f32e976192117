"""What time it is on the hub, reckoned on a kiosk that has no clock battery (promise 8)."""

from msgspec import Struct

from protocol.messages import Stamp

STALE_MS = 10 * 60_000
"""A better reading is kept this long, then a newer one wins: quartz drifts 20 ppm or so."""


class HubTime(Struct, frozen=True):
    """The offset from this kiosk's monotonic clock to the hub's time, and how sure it is."""

    offset_ms: int | None = None
    uncertainty_ms: int | None = None
    learnt_ms: int = 0

    def learn(self, echo_ms: int, hub_at: int, now_ms: int) -> "HubTime":
        """Take an answer: sent at `echo_ms`, answered at `hub_at`, here at `now_ms`.

        The hub's clock was read somewhere between sending and arrival; the middle is off by
        half the round trip at most.
        """
        trip = now_ms - echo_ms
        if trip < 0:
            return self
        uncertainty = (trip + 1) // 2
        if (
            self.uncertainty_ms is not None
            and uncertainty > self.uncertainty_ms
            and now_ms - self.learnt_ms < STALE_MS
        ):
            return self
        return HubTime(hub_at - echo_ms - trip // 2, uncertainty, now_ms)

    def at(self, mono_ms: int) -> int | None:
        """Return the hub's time at a moment of the monotonic clock, None while unknown."""
        return None if self.offset_ms is None else mono_ms + self.offset_ms

    def stamp(self, boot: str, mono_ms: int) -> Stamp:
        """Return the moment as it goes into a signed outcome."""
        return Stamp(
            boot=boot,
            mono_ms=mono_ms,
            offset_ms=self.offset_ms,
            uncertainty_ms=self.uncertainty_ms,
        )
