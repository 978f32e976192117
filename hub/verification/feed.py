"""What smaller halls have fed: each rating proved by its kiosk's own signature, in its order."""

from collections.abc import Iterator

import msgspec
from sqlite_utils import Database

from hub.rules.proof import Proof, Unproven, check
from hub.store import fed
from hub.store.fed import Fed
from hub.store.ledger import Recorded
from hub.store.seen import Seen
from hub.verification.findings import Finding
from hub.verification.marks import Marks


class Feed:
    """Checks entries of kind `fed`, in order; `marks` knows what the hub has entered itself."""

    def __init__(self, seen: Seen, marks: Marks) -> None:
        self._seen = seen
        self._marks = marks

    def take(self, entry: Recorded, body: str) -> Iterator[Finding]:
        """Check what was fed; yield what is wrong with it."""
        try:
            said = fed.read(body)
        except (msgspec.MsgspecError, ValueError):
            yield _at(entry, "下级大厅报送的内容无法读取")
            return
        if entry.device or entry.invitation or entry.outcome is not None or entry.seq is not None:
            yield _at(entry, "下级大厅报送的记录登记成了本厅评价器送来的")
        if not said.origin:
            yield _at(entry, "没有写明由哪个下级大厅报送")
        yield from self._marks.take("fed", entry, body)
        yield from self._follows(entry, said)
        if said.kind == "rating":
            yield from _proved(entry, said, said.proof)
        self._seen.fed(entry.position, said)

    def _follows(self, entry: Recorded, said: Fed) -> Iterator[Finding]:
        case = self._seen.fed_before(said, "service")
        if case is not None and case[1] != said.origin:
            yield _at(entry, f"第 {case[0]} 条已由另一个大厅报送同一个办件")
        if said.kind == "service":
            return
        if case is None:
            yield _at(entry, "没有在它之前报送的办件")
        before = self._seen.fed_before(said, said.kind)
        if before is not None:
            yield _at(entry, f"与第 {before[0]} 条是同一次评价、追评或认定")
        if said.kind == "rating":
            return
        rating = self._seen.fed_before(said, "rating")
        if rating is None:
            # An erased rating cannot be told from one that never came.
            if not self._seen.any_fed_erased():
                yield _at(entry, "没有在它之前报送的评价")
        elif said.kind == "ruling" and rating[3] != said.digest:
            yield _at(entry, f"认定的不是第 {rating[0]} 条评价")
        elif said.kind == "addition":
            yield from _proved(entry, said, msgspec.json.decode(rating[2], type=Proof))


def _proved(entry: Recorded, said: Fed, proof: Proof) -> Iterator[Finding]:
    try:
        check(said.kind, said.serial, said.service_number, said.own, proof)
    except (Unproven, ValueError) as error:
        yield Finding(
            what="signature",
            text=f"下级大厅“{said.origin}”报送的评价与评价器的签名不符：{error}",
            position=entry.position,
        )


def beside(db: Database) -> Iterator[Finding]:
    """Check what stands beside the ledger: each row of a hub's file against its entry."""
    for position in fed.without_entry(db):
        text = "下级大厅报送的记录与台账不符：表被改动过"
        yield Finding(what="fed", text=text, position=position)


def _at(entry: Recorded, text: str) -> Finding:
    return Finding(what="fed", text=text, position=entry.position)
