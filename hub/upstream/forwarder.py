"""Carries what is committed to the city: in order per case, as often as needed, once in effect.

What the city has is noted only after its own word, and by a commit; a hub killed in between
sends the record again and hears "already exists". While the city as a whole gives no answer
it is probed with one record at a time, ever more rarely.
"""

import asyncio
import contextlib
import logging
import random as randomness
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from sqlite_utils import Database

from hub.store import answers, deliveries, exchanges
from hub.store.database import connect
from hub.store.deliveries import Delivery
from hub.store.vault import Vault
from hub.store.writer import Busy, Job, Stopped, Writer
from hub.upstream.attempt import Attempt, Attempts, NotMade, Outcome, Unclear
from hub.upstream.batches import Batches
from hub.upstream.contents import Contents, Left, Unsendable
from hub.upstream.dialects import AlreadyExists, Dialect, Refused, Unavailable
from protocol.messages import Rated

Event = Literal["accepted", "exists", "set_aside", "retry", "left", "apart"]
"""What became of a record; "apart": it went with others, and has no answer of its own yet."""

AWAY_AFTER = 3
TRIM_EACH_MS = 60_000
TRIM_EACH = 1_000
"""The journal is trimmed after this time, or so many exchanges if that is sooner."""
_LONGEST_WAIT_MS = 60_000

_log = logging.getLogger(__name__)


def backoff(random: randomness.Random, base_ms: int, cap_ms: int, n: int) -> int:
    """Return how many ms to wait after failure `n`: uniform(0, min(cap, base * 1.5**n))."""
    return int(random.uniform(0, min(cap_ms, base_ms * 1.5 ** min(n, 100))))


