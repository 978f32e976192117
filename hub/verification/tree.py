"""The tree over the entries as they are, against every checkpoint that was ever given out."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from hub.rules.checkpoint import Checkpoint, CheckpointInvalid, Verifier, opened
from hub.rules.tree import Frontier, leaf_hash
from hub.store.ledger import Recorded, line
from hub.verification.findings import Finding, What
from hub.verification.rhythm import Rhythm

Leaf = Callable[[int], bytes | None]


class _From(StrEnum):
    """Where a checkpoint lies, in words: beside the ledger, beside its database, elsewhere."""

    TABLE = "台账的检查点"
    FILE = "数据文件旁留存的检查点"
    KNOWN = "外部留存的检查点"


class _Due(NamedTuple):
    checkpoint: Checkpoint
    source: _From


class _Run:
    """Checkpoints of one source, one behind the other, that do not fit."""

    def __init__(self) -> None:
        self.more = 0
        self.last = 0


class Tree:
    """Takes the entries in order.

    `notes` are the checkpoints that lie with the ledger, `kept` the newest of them as it lies in
    the file beside the database, `known` those that somebody else kept: all must be signed by
    `by`. `leaf(position)` returns the hash that was kept of an entry when it was entered, or
    None: with it an altered entry is named, not only noticed. `each_ms`: see `Rhythm`.
    """

    def __init__(
        self,
        notes: Iterable[str],
        known: Iterable[str],
        by: Verifier | None,
        leaf: Leaf = lambda _: None,
        *,
        kept: str | None = None,
        each_ms: int | None = None,
    ) -> None:
        self._frontier = Frontier()
        self._leaf = leaf
        self._by = by
        self._rhythm = Rhythm(each_ms)
        self._faults: list[Finding] = []
        self._due: list[_Due] = []
        if by is not None:
            self._due += self._open(notes, by, _From.TABLE)
            self._due += self._beside(kept, by)
            self._due += self._open(known, by, _From.KNOWN)
        self._due.sort(key=lambda each: each.checkpoint.size)
        self._altered: tuple[int, int] | None = None
        self._runs: dict[_From, _Run] = {}
        self._good = 0
        self._signed = 0
        self._next = 0
        self.checked = 0

    @property
    def root(self) -> bytes:
        """The root over all entries that were taken."""
        return self._frontier.root()

    @property
    def unsigned(self) -> int:
        """How many entries, the newest ones, stand under no checkpoint of the ledger."""
        return self._frontier.size - self._signed

    def take(self, entry: Recorded) -> Iterator[Finding]:
        """Add one entry; yield what does not fit."""
        found = leaf_hash(line(entry))
        kept = self._leaf(entry.position)
        if kept is not None and kept != found:
            self._altered = (self._altered or (entry.position, 0))[0], entry.position
        elif self._altered is not None:
            yield self._told()
        # What was kept is part of the tree that was signed: by it, what follows can be checked.
        self._frontier.add(kept or found)
        self._rhythm.entered(entry.at, started=entry.kind == "settings")
        yield from self._meet()

    def end(self, now: int | None = None) -> Iterator[Finding]:
        """Yield what is wrong with the checkpoints, which are missing, and what they know.

        `now` (ms since 1970): by it a ledger that was never signed is known for an old one.
        """
        if self._altered is not None:
            yield self._told()
        for source in tuple(self._runs):
            yield from self._run_over(source, None)
        yield from self._faults
        ahead = {each.source: each.checkpoint for each in self._due[self._next :]}
        for source, checkpoint in ahead.items():  # of each source the largest
            yield Finding(
                what="known" if source is _From.KNOWN else "tail",
                text=f"{source}有 {checkpoint.size} 条，台账只有 "
                f"{self._frontier.size} 条：末尾被删去，或换成了旧的数据",
            )
        if self._by is not None:
            yield from self._missing(now)

    def _missing(self, now: int | None) -> Iterator[Finding]:
        """Yield that checkpoints are gone which must have been there."""
        if not any(each.source is _From.TABLE for each in self._due):
            if self._rhythm.old(now):
                text = "台账一个可信的检查点也没有，按时间早该有了：检查点被删去"
                yield Finding(what="unsigned", text=text)
        elif self._rhythm.overdue():
            text = (
                f"最后 {self.unsigned} 条（第 {self._signed + 1} 条起）没有检查点，"
                "按入账时间其间早该有了：检查点被删去，或服务器早已停止签名"
            )
            yield Finding(what="unsigned", text=text, position=self._signed + 1)

    def _told(self) -> Finding:
        """Return one finding for a run of entries that do not fit."""
        first, last = self._altered or (0, 0)
        self._altered = None
        more = f"（直到第 {last} 条都不符：可能有增删或调换）" if last > first else ""
        return Finding(what="leaf", text=f"与入账时的指纹不符：内容被改动{more}", position=first)

    def _meet(self) -> Iterator[Finding]:
        while (
            self._next < len(self._due)
            and self._due[self._next].checkpoint.size <= self._frontier.size
        ):
            checkpoint, source = self._due[self._next]
            self._next += 1
            if source is _From.TABLE:
                self._signed = checkpoint.size
                self._rhythm.signed()
            run = self._runs.get(source)
            if checkpoint.root == self._frontier.root():
                yield from self._run_over(source, checkpoint.size)
                self._good = checkpoint.size
                self.checked += 1
            elif run is not None:
                run.more += 1
                run.last = checkpoint.size
            else:
                self._runs[source] = _Run()
                yield Finding(
                    what=_what(source),
                    text=f"与{source}（{checkpoint.size} 条）不符：第 "
                    f"{self._good + 1} 至 {checkpoint.size} 条中有改动",
                )

    def _run_over(self, source: _From, again: int | None) -> Iterator[Finding]:
        """Tell of the rest of a run; `again`: the size of the first checkpoint that fits again.

        A root does not say which of its entries differ: one that is altered spoils all roots
        behind it, and hides whatever else was altered there.
        """
        run = self._runs.pop(source, None)
        if run is None:
            return
        text = ""
        if run.more:
            text = (
                f"其后的{source}还有 {run.more} 个不符，直到 {run.last} 条：前面的改动使它们不符，"
                "其间另有改动也看不出来"
            )
        if again is not None:
            text += f"{'；' if text else '其后'}{again} 条的又相符：是在改动之后签的"
        if text:
            yield Finding(what=_what(source), text=text)

    def _open(self, notes: Iterable[str], by: Verifier, source: _From) -> Iterator[_Due]:
        before = -1
        for number, note in enumerate(notes, start=1):
            try:
                checkpoint = opened(note, by)
            except CheckpointInvalid as error:
                self._faults.append(
                    Finding(
                        what="known" if source is _From.KNOWN else "checkpoint",
                        text=f"{source}第 {number} 个不可信：{error}",
                    )
                )
                continue
            if checkpoint.size <= before and source is _From.TABLE:
                self._faults.append(
                    Finding(what="checkpoint", text=f"台账的检查点第 {number} 个次序不对")
                )
            before = checkpoint.size
            if checkpoint.size:
                yield _Due(checkpoint, source)

    def _beside(self, note: str | None, by: Verifier) -> list[_Due]:
        """Return the checkpoint of the file where the ledger's own do not hold it."""
        if note is None:
            return []
        found = list(self._open([note], by, _From.FILE))
        missing = [
            each
            for each in found
            if not any(each.checkpoint == other.checkpoint for other in self._due)
        ]
        for each in missing:
            text = (
                f"{_From.FILE}（{each.checkpoint.size} 条）不在台账的检查点里：检查点被删去或"
                "换过，或数据文件被换成了旧的"
            )
            self._faults.append(Finding(what="checkpoint", text=text))
        return missing


def _what(source: _From) -> What:
    return "known" if source is _From.KNOWN else "root"
