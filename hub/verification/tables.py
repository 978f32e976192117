"""Invitations, windows and refusals as a hub's file keeps them, against what its ledger says."""

from collections.abc import Iterator

from sqlite_utils import Database

from hub.store import tables
from hub.store.bindings import Bound
from hub.store.tables import Bent, Part
from hub.verification.findings import Finding

_PARTS: dict[Part, str] = {
    "device": "评价器",
    "body": "邀请的内容（窗口、工作人员、事项）",
    "case": "办件",
    "time": "时间",
    "end": "结果",
}


def beside(db: Database) -> Iterator[Finding]:
    """Check each row; the ledger stands, and by it the table can be made anew."""
    for bent in tables.invitations(db):
        yield Finding(what="account", text=_bent(bent), position=bent.position)
    for window, said, kept in tables.windows(db):
        yield Finding(
            what="binding",
            text=f"{window}的配对或签到与台账不符：台账是{_bound(said)}，表里是{_bound(kept)}，"
            "表被改动过。请重新配对、重新签到",
        )
    for device, cause in tables.refusals(db):
        text = f"评价器 {device} 的拒收记录（{cause}）少于应有的：被删去或改动过"
        yield Finding(what="account", text=text)
    for device in tables.slots(db):
        text = f"评价器 {device} 的显示版本号异常：被改动过，评价器可能收不到邀请，请重新启动它"
        yield Finding(what="account", text=text)


def _bent(bent: Bent) -> str:
    if bent.parts:
        parts = "、".join(_PARTS[part] for part in bent.parts)
        return f"邀请表里 {bent.id} 的{parts}与台账不符：表被改动过（以台账为准）"
    if bent.position is None:
        return f"邀请表里的 {bent.id} 不在台账里：是添加的"
    return f"邀请表里没有 {bent.id}：被删去了（以台账为准）"


def _bound(bound: Bound) -> str:
    clerk = bound.staff.name if bound.staff else "无人"
    if bound.staff and bound.staff.number:
        clerk += f"（{bound.staff.number}）"
    return f"“{bound.device or '没有评价器'}，{clerk}”"
