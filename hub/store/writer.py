"""The one thread that writes: it gathers what is waiting and commits it in one go.

A job is a function of the database. Its future is resolved only after the commit that holds
it is on disk; a job that raises is rolled back alone, a commit that fails fails all its jobs.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlite_utils import Database

log = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[Database], T]


class Busy(Exception):
    """The writer has as much waiting as it may hold; nothing was taken, try again."""


class Stopped(Exception):
    """The writer is stopping; nothing was taken."""


class Writer:
    """Runs jobs on one connection, up to `batch` of them in one transaction.

    `on_commit` is called in the writer's thread after each group and its futures, so that
    what depends on the commit (receipts) can be sent for the whole group at once.
    """

    def __init__(
        self,
        db: Database,
        *,
        batch: int = 200,
        limit: int = 10_000,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._batch = batch
        self._on_commit = on_commit
        self._jobs: queue.Queue[tuple[Job[Any], Future[Any]] | None] = queue.Queue(limit)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._entrance = threading.Lock()
        self._stopping = False
        self._written = 0
        self.trouble = ""
        """Why the disk took nothing the last time, in SQLite's words; empty since it does again."""

    def on_commit(self, call: Callable[[], None]) -> None:
        """Set what is called after each group; to be set before `start`."""
        self._on_commit = call

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what is waiting (if it was started), end the thread, close the database."""
        with self._entrance:  # behind this only the end can come, and no job after it
            self._stopping = True
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._db.close()

    def submit(self, job: Job[T], then: "Callable[[Future[T]], None] | None" = None) -> "Future[T]":
        """Queue a job; raises `Busy` or `Stopped` at once rather than wait.

        `then` is called with the resolved future in the writer's thread, before `on_commit`
        and in the order of the jobs; a callback added to what is returned may miss both.
        """
        future: Future[T] = Future()
        if then is not None:
            future.add_done_callback(then)
        with self._entrance:
            if self._stopping:
                raise Stopped
            try:
                self._jobs.put_nowait((job, future))
            except queue.Full:
                raise Busy from None
        return future

    async def run(self, job: Job[T]) -> T:
        """Run a job and wait for its commit; raises what `submit` does, and what the job does.

        A job that has begun goes on though the caller is cancelled; one that has not is dropped.
        """
        return await asyncio.wrap_future(self.submit(job))

    async def change(
        self, job: Callable[[Database, set[str]], T], tell: Callable[[set[str]], None]
    ) -> T:
        """Run a job that gathers in the set it is given whom its change concerns.

        `tell` is called with them in the writer's thread, after the commit that holds the
        change and only then, also where the caller was cancelled meanwhile.
        """
        concerned: set[str] = set()

        def then(done: "Future[T]") -> None:
            if not done.cancelled() and done.exception() is None:
                tell(concerned)

        return await asyncio.wrap_future(self.submit(lambda db: job(db, concerned), then))

    def call(self, job: Job[T], timeout: float = 30.0) -> T:
        """Run a job and wait until it is committed (never from the writer's own thread)."""
        return self.submit(job).result(timeout)

    def _run(self) -> None:
        last = False
        while not last:
            group, last = self._gather()
            if group:
                self._commit(group)

    def _gather(self) -> tuple[list[tuple[Job[Any], Future[Any]]], bool]:
        group: list[tuple[Job[Any], Future[Any]]] = []
        item = self._jobs.get()
        while item is not None:
            group.append(item)
            if len(group) >= self._batch:
                return group, False
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _run_jobs(
        self,
        group: list[tuple[Job[Any], Future[Any]]],
        done: list[tuple[Future[Any], Any, BaseException | None]],
    ) -> None:
        for job, future in group:
            try:
                with self._db.atomic():
                    result = job(self._db)
                done.append((future, result, None))
            except Exception as error:
                done.append((future, None, error))
                if not self._db.conn.in_transaction:
                    raise  # SQLite itself undid the whole group (a full disk)

    def _commit(self, group: list[tuple[Job[Any], Future[Any]]]) -> None:
        # Who asked may have gone away meanwhile; a future once running cannot be cancelled.
        group = [(job, future) for job, future in group if future.set_running_or_notify_cancel()]
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            # At once for writing: a group that reads first and finds, when it comes to write, that
            # a command has written meanwhile, could only fail.
            self._db.conn.execute("BEGIN IMMEDIATE")
            try:
                self._run_jobs(group, done)
                self._db.conn.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise
        except Exception as failure:  # noqa: BLE001 - the commit failed: nobody gets a success
            done = [(future, None, failure) for _, future in group]
        self._note([problem for _, _, problem in done])
        for future, result, problem in done:
            if problem is None:
                future.set_result(result)
            else:
                future.set_exception(problem)
        try:
            self._on_commit()
        except Exception:  # without this thread nothing would ever be committed again
            log.exception("on-commit=failed")

    def _note(self, problems: list[BaseException | None]) -> None:
        """Remember that the disk takes nothing, until something is written again."""
        broken = next((each for each in problems if isinstance(each, sqlite3.Error)), None)
        if broken is not None and not isinstance(broken, sqlite3.IntegrityError):
            if not self.trouble:
                log.error("database=cannot-write error=%s", broken)
            self.trouble = str(broken)
        elif self._db.conn.total_changes > self._written and self.trouble:
            log.warning("database=writes-again")
            self.trouble = ""
        self._written = self._db.conn.total_changes
