"""What citizens have added to their ratings: one for an invitation, which must be there.

No device signs it: that the hub has entered it is known by its mark, where the hub's key is;
that it stands as it was entered, by the tree and its checkpoints too.
"""

from collections.abc import Iterator

import msgspec

from hub.rules.afterwards import Added, Ruled
from hub.store import afterwards
from hub.store.ledger import Recorded
from hub.store.seen import Seen
from hub.store.vault import Vault
from hub.verification.findings import Finding

_added = msgspec.json.Decoder(Added)


def by_hub(vault: Vault | None, entry: Recorded, said: Added | Ruled) -> Iterator[Finding]:
    """Check that the hub itself has entered what no device signs; raises `VaultError`."""
    if vault is not None and not afterwards.genuine(vault, entry.invitation, said):
        yield Finding(what="mark", text="标记不对：不是本服务器登记的", position=entry.position)


class Additions:
    """Takes the entries of kind `added`, in order, among `seen` invitations.

    `vault` is the hub's own; without it no mark is looked at.
    """

    def __init__(self, seen: Seen, vault: Vault | None) -> None:
        self._seen = seen
        self._vault = vault

    def take(self, entry: Recorded, body: str) -> Iterator[Finding]:
        """Check one with its words."""
        try:
            words = _added.decode(body)
        except (msgspec.MsgspecError, ValueError):
            yield Finding(what="body", text="追评的内容无法读取", position=entry.position)
        else:
            if not words.text.strip():
                yield Finding(what="body", text="追评是空的", position=entry.position)
            yield from by_hub(self._vault, entry, words)
        yield from self.place(entry)

    def place(self, entry: Recorded) -> Iterator[Finding]:
        """Check what can be of one whose words were erased: what it belongs to."""
        if entry.device or entry.outcome is not None or entry.seq is not None:
            yield Finding(what="fields", text="追评登记成了评价器送来的", position=entry.position)
        if self._seen.invitation(entry.invitation) is None:
            yield Finding(
                what="invitation",
                text="追评没有对应的邀请：邀请被删去，或追评是添加的",
                position=entry.position,
            )
        before = self._seen.added(entry.invitation, entry.position)
        if before is not None:
            yield Finding(
                what="added_twice",
                text=f"同一个邀请在第 {before} 条已经有追评",
                position=entry.position,
            )
