"""How often somebody may ask: a few times at once, then one after another (GCRA, as a rate)."""

from collections import OrderedDict

KNOWN = 20_000
"""How many are remembered; beyond that, whoever has not asked for longest is forgotten."""


class Pace:
    """`burst` times at once, and once more every `each_ms`. One clock, in milliseconds."""

    def __init__(self, *, burst: int, each_ms: int, known: int = KNOWN) -> None:
        self._slack_ms = (burst - 1) * each_ms
        self._each_ms = each_ms
        self._known = known
        self._due: OrderedDict[str, int] = OrderedDict()

    def wait_ms(self, name: str, now: int) -> int:
        """Count one more time; 0: it may be. Else it was not counted, and when it may be again."""
        due = max(self._due.get(name, 0), now)
        wait = due - now - self._slack_ms
        if wait > 0:
            return wait
        self._due[name] = due + self._each_ms
        self._due.move_to_end(name)
        if len(self._due) > self._known:
            self._due.popitem(last=False)
        return 0
