"""What stands beside the ledger in a hub's file, against what the ledger says of it."""

from collections.abc import Iterator

from sqlite_utils import Database

from hub.store import audit, documents, erasure, reckoning
from hub.store.vault import Vault
from hub.verification.findings import Finding


def all_of(db: Database, vault: Vault | None) -> Iterator[Finding]:
    """Check audit trail, erasures, the way to the city and evidence; `vault` opens documents."""
    for first, last in audit.gaps(db):
        numbers = f"{first}" if first == last else f"{first} 至 {last}"
        yield Finding(what="audit", text=f"操作记录缺第 {numbers} 条：被删去了")
    for position in erasure.without_act(db):
        text = "这次删除没有操作记录：内容可能是绕过系统删掉的，请核查删的是哪几条、由谁删"
        yield Finding(what="body", text=text, position=position)
    yield from _way(db)
    for position, digest in documents.unbound(db):
        text = f"复核认定与证据文件 {digest[:16]}… 的对应关系被删去"
        yield Finding(what="evidence", text=text, position=position)
    if vault is not None:
        for position, digest in documents.altered(db, vault):
            text = f"复核认定的证据文件 {digest[:16]}… 无法解密，或内容与登记的指纹不符：被改动过"
            yield Finding(what="evidence", text=text, position=position)


def unchecked(db: Database, vault: Vault | None) -> tuple[str, ...]:
    """Return what was not looked at, in Chinese."""
    if vault is not None or not db["ruling_documents"].exists():
        return ()
    if db.conn.execute("SELECT 1 FROM ledger WHERE kind = 'ruled' LIMIT 1").fetchone() is None:
        return ()
    return ("证据文件的内容：需要服务器上的 citizens.key",)


def _way(db: Database) -> Iterator[Finding]:
    for position in reckoning.not_on_their_way(db):
        text = "这条评价不在待报送清单里：清单被改动过，上级平台收不到它"
        yield Finding(what="delivery", text=text, position=position)
    for kind, serial, number, of in reckoning.never_delivered(db):
        record = "评价" if kind == "rating" else "办件服务数据"
        text = f"办件 {serial}/{number} 的{record}记为已报送，而台账里没有上级平台收到的记录"
        yield Finding(what="delivery", text=text, position=of)
