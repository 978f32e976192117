"""What was put into the hub's file past the hub: accounts, keys, sessions, photographs.

Likewise an entry of the audit trail that was taken out again.

Such a row opens nothing. It is told once: in the log as critical, in the audit trail, and to who
looks after the hub for as long as it is there, and a day after it was used.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from hub.accounts import wording
from hub.rules.days import DAY_MS
from hub.store import api_keys, audit, database, portraits, sessions, signet, users
from hub.store.signet import Forged
from hub.store.vault import Vault
from hub.store.writer import Busy, Stopped, Writer

log = logging.getLogger(__name__)

NAMED = 5
"""Rows that the alarm names."""

MOST = 10_000
"""Rows that are remembered as told: beyond that the oldest may be told again in the log."""


class Forgeries:
    """For any thread. `path` is the hub's database; `now`: milliseconds since 1970."""

    def __init__(self, path: Path, writer: Writer, *, now: Callable[[], int]) -> None:
        self._path = path
        self._writer = writer
        self._now = now
        self._vault: Vault | None = None
        self._lock = threading.Lock()
        self._told: dict[str, None] = {}
        self._used: dict[str, int] = {}
        self._there: tuple[str, ...] = ()
        self._head: tuple[int, bytes] | None = None

    def note(self, forged: Forged) -> None:
        """Tell of one that somebody wanted to use."""
        with self._lock:
            if len(self._used) < MOST:
                self._used[str(forged)] = self._now()
        self._tell([forged])

    def look(self) -> None:
        """Look at all that gives rights, on a connection of its own; raises sqlite3.Error."""
        with closing(database.connect(self._path)) as db, audit.any_text(db):
            if self._vault is not None:
                signet.hand(db, self._vault)
            self._vault = signet.of(db).vault
            found = of_all(db)
            cut = self._cut(db)
        if cut is not None:
            self.note(cut)
        with self._lock:
            self._there = tuple(dict.fromkeys(map(str, found)))
            old = self._now() - DAY_MS
            self._used = {name: at for name, at in self._used.items() if at > old}
        self._tell(found)

    def _cut(self, db: Database) -> Forged | None:
        """Return what tells of an entry of the trail that stood there at the last look.

        The newest ones leave no gap behind: only who has seen them knows.
        """
        before, self._head = self._head, audit.head(db)
        if before is None or audit.holds(db, *before):
            return None
        return signet.of(db).forged("act", str(before[0]), [before[1]])

    def knows(self, of: str, name: str) -> bool:
        """Whether the last look found that row: an account set back to what it once was, say."""
        return f"{of}:{name}" in self._there

    @property
    def alarm(self) -> str | None:
        """What wants attention, in Chinese."""
        with self._lock:
            names = list(dict.fromkeys((*self._there, *self._used)))
        if not names:
            return None
        named = "、".join(map(wording.who, names[:NAMED]))
        more = f" 等 {len(names)} 项" if len(names) > NAMED else ""
        return (
            f"{named}{more}不是本服务器登记的，或在数据文件里被改动过：不起作用。请保留现场并执行 "
            "pingyi-hub verify；查明后用 pingyi-hub user disable 或 key revoke 清除，再重新建立"
        )

    def _tell(self, found: list[Forged]) -> None:
        with self._lock:
            fresh = [each for each in found if f"{each}/{each.row}" not in self._told]
            for each in fresh:
                self._told[f"{each}/{each.row}"] = None
            while len(self._told) > MOST:
                del self._told[next(iter(self._told))]
        if not fresh:
            return
        for each in fresh:
            log.critical("forged=%s note=opens-nothing", each)

        def job(db: Database) -> None:
            for each in fresh:
                if not audit.told_forged(db, str(each), each.row):
                    told = {"row": each.row}
                    audit.note(
                        db, self._now(), "hub", "forged", str(each), allowed=False, detail=told
                    )

        with contextlib.suppress(Busy, Stopped):
            self._writer.submit(job)


def of_all(db: Database) -> list[Forged]:
    """Return every row that the hub has not written like this; raises `VaultError`."""
    names = [each.name for each in users.listed(db) if each.genuine]
    return [
        *users.forged(db),
        *(each for name in names if (each := users.set_back(db, name)) is not None),
        *api_keys.forged(db),
        *sessions.forged(db),
        *portraits.forged(db),
    ]
