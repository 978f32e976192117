"""Which kiosks are here now: by what was just heard, never by what was once retained."""

import threading
from collections.abc import Callable

from msgspec import Struct

from protocol.messages import State

HEARD_MS = 45_000
"""A kiosk speaks every 15 s; after three missed times it counts as away."""


class Seen(Struct, frozen=True):
    """The last live word of a kiosk."""

    state: State
    at_ms: int


class Presence:
    """What each device last said of itself. `now` is a monotonic clock in milliseconds."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}

    def note(self, device: str, state: State) -> bool:
        """Take a live state; True if it begins a connection. A stale will is ignored."""
        with self._lock:
            last = self._seen.get(device)
            same_boot = last is not None and last.state.boot == state.boot
            if last is not None and not state.online:
                if not same_boot or state.connection != last.state.connection:
                    return False
            elif last is not None and same_boot and state.connection < last.state.connection:
                return False
            self._seen[device] = Seen(state, self._now())
            return state.online and (
                last is None
                or not last.state.online
                or not same_boot
                or state.connection != last.state.connection
            )

    def short_of_storage(self) -> dict[str, str]:
        """Return the kiosks that are here and have little or no place for outcomes, and which."""
        with self._lock:
            seen = dict(self._seen)
        return {
            device: each.state.storage
            for device, each in sorted(seen.items())
            if each.state.storage != "ok" and self.online(device)
        }

    def online(self, device: str) -> bool:
        """Whether the kiosk was heard within `HEARD_MS` and has not gone since."""
        with self._lock:
            seen = self._seen.get(device)
        return seen is not None and seen.state.online and self._now() - seen.at_ms < HEARD_MS

    def silent_ms(self, device: str) -> int | None:
        """For how long the kiosk has said nothing; None if it has not spoken since the start."""
        with self._lock:
            seen = self._seen.get(device)
        return None if seen is None else self._now() - seen.at_ms
