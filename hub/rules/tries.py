"""How long somebody who guessed wrong has to wait: a few tries free, then doubling (退避)."""

from msgspec import Struct
from msgspec.structs import replace


class Limit(Struct, frozen=True, kw_only=True):
    """`free` wrong tries cost nothing; then each one locks for twice as long, up to `longest_ms`.

    After `forget_ms` without a wrong try all is forgotten.
    """

    free: int
    first_ms: int
    longest_ms: int
    forget_ms: int


class Tries(Struct, frozen=True, kw_only=True):
    """What is remembered of one who tries; times in milliseconds on one clock."""

    failures: int = 0
    last_at: int = 0
    locked_until: int = 0

    def wait_ms(self, now: int) -> int:
        """Return how long no try of theirs is looked at; 0 = it is.

        A clock that was put back since the last try locks nobody out for as long as that.
        """
        return max(0, self.locked_until - now) if now >= self.last_at else 0


def failed(tries: Tries, limit: Limit, now: int) -> Tries:
    """Return what is remembered after one more wrong try at `now`."""
    if now - tries.last_at > limit.forget_ms:
        tries = Tries()
    count = tries.failures + 1
    over = count - limit.free
    lock = 0 if over < 0 else min(limit.longest_ms, limit.first_ms << min(over, 40))
    return replace(tries, failures=count, last_at=now, locked_until=now + lock if lock else 0)
