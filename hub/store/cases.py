"""Cases as they are kept: what is about the citizen is sealed, the rest is plain JSON.

The kinds of applicant and certificate are codes that many share; they stay with the case.
"""

import msgspec
from sqlite_utils import Database

from hub.rules.case import Applicant, Case, Person
from hub.store import citizens
from hub.store.citizens import Citizen
from hub.store.vault import Vault, VaultError


class _FirstForm(msgspec.Struct):
    """What an older hub sealed of a case, in one piece."""

    applicant: Applicant
    agent: Person | None


def put(db: Database, vault: Vault, case: Case, now: int) -> bool:
    """Keep a case or its newer version, and queue its service record; True if it was new."""
    known = db.execute(
        "SELECT 1 FROM cases WHERE serial = ? AND service_number = ?",
        (case.serial, case.service_number),
    ).fetchone()
    _write(db, vault, case, now)
    db.execute(
        """
        INSERT INTO deliveries (serial, service_number, kind, next_at, queued_at)
        VALUES (?, ?, 'service', ?, ?) ON CONFLICT DO NOTHING
        """,
        (case.serial, case.service_number, now, now),
    )
    return known is None


def get(db: Database, vault: Vault, serial: str, service_number: int) -> Case | None:
    """Return a case with its citizen's data, or None: there is none, or they have been erased.

    Raises `VaultError`.
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


def any_kept(db: Database) -> bool:
    """Whether there is any case, or a citizen of one that was fed: then their key must be there."""
    found = db.execute("SELECT 1 FROM cases UNION ALL SELECT 1 FROM citizens LIMIT 1")
    return found.fetchone() is not None


def _write(db: Database, vault: Vault, case: Case, now: int) -> None:
    body = msgspec.to_builtins(case)
    for name in ("name", "certificate_number", "mobile"):
        body["applicant"].pop(name)
        if body["agent"] is not None:
            body["agent"].pop(name, None)
    db.execute(
        """
        INSERT INTO cases (serial, service_number, matter, body, sealed, updated_at)
        VALUES (?, ?, ?, ?, x'', ?)
        ON CONFLICT (serial, service_number) DO UPDATE SET
            matter = excluded.matter, body = excluded.body,
            sealed = excluded.sealed, updated_at = excluded.updated_at
        """,
        (case.serial, case.service_number, case.matter, msgspec.json.encode(body), now),
    )
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
        "SELECT body, sealed FROM cases WHERE serial = ? AND service_number = ?",
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
    body = msgspec.json.decode(row[0])
    body["applicant"] |= {
        "name": citizen.applicant_name,
        "certificate_number": citizen.applicant_number,
        "mobile": citizen.mobile,
    }
    if body["agent"] is not None:
        body["agent"] |= {"name": citizen.agent_name, "certificate_number": citizen.agent_number}
    return msgspec.convert(body, Case)


def _of_first_form(vault: Vault, serial: str, number: int, body: bytes, sealed: bytes) -> Case:
    plain = vault.open_first_form(sealed, f"{serial}/{number}")
    citizen = msgspec.json.decode(plain, type=_FirstForm)
    facts = msgspec.json.decode(body) | {
        "applicant": msgspec.to_builtins(citizen.applicant),
        "agent": msgspec.to_builtins(citizen.agent),
    }
    return msgspec.convert(facts, Case)
