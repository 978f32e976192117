"""Cases as they are kept: what is about the citizen is sealed, the rest is plain JSON.

The kinds of applicant and certificate are codes that many share; they stay with the case.
"""

import hashlib
import hmac
from collections.abc import Iterator

import msgspec
from sqlite_utils import Database

from hub.rules.case import Applicant, Case, Person
from hub.store import citizens
from hub.store.citizens import Citizen
from hub.store.database import Swallowed
from hub.store.vault import Vault, VaultError

_AT_ONCE = 1000


class CaseAltered(VaultError):
    """A case is not as this hub has registered it; the text says what to do, in Chinese."""

    def __init__(self, serial: str, service_number: int) -> None:
        super().__init__(
            f"办件 {serial}/{service_number} 与登记时的不符，数据文件可能被改动过："
            "请由窗口系统重新登记这个办件，并请管理员用 pingyi-hub verify 核查"
        )


class _FirstForm(msgspec.Struct):
    """What an older hub sealed of a case, in one piece."""

    applicant: Applicant
    agent: Person | None


def put(db: Database, vault: Vault, case: Case, now: int) -> bool:
    """Keep a case or its newer version, and queue its service record; True if it was new.

    Raises `VaultError`, and `database.Swallowed` where the file has not taken it: then nothing
    is committed.
    """
    key = (case.serial, case.service_number)
    known = db.execute(
        "SELECT 1 FROM cases WHERE serial = ? AND service_number = ?", key
    ).fetchone()
    _write(db, vault, case, now)
    db.execute(
        """
        INSERT INTO deliveries (serial, service_number, kind, next_at, queued_at)
        VALUES (?, ?, 'service', ?, ?) ON CONFLICT DO NOTHING
        """,
        (*key, now, now),
    )
    queued = db.execute(
        "SELECT 1 FROM deliveries WHERE serial = ? AND service_number = ? AND kind = 'service'",
        key,
    ).fetchone()
    if queued is None:
        raise Swallowed("待报送清单")
    return known is None


def get(db: Database, vault: Vault, serial: str, service_number: int) -> Case | None:
    """Return a case with its citizen's data, or None: there is none, or they have been erased.

    Raises `VaultError`, of which `CaseAltered` is one.
    """
    try:
        return _read(db, vault, serial, service_number)
    except VaultError:  # perhaps sealed anew in between, and the old key dropped: look again
        return _read(db, vault, serial, service_number)


