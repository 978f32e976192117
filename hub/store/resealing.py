"""Sealing anew by another key, in steps that a running hub does not feel, and dropping keys.

Rows are overwritten by rows of the same size: of what the old key sealed nothing stays.
"""

from collections import Counter

from sqlite_utils import Database

from hub.store import citizens, documents
from hub.store.vault import HEADER, SEALED, Vault, VaultError, header

# ruff: noqa: S608 - made of the names of columns
_FRONTS = {name: f"substr({name}, 1, {HEADER})" for name in citizens.FIELDS}
_HELD = f"substr(applicant_name, 1, 1) = x'{SEALED.hex()}'"
_OTHERWISE = " OR ".join(f"{front} <> ?1" for front in _FRONTS.values())


def left(db: Database, vault: Vault) -> int:
    """Return how many cases and documents another key has sealed than the one that seals now."""
    first = db.conn.execute("SELECT count(*) FROM cases WHERE sealed <> x''").fetchone()[0]
    rows = db.conn.execute(
        f"SELECT count(*) FROM citizens WHERE {_HELD} AND ({_OTHERWISE})",
        (header(vault.ring.current),),
    ).fetchone()[0]
    return int(first) + int(rows) + documents.left(db, vault)


def step(
    db: Database, vault: Vault, after: int, limit: int
) -> tuple[list[tuple[str, int]], list[tuple[str, int]], int]:
    """Seal up to `limit` cases anew, those behind the row `after`; in one transaction.

    Returns which were done, which could not be opened, and behind which row to go on.
    """
    rows = db.conn.execute(
        f"SELECT id, serial, service_number FROM citizens"
        f" WHERE id > ?2 AND {_HELD} AND ({_OTHERWISE}) ORDER BY id LIMIT ?3",
        (header(vault.ring.current), after, limit),
    ).fetchall()
    done, failed = [], []
    for identifier, serial, number in rows:
        after = identifier
        kept = citizens.row(db, serial, number)
        if kept is None:
            continue
        try:
            known = citizens.opened(vault, kept)
        except VaultError:
            failed.append((serial, number))
            continue
        citizens.put(db, vault, serial, number, known)
        done.append((serial, number))
    return done, failed, after


def in_use(db: Database) -> Counter[int]:
    """Return by which keys values are sealed, and how many each has sealed."""
    found = documents.keys_in_use(db)
    for front in _FRONTS.values():
        for beginning, count in db.conn.execute(
            f"SELECT {front}, count(*) FROM citizens WHERE {_HELD} GROUP BY 1"
        ):
            found[int.from_bytes(bytes(beginning)[1:], "big")] += count
    (first,) = db.conn.execute("SELECT count(*) FROM cases WHERE sealed <> x''").fetchone()
    if first:
        found[0] += first
    return found


def drop(db: Database, names: set[int], now: int) -> None:
    """Let no value be kept any more that one of these keys has sealed."""
    db.conn.executemany(
        "INSERT INTO dropped_keys VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(header(name), now) for name in names],
    )
