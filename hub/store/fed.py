"""Records that other halls have fed, found again: for the city, for a proof, for an account."""

from typing import Any

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from hub.rules.proof import FedKind, Proof
from hub.rules.records import Record
from hub.store import citizens, keys, marks
from hub.store.deliveries import Delivery
from hub.store.vault import Vault

NAMES = {
    "userName": "applicant_name",
    "certKey": "applicant_number",
    "mobile": "mobile",
    "handleUserName": "agent_name",
    "handleUserPageCode": "agent_number",
}
"""Where `citizens` holds what of a service record is about the citizen."""


class Fed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record in the ledger, with the hub's mark behind it (`store.marks`).

    `jws` stays last of its fields (see `rules.retention.own_part`).

    `digest`: keyed hash of a service record, or of what a rating says by itself and its
    signature, hex; a ruling has that of its rating. `own`: what a rating or an addition says by
    itself. Of a rating only, `jws`: the very bytes that its kiosk signed, `key`: the kiosk's
    public key (PEM), `of`: where the smaller hall's ledger holds them.
    """

    origin: str
    kind: FedKind
    serial: str
    service_number: int
    digest: str
    own: Record = {}
    of: int = 0
    device: str = ""
    key: str = ""
    jws: str = ""

    @property
    def proof(self) -> Proof:
        """The bytes that prove a rating."""
        return Proof(device=self.device, key=self.key, jws=self.jws, position=self.of)


class Altered(Exception):
    """What is kept of a record is not what came."""


class Origin(Struct, frozen=True, kw_only=True):
    """How many records came from a hall, and how those stand with the city."""

    name: str
    came: int
    waiting: int
    accepted: int
    set_aside: int


_decoder = msgspec.json.Decoder(Fed)


def read(body: str | bytes) -> Fed:
    """Return what an entry of kind `fed` says; raises `msgspec.MsgspecError` or ValueError."""
    return _decoder.decode(body)


def service(db: Database, vault: Vault, serial: str, service_number: int) -> Record | None:
    """Return a case's newest service record; None: the citizen's data have been erased.

    Raises `Altered`, `VaultError`.
    """
    newest = latest(db, serial, service_number)
    held = citizens.row(db, serial, service_number)
    if newest is None or held is None or not held.held:
        return None
    position, digest, text = newest
    record: Record = msgspec.json.decode(text, type=dict[str, str])
    known = citizens.opened(vault, held)
    record |= {field: getattr(known, name) for field, name in NAMES.items() if field in record}
    said = _taken(db, vault, position)
    if said is None or said.digest != digest or digest_of(vault, record) != digest:
        raise Altered
    return record


def rating(db: Database, vault: Vault, delivery: Delivery) -> tuple[Record, Proof] | None:
    """Return what was fed of a rating or what follows it; None: its words have been erased.

    A ruling says what its rating says, and that it is not valid. Raises `Altered`, also for
    what this hub has not taken in itself, and `VaultError`.
    """
    serial, number, kind = delivery.serial, delivery.service_number, delivery.kind
    said = _taken(db, vault, delivery.position)
    of = said if kind == "rating" else _taken(db, vault, place(db, serial, number, "rating"))
    if said is None or of is None:
        return None
    key = (serial, number)
    if (said.serial, said.service_number, said.kind) != (*key, kind) or (
        (of.serial, of.service_number, of.kind) != (*key, "rating")
    ):
        raise Altered
    if kind == "ruling":
        if said.digest != of.digest:
            raise Altered
        return of.own | {"appStatus": "2", "EffectivEvalua": "0"}, of.proof
    return said.own, of.proof


def is_fed(db: Database, position: int | None) -> bool:
    """Whether the ledger holds at this position what another hall has fed."""
    return _body(db, position) is not None


def entry(db: Database, position: int | None) -> Fed | None:
    """Return the entry of kind `fed` at a ledger position; None: there is none, or it is erased."""
    body = _body(db, position)
    return read(body) if body else None


def proof_of(db: Database, serial: str, service_number: int) -> list[Proof]:
    """Return a service's rating with each key that its kiosk ever had; empty: erased, or none.

    A rating that was itself fed comes with the one key that it came with.
    """
    row = db.conn.execute(
        """
        SELECT l.position, l.kind, l.device, l.body FROM deliveries AS d
        JOIN ledger AS l ON l.position = d.position
        WHERE d.serial = ? AND d.service_number = ? AND d.kind = 'rating'
            AND l.kind IN ('rated', 'fed')
        """,
        (serial, service_number),
    ).fetchone()
    if row is None or not row[3]:
        return []
    position, kind, device, body = row
    if kind == "fed":
        return [read(body).proof]
    known = [each.public_key for _, each in keys.arrivals(db, device)]
    known += [pem.decode("ascii") for name, pem in keys.of_all(db) if name == device]
    return [
        Proof(device=device, key=key, jws=bytes(body).decode("ascii"), position=position)
        for key in dict.fromkeys(known)
    ]


def origins(db: Database) -> list[Origin]:
    """Return how the records of each hall stand, by name; none in a file of an older hub."""
    if not db["fed"].exists():
        return []
    found: dict[str, dict[str, Any]] = {
        name: {"came": int(came), "waiting": 0, "accepted": 0, "set_aside": 0}
        for name, came in db.conn.execute("SELECT origin, count(*) FROM fed GROUP BY origin")
    }
    rows = db.conn.execute(
        """
        SELECT f.origin, d.state, count(*)
        FROM (SELECT DISTINCT origin, serial, service_number, kind FROM fed) AS f
        JOIN deliveries AS d ON d.serial = f.serial AND d.service_number = f.service_number
            AND d.kind = f.kind
        GROUP BY f.origin, d.state
        """
    )
    for name, state, count in rows:
        found[name][state] = int(count)
    return [Origin(name=name, **numbers) for name, numbers in sorted(found.items())]


def without_entry(db: Database) -> list[int]:
    """Return where the ledger should hold what a row beside it says of a record, and does not."""
    if not db["fed"].exists():
        return []
    rows = db.conn.execute(
        """
        SELECT f.position FROM fed AS f LEFT JOIN ledger AS l ON l.position = f.position
        WHERE l.kind IS NOT 'fed' OR (l.body <> x'' AND (
            json_extract(CAST(l.body AS TEXT), '$.digest') IS NOT f.digest
            OR json_extract(CAST(l.body AS TEXT), '$.origin') IS NOT f.origin))
        ORDER BY f.position
        """
    )
    return [int(row[0]) for row in rows.fetchall()]


def latest(db: Database, serial: str, service_number: int) -> tuple[int, str, str] | None:
    """Return position, digest and JSON of a case's newest service record, or None."""
    row: tuple[int, str, str] | None = db.conn.execute(
        "SELECT position, digest, record FROM fed"
        " WHERE serial = ? AND service_number = ? AND kind = 'service'"
        " ORDER BY position DESC LIMIT 1",
        (serial, service_number),
    ).fetchone()
    return row


