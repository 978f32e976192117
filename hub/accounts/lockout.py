"""Who has to wait before the next password is looked at (锁定): by name, address, and both.

A try is counted before its password is looked at, and given back if it was right: of many at
the same moment no more are looked at than one after the other would be.
"""

import hashlib

from msgspec import Struct
from msgspec.structs import replace
from sqlite_utils import Database

from hub.rules.tries import Limit, Tries, failed
from hub.store import guesses, sessions

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000

PAIR = Limit(free=5, first_ms=30_000, longest_ms=_HOUR, forget_ms=_DAY)
"""A name at an address: somebody who guesses, or who has forgotten."""

NAME = Limit(free=60, first_ms=60_000, longest_ms=15 * _MINUTE, forget_ms=_DAY)
"""A name over all addresses. Not for an address where that user has signed in before: who
guesses from many machines does not shut the clerk out of the clerk's own."""

ADDRESS = Limit(free=100, first_ms=30_000, longest_ms=5 * _MINUTE, forget_ms=15 * _MINUTE)
"""An address over all names; a whole hall may come from one."""

KNOWN_MS = 60 * _DAY
"""How long an address where a user has signed in is theirs."""


class Locked(Struct, frozen=True, kw_only=True):
    """The lock that keeps a try out, and for how many milliseconds yet."""

    who: str
    wait_ms: int


class Counted(Struct, frozen=True, kw_only=True):
    """A try that has been counted, with what was remembered before; `begun`: locks it set off."""

    before: tuple[tuple[str, Tries], ...]
    begun: tuple[Locked, ...]


def pseudonym(name: str) -> str:
    """Return what stands for a typed name: people type passwords there too."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def locked(db: Database, now: int, name: str, address: str) -> Locked | None:
    """Return the lock that lasts longest of those that keep a try out, or None."""
    known = sessions.signed_in_from(db, name, address, now - KNOWN_MS)
    waits = [
        Locked(who=who, wait_ms=_wait(guesses.get(db, who), limit, now))
        for who, limit in _keys(name, address)
        if not (known and limit is NAME)
    ]
    longest = max(waits, key=lambda each: each.wait_ms)
    return longest if longest.wait_ms else None


def count(db: Database, now: int, name: str, address: str) -> Counted:
    """Count a try as a wrong one, before it is looked at."""
    before, begun = [], []
    for who, limit in _keys(name, address):
        tries = guesses.get(db, who)
        if _wait(tries, limit, now):
            continue  # the lock of a name, which does not hold here: let it run out
        after = failed(tries, limit, now)
        guesses.put(db, who, after)
        before.append((who, tries))
        if after.wait_ms(now):
            begun.append(Locked(who=who, wait_ms=after.wait_ms(now)))
    return Counted(before=tuple(before), begun=tuple(begun))


def give_back(db: Database, counted: Counted) -> None:
    """Undo the count of a try that was right; its name at its address begins anew.

    Name and address keep what others did: who has an account of their own cannot wipe out by
    signing in what they guessed of others.
    """
    for who, before in counted.before:
        now = guesses.get(db, who)
        if who.startswith("pair:"):
            guesses.drop(db, who)
        elif now.failures == before.failures + 1:
            guesses.put(db, who, before)
        else:
            guesses.put(db, who, replace(now, failures=max(0, now.failures - 1)))


def unlock(db: Database, name: str) -> int:
    """Forget all wrong tries of a name, and of the addresses where it was tried."""
    mark = pseudonym(name)
    pairs = guesses.beginning(db, f"pair:{mark}:")
    for each in pairs:
        guesses.drop(db, each.who)
        guesses.drop(db, "address:" + each.who.removeprefix(f"pair:{mark}:"))
    guesses.drop(db, f"name:{mark}")
    return len(pairs)


def locks_of(db: Database, now: int, name: str) -> list[tuple[str, int]]:
    """Return where a name is locked (an address; empty = everywhere new) and for how long yet."""
    mark = pseudonym(name)
    found = [
        (each.who.removeprefix(f"pair:{mark}:"), _wait(each.tries, PAIR, now))
        for each in guesses.beginning(db, f"pair:{mark}:")
    ]
    found.append(("", _wait(guesses.get(db, f"name:{mark}"), NAME, now)))
    return [(address, wait) for address, wait in found if wait]


def _keys(name: str, address: str) -> tuple[tuple[str, Limit], ...]:
    mark = pseudonym(name)
    return (
        (f"pair:{mark}:{address}", PAIR),
        (f"name:{mark}", NAME),
        (f"address:{address}", ADDRESS),
    )


def _wait(tries: Tries, limit: Limit, now: int) -> int:
    """Return how long yet.

    A lock from a time that is still to come is of a clock that was put back: it is over, and
    the next wrong try, which is not the first, sets off one of the right time.
    """
    wait = tries.wait_ms(now)
    return wait if wait <= limit.longest_ms + _MINUTE else 0
