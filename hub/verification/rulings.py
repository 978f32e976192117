"""Rulings in the ledger: each on a rating that stands before it, once, with reason and evidence."""

from collections.abc import Iterator

import msgspec
from sqlite_utils import Database

from hub.rules.afterwards import Ruled
from hub.store import documents, rulings
from hub.store.ledger import Recorded
from hub.store.seen import Seen
from hub.store.vault import Vault
from hub.verification.additions import by_hub
from hub.verification.findings import Finding

_ruled = msgspec.json.Decoder(Ruled)


class Rulings:
    """Checks entries of kind `ruled`, in order; `vault`: see `Additions`."""

    def __init__(self, seen: Seen, vault: Vault | None) -> None:
        self._seen = seen
        self._vault = vault

    def take(self, entry: Recorded, body: str) -> Iterator[Finding]:
        """Check a ruling; yield what is wrong with it."""
        if entry.device or entry.outcome is not None or entry.seq is not None:
            yield _at(entry, "复核认定登记成了评价器送来的")
        try:
            said = _ruled.decode(body)
        except (msgspec.MsgspecError, ValueError):
            yield _at(entry, "复核认定的内容无法读取")
            return
        if not said.by.strip() or not said.reason.strip():
            yield _at(entry, "复核认定没有写明由谁认定，或没有理由")
        yield from by_hub(self._vault, entry, said)
        if not said.evidence:
            yield _at(entry, "复核认定没有列出证据文件")
        if not all(said.evidence):
            yield _at(entry, "复核认定所列的证据文件没有指纹")
        rated = self._seen.rated_by(said.of)
        if rated is None:
            yield _at(entry, f"复核认定所指的第 {said.of} 条不是在它之前的有效评价")
            return
        if rated != entry.invitation:
            yield _at(entry, f"复核认定登记的邀请与第 {said.of} 条评价的不同")
        before = self._seen.ruled(said.of, entry.position)
        if before is not None:
            yield _at(entry, f"对第 {said.of} 条评价的认定与第 {before} 条重复")


def beside(db: Database) -> Iterator[Finding]:
    """Check what stands beside the ledger in a hub's file: evidence, audit trail, the way up."""
    for position, digest in documents.missing(db):
        text = f"复核认定的证据文件 {digest[:16]}… 不见了"
        yield Finding(what="evidence", text=text, position=position)
    for position in rulings.without_act(db):
        text = "这条复核认定没有操作记录：可能是绕过系统添加的"
        yield Finding(what="ruling", text=text, position=position)
    for position in rulings.without_entry(db):
        text = f"有一条复核认定等待或已经报送，而台账第 {position} 条不是复核认定"
        yield Finding(what="ruling", text=text)


def _at(entry: Recorded, text: str) -> Finding:
    return Finding(what="ruling", text=text, position=entry.position)
