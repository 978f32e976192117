"""Whether what ended an invitation was judged rightly: by the hub's own rule, from what was signed.

A refusal is kept with the bytes that were refused, so that nobody has to believe its cause: a
thanked rating cannot be made one that came late by writing so beside it.
"""

from collections import Counter
from collections.abc import Iterator

from hub.rules.settle import CLOSING, GRACE_MS, Ruling, Verdict, judge, knows_catalogue
from hub.store import recovery
from hub.store.ledger import Recorded
from hub.store.vault import Vault
from hub.verification.findings import Finding, What
from protocol.messages import AnyOutcome, Rated

_CAUSES: dict[str, str] = {
    Verdict.LATE: "超过时限",
    Verdict.UNKNOWN_REASON: "原因不在评价目录里",
    Verdict.SHOWN_OTHERWISE: "显示的内容不一致",
}
_COUNTED: dict[Verdict, tuple[What, str]] = {
    Verdict.LATE: ("late", "评价超过了邀请的时限，不应计入"),
    Verdict.UNKNOWN_REASON: ("refused", "评价的原因不在评价目录里，不应计入"),
    Verdict.SHOWN_OTHERWISE: ("invitation", "评价器签名的邀请内容与登记的邀请不一致"),
}


class Verdicts:
    """Judges every ending again. `vault` is the hub's own; without it no seal is looked at."""

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault
        self._left: Counter[str] = Counter()

    def take(
        self, entry: Recorded, outcome: AnyOutcome, refused: str, ttl_ms: int, same: bool | None
    ) -> Iterator[Finding]:
        """Check one; `refused` is the cause that the ledger tells, empty where it counts.

        `ttl_ms` is the invitation's; `same`: whether the kiosk has signed its words, as far as
        it has signed any; None: they have been erased, and nobody can tell. Raises `VaultError`.
        """
        if same is None:
            self._left["邀请的内容已删除"] += 1
            return
        if not knows_catalogue(outcome):
            self._left["本软件没有它的评价目录，请用新版本核验"] += 1
            return
        ruling = judge(outcome, ttl_ms=ttl_ms, as_issued=same)
        if not refused:
            if ruling.verdict in _COUNTED:
                what, text = _COUNTED[ruling.verdict]
                yield Finding(what=what, text=text, position=entry.position)
        elif ruling.verdict not in CLOSING or ruling.verdict != refused:
            yield _otherwise(entry, outcome, refused, ruling, ttl_ms)
        elif ruling.ends != entry.kind:
            text = f"以“{_CAUSES[refused]}”拒收的应登记为 {ruling.ends}，却是 {entry.kind}"
            yield Finding(what="refused", text=text, position=entry.position)
        elif refused == Verdict.SHOWN_OTHERWISE:
            yield from self._sealed(entry, outcome)

    def unchecked(self) -> Iterator[str]:
        """Say which endings nobody can judge any more, or not here."""
        for why, count in sorted(self._left.items()):
            yield f"{count} 条结果是否判得对，没有核对：{why}"

    def _sealed(self, entry: Recorded, outcome: AnyOutcome) -> Iterator[Finding]:
        """Look whether the words that "nobody had issued" bear the hub's own mark."""
        if self._vault is None:
            self._left["以“显示的内容不一致”拒收的，没有可用的 citizens.key，请在服务器上核验"] += 1
        elif outcome.asked is not None and recovery.genuine(
            self._vault, entry.device, outcome.asked
        ):
            text = (
                "以“显示的内容不一致”拒收，而评价器签名的正是本服务器发出的邀请：登记的邀请被改动"
            )
            yield Finding(what="refused", text=text, position=entry.position)


def _otherwise(
    entry: Recorded, outcome: AnyOutcome, refused: str, ruling: Ruling, ttl_ms: int
) -> Finding:
    cause = _CAUSES.get(refused, refused[:40])
    if ruling.verdict in CLOSING:
        text = f"以“{cause}”拒收，而按签名的内容应以“{_CAUSES[ruling.verdict]}”拒收"
        return Finding(what="refused", text=text, position=entry.position)
    # Hubs of before granted no time for the kiosk's reading its clock once a frame.
    grave = not (
        refused == Verdict.LATE
        and entry.kind == "expired"
        and isinstance(outcome, Rated)
        and ttl_ms < outcome.elapsed_ms <= ttl_ms + GRACE_MS
    )
    what: What = "refused"
    text = f"以“{cause}”拒收，而按评价器签名的内容并非如此：应当计入"
    if refused == Verdict.SHOWN_OTHERWISE:
        what, text = "invitation", f"以“{cause}”拒收，内容其实一致：应当计入"
    elif not grave:
        text = "以“超过时限”拒收，只晚了不到 1 秒：旧版本这样判，现在的规则会计入"
    return Finding(what=what, text=text, position=entry.position, grave=grave)
