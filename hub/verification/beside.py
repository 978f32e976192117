"""What stands beside the ledger in a hub's file, against what the ledger says of it."""

from collections.abc import Iterator

from sqlite_utils import Database

from hub.store import audit, cases, documents, erasure, reckoning
from hub.store.vault import Vault
from hub.verification import tables
from hub.verification.findings import Finding

_LACKS = {
    "case": "有待报送的记录，而办件被删去了",
    "citizen": "的办件人信息被删去了",
    "erased": "还没有全部报送，而办件人信息已被清空：不是按规定删除的",
    "service": "不在待报送清单里：清单被改动过，上级平台收不到它",
    "rating": "的评价不在待报送清单里：清单被改动过，上级平台收不到它",
    "ruling": "的复核认定不在待报送清单里：清单被改动过，上级平台收不到它",
    "addition": "的追评不在待报送清单里：清单被改动过，上级平台收不到它",
}


def all_of(db: Database, vault: Vault | None) -> Iterator[Finding]:
    """Check audit trail, erasures, the way to the city and evidence; `vault` opens documents."""
    for first, last in audit.gaps(db):
        numbers = f"{first}" if first == last else f"{first} 至 {last}"
        yield Finding(what="audit", text=f"操作记录缺第 {numbers} 条：被删去了")
    for position in erasure.without_act(db):
        text = "这次删除没有操作记录：内容可能是绕过系统删掉的，请核查删的是哪几条、由谁删"
        yield Finding(what="body", text=text, position=position)
    yield from tables.beside(db)
    yield from _way(db)
    yield from _cases(db, vault)
    for position, digest in documents.unbound(db):
        text = f"复核认定与证据文件 {digest[:16]}… 的对应关系被删去"
        yield Finding(what="evidence", text=text, position=position)
    if vault is not None:
        for position, digest in documents.altered(db, vault):
            text = f"复核认定的证据文件 {digest[:16]}… 无法解密，或内容与登记的指纹不符：被改动过"
            yield Finding(what="evidence", text=text, position=position)


def unchecked(db: Database, vault: Vault | None) -> tuple[str, ...]:
    """Return what was not looked at, in Chinese."""
    return tuple(_unchecked(db, vault))


def _unchecked(db: Database, vault: Vault | None) -> Iterator[str]:
    if vault is None and db["ruling_documents"].exists():
        ruled = db.conn.execute("SELECT 1 FROM ledger WHERE kind = 'ruled' LIMIT 1").fetchone()
        if ruled is not None:
            yield "证据文件的内容：需要服务器上的 citizens.key"
    if vault is None and cases.any_registered(db):
        yield "办件是否与登记时的一致：需要服务器上的 citizens.key"
    elif vault is not None and (older := cases.unmarked(db, vault)):
        yield f"{older} 个办件是旧版本登记的，没有标记：没有核对内容是否被改动"
    if count := reckoning.set_aside(db):
        yield (
            f"{count} 条记录被搁置，上级平台没有收到；搁置的原因不在台账里，是否属实没有核对："
            "请用 pingyi-hub upstream status 逐条查看"
        )


def _way(db: Database) -> Iterator[Finding]:
    for position in reckoning.not_on_their_way(db):
        text = "这条评价不在待报送清单里：清单被改动过，上级平台收不到它"
        yield Finding(what="delivery", text=text, position=position)
    for kind, serial, number, of in reckoning.never_delivered(db):
        record = "评价" if kind == "rating" else "办件服务数据"
        text = f"办件 {serial}/{number} 的{record}记为已报送，而台账里没有上级平台收到的记录"
        yield Finding(what="delivery", text=text, position=of)
    for lack in reckoning.lacks(db):
        text = f"办件 {lack.serial}/{lack.service_number} {_LACKS[lack.of]}"
        yield Finding(what="delivery", text=text, position=lack.position)
    if reckoning.miscounted(db):
        text = "待报送清单的计数与清单不符：清单被改动过，重新启动服务后计数会改正"
        yield Finding(what="counts", text=text)


def _cases(db: Database, vault: Vault | None) -> Iterator[Finding]:
    if vault is None or "mark" not in db["cases"].columns_dict:
        return
    for serial, number in cases.altered(db, vault):
        text = f"办件 {serial}/{number} 的内容与登记时的不符，或办件人信息无法解密：被改动过"
        yield Finding(what="case", text=text)
