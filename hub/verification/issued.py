"""Who was asked where, and by whom: each invitation against its seal and against the bindings.

The hub seals an invitation with a keyed mark over all of it and its kiosk (`store.recovery`): one
that was put into the ledger past the hub has none. And at its place in the ledger the kiosk stood
at the window, and the clerk sat there, as the entries before it say.
"""

from collections.abc import Iterator

import msgspec

from hub.store import bindings, recovery
from hub.store.bindings import Bound, Change
from hub.store.ledger import Recorded
from hub.store.recovery import Note
from hub.store.vault import Vault
from hub.verification.findings import Finding, What
from protocol.messages import Invitation, Staff

_note = msgspec.json.Decoder(Note)


class Issued:
    """Takes bindings and invitations in order; what it holds grows with the windows alone.

    `vault` is the hub's own; without it no seal is looked at.
    """

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault
        self._bound: dict[str, Bound] = {}
        self._reentered = ""
        self._sealed = False
        self._older = [0, 0]
        self._before_bindings = [0, 0]
        self._unopened = 0

    def bound(self, entry: Recorded, change: Change) -> Iterator[Finding]:
        """Take a pairing, a sign-on, or the end of one."""
        before = self._bound.get(change.window, Bound())
        yield from _follows(entry, change, before)
        self._bound[change.window] = bindings.after(before, entry.kind, entry.device, change)

    def noted(self, entry: Recorded, body: str) -> None:
        """Take an entry of kind `settings`: it may say that the next one came back from a kiosk."""
        try:
            said = _note.decode(body)
        except (msgspec.MsgspecError, ValueError):
            return
        if said.recovery == "reentered":
            self._reentered = entry.invitation

    def invited(self, entry: Recorded, invitation: Invitation) -> Iterator[Finding]:
        """Check an invitation; raises `VaultError`."""
        yield from self._seal(entry, invitation)
        back, self._reentered = self._reentered == entry.invitation, ""
        if back:  # where it stood when it was issued was lost with the disk; the seal says it all
            return
        if not self._bound:
            self._before_bindings[0] = self._before_bindings[0] or entry.position
            self._before_bindings[1] += 1
            return
        name = invitation.window.name
        there = self._bound.get(name, Bound())
        if there.device != entry.device:
            stood = f"是 {there.device}" if there.device else "没有评价器"
            yield _at(entry, "invitation", f"邀请发给 {entry.device}，而当时与{name}配对的{stood}")
        if there.staff != invitation.staff:
            sat = f"是{_named(there.staff)}" if there.staff else "没有人"
            yield _at(
                entry,
                "invitation",
                f"邀请写的是{_named(invitation.staff)}，而当时在{name}签到的{sat}",
            )

    def unchecked(self) -> Iterator[str]:
        """Say what nothing proves."""
        if self._unopened:
            yield (
                f"{self._unopened} 条邀请是否由服务器登记：需要服务器上的 citizens.key，"
                "请在服务器上核验"
            )
        first, count = self._older
        if count:
            yield (
                f"{count} 条邀请（第 {first} 条起）没有标记，是旧版本登记的，或是添加的："
                "请与窗口系统的记录核对"
            )
        first, count = self._before_bindings
        if count:
            yield (
                f"{count} 条邀请（第 {first} 条起）在台账登记配对和签到之前："
                "没有核对窗口、评价器和工作人员"
            )

    def _seal(self, entry: Recorded, invitation: Invitation) -> Iterator[Finding]:
        if self._vault is None:
            self._unopened += bool(invitation.seal)
            return
        if recovery.genuine(self._vault, entry.device, invitation):
            self._sealed = True
        elif not invitation.seal and not self._sealed:
            self._older[0] = self._older[0] or entry.position
            self._older[1] += 1
        else:
            yield _at(entry, "mark", "标记不对：这条邀请不是本服务器登记的，或内容被改动")


def _follows(entry: Recorded, change: Change, before: Bound) -> Iterator[Finding]:
    """Check that a change begins where the one before it has ended: both write each step."""
    name, wrong = change.window, ""
    if entry.kind == "paired" and before.device is not None:
        wrong = f"{name}与 {before.device} 的配对没有解除，就登记了 {entry.device}"
    elif entry.kind == "unpaired" and before.device != entry.device:
        wrong = f"{name}解除的是 {entry.device}，而当时配对的是 {before.device or '（没有）'}"
    elif entry.kind == "signed_on" and before.staff is not None:
        wrong = f"{name}的{_named(before.staff)}没有签退，就登记了{_named(change.staff)}签到"
    elif entry.kind == "signed_off" and change.staff is not None and before.staff != change.staff:
        wrong = f"{name}签退的是{_named(change.staff)}，而当时签到的是{_named(before.staff)}"
    if wrong:
        yield _at(entry, "binding", f"{wrong}：配对或签到的表当时被改动过", grave=False)


def _named(staff: Staff | None) -> str:
    if staff is None:
        return "（没有）"
    return f"{staff.name}（{staff.number}）" if staff.number else staff.name


def _at(entry: Recorded, what: What, text: str, *, grave: bool = True) -> Finding:
    return Finding(what=what, text=text, position=entry.position, grave=grave)
