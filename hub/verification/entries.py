"""Each entry by itself and against those before it: order, signatures, invitations, numbers."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from hub.store.bindings import Change
from hub.store.deliveries import Delivered
from hub.store.ledger import OUTBOX, Erased, Recorded
from hub.store.seen import Seen
from hub.store.vault import Vault
from hub.verification.additions import Additions
from hub.verification.arrivals import Arrivals
from hub.verification.feed import Feed
from hub.verification.findings import Finding, What
from hub.verification.issued import Issued
from hub.verification.marks import Marks
from hub.verification.people import Revocations
from hub.verification.rulings import Rulings
from hub.verification.verdicts import Verdicts
from protocol import signing
from protocol.errors import ProtocolError
from protocol.messages import AnyOutcome, Expired, Invitation, Rated

_ANY_TTL_MS = 600_000
_ENTERED_BY_HUB = {
    "added": "追评",
    "ruled": "复核认定",
    "delivered": "报送结果",
    "erased": "删除记录",
    "fed": "下级大厅报送的记录",
    "revoked": "吊销记录",
}

_invitation = msgspec.json.Decoder(Invitation)
_erased = msgspec.json.Decoder(Erased)
_delivered = msgspec.json.Decoder(Delivered)
_change = msgspec.json.Decoder(Change)


class _Closing(msgspec.Struct, frozen=True):
    """What the hub enters when it closes an invitation over a refused rating."""

    refused: str
    jws: str


_closing = msgspec.json.Decoder(_Closing)


class Entries:
    """Takes the entries in order; `arrivals` judges the keys by which devices have signed.

    `vault`: see `Additions`.
    """

    def __init__(self, arrivals: Arrivals, seen: Seen, vault: Vault | None = None) -> None:
        self._arrivals = arrivals
        self._seen = seen
        self._additions = Additions(seen, vault)
        self._issued = Issued(vault)
        self._marks = Marks(vault)
        self._verdicts = Verdicts(vault)
        self._has_vault = vault is not None
        self._last = 0
        self.counts: Counter[str] = Counter()
        self.unknown_devices: set[str] = set()
        self.erased = 0
        kinds: dict[str, Callable[[Recorded, str], Iterator[Finding]]] = {
            "invited": self._invited,
            **dict.fromkeys(("rated", "expired", "withdrawn"), self._ended),
            "delivered": self._delivered,
            "settings": self._settings,
            "key": arrivals.take,
            "erased": self._told,
            "added": self._additions.take,
            "ruled": Rulings(seen, vault).take,
            "fed": Feed(seen, self._marks).take,
            "revoked": Revocations(self._marks).take,
            **dict.fromkeys(("paired", "unpaired", "signed_on", "signed_off"), self._bound),
        }
        self._kinds = kinds

    def take(self, entry: Recorded) -> Iterator[Finding]:
        """Check one entry; yield what is wrong with it."""
        if entry.position != self._last + 1:
            yield _at(
                entry,
                "position",
                f"前一条是第 {self._last} 条，中间缺失或次序不对",
            )
        self._last = entry.position
        self.counts[entry.kind] += 1
        check = self._kinds.get(entry.kind)
        if check is None:
            yield _at(entry, "kind", f"不认识的种类“{entry.kind[:40]}”")
        elif entry.body is None:
            self.erased += 1
            self._seen.erased(entry.position, None)
            yield from self._without_body(entry)
        else:
            yield from check(entry, entry.body)

    def end(self) -> Iterator[Finding]:
        """Yield what only the whole shows."""
        for device, first, last in self._seen.gaps():
            numbers = f"{first}" if first == last else f"{first} 至 {last}"
            text = f"评价器 {device} 的编号 {numbers} 没有到：可能还在评价器里，或被删去"
            if last - first >= OUTBOX:
                text = (
                    f"评价器 {device} 的编号异常：从 {first - 1} 跳到 {last + 1}，"
                    "评价器存不下这么多：评价器被改动过，或条目被删去"
                )
            yield Finding(what="gap", text=text, grave=False)
        yield from self._arrivals.end()
        for position in self._seen.untold():
            yield Finding(what="body", text="内容不见了，而没有删除记录说明原因", position=position)
        ended = sum(self.counts[kind] for kind in ("rated", "expired", "withdrawn"))
        if self.counts["invited"] != ended + self._seen.open():
            yield Finding(
                what="account",
                text=f"账不平：邀请 {self.counts['invited']}，已结束 {ended}，"
                f"进行中 {self._seen.open()}",
            )

    def unchecked(self) -> Iterator[str]:
        """Yield what could not be checked, for auditors."""
        if self.erased:
            yield f"{self.erased} 条的内容已按规定删除，只核对了指纹和次序"
        if not self._has_vault and any(self.counts[kind] for kind in _ENTERED_BY_HUB):
            names = [name for kind, name in _ENTERED_BY_HUB.items() if self.counts[kind]]
            yield (f"{'、'.join(names)}是否由服务器登记：没有可用的 citizens.key，请在服务器上核验")
        yield from self._issued.unchecked()
        yield from self._marks.unchecked()
        yield from self._verdicts.unchecked()

    def _invited(self, entry: Recorded, body: str) -> Iterator[Finding]:
        try:
            invitation = _invitation.decode(body)
        except (msgspec.MsgspecError, ValueError):
            yield _at(entry, "body", "邀请的内容无法读取")
            return
        if invitation.id != entry.invitation:
            yield _at(entry, "fields", "邀请编号与内容不符")
        yield from self._issued.invited(entry, invitation)
        before = self._seen.invited(
            entry.invitation, entry.device, invitation.ttl_ms, _words(invitation), entry.position
        )
        if before is not None:
            yield _at(entry, "invitation", f"与第 {before} 条是同一个邀请")

    def _ended(self, entry: Recorded, body: str) -> Iterator[Finding]:
        signed, refused = body, ""
        if signed.startswith("{"):
            try:
                closing = _closing.decode(signed)
                signed, refused = closing.jws, closing.refused or "refused"
            except (msgspec.MsgspecError, ValueError):
                yield _at(entry, "body", "内容无法读取")
                return
        outcome, key = self._opened(entry.device, signed)
        if outcome is None or key is None:
            yield _at(entry, "signature", f"评价器 {entry.device} 的签名不对：内容被改动或伪造")
        else:
            yield from self._arrivals.signed(entry, key)
            yield from self._fits(entry, outcome, counts=not refused)
        if entry.seq is not None:
            twin = self._seen.numbered(entry.device, entry.seq, entry.position)
            if twin is not None:
                yield _at(
                    entry, "number_twice", f"编号 {entry.seq} 与第 {twin} 条重复", grave=False
                )
        yield from self._closes(entry, outcome, refused=refused)

    def _opened(
        self, device: str, jws: str
    ) -> tuple[AnyOutcome, EllipticCurvePublicKey] | tuple[None, None]:
        known = self._arrivals.of(device)
        if not known:
            self.unknown_devices.add(device)
        with suppress(UnicodeEncodeError):
            raw = jws.encode("ascii")
            for key in known:
                with suppress(ProtocolError):
                    return signing.verify(raw, device, key), key
        return None, None

    def _fits(self, entry: Recorded, outcome: AnyOutcome, *, counts: bool) -> Iterator[Finding]:
        said = (outcome.id, outcome.seq, outcome.invitation)
        if said != (entry.outcome, entry.seq, entry.invitation):
            yield _at(entry, "fields", "登记的编号与评价器签名的内容不符")
        own = (
            "rated"
            if isinstance(outcome, Rated)
            else "expired"
            if isinstance(outcome, Expired)
            else "withdrawn"
        )
        if counts and entry.kind != own:
            yield _at(entry, "fields", f"登记为 {entry.kind}，评价器签名的是 {own}")
        if not counts and entry.kind == "rated":
            yield _at(entry, "fields", "被拒收的评价登记成了有效评价")

    def _closes(
        self, entry: Recorded, outcome: AnyOutcome | None, *, refused: str
    ) -> Iterator[Finding]:
        found = self._seen.invitation(entry.invitation)
        if found is None:
            yield _at(entry, "invitation", "没有对应的邀请：邀请被删去，或评价是添加的")
            return
        device, ttl_ms, words, closed_by = found
        if device != entry.device:
            yield _at(entry, "invitation", f"邀请是给 {device} 的，不是 {entry.device}")
        if closed_by is not None:
            yield _at(entry, "closed_twice", f"同一个邀请在第 {closed_by} 条已经结束")
            return
        if outcome is not None:
            same = None if words is None else True
            if outcome.asked is not None and words is not None:
                same = _words(outcome.asked) == words
            yield from self._verdicts.take(entry, outcome, refused, ttl_ms, same)
        self._seen.close(entry.invitation, entry.position)
        if entry.kind == "rated":
            self._seen.rated(entry.position, entry.invitation)

    def _without_body(self, entry: Recorded) -> Iterator[Finding]:
        """Check what can be of an entry whose body was erased: its place and its numbers."""
        if entry.kind == "invited":
            self._seen.invited(entry.invitation, entry.device, _ANY_TTL_MS, None, entry.position)
            return
        if entry.kind == "added":
            yield from self._additions.place(entry)
            return
        if entry.kind == "fed":
            self._seen.fed(entry.position, None)
            return
        if entry.kind not in ("rated", "expired", "withdrawn"):
            yield _at(entry, "body", "这一类记录的内容不会删除，却不见了")
            return
        if entry.seq is not None:
            self._seen.numbered(entry.device, entry.seq, entry.position)
        yield from self._closes(entry, None, refused="")

    def _told(self, entry: Recorded, body: str) -> Iterator[Finding]:
        try:
            said = _erased.decode(body)
        except (msgspec.MsgspecError, ValueError):
            yield _at(entry, "body", "删除记录的内容无法读取")
            return
        yield from self._marks.take("erased", entry, body)
        for position in said.positions:
            if position >= entry.position:
                yield _at(entry, "body", f"删除记录指向它之后的第 {position} 条")
            self._seen.erased(position, entry.position)

    def _delivered(self, entry: Recorded, body: str) -> Iterator[Finding]:
        try:
            said = _delivered.decode(body)
        except (msgspec.MsgspecError, ValueError):
            yield _at(entry, "body", "报送结果的内容无法读取")
            return
        yield from self._marks.take("delivered", entry, body)
        if said.of is not None and self._seen.is_fed(said.of):
            return
        if said.kind == "ruling":
            if said.of is None or not self._seen.is_ruling(said.of):
                yield _at(entry, "delivery", f"报送的第 {said.of} 条不是复核认定")
            return
        if said.kind != "rating" or said.of is None:
            return
        known, before = self._seen.delivered(said.of, entry.position)
        if not known:
            yield _at(entry, "delivery", f"报送的第 {said.of} 条不是有效评价")
        elif before is not None:
            yield _at(entry, "delivery", f"第 {said.of} 条在第 {before} 条已记为报送", grave=False)

    def _settings(self, entry: Recorded, body: str) -> Iterator[Finding]:
        try:
            msgspec.json.decode(body, type=dict)
        except (msgspec.MsgspecError, ValueError):
            yield _at(entry, "body", "设置变更的内容无法读取")
            return
        self._issued.noted(entry, body)

    def _bound(self, entry: Recorded, body: str) -> Iterator[Finding]:
        try:
            change = _change.decode(body)
        except (msgspec.MsgspecError, ValueError):
            yield _at(entry, "body", "配对或签到的内容无法读取")
            return
        if not change.by or (entry.kind == "signed_on" and change.staff is None):
            yield _at(entry, "body", "配对或签到的内容不完整")
            return
        yield from self._issued.bound(entry, change)


def _words(invitation: Invitation) -> bytes:
    """Return by what the words of an invitation are known, whichever hub has written them."""
    return hashlib.sha256(msgspec.json.encode(invitation)).digest()


def _at(entry: Recorded, what: What, text: str, *, grave: bool = True) -> Finding:
    return Finding(what=what, text=text, position=entry.position, grave=grave)
