"""Entries that no device signs: whether the hub itself has entered them, by their marks.

Hubs of before marked neither what the city answered nor what was erased. Such entries are told
as unchecked, and none may stand behind one that is marked.
"""

from collections.abc import Iterator

from hub.store import marks
from hub.store.ledger import Recorded
from hub.store.marks import Marked
from hub.store.vault import Vault
from hub.verification.findings import Finding

_NAMES: dict[Marked, str] = {
    "delivered": "报送结果",
    "erased": "删除记录",
    "fed": "下级大厅报送",
    "revoked": "吊销记录",
}


class Marks:
    """Takes the entries of the kinds that `hub.store.marks` marks, in order.

    `vault` is the hub's own; without it no mark is looked at.
    """

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault
        # These were marked from the first one on.
        self._since: dict[Marked, int] = {"fed": 1, "revoked": 1}
        self._older: dict[Marked, list[int]] = {}

    def take(self, kind: Marked, entry: Recorded, body: str) -> Iterator[Finding]:
        """Check one; raises `VaultError`."""
        if self._vault is None:
            return
        raw = body.encode()
        if marks.genuine(self._vault, kind, entry.position, entry.at, raw):
            # Erasing is rare, what is sent is not: whoever marks one marks the other, too.
            self._since.setdefault(kind, entry.position)
            if kind == "delivered":
                self._since.setdefault("erased", entry.position)
        elif marks.bare(raw) is None and kind not in self._since:
            self._older.setdefault(kind, [entry.position, 0])
            self._older[kind][1] += 1
        else:
            text = f"标记不对：这条{_NAMES[kind]}不是本服务器登记的"
            yield Finding(what="mark", text=text, position=entry.position)

    def unchecked(self) -> Iterator[str]:
        """Say which entries of older hubs nothing proves."""
        for kind, (first, count) in sorted(self._older.items()):
            yield (
                f"{count} 条{_NAMES[kind]}（第 {first} 条起）没有标记，是旧版本登记的，"
                "或是添加的：请与上级平台的记录或另存的操作记录核对"
            )
