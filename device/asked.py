"""What this kiosk has been asked to show since its start: until it is answered, and how often."""

from device.state import service
from protocol.messages import Invitation

OFFERED = 1_000
"""How many invitations may be with the screen; it has one, and what is left of mishaps."""

SERVICES = 2_000
"""Of how many services it is remembered how often they were asked for: the latest ones."""


class Asked:
    """Used in the keeper's thread. Every part of it is bounded; the oldest goes first."""

    def __init__(self) -> None:
        self._offered: dict[str, Invitation] = {}
        self._before: dict[str, int] = {}
        self._times: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        """Whether the screen has got it, and its outcome is still to come."""
        return name in self._offered

    def offer(self, invitation: Invitation) -> None:
        """Note that the screen gets it."""
        self._offered[invitation.id] = invitation
        if len(self._offered) > OFFERED:
            self.forget(next(iter(self._offered)))

    def get(self, name: str) -> Invitation | None:
        """Return an invitation as the screen got it, None if it never did."""
        return self._offered.get(name)

    def shown(self, name: str) -> None:
        """Note that the screen really shows it: the next one of its service is a repetition."""
        invitation = self._offered.get(name)
        if invitation is None or name in self._before:
            return
        asked = service(invitation)
        times = self._times.pop(asked, 0)
        self._before[name] = times
        self._times[asked] = times + 1
        if len(self._times) > SERVICES:
            del self._times[next(iter(self._times))]

    def before(self, name: str) -> int:
        """Return how many invitations of its very service were shown before this one."""
        invitation = self._offered.get(name)
        if invitation is None:
            return 0
        return self._before.get(name, self._times.get(service(invitation), 0))

    def forget(self, name: str) -> None:
        """Let go an invitation that has ended; how often its service was asked for stays."""
        self._offered.pop(name, None)
        self._before.pop(name, None)

    def issued_before(self, at: int) -> bool:
        """Whether one that was issued before `at` (ms since 1970, the hub's) is to be answered."""
        return any(each.issued_at < at for each in self._offered.values())
