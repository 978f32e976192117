"""Signing in and out (登录、退出), and who stands behind a cookie's token."""

import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from sqlite_utils import Database

from hub.accounts import lockout, proof
from hub.accounts.denials import Denial, Denials
from hub.accounts.errors import PasswordUnfit
from hub.accounts.forgeries import Forgeries
from hub.accounts.passwords import Hasher, check
from hub.accounts.proof import Proof
from hub.rules.access import Caller, scopes_of
from hub.store import audit, database, guesses, sessions, users
from hub.store.sessions import End, Session
from hub.store.signet import Forged
from hub.store.users import User
from hub.store.writer import Busy, Stopped, Writer

SLACK_MS = 300_000
"""How far the hub's clock may be put back under a session."""

TOUCH_MS = 60_000
FORGET_SESSIONS_MS = lockout.KNOWN_MS
FORGET_GUESSES_MS = 86_400_000

_STOLEN = frozenset({"sign_out", "again", "password", "roles", "disabled"})
"""Ends after which nobody who is honest still shows the token."""


class Person(Struct, frozen=True, kw_only=True):
    """Who is signed in, as they may act now."""

    user: User
    caller: Caller
    session: Session


class Gone(Struct, frozen=True, kw_only=True):
    """A token that opens nothing; `why` as in `hub.store.sessions.End`, empty if it never did."""

    why: str = ""


