"""The users and keys as the pages look at them and change them."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from hub.accounts.changes import Job
from hub.rules.access import Caller
from hub.store import audit, database
from hub.store.writer import Writer

T = TypeVar("T")


class Register:
    """Changes are jobs of the writer; `changed(devices)` is called after their commit.

    Looks take a thread and a connection of their own: a long list holds nobody up.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer,
        *,
        now: Callable[[], int],
        changed: Callable[[Iterable[str]], None],
    ) -> None:
        self._path = path
        self._writer = writer
        self._now = now
        self._changed = changed

    async def change(self, by: Caller, work: Callable[[Job], T]) -> T:
        """Make a change of `hub.accounts.changes` and wait for its commit."""

        def job(db: Database, altered: set[str]) -> T:
            return work(Job(db=db, now=self._now(), by=by, changed=altered))

        def tell(altered: set[str]) -> None:
            if altered:
                self._changed(altered)

        return await self._writer.change(job, tell)

    async def look(self, read: Callable[[Database], T]) -> T:
        """Return what `read` finds."""

        def work() -> T:
            # A row that somebody has spoilt is to be seen in the list, not to end it.
            with closing(database.connect(self._path)) as db, audit.any_text(db):
                return read(db)

        return await asyncio.to_thread(work)
