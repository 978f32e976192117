"""Citizens' data as they are kept: each field sealed on its own, found by a keyed hash.

Values are filled up to steps of 32 bytes before they are sealed: a short name does not show by
its length, and most corrections overwrite what they replace.
"""

import unicodedata
from itertools import starmap

from msgspec import Struct
from sqlite_utils import Database

from hub.store.database import Swallowed
from hub.store.vault import DIGEST, HEADER, SEALED, Vault

FIELDS = ("applicant_name", "applicant_number", "mobile", "agent_name", "agent_number")
FINDS = ("find_applicant", "find_mobile", "find_agent")

_STEP = 32
_NOBODY = bytes(DIGEST)
_COLUMNS = ", ".join(FIELDS)
_ALL = ", ".join((*FIELDS, *FINDS))
_OF = "WHERE serial = ? AND service_number = ?"

# ruff: noqa: S608 - made of the names of columns
_LENGTHS = f"SELECT {', '.join(f'length({name})' for name in FIELDS)} FROM citizens {_OF}"
_READ = f"SELECT {_COLUMNS} FROM citizens {_OF}"
_ADD = (
    f"INSERT INTO citizens (serial, service_number, {_ALL})"
    f" VALUES ({', '.join('?' * (2 + len(FIELDS) + len(FINDS)))})"
)
_CHANGE = f"UPDATE citizens SET {', '.join(f'{name} = ?' for name in (*FIELDS, *FINDS))} {_OF}"
_WIPE = (
    "UPDATE citizens SET "
    + ", ".join(f"{name} = zeroblob(length({name}))" for name in (*FIELDS, *FINDS))
    + f" {_OF}"
)


class Citizen(Struct, frozen=True, kw_only=True):
    """Who applied, and who came in their place; empty: there is none."""

    applicant_name: str
    applicant_number: str
    mobile: str = ""
    agent_name: str = ""
    agent_number: str = ""

    def __repr__(self) -> str:
        """Without the data: what is shown may end in a log."""
        return "Citizen(…)"


class Row(Struct, frozen=True, kw_only=True):
    """A row as it is in the file; `held` False: it has been erased."""

    serial: str
    service_number: int
    fields: dict[str, bytes]
    held: bool


def number_form(value: str) -> str:
    """Return a certificate's number as it is compared: capital, half-width, without spaces."""
    return "".join(unicodedata.normalize("NFKC", value).upper().split())


def mobile_form(value: str) -> str:
    """Return a mobile number as it is compared: its digits, without +86."""
    digits = "".join(
        letter for letter in unicodedata.normalize("NFKC", value) if letter in "0123456789"
    )
    return digits[2:] if len(digits) == 13 and digits.startswith("86") else digits


def put(db: Database, vault: Vault, serial: str, service_number: int, citizen: Citizen) -> None:
    """Keep what is known of a case's citizen, over what was known before.

    Raises `VaultError`, and `database.Swallowed` where the file has not taken it: then nothing
    is committed.
    """
    sealed = [_seal(vault, serial, service_number, name, getattr(citizen, name)) for name in FIELDS]
    values = (*sealed, *_digests(vault, citizen))
    key = (serial, service_number)
    before = db.execute(_LENGTHS, key).fetchone()
    if before is None:
        taken = db.execute(_ADD, (*key, *values)).rowcount
    else:
        if tuple(before) != tuple(map(len, sealed)):
            db.execute(_WIPE, key)
        taken = db.execute(_CHANGE, (*values, *key)).rowcount
    if taken != 1:
        raise Swallowed("办件人信息")


def row(db: Database, serial: str, service_number: int) -> Row | None:
    """Return the row of a case, or None: an older hub kept it in another form, or nobody did."""
    found = db.execute(_READ, (serial, service_number)).fetchone()
    if found is None:
        return None
    fields = dict(zip(FIELDS, map(bytes, found), strict=True))
    held = fields["applicant_name"][:1] == SEALED
    return Row(serial=serial, service_number=service_number, fields=fields, held=held)


def field(vault: Vault, of: Row, name: str) -> str:
    """Open one field and none of the others; raises `VaultError`."""
    opened = vault.open(of.fields[name], _place(of.serial, of.service_number, name))
    return opened.rstrip(b"\0")[:-1].decode()


def opened(vault: Vault, of: Row) -> Citizen:
    """Open all fields; raises `VaultError`, also where the row has been erased."""
    return Citizen(**{name: field(vault, of, name) for name in FIELDS})


def find(db: Database, vault: Vault, value: str) -> list[tuple[str, int]]:
    """Return the cases of one certificate's number or mobile number, each (serial, number).

    Reads the whole table: an index by the hash would leave copies of it in free space.
    """
    number, mobile = number_form(value), mobile_form(value)
    wanted = (vault.digest("number", number), vault.digest("mobile", mobile))
    rows = db.conn.execute(
        "SELECT serial, service_number FROM citizens"
        " WHERE find_applicant = ?1 OR find_agent = ?1 OR find_mobile = ?2",
        wanted,
    )
    return [key for key in starmap(_key, rows) if _is_of(db, vault, key, number, mobile)]


def erase(db: Database, serial: str, service_number: int) -> list[bytes]:
    """Overwrite a row with zeros; return what it held (sealed values and digests), if anything."""
    key = (serial, service_number)
    before = db.conn.execute(f"SELECT {_ALL} FROM citizens {_OF}", key).fetchone()
    if before is None or bytes(before[0])[:1] != SEALED:
        return []
    db.execute(_WIPE, key)
    # The first bytes name the key, not the citizen; a digest of nothing is zeros.
    values = [bytes(each) for each in before]
    return [each[HEADER:] for each in values[: len(FIELDS)]] + [
        each for each in values[len(FIELDS) :] if each != _NOBODY
    ]


def services(db: Database, serial: str) -> list[int]:
    """Return the services of a case whose citizen is, or was, known."""
    rows = db.conn.execute(
        "SELECT service_number FROM citizens WHERE serial = ? ORDER BY service_number", (serial,)
    )
    return [int(number) for (number,) in rows]


def _key(serial: str, service_number: int) -> tuple[str, int]:
    return serial, service_number


def _is_of(db: Database, vault: Vault, key: tuple[str, int], number: str, mobile: str) -> bool:
    found = row(db, *key)
    if found is None:
        return False
    known = opened(vault, found)
    numbers = (number_form(known.applicant_number), number_form(known.agent_number))
    return number in numbers or (bool(mobile) and mobile_form(known.mobile) == mobile)


def _seal(vault: Vault, serial: str, service_number: int, name: str, value: str) -> bytes:
    plain = value.encode() + b"\x80"
    plain += b"\0" * (-len(plain) % _STEP)
    return vault.seal(plain, _place(serial, service_number, name))


def _place(serial: str, service_number: int, name: str) -> str:
    return f"{name}/{service_number}/{serial}"


def _digests(vault: Vault, citizen: Citizen) -> tuple[bytes, bytes, bytes]:
    def one(kind: str, value: str) -> bytes:
        return vault.digest(kind, value) if value else _NOBODY

    return (
        one("number", number_form(citizen.applicant_number)),
        one("mobile", mobile_form(citizen.mobile)),
        one("number", number_form(citizen.agent_number)),
    )
