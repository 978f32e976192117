"""The tree over the entries as they are, against every checkpoint that was ever given out."""

from collections.abc import Callable, Iterable, Iterator

from hub.rules.checkpoint import Checkpoint, CheckpointInvalid, Verifier, opened
from hub.rules.tree import Frontier, leaf_hash
from hub.store.ledger import Recorded, line
from hub.verification.findings import Finding

Leaf = Callable[[int], bytes | None]


class Tree:
    """Takes the entries in order.

    `notes` are the checkpoints that lie with the ledger, `known` those that somebody else kept:
    both must be signed by `by`. `leaf(position)` returns the hash that was kept of an entry
    when it was entered, or None: with it an altered entry is named, not only noticed.
    """

    def __init__(
        self,
        notes: Iterable[str],
        known: Iterable[str],
        by: Verifier | None,
        leaf: Leaf = lambda _: None,
    ) -> None:
        self._frontier = Frontier()
        self._leaf = leaf
        self._faults: list[Finding] = []
        self._due: list[tuple[Checkpoint, bool]] = []
        if by is not None:
            self._due += self._open(notes, by, outside=False)
            self._due += self._open(known, by, outside=True)
        self._due.sort(key=lambda each: each[0].size)
        self._altered: tuple[int, int] | None = None
        self._broken: set[bool] = set()
        self._good = 0
        self._next = 0
        self.checked = 0

    @property
    def root(self) -> bytes:
        """The root over all entries that were taken."""
        return self._frontier.root()

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
        yield from self._meet()

    def end(self) -> Iterator[Finding]:
        """Yield what is wrong with the checkpoints, and which entries they know that are gone."""
        if self._altered is not None:
            yield self._told()
        yield from self._faults
        for checkpoint, outside in self._due[-1:] if self._next < len(self._due) else ():
            yield Finding(
                what="known" if outside else "tail",
                text=f"{_whose(outside=outside)}有 {checkpoint.size} 条，台账只有 "
                f"{self._frontier.size} 条：末尾被删去，或换成了旧的数据",
            )

    def _told(self) -> Finding:
        """Return one finding for a run of entries that do not fit."""
        first, last = self._altered or (0, 0)
        self._altered = None
        more = f"（直到第 {last} 条都不符：可能有增删或调换）" if last > first else ""
        return Finding(what="leaf", text=f"与入账时的指纹不符：内容被改动{more}", position=first)

    def _meet(self) -> Iterator[Finding]:
        while self._next < len(self._due) and self._due[self._next][0].size <= self._frontier.size:
            checkpoint, outside = self._due[self._next]
            self._next += 1
            if checkpoint.root == self._frontier.root():
                self._good = checkpoint.size
                self.checked += 1
            elif outside not in self._broken:
                self._broken.add(outside)  # all that follow differ too
                yield Finding(
                    what="known" if outside else "root",
                    text=f"与{_whose(outside=outside)}（{checkpoint.size} 条）不符：第 "
                    f"{self._good + 1} 至 {checkpoint.size} 条中有改动",
                )

    def _open(
        self, notes: Iterable[str], by: Verifier, *, outside: bool
    ) -> Iterator[tuple[Checkpoint, bool]]:
        before = -1
        for number, note in enumerate(notes, start=1):
            try:
                checkpoint = opened(note, by)
            except CheckpointInvalid as error:
                self._faults.append(
                    Finding(
                        what="known" if outside else "checkpoint",
                        text=f"{_whose(outside=outside)}第 {number} 个不可信：{error}",
                    )
                )
                continue
            if checkpoint.size <= before and not outside:
                self._faults.append(
                    Finding(what="checkpoint", text=f"台账的检查点第 {number} 个次序不对")
                )
            before = checkpoint.size
            if checkpoint.size:
                yield checkpoint, outside


def _whose(*, outside: bool) -> str:
    return "外部留存的检查点" if outside else "台账的检查点"
