"""The authority's register: what was issued and revoked, and the vouchers. One SQLite file.

Certificates and revocations are only ever added; the database itself refuses anything else.
Times are milliseconds since 1970. Safe to share between threads, and between processes.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from msgspec import Struct
from sqlite_utils import Database, Migrations

migrations = Migrations("authority")

_CERTIFICATE = (
    "serial_number, purpose, name, hall, hardware, key_digest, not_before, not_after, pem"
)


@migrations()
def m001_register(db: Database) -> None:
    """Certificates, revocations, vouchers, and the number of the last revocation list."""
    for statement in (
        """
        CREATE TABLE certificates (
            serial_number TEXT PRIMARY KEY,  -- hexadecimal
            purpose TEXT NOT NULL CHECK (purpose IN ('device', 'server')),
            name TEXT NOT NULL,              -- the device, or the server's names
            hall TEXT NOT NULL,              -- '' for a server
            hardware TEXT NOT NULL,          -- serial number of the machine; '' = not known
            key_digest BLOB NOT NULL,        -- SHA-256 of its SubjectPublicKeyInfo
            not_before INTEGER NOT NULL,
            not_after INTEGER NOT NULL,
            pem TEXT NOT NULL,
            issued_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX certificates_name ON certificates (name)",
        "CREATE INDEX certificates_key ON certificates (key_digest)",
        """
        CREATE TABLE revocations (
            serial_number TEXT PRIMARY KEY REFERENCES certificates,
            at INTEGER NOT NULL,
            superseded INTEGER NOT NULL,     -- 1 = another machine took over the name
            reason TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE vouchers (
            digest BLOB PRIMARY KEY,         -- SHA-256: a stolen copy of this file opens nothing
            device TEXT NOT NULL,
            hall TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            used_for TEXT REFERENCES certificates,
            cancelled_at INTEGER
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE TABLE crl (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER) STRICT",
        "INSERT INTO crl VALUES (1, 0)",
        *(
            f"""
            CREATE TRIGGER {table}_never_{verb}d BEFORE {verb.upper()} ON {table}
            BEGIN SELECT RAISE(ABORT, 'the register only grows'); END
            """
            for table in ("certificates", "revocations")
            for verb in ("update", "delete")
        ),
    ):
        db.execute(statement)


def milliseconds(moment: datetime) -> int:
    """Return a moment, which has a time zone, as the register keeps it."""
    return int(moment.timestamp() * 1000)


class Entry(Struct, frozen=True):
    """A certificate (`pem`) as the register knows it; `revoked_at` is None while it holds."""

    serial_number: str
    purpose: str
    name: str
    hall: str
    hardware: str
    key_digest: bytes
    not_before: int
    not_after: int
    pem: str
    revoked_at: int | None = None
    superseded: int = 0  # 1 = another machine took over the name
    reason: str = ""

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return x509.load_pem_x509_certificate(self.pem.encode("ascii"))


class Voucher(Struct, frozen=True):
    """A voucher without its secret. `used_for`: the serial number that was issued for it."""

    device: str
    hall: str
    expires_at: int
    used_for: str | None = None
    cancelled_at: int | None = None


class Register:
    """The file. What was written is on the disk when `writing()` ends; else sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path) -> "Register":
        """Open or create the file; raises sqlite3.Error."""
        connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
        try:
            # A plain journal, not WAL: the directory may be copied, or live on a memory stick.
            # EXTRA also syncs the directory, without which a deleted journal may come back.
            for pragma in ("journal_mode = DELETE", "synchronous = EXTRA", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            migrations.apply(Database(connection, execute_plugins=False))
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside commits together, or nothing of it."""
        with self._lock:
            # IMMEDIATE: what is read inside must still hold when it is written.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def add(self, entry: Entry, at: int) -> None:
        """Record an issued certificate; inside `writing()`."""
        self._connection.execute(
            f"INSERT INTO certificates ({_CERTIFICATE}, issued_at)"  # noqa: S608 - our own
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.serial_number,
                entry.purpose,
                entry.name,
                entry.hall,
                entry.hardware,
                entry.key_digest,
                entry.not_before,
                entry.not_after,
                entry.pem,
                at,
            ),
        )

    def revoke(self, serial_number: str, at: int, reason: str, *, superseded: bool = False) -> None:
        """Record that a certificate no longer holds; inside `writing()`."""
        self._connection.execute(
            "INSERT INTO revocations VALUES (?, ?, ?, ?)",
            (serial_number, at, int(superseded), reason),
        )

    def add_voucher(self, digest: bytes, voucher: Voucher, at: int) -> None:
        """Record a new voucher; inside `writing()`."""
        self._connection.execute(
            "INSERT INTO vouchers VALUES (?, ?, ?, ?, ?, NULL, NULL)",
            (digest, voucher.device, voucher.hall, at, voucher.expires_at),
        )

    def use_voucher(self, digest: bytes, serial_number: str) -> None:
        """Record what a voucher was used for; inside `writing()`."""
        self._connection.execute(
            "UPDATE vouchers SET used_for = ? WHERE digest = ?", (serial_number, digest)
        )

    def cancel_vouchers(self, device: str, at: int) -> int:
        """Cancel all unused vouchers of a device; return how many; inside `writing()`."""
        return self._connection.execute(
            "UPDATE vouchers SET cancelled_at = ?"
            " WHERE device = ? AND used_for IS NULL AND cancelled_at IS NULL AND expires_at > ?",
            (at, device, at),
        ).rowcount

    def next_crl_number(self, at_least: int) -> int:
        """Return a number larger than any before; inside `writing()`."""
        row = self._connection.execute(
            "UPDATE crl SET number = max(number + 1, ?) RETURNING number", (at_least,)
        ).fetchone()
        return int(row[0])

    def voucher(self, digest: bytes) -> Voucher | None:
        """Return a voucher, or None."""
        rows = self._rows(
            "SELECT device, hall, expires_at, used_for, cancelled_at FROM vouchers"
            " WHERE digest = ?",
            (digest,),
        )
        return Voucher(*rows[0]) if rows else None

    def of_name(self, name: str, purpose: str = "device") -> list[Entry]:
        """Return all certificates of a device (or server), oldest first."""
        return self._entries("WHERE name = ? AND purpose = ?", (name, purpose))

    def holding(self, device: str, at: int) -> list[Entry]:
        """Return the certificates that a device may use at `at`, oldest first."""
        return [
            entry
            for entry in self.of_name(device)
            if entry.revoked_at is None and at < entry.not_after
        ]

    def of_key(self, key_digest: bytes) -> list[Entry]:
        """Return all certificates of one key, oldest first."""
        return self._entries("WHERE key_digest = ?", (key_digest,))

    def entries(self) -> list[Entry]:
        """Return every certificate, oldest first."""
        return self._entries("", ())

    def _entries(self, where: str, values: tuple[object, ...]) -> list[Entry]:
        rows = self._rows(
            f"SELECT {_CERTIFICATE}, at, coalesce(superseded, 0), coalesce(reason, '')"  # noqa: S608
            f" FROM certificates LEFT JOIN revocations USING (serial_number) {where}"
            " ORDER BY certificates.rowid",
            values,
        )
        return [Entry(*row) for row in rows]

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()