class Forwarder:
    """Makes up to `parallel` requests at once, each of the records of up to `dialect.batch` cases.

    `now` gives ms since 1970.

    `verify(device, jws)` returns the rating that a device signed, or raises `ProtocolError`:
    nothing leaves the ledger for the city on the database's word alone. What is said with the
    city is kept (`store.exchanges`), in the same commit as what came of it.

    Start and stop it in the loop it is to run in; `stop` closes the dialect. Each failed
    attempt puts its record back by `backoff`; `AWAY_AFTER` failures in a row, whichever
    records they struck, count as the city being away.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer,
        vault: Vault,
        dialect: Dialect,
        *,
        verify: Callable[[str, bytes], Rated],
        now: Callable[[], int],
        random: randomness.Random,
        parallel: int = 8,
        data_source: str = "112",
        base_ms: int = 1_000,
        cap_ms: int = 60_000,
        on_event: Callable[[Event, Delivery], None] = lambda _event, _delivery: None,
    ) -> None:
        self._path = path
        self._writer = writer
        self._dialect = dialect
        self._now = now
        self._random = random
        self._parallel = parallel
        contents = Contents(vault, dialect, verify=verify, data_source=data_source)
        self._attempts = Attempts(contents, vault, dialect, now=now)
        self._batches = Batches(dialect.batch)
        self._vault = vault
        self._base_ms = base_ms
        self._cap_ms = cap_ms
        self._on_event = on_event
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._db: Database | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._under_way: dict[asyncio.Task[None], tuple[Delivery, ...]] = {}
        self._failures = 0
        self._away = False
        self._probe_at = 0
        self._trim_at = 0
        self._untrimmed = 0

    def start(self) -> None:
        """Begin, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._stopping = False
        self._db = connect(self._path)
        self._task = self._loop.create_task(self._run(self._db), name="forwarder")

    def poke(self) -> None:
        """Say that something was committed; from any thread, also before start and after stop."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:  # the loop is closed: what waits is found at the next start
                self._loop = None

    async def stop(self, grace_s: float = 2.0) -> None:
        """End; what is under way gets `grace_s` to finish and is otherwise sent again later."""
        if self._task is None:
            return
        self._stopping = True
        self._wake.set()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._dialect.close()
        if self._db is not None:
            self._db.close()
        self._task = self._db = self._loop = None

    @property
    def away(self) -> bool:
        """Whether the city as a whole gives no answer."""
        return self._away

    async def _run(self, db: Database) -> None:
        while not self._stopping:
            self._wake.clear()
            self._trim()
            try:
                wait_ms = self._launch(db)
            except Exception as error:  # noqa: BLE001 - the store is busy or broken: look again
                _log.error("forwarder=stumbled error=%s", type(error).__name__)
                wait_ms = self._cap_ms
            timeout = min(wait_ms, _LONGEST_WAIT_MS) / 1000
            try:
                await asyncio.wait_for(self._wake.wait(), timeout)
            except TimeoutError:
                continue

    def _launch(self, db: Database) -> int:
        """Send what may go now; return after how many ms to look again."""
        now = self._now()
        if self._away and now < self._probe_at <= now + self._cap_ms:
            return self._probe_at - now
        room = (1 if self._away else self._parallel) - len(self._under_way)
        if room <= 0:
            return _LONGEST_WAIT_MS
        at = deliveries.next_at(db, now)
        # Nothing is ever put off for longer than the cap: the clock has been put back since.
        horizon = at if at is not None and at > now + self._cap_ms else now
        busy = {each.serial for batch in self._under_way.values() for each in batch}
        most = 1 if self._away else self._batches.batch  # a probe is one record
        due = deliveries.due(db, horizon, room * most + len(busy))
        free = [each for each in due if each.serial not in busy]
        # Nobody waits for a list to be filled: what is due goes, together or not.
        for batch in self._batches.gather(free, room):
            room -= 1
            task = asyncio.create_task(self._deliver(db, batch, probing=self._away))
            self._under_way[task] = batch
            task.add_done_callback(self._ended)
        return _LONGEST_WAIT_MS if at is None or not room else at - now

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._wake.set()

    async def _deliver(self, db: Database, batch: tuple[Delivery, ...], *, probing: bool) -> None:
        attempts = await self._attempts.make(db, batch)
        try:
            events = await self._note(batch, attempts)
        except Stopped:
            return  # sent again after the next start; the city will know it
        except Exception as error:  # noqa: BLE001 - the commit failed: nothing is noted
            # One that cannot be noted must not keep its neighbours from it.
            self._batches.apart(batch)
            self._failed(f"结果未能保存（{type(error).__name__}）", probing=probing)
            events = ["retry"] * len(batch)
        else:
            self._heed([each.outcome for each in attempts], probing=probing)
        for event, delivery in zip(events, batch, strict=True):
            self._on_event(event, delivery)

    async def _note(self, batch: tuple[Delivery, ...], attempts: Sequence[Attempt]) -> list[Event]:
        """Commit in one go what became of records, with what was said; then it is on disk."""
        jobs = [
            self._job(delivery, each.outcome, each.digest)
            for delivery, each in zip(batch, attempts, strict=True)
        ]
        lines = [line for each in attempts for line in each.lines]

        def outcomes_and_journal(db: Database) -> None:
            for job, _ in jobs:
                job(db)
            exchanges.note(db, lines)

        await self._commit(outcomes_and_journal)
        self._untrimmed += len(lines)
        events = [event for _, event in jobs]
        unclear = []
        for delivery, event in zip(batch, events, strict=True):
            if event == "apart":
                unclear.append(delivery)
                continue
            self._batches.settled(delivery)
            if event == "set_aside":
                # Without the reason: the city's words are kept in the store, not in logs.
                _log.warning("delivery=set_aside id=%d kind=%s", delivery.id, delivery.kind)
        self._batches.apart(unclear)
        return events

    def _job(self, delivery: Delivery, answer: Outcome, digest: bytes) -> tuple[Job[None], Event]:
        now, each, version = self._now(), delivery.id, delivery.version
        if isinstance(answer, Unavailable):
            at = now + backoff(self._random, self._base_ms, self._cap_ms, delivery.attempts)
            reason = answer.reason
            _log.debug("delivery=retry id=%d kind=%s", each, delivery.kind)
            return lambda db: answers.retry(db, each, at, reason), "retry"
        if isinstance(answer, Left):
            reason = answer.reason
            return lambda db: answers.left(db, each, version, reason, now), "left"
        if isinstance(answer, Unclear):
            return lambda _: None, "apart"
        if isinstance(answer, Refused | Unsendable):
            reason = answer.reason
            return lambda db: answers.set_aside(db, each, reason, now, version=version), "set_aside"
        word: Literal["accepted", "exists"] = (
            "exists" if isinstance(answer, AlreadyExists) else "accepted"
        )
        return lambda db: answers.accepted(
            db, each, now, word, version=version, digest=digest, vault=self._vault
        ), word

    def _trim(self) -> None:
        now = self._now()
        if self._untrimmed < TRIM_EACH and self._trim_at - TRIM_EACH_MS <= now < self._trim_at:
            return
        self._trim_at, self._untrimmed = now + TRIM_EACH_MS, 0
        with contextlib.suppress(Busy, Stopped):
            self._writer.submit(lambda db: exchanges.trim(db, now))

    async def _commit(self, job: Job[Any]) -> None:
        while True:
            try:
                # Shielded: a job that the writer has taken is not ours to cancel.
                return await asyncio.shield(asyncio.wrap_future(self._writer.submit(job)))
            except Busy:
                if self._stopping:
                    raise Stopped from None
                await asyncio.sleep(0.02)

    def _heed(self, outcomes: Sequence[Outcome], *, probing: bool) -> None:
        """Take note whether the city answers, once for what went in one request."""
        said = [each for each in outcomes if not isinstance(each, Unsendable | Left)]
        silent = [each for each in said if isinstance(each, Unavailable)]
        if len(silent) < len(said):
            self._answered()
        elif silent:
            asked = [each for each in silent if not isinstance(each, NotMade)]
            self._failed((asked or silent)[0].reason, probing=probing, asked=bool(asked))

    def _failed(self, reason: str, *, probing: bool, asked: bool = True) -> None:
        if self._away and not probing:
            return  # sent before the city went away: says nothing new
        self._failures += 1
        if self._failures < AWAY_AFTER:
            return
        if not self._away:
            self._away = True
            # Where it was not even asked, nothing is known of the city.
            word = "unavailable" if asked else "held-up"
            _log.warning("upstream=%s reason=%s", word, reason)
        steps = self._failures - AWAY_AFTER
        self._probe_at = self._now() + backoff(self._random, self._base_ms, self._cap_ms, steps)

    def _answered(self) -> None:
        self._failures = 0
        if self._away:
            self._away = False
            _log.info("upstream=available")