def place(db: Database, serial: str, service_number: int, kind: FedKind) -> int | None:
    """Return where the ledger holds the newest of a kind for a service, or None."""
    row = db.conn.execute(
        "SELECT max(position) FROM fed WHERE serial = ? AND service_number = ? AND kind = ?",
        (serial, service_number, kind),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def digest_of(vault: Vault, record: Record) -> str:
    """Return by what a record is known, and cannot be guessed, hex."""
    text = msgspec.json.encode(dict(sorted(record.items()))).decode()
    return vault.digest("fed record", text).hex()


def _taken(db: Database, vault: Vault, position: int | None) -> Fed | None:
    """Return an entry as `entry` does; raises `Altered` where its mark does not fit."""
    row = _row(db, position)
    if position is None or row is None or not row[0]:
        return None
    if not marks.genuine(vault, "fed", position, row[1], row[0]):
        raise Altered
    return read(row[0])


def _body(db: Database, position: int | None) -> bytes | None:
    row = _row(db, position)
    return None if row is None else row[0]


def _row(db: Database, position: int | None) -> tuple[bytes, int] | None:
    """Return the body at a ledger position and when it was entered."""
    row = db.conn.execute(
        "SELECT body, recorded_at FROM ledger WHERE position = ? AND kind = 'fed'", (position,)
    ).fetchone()
    return None if row is None else (bytes(row[0]), int(row[1]))
