"""Cases as they are kept: what is about the citizen is sealed, the rest is plain JSON."""

import msgspec
from sqlite_utils import Database

from hub.rules.case import Applicant, Case, Person
from hub.store.vault import Vault


class _Citizen(msgspec.Struct):
    applicant: Applicant
    agent: Person | None


def put(db: Database, vault: Vault, case: Case, now: int) -> bool:
    """Keep a case or its newer version, and queue its service record; True if it was new."""
    body = msgspec.to_builtins(case)
    citizen = _Citizen(applicant=case.applicant, agent=case.agent)
    del body["applicant"], body["agent"]
    context = f"{case.serial}/{case.service_number}"
    known = db.execute(
        "SELECT 1 FROM cases WHERE serial = ? AND service_number = ?",
        (case.serial, case.service_number),
    ).fetchone()
    db.execute(
        """
        INSERT INTO cases (serial, service_number, matter, body, sealed, updated_at)
        VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (serial, service_number) DO UPDATE SET
            matter = excluded.matter, body = excluded.body,
            sealed = excluded.sealed, updated_at = excluded.updated_at
        """,
        (
            case.serial,
            case.service_number,
            case.matter,
            msgspec.json.encode(body),
            vault.seal(msgspec.json.encode(citizen), context),
            now,
        ),
    )
    db.execute(
        """
        INSERT INTO deliveries (serial, service_number, kind, next_at, queued_at)
        VALUES (?, ?, 'service', ?, ?) ON CONFLICT DO NOTHING
        """,
        (case.serial, case.service_number, now, now),
    )
    return known is None


def get(db: Database, vault: Vault, serial: str, service_number: int) -> Case | None:
    """Return a case with its citizen's data, or None."""
    row = db.execute(
        "SELECT body, sealed FROM cases WHERE serial = ? AND service_number = ?",
        (serial, service_number),
    ).fetchone()
    if row is None:
        return None
    citizen = msgspec.json.decode(vault.open(row[1], f"{serial}/{service_number}"), type=_Citizen)
    body = msgspec.json.decode(row[0])
    body |= {
        "applicant": msgspec.to_builtins(citizen.applicant),
        "agent": msgspec.to_builtins(citizen.agent),
    }
    return msgspec.convert(body, Case)


def matter(db: Database, serial: str, service_number: int) -> str | None:
    """Return what a case is about, or None if there is no such case."""
    row = db.execute(
        "SELECT matter FROM cases WHERE serial = ? AND service_number = ?",
        (serial, service_number),
    ).fetchone()
    return None if row is None else str(row[0])


def any_kept(db: Database) -> bool:
    """Whether there is any case: then the key that sealed it must be there too."""
    return db.execute("SELECT 1 FROM cases LIMIT 1").fetchone() is not None
