"""Whether somebody knows the password of a name, looked at only if they are not locked out."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from sqlite_utils import Database

from hub.accounts import lockout
from hub.accounts.denials import Denial, Denials, Detail
from hub.accounts.errors import SignInRefused
from hub.accounts.forgeries import Forgeries
from hub.accounts.passwords import Hasher
from hub.errors import TooManyTries
from hub.store import audit, guesses, users
from hub.store.signet import Forged
from hub.store.users import User
from hub.store.writer import Writer


class Proof:
    """For the event loop; `db` is only read. `now`: milliseconds since 1970."""

    def __init__(
        self,
        db: Database,
        writer: Writer,
        hasher: Hasher,
        denials: Denials,
        forgeries: Forgeries,
        *,
        now: Callable[[], int],
    ) -> None:
        self._db = db
        self._writer = writer
        self._hasher = hasher
        self._denials = denials
        self._forgeries = forgeries
        self._now = now
        self._lock = threading.Lock()
        self._ignored: Counter[str] = Counter()

    async def prove(self, name: str, password: str, address: str, action: str) -> str:
        """Have a password looked at, unless its try is locked out; return its hash.

        Raises `SignInRefused`, `TooManyTries`, `Crowded`; `action` is what the trail calls it.
        """
        lock = lockout.locked(self._db, self._now(), name, address)
        if lock is not None:
            raise self._kept_out(lock)

        def begin(db: Database) -> lockout.Counted | lockout.Locked:
            now = self._now()
            return lockout.locked(db, now, name, address) or lockout.count(db, now, name, address)

        counted = await self._writer.run(begin)
        if isinstance(counted, lockout.Locked):
            raise self._kept_out(counted)
        found, kept = self._known(name)
        try:
            right = await self._hasher.verify(password, kept)
        except BaseException:
            await self._writer.run(lambda db: lockout.give_back(db, counted))
            raise
        if not right or found is None or found.disabled:
            why = "disabled" if right and found is not None else "wrong_password"
            error = self.refused(name if found else "", address, action, why)
            self._locks(counted, name if found else "", address)
            raise error
        await self._writer.run(lambda db: lockout.give_back(db, counted))
        return kept or ""

    def _known(self, name: str) -> tuple[User | None, str | None]:
        """Return a user and the hash of their password; nobody, where the row is not the hub's."""
        try:
            found = users.get(self._db, name), users.password_of(self._db, name)
        except Forged as forged:
            self._forgeries.note(forged)
            return None, None
        set_back = users.set_back(self._db, name)
        if set_back is not None:
            self._forgeries.note(set_back)
            return None, None
        return found

    def _kept_out(self, lock: lockout.Locked) -> TooManyTries:
        with self._lock:
            self._ignored[lock.who] += 1
        seconds = -(-lock.wait_ms // 1000)
        words = f"{seconds} 秒" if seconds < 120 else f"{-(-seconds // 60)} 分钟"
        return TooManyTries(
            f"口令输错次数过多，请等 {words}后再试；急用请联系信息化管理员解锁", seconds
        )

    def refused(self, name: str, address: str, action: str, why: str) -> SignInRefused:
        """Note who was turned away: by name only if there is such a user (see `pseudonym`)."""
        target = f"user:{name}" if name else ""
        denial = Denial(
            actor="unknown",
            action=action,
            target=target,
            why=why if name else "unknown_user",
            address=address,
        )
        self._denials.note(denial, each=True)
        return SignInRefused(
            "账号或口令不对，或账号已停用。请检查大小写；忘记口令请联系信息化管理员重设"
        )

    def _locks(self, counted: lockout.Counted, name: str, address: str) -> None:
        for lock in counted.begun:
            denial = Denial(
                actor="hub",
                action="lock",
                target="" if lock.who.startswith("address:") or not name else f"user:{name}",
                why=lock.who.partition(":")[0] + "_locked",
                address=address,
            )
            self._denials.note(denial, each=True, detail={"seconds": lock.wait_ms // 1000})

    def take_ignored(self) -> Counter[str]:
        """Return how many tries each lock has kept out since the last call."""
        with self._lock:
            ignored, self._ignored = self._ignored, Counter()
        return ignored

    def keep_ignored(self, ignored: Mapping[str, int]) -> None:
        """Take back what could not be written."""
        with self._lock:
            self._ignored.update(ignored)


def tell_ignored(db: Database, ignored: Mapping[str, int], now: int) -> None:
    """Count what was kept out, and tell of the locks that are over: one entry for each."""
    for who, times in ignored.items():
        guesses.ignore(db, who, times)
    over = guesses.take_ignored(db, now)
    named = (
        {lockout.pseudonym(user.name): f"user:{user.name}" for user in users.listed(db)}
        if over
        else {}
    )
    for kept in over:
        kind, _, rest = kept.who.partition(":")
        mark, _, address = rest.partition(":")
        detail: Detail = {
            "why": f"{kind}_locked",
            "ignored": kept.ignored,
            "address": rest if kind == "address" else address,
        }
        audit.note(db, now, "hub", "lock_over", named.get(mark, ""), detail=detail)