class Door:
    """For the event loop. `path` is the hub's database, which is only read here.

    Sessions end `idle_ms` after the last click and `total_ms` after signing in; both in
    milliseconds, as is `now` (since 1970). `forgeries` knows of accounts, keys and sessions that
    were put in past the hub: nobody is let in by them.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer,
        hasher: Hasher,
        denials: Denials,
        *,
        now: Callable[[], int],
        idle_ms: int,
        total_ms: int,
    ) -> None:
        self._db = database.connect(path)
        self._writer = writer
        self._hasher = hasher
        self._denials = denials
        self.forgeries = Forgeries(path, writer, now=now)
        self._proof = Proof(self._db, writer, hasher, denials, self.forgeries, now=now)
        self._now = now
        self._idle_ms = idle_ms
        self._total_ms = total_ms

    def close(self) -> None:
        """Close the database and end the threads."""
        self._db.close()
        self._hasher.close()

    # ------------------------------------------------------------ in and out

    async def sign_in(self, name: str, password: str, address: str, before: str = "") -> str:
        """Return the token of a new session; that of token `before` in the same browser ends.

        Raises `SignInRefused`, `TooManyTries` (whether the password was right or not) and
        `Crowded`; none of them tells whether there is such a user.
        """
        kept = await self._proof.prove(name, password, address, "sign_in")
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)

        def job(db: Database) -> bool:
            if not _stands(db, name, kept):
                return False
            held = _session(db, before)
            if held is not None and sessions.end(db, held, self._now(), "again"):
                told = {"why": "again", "address": address}
                audit.note(db, self._now(), "hub", "sign_out", f"user:{held.user}", detail=told)
            sessions.begin(db, token, csrf, user=name, address=address, now=self._now())
            audit.note(
                db,
                self._now(),
                f"user:{name}",
                "sign_in",
                f"user:{name}",
                detail={"address": address},
            )
            return True

        if not await self._writer.run(job):
            raise self._proof.refused(name, address, "sign_in", "changed_meanwhile")
        return token

    async def sign_out(self, person: Person) -> None:
        """End a session."""

        def job(db: Database) -> None:
            if sessions.end(db, person.session, self._now(), "sign_out"):
                self._told(db, person, "sign_out")

        await self._writer.run(job)

    async def change_password(self, person: Person, old: str, new: str) -> str:
        """Take another password; all sessions of the user end. Returns the token of a new one.

        Raises `PasswordUnfit` besides what `sign_in` raises.
        """
        name, address = person.user.name, person.caller.address
        check(new, name)
        if new == old:
            raise PasswordUnfit("新口令与原口令相同，请另换一个")
        before = await self._proof.prove(name, old, address, "change_password")
        kept = await self._hasher.hash(new)
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)

        def job(db: Database) -> bool:
            now = self._now()
            if not _stands(db, name, before):
                return False
            users.set_password(db, name, kept, now, must_change=False)
            sessions.end_of(db, name, now, "password")
            sessions.begin(db, token, csrf, user=name, address=address, now=now)
            self._told(db, person, "change_password")
            return True

        if not await self._writer.run(job):
            raise self._proof.refused(name, address, "change_password", "changed_meanwhile")
        return token

    # ------------------------------------------------------------ who it is

    def who(self, token: str, address: str) -> Person | Gone:
        """Return who stands behind a token, as their account is now."""
        try:
            session = sessions.get(self._db, token) if token else None
            user = None if session is None else users.get(self._db, session.user)
        except Forged as forged:
            self.forgeries.note(forged)
            return Gone()
        if session is None:
            return Gone()
        if session.ended_at is not None:
            if session.why in _STOLEN:
                denial = Denial(
                    actor="unknown",
                    action="session",
                    target=f"user:{session.user}",
                    why=session.why,
                    address=address,
                )
                self._denials.note(denial)
            return Gone(why=session.why)
        now = self._now()
        why = self._over(session, now)
        if user is not None and self.forgeries.knows("user", user.name):
            why = why or "disabled"  # set back past the hub: the last look has told of it
        if why is not None or user is None or user.disabled:
            return Gone(why=why or "disabled")
        if abs(now - session.seen_at) >= min(TOUCH_MS, self._idle_ms // 4):
            self._later(lambda db: sessions.touch(db, session, now))
        caller = Caller(
            name=f"user:{user.name}",
            scopes=scopes_of(user.roles),
            staff=user.staff,
            address=address,
        )
        return Person(user=user, caller=caller, session=session)

    def _over(self, session: Session, now: int) -> End | None:
        if now < max(session.created_at, session.seen_at) - SLACK_MS:
            return "clock"
        if now - session.created_at >= self._total_ms:
            return "over"
        return "idle" if now - session.seen_at >= self._idle_ms else None

    # ------------------------------------------------------------ now and then

    def tend(self, *, closing: bool = False) -> None:
        """End what is over, tell what was kept out; to be called every few seconds."""
        self._denials.tend(closing=closing)
        ignored = self._proof.take_ignored()

        def job(db: Database) -> None:
            now = self._now()
            proof.tell_ignored(db, ignored, now)
            for session in sessions.still_open(db):
                why = self._over(session, now)
                if why is not None and sessions.end(db, session, now, why):
                    audit.note(
                        db, now, "hub", "sign_out", f"user:{session.user}", detail={"why": why}
                    )
            sessions.forget(db, now - FORGET_SESSIONS_MS)
            guesses.forget(db, now - FORGET_GUESSES_MS)

        try:
            self._writer.submit(job)
        except Busy:
            self._proof.keep_ignored(ignored)
        except Stopped:
            pass

    def _told(self, db: Database, person: Person, action: str) -> None:
        name = person.caller.name
        audit.note(db, self._now(), name, action, name, detail={"address": person.caller.address})

    def _later(self, job: Callable[[Database], None]) -> None:
        with contextlib.suppress(Busy, Stopped):
            self._writer.submit(job)


def _stands(db: Database, name: str, kept: str) -> bool:
    """Whether the account that a password was proven of is as it was then."""
    try:
        found = users.get(db, name)
        return found is not None and not found.disabled and users.password_of(db, name) == kept
    except Forged:  # `who` tells of it at the next request
        return False


def _session(db: Database, token: str) -> Session | None:
    try:
        return sessions.get(db, token) if token else None
    except Forged:
        return None
