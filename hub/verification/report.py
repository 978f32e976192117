"""One verification from beginning to end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import MappingProxyType

import msgspec
from sqlite_utils import Database

from hub.notary import origin
from hub.rules.checkpoint import Verifier
from hub.rules.retention import BACK_MS
from hub.store import database, erasure, invitations, tree
from hub.store.seen import Seen
from hub.store.vault import Vault
from hub.verification import beside, feed, people, rulings
from hub.verification.arrivals import Arrivals, Keys
from hub.verification.entries import Entries
from hub.verification.findings import Finding
from hub.verification.sources import Material
from hub.verification.tree import Tree

_NONE: Keys = MappingProxyType({})


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, beside the findings.

    `unsigned`: how many entries, the newest ones, stand under no checkpoint yet; `rated`: how
    many ratings there are, `ruled`: how many of them are not adopted after a review.
    """

    entries: int
    checkpoints: int
    root: bytes
    unchecked: tuple[str, ...]
    unsigned: int = 0
    rated: int = 0
    ruled: int = 0


def verify(
    material: Material,
    found: Callable[[Finding], None],
    *,
    known: Iterable[str] = (),
    trusted: Verifier | None = None,
    hall: str = "",
    device_cas: Sequence[str] = (),
    trial: Keys = _NONE,
    now: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Check everything, telling `found` of each finding as it comes.

    `trusted` is the ledger's public key as somebody kept it elsewhere; `known` checkpoints
    likewise. `device_cas` (PEM) are the authorities of the hall's kiosks: only what they have
    certified as a kiosk's of `hall` (default: whose the ledger's key is) is a kiosk's key;
    `trial` are keys of the hub's configuration. `now` (ms since 1970): see `Tree.end`. Memory
    does not grow with the ledger.
    """
    unchecked = []
    by = trusted or material.by
    if trusted is None:
        unchecked.append("台账的公钥来自被核验的数据本身：请用 --key 给出另处留存的公钥")
    elif material.by is not None and material.by != trusted:
        found(Finding(what="checkpoint", text="数据中的台账公钥不是给出的那一把：可能被换过"))
    notes_known = tuple(known)
    if not notes_known:
        unchecked.append("没有外部留存的检查点（--known）：整本台账被换成旧数据时无法发现")
    with Seen() as seen:
        arrivals = Arrivals(material.keys, hall or _hall(by), device_cas, trial)
        entries = Entries(arrivals, seen, material.vault)
        hashes = Tree(
            material.notes,
            notes_known,
            by,
            material.leaf,
            kept=material.kept,
            each_ms=material.each_ms,
        )
        count = 0
        for each in material.entries:
            if isinstance(each, Finding):
                found(each)
                continue
            for finding in (*entries.take(each), *hashes.take(each)):
                found(finding)
            count += 1
            progress(count)
        for finding in (*hashes.end(now), *entries.end()):
            found(finding)
    if by is None:
        unchecked.append("没有台账的公钥：检查点一个也没有核对")
    unchecked += [*entries.unchecked(), *arrivals.unchecked()]
    unchecked += [
        f"没有评价器 {device} 的公钥：它的签名没有核对"
        for device in sorted(entries.unknown_devices)
    ]
    return Report(
        entries=count,
        checkpoints=hashes.checked,
        root=hashes.root,
        unchecked=tuple(unchecked),
        unsigned=0 if by is None else hashes.unsigned,
        rated=entries.counts["rated"],
        ruled=entries.counts["ruled"],
    )


def around(
    db: Database,
    found: Callable[[Finding], None],
    vault: Vault | None = None,
    *,
    now: int | None = None,
) -> tuple[str, ...]:
    """Check what stands beside the ledger in a hub's file: guards, account, evidence, way up.

    `vault` opens the rulings' documents; by `now` (ms since 1970) times to come are known for
    that. Returns what was not checked, in Chinese.
    """
    try:
        database.check_guards(db)
    except database.GuardsMissing as error:
        found(Finding(what="guards", text=str(error)))
    if not invitations.account(db).balanced:
        found(
            Finding(what="account", text="邀请表与台账不一致：表被改动过（以台账为准，可以重建）")
        )
    for finding in (
        *_erasing(db, now),
        *rulings.beside(db),
        *feed.beside(db),
        *beside.all_of(db, vault),
        *people.beside(db, vault),
    ):
        found(finding)
    return (*beside.unchecked(db, vault), *people.unchecked(db, vault))


def _erasing(db: Database, now: int | None) -> Iterator[Finding]:
    if not db["retention"].exists():  # a backup of a hub of before
        return
    for position in tree.unerased(db):
        text = "记为已删除，内容却还在，或没有这一条：删除的表被改动过"
        yield Finding(what="body", text=text, position=position)
    ran_at = erasure.mark(db, "ran_at")
    if now is not None and ran_at is not None and ran_at > now + BACK_MS:
        text = (
            "上次清理到期数据的时间在将来：表被改动过，或服务器时钟曾经走快；到期的数据因此不清理。"
            "请核对服务器时间，再执行 pingyi-hub citizens retention --clock-is-right"
        )
        yield Finding(what="retention", text=text, grave=False)


def _hall(by: Verifier | None) -> str:
    return "" if by is None else by.name.removeprefix(origin(""))