def adopt(
    db: Database, vault: Vault, after: tuple[str, int], limit: int
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Seal cases field by field that an older hub kept in one piece, those behind `after`.

    Returns which were done, and which could not be opened.
    """
    rows = db.conn.execute(
        "SELECT serial, service_number, body, sealed, updated_at FROM cases"
        " WHERE sealed <> x'' AND (serial, service_number) > (?, ?)"
        " ORDER BY serial, service_number LIMIT ?",
        (*after, limit),
    ).fetchall()
    done, failed = [], []
    for serial, number, body, sealed, updated_at in rows:
        try:
            case = _of_first_form(vault, serial, number, bytes(body), bytes(sealed))
        except VaultError:
            failed.append((serial, number))
            continue
        db.conn.execute(
            "UPDATE cases SET sealed = zeroblob(length(sealed))"
            " WHERE serial = ? AND service_number = ?",
            (serial, number),
        )
        _write(db, vault, case, updated_at)
        done.append((serial, number))
    return done, failed


def matter(db: Database, serial: str, service_number: int) -> str | None:
    """Return what a case is about, or None if there is no such case."""
    row = db.execute(
        "SELECT matter FROM cases WHERE serial = ? AND service_number = ?",
        (serial, service_number),
    ).fetchone()
    return None if row is None else str(row[0])


def checked_matter(db: Database, vault: Vault, serial: str, service_number: int) -> str | None:
    """Return what a case is about as it was registered, or None if there is no such case.

    Raises `CaseAltered`, `VaultError`.
    """
    row = db.execute(
        "SELECT matter, body, mark FROM cases WHERE serial = ? AND service_number = ?",
        (serial, service_number),
    ).fetchone()
    if row is None:
        return None
    _check(vault, (serial, service_number), *row)
    return str(row[0])


def mark_all(db: Database, vault: Vault) -> int:
    """Mark what hubs of before have registered; returns how many cases. Raises `VaultError`."""
    count, last = 0, ("", 0)
    while True:
        rows = db.conn.execute(
            "SELECT serial, service_number, matter, body FROM cases"
            " WHERE (serial, service_number) > (?, ?) ORDER BY serial, service_number LIMIT ?",
            (*last, _AT_ONCE),
        ).fetchall()
        if not rows:
            return count
        db.conn.executemany(
            "UPDATE cases SET mark = ?3 WHERE serial = ?1 AND service_number = ?2",
            [
                (serial, number, _mark(vault, (serial, number), matter, bytes(body)))
                for serial, number, matter, body in rows
            ],
        )
        count, last = count + len(rows), rows[-1][:2]


def altered(db: Database, vault: Vault) -> Iterator[tuple[str, int]]:
    """Yield the cases that are not as this hub has registered them, or whose citizen is not.

    One whose citizen has been erased is looked at no further. Raises `VaultError` where the key
    cannot be read.
    """
    since = vault.ring.marks_since  # once, so that a key that is gone is not taken for forgery
    rows = db.conn.execute(
        "SELECT serial, service_number, matter, body, mark, sealed FROM cases"
        " ORDER BY serial, service_number"
    )
    for serial, number, matter, body, mark, sealed in rows:
        of = (str(serial), int(number))
        try:
            if since or mark:
                _check(vault, of, matter, bytes(body), bytes(mark))
            kept = None if sealed else citizens.row(db, *of)
            if kept is not None and kept.held:
                citizens.opened(vault, kept)
        except VaultError:
            yield of


def unmarked(db: Database, vault: Vault) -> int:
    """Return how many cases nothing proves: hubs of before have registered them."""
    if "mark" not in db["cases"].columns_dict:
        return int(db.conn.execute("SELECT count(*) FROM cases").fetchone()[0])
    if vault.ring.marks_since:
        return 0
    return int(db.conn.execute("SELECT count(*) FROM cases WHERE mark = x''").fetchone()[0])


def any_kept(db: Database) -> bool:
    """Whether there is any case, or a citizen of one that was fed: then their key must be there."""
    found = db.execute("SELECT 1 FROM cases UNION ALL SELECT 1 FROM citizens LIMIT 1")
    return found.fetchone() is not None


def any_registered(db: Database) -> bool:
    """Whether there is any case of this hall's own."""
    return db.conn.execute("SELECT 1 FROM cases LIMIT 1").fetchone() is not None


def _write(db: Database, vault: Vault, case: Case, now: int) -> None:
    body = msgspec.to_builtins(case)
    for name in ("name", "certificate_number", "mobile"):
        body["applicant"].pop(name)
        if body["agent"] is not None:
            body["agent"].pop(name, None)
    of, said = (case.serial, case.service_number), msgspec.json.encode(body)
    cursor = db.execute(
        """
        INSERT INTO cases (serial, service_number, matter, body, sealed, updated_at, mark)
        VALUES (?, ?, ?, ?, x'', ?, ?)
        ON CONFLICT (serial, service_number) DO UPDATE SET
            matter = excluded.matter, body = excluded.body, sealed = excluded.sealed,
            updated_at = excluded.updated_at, mark = excluded.mark
        """,
        (*of, case.matter, said, now, _mark(vault, of, case.matter, said)),
    )
    if cursor.rowcount != 1:
        raise Swallowed("办件")
    agent = case.agent
    citizen = Citizen(
        applicant_name=case.applicant.name,
        applicant_number=case.applicant.certificate_number,
        mobile=case.applicant.mobile,
        agent_name="" if agent is None else agent.name,
        agent_number="" if agent is None else agent.certificate_number,
    )
    citizens.put(db, vault, case.serial, case.service_number, citizen)


def _read(db: Database, vault: Vault, serial: str, service_number: int) -> Case | None:
    row = db.execute(
        "SELECT body, sealed, matter, mark FROM cases WHERE serial = ? AND service_number = ?",
        (serial, service_number),
    ).fetchone()
    if row is None:
        return None
    if row[1]:
        return _of_first_form(vault, serial, service_number, bytes(row[0]), bytes(row[1]))
    kept = citizens.row(db, serial, service_number)
    if kept is None or not kept.held:
        return None
    citizen = citizens.opened(vault, kept)
    # Behind that: another key opens nothing, and is no forgery.
    _check(vault, (serial, service_number), row[2], bytes(row[0]), bytes(row[3]))
    body = msgspec.json.decode(row[0])
    body["applicant"] |= {
        "name": citizen.applicant_name,
        "certificate_number": citizen.applicant_number,
        "mobile": citizen.mobile,
    }
    if body["agent"] is not None:
        body["agent"] |= {"name": citizen.agent_name, "certificate_number": citizen.agent_number}
    return msgspec.convert(body, Case)


def _mark(vault: Vault, of: tuple[str, int], matter: str, body: bytes) -> bytes:
    """Return by what the hub knows what it has registered, without the citizen."""
    said = msgspec.json.encode((*of, matter, hashlib.sha256(body).hexdigest()))
    return vault.digest("case", said.decode())


def _check(vault: Vault, of: tuple[str, int], matter: str, body: bytes, mark: bytes) -> None:
    """Raise `CaseAltered`; what hubs of before have registered is marked at the next start."""
    if not mark and not vault.ring.marks_since:
        return
    if not hmac.compare_digest(_mark(vault, of, matter, bytes(body)), bytes(mark)):
        raise CaseAltered(*of)


def _of_first_form(vault: Vault, serial: str, number: int, body: bytes, sealed: bytes) -> Case:
    plain = vault.open_first_form(sealed, f"{serial}/{number}")
    citizen = msgspec.json.decode(plain, type=_FirstForm)
    facts = msgspec.json.decode(body) | {
        "applicant": msgspec.to_builtins(citizen.applicant),
        "agent": msgspec.to_builtins(citizen.agent),
    }
    return msgspec.convert(facts, Case)
