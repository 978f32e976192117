"""What a pad's lamps show; the same for every level, so that the clerk learns nothing."""

from enum import StrEnum

from device.session import Screen, Session

ACCEPTED_MS = 3_000
"""How long "accepted" shows. Fixed: a bad rating keeps its screen longer than a good one, and
a lamp that followed the screen would tell which it was."""


class Lamp(StrEnum):
    """What the lamps of a pad can say."""

    IDLE = "idle"
    INVITED = "invited"
    ACCEPTED = "accepted"


class Lamps:
    """Follows the session. "Accepted" begins when the press is on disk, and not before."""

    def __init__(self) -> None:
        self._kept = False
        self._accepted_ms: int | None = None

    def look(self, session: Session, now: int) -> Lamp:
        """Return what is to be shown now; `now` in ms of the monotonic clock. Call it often."""
        if session.kept and not self._kept:
            self._accepted_ms = now
        self._kept = session.kept
        if session.screen in (Screen.INVITED, Screen.SAVING):
            self._accepted_ms = None
            return Lamp.INVITED
        if self._accepted_ms is not None and now - self._accepted_ms < ACCEPTED_MS:
            return Lamp.ACCEPTED
        return Lamp.IDLE
