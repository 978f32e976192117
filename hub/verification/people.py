"""Who may do what, who was shut out and what was done, against the hub's marks and the ledger.

A row that gives rights and is not the hub's opens nothing; that somebody has put it there is to be
known all the same. An export knows no accounts: this is for the hub's own file.
"""

from collections.abc import Iterator

import msgspec
from sqlite_utils import Database

from hub.store import api_keys as keys
from hub.store import audit, portraits, revocations, rulings, sessions, signet, users
from hub.store.ledger import Recorded
from hub.store.revocations import Revoked
from hub.store.vault import Vault
from hub.verification.findings import Finding
from hub.verification.marks import Marks

_revoked = msgspec.json.Decoder(Revoked)

IN_EXPORT = "复核认定由谁作出：导出的目录里没有账号、密钥和操作记录，请在服务器上核验"
"""What is not checked of an export that holds rulings."""

FEW = 5
"""Of more entries, none of which fits, it is the key that is the wrong one."""

_NAMES = {"user": "账号 {}", "key": "接口密钥 {}", "session": "账号 {} 的登录"}


class Revocations:
    """Checks entries of kind `revoked`, in order."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def take(self, entry: Recorded, body: str) -> Iterator[Finding]:
        """Check one; yield what is wrong with it."""
        try:
            _revoked.decode(body)
        except (msgspec.MsgspecError, ValueError):
            text = "吊销记录的内容无法读取"
            yield Finding(what="body", text=text, position=entry.position)
            return
        yield from self._marks.take("revoked", entry, body)


def beside(db: Database, vault: Vault | None) -> list[Finding]:
    """Check accounts, keys, sessions, photographs, audit trail and revocations of a hub's file."""
    if vault is None or not marked(db):
        return []
    signet.hand(db, vault)
    with audit.any_text(db):
        return [
            *_rows(db),
            *_gone_back(db),
            *_trail(db, began=bool(vault.ring.marks_since)),
            *_rulers(db),
            *_shut_out(db),
        ]


def unchecked(db: Database, vault: Vault | None) -> tuple[str, ...]:
    """Return what was not looked at, in Chinese."""
    if not db["audit"].exists() or audit.newest(db) is None:
        return ()
    if not marked(db):
        return ("账号、密钥和操作记录：是旧版本的，还没有标记，请先启动一次新版本的服务器",)
    if vault is None:
        return ("账号、密钥、吊销和操作记录：需要服务器上的 citizens.key",)
    older = audit.older(db)
    if not older:
        return ()
    text = f"操作记录的前 {older} 条是旧版本记下的：只核对升级之后有没有改动，"
    return (text + "此前的请与另存的操作记录核对",)


def marked(db: Database) -> bool:
    """Whether a file has what is checked here: those of older hubs have not."""
    return db["audit"].exists() and "mark" in db["audit"].columns_dict


def _rows(db: Database) -> Iterator[Finding]:
    for each in (*users.forged(db), *keys.forged(db), *sessions.forged(db)):
        text = f"{_NAMES[each.of].format(each.name)}不是本服务器登记的，或被改动过（不起作用）"
        yield Finding(what="people", text=text)
    for each in portraits.forged(db):
        text = f"账号 {each.name} 的照片不是从本系统上传的，或被换过（不会显示）"
        yield Finding(what="people", text=text)
    if audit.knows(db, audit.BEGIN, ""):
        yield from _taken_over(db)


def _taken_over(db: Database) -> Iterator[Finding]:
    """Yield what stood there at the upgrade, was taken for the hub's, and nobody knows of."""
    for user in users.listed(db):
        if user.genuine and not audit.knows(db, "add_user", f"user:{user.name}"):
            text = f"账号 {user.name} 的新建没有操作记录：请核对是谁的"
            yield Finding(what="people", text=text, grave=False)
    for key in keys.listed(db):
        if key.genuine and not audit.knows(db, "add_key", key.id):
            text = f"接口密钥 {key.id}（{key.label}）的新建没有操作记录：请核对给谁用"
            yield Finding(what="people", text=text, grave=False)


def _gone_back(db: Database) -> Iterator[Finding]:
    """Yield accounts that say otherwise than what was last done with them.

    A row as it was before carries a mark that fits; the trail tells what came after.
    """
    for user in users.listed(db):
        if not user.genuine or users.set_back(db, user.name) is None:
            continue
        text = f"账号 {user.name} 的角色或停用与操作记录不符：可能被换回了以前的样子（不能登录）"
        yield Finding(what="people", text=text)


def _trail(db: Database, *, began: bool) -> Iterator[Finding]:
    broken = list(audit.broken(db, began=began))
    marked = (audit.newest(db) or 0) - audit.older(db)
    if len(broken) >= marked > FEW:
        text = "操作记录的标记没有一条相符：密钥文件不是这个服务器的，或操作记录整个被换过"
        yield Finding(what="audit", text=text)
        return
    for each in broken:
        if each.position is None:
            text = f"操作记录的前 {each.older} 条（升级之前的）被改动过，或有增减"
        else:
            text = f"操作记录第 {each.position} 条不是本服务器记下的，被改动过，或它之前有删去的"
        yield Finding(what="audit", text=text)


def _rulers(db: Database) -> Iterator[Finding]:
    """Yield rulings of whom neither the trail nor a row of the hub's knows."""
    known = {f"user:{each.name}" for each in users.listed(db) if each.genuine}
    known |= {f"key:{each.id}" for each in keys.listed(db) if each.genuine}
    for position, by in rulings.made_by(db):
        kind, _, name = by.partition(":")
        told = (kind == "user" and audit.knows(db, "add_user", by)) or (
            kind == "key" and audit.knows(db, "add_key", name)
        )
        if by not in known and not told:
            text = f"作出这条复核认定的“{by}”，操作记录里没有这个账号或密钥：可能是冒名添加的"
            yield Finding(what="ruling", text=text, position=position)


def _shut_out(db: Database) -> Iterator[Finding]:
    table, told = revocations.in_table(db), revocations.in_ledger(db)
    for device, _ in sorted(told - table):
        text = f"评价器 {device} 的吊销在台账里，吊销表里却没有：表被改动过（仍按吊销处理）"
        yield Finding(what="people", text=text)
    for device, _ in sorted(table - told):
        text = f"评价器 {device} 的吊销不在台账里：吊销表被改动过"
        yield Finding(what="people", text=text)
