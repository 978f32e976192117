"""Evidence documents, sealed like citizens' data: they may show who rated, or a certificate.

A document is known by the SHA-256 of its content and kept once, whoever puts it in again. One
that no ruling rests on is dropped after a day.
"""

import contextlib
import hashlib
from collections import Counter

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.afterwards import Ruled
from hub.rules.days import DAY_MS
from hub.rules.documents import DocumentKind
from hub.store.database import Swallowed
from hub.store.vault import HEADER, Vault, VaultError, header

_USED = """
    SELECT e.value FROM ledger AS l, json_each(CASE WHEN json_valid(CAST(l.body AS TEXT))
        THEN CAST(l.body AS TEXT) ELSE '{}' END, '$.evidence') AS e
    WHERE l.kind = 'ruled' AND e.value IS NOT NULL UNION SELECT digest FROM ruling_documents
"""
"""Documents on which rulings rest: by the ledger, whatever became of the table beside it."""


class Document(Struct, frozen=True, kw_only=True):
    """What is known of a document without opening it; `size` in bytes."""

    digest: str
    kind: DocumentKind
    size: int


def keep(
    db: Database, vault: Vault, data: bytes, kind: DocumentKind, *, by: str, now: int
) -> Document:
    """Keep a document, and drop those that nobody used within a day.

    Raises `VaultError`, and `database.Swallowed` where the file has not taken it: then nothing
    is committed.
    """
    digest = hashlib.sha256(data).hexdigest()
    db.conn.execute(
        f"DELETE FROM documents WHERE kept_at < ? AND digest <> ? AND digest NOT IN ({_USED})",  # noqa: S608 - made of constants
        (now - DAY_MS, digest),
    )
    known = db.conn.execute(
        "UPDATE documents SET kept_at = ?, kept_by = ? WHERE digest = ?", (now, by, digest)
    )
    if not known.rowcount:
        known = db.conn.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
            (digest, kind, len(data), vault.seal(data, _place(digest)), now, by),
        )
    if known.rowcount != 1:
        raise Swallowed("证据文件")
    return Document(digest=digest, kind=kind, size=len(data))


def unused(db: Database) -> int:
    """Return on how many documents no ruling rests."""
    (count,) = db.conn.execute(
        f"SELECT count(*) FROM documents WHERE digest NOT IN ({_USED})"  # noqa: S608
    ).fetchone()
    return int(count)


def known(db: Database, digest: str) -> Document | None:
    """Return what is known of a document, or None: it is not here."""
    row = db.conn.execute(
        "SELECT digest, kind, size FROM documents WHERE digest = ?", (digest,)
    ).fetchone()
    return None if row is None else Document(digest=row[0], kind=row[1], size=row[2])


def of_ruling(db: Database, position: int) -> tuple[Document, ...]:
    """Return the documents that the ruling at a ledger position rests on."""
    rows = db.conn.execute(
        "SELECT digest, kind, size FROM ruling_documents JOIN documents USING (digest)"
        " WHERE position = ? ORDER BY kept_at, digest",
        (position,),
    )
    return tuple(Document(digest=row[0], kind=row[1], size=row[2]) for row in rows.fetchall())


def opened(db: Database, vault: Vault, digest: str) -> tuple[Document, bytes] | None:
    """Return a document that a ruling rests on, with its content, or None: there is none.

    Raises `VaultError` where it was altered, or another key has sealed it.
    """
    found = known(db, digest)
    used = db.conn.execute("SELECT 1 FROM ruling_documents WHERE digest = ?", (digest,)).fetchone()
    if found is None or used is None:
        return None
    data = vault.open(_sealed(db, digest), _place(digest))
    if hashlib.sha256(data).hexdigest() != digest:
        raise VaultError("证据文件与台账登记的指纹不符：数据被改动")
    return found, data


def missing(db: Database) -> list[tuple[int, str]]:
    """Return rulings (ledger position) with a document (digest) that is not there any more."""
    return [(position, each) for position, each in _evidence(db) if known(db, each) is None]


def unbound(db: Database) -> list[tuple[int, str]]:
    """Return rulings with a document, likewise, that the table beside the ledger has not noted."""
    bound = "SELECT 1 FROM ruling_documents WHERE position = ? AND digest = ?"
    return [
        (position, each)
        for position, each in _evidence(db)
        if db.conn.execute(bound, (position, each)).fetchone() is None
    ]


def altered(db: Database, vault: Vault) -> list[tuple[int, str]]:
    """Return rulings with a document, likewise, that is there and is not what it was.

    Or cannot be opened by the vault's keys. One at a time: it may have 10 MB.
    """
    bad: dict[str, bool] = {}
    found = []
    for position, each in _evidence(db):
        if each not in bad:
            bad[each] = known(db, each) is not None and not _is_itself(db, vault, each)
        if bad[each]:
            found.append((position, each))
    return found


def _is_itself(db: Database, vault: Vault, digest: str) -> bool:
    try:
        data = vault.open(_sealed(db, digest), _place(digest))
    except VaultError:
        return False
    return hashlib.sha256(data).hexdigest() == digest


def _evidence(db: Database) -> list[tuple[int, str]]:
    """Return what each ruling rests on by what the ledger says, not by the tables beside it.

    A file of an older hub, in which no document could be kept, has none.
    """
    if not db["documents"].exists():
        return []
    found = []
    for position, body in db.conn.execute("SELECT position, body FROM ledger WHERE kind = 'ruled'"):
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            evidence = msgspec.json.decode(body, type=Ruled).evidence
            found += [(int(position), each) for each in evidence]
    return found


def left(db: Database, vault: Vault) -> int:
    """Return how many documents are sealed by another key than the one that seals now."""
    (count,) = db.conn.execute(
        f"SELECT count(*) FROM documents WHERE substr(sealed, 1, {HEADER}) <> ?",  # noqa: S608
        (header(vault.ring.current),),
    ).fetchone()
    return int(count)


def reseal(db: Database, vault: Vault, after: str) -> tuple[str, bool] | None:
    """Seal the next document behind `after` anew; return which, and whether it could be opened.

    One in a transaction: it may have 10 MB. It is overwritten by one of the same size.
    """
    row = db.conn.execute(
        f"SELECT digest FROM documents WHERE digest > ? AND substr(sealed, 1, {HEADER}) <> ?"  # noqa: S608
        " ORDER BY digest LIMIT 1",
        (after, header(vault.ring.current)),
    ).fetchone()
    if row is None:
        return None
    digest = str(row[0])
    try:
        data = vault.open(_sealed(db, digest), _place(digest))
    except VaultError:
        return digest, False
    db.conn.execute(
        "UPDATE documents SET sealed = ? WHERE digest = ?",
        (vault.seal(data, _place(digest)), digest),
    )
    return digest, True


def keys_in_use(db: Database) -> Counter[int]:
    """Return by which keys documents are sealed, and how many each has sealed."""
    rows = db.conn.execute(
        f"SELECT substr(sealed, 1, {HEADER}), count(*) FROM documents GROUP BY 1"  # noqa: S608
    )
    return Counter({int.from_bytes(bytes(front)[1:], "big"): int(n) for front, n in rows})


def _sealed(db: Database, digest: str) -> bytes:
    row = db.conn.execute("SELECT sealed FROM documents WHERE digest = ?", (digest,)).fetchone()
    return bytes(row[0])


def _place(digest: str) -> str:
    return f"document/{digest}"
